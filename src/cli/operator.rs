//! `microapp operator`: the operator itself.

use std::net::SocketAddr;

use clap::Args;

use super::{Error, OK, asked_to_end};
use crate::app::Settings;
use crate::cluster::client;
use crate::controller::{self, Options};
use crate::kit::images;

/// Run the operator, on the cluster that it is in or that the kubeconfig names
#[derive(Args, Debug)]
pub struct Operator {
    /// Watch a single namespace [default: all]
    #[arg(long)]
    namespace: Option<String>,
    /// Image of the agents in the pods of applications
    #[arg(long, env = "MICROAPP_AGENT_IMAGE", default_value = images::AGENT)]
    agent_image: String,
    /// Namespace of the Lease for leader election [default: none; leader election is disabled]
    #[arg(long, env = "POD_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Identity in leader election: needed with a Lease, and different for each replica, or two of them act
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,
    /// Where /livez and /readyz are answered, on IPv6 and IPv4
    #[arg(long, default_value = "[::]:8081")]
    health_address: SocketAddr,
    /// Where /metrics is answered, on IPv6 and IPv4
    #[arg(long, default_value = "[::]:8080")]
    metrics_address: SocketAddr,
}

impl Operator {
    pub async fn run(self) -> Result<u8, Error> {
        let identity = self.identity.filter(|name| !name.is_empty());
        if self.lease_namespace.is_some() && identity.is_none() {
            return Err(Error::NoIdentity);
        }
        let options = Options {
            settings: Settings { agent_image: self.agent_image, ..Default::default() },
            namespace: self.namespace,
            lease_namespace: self.lease_namespace,
            identity: identity.unwrap_or_else(|| "microapp".into()),
            health_address: Some(self.health_address),
            metrics_address: Some(self.metrics_address),
        };
        controller::run(client::connect().await?, options, asked_to_end()).await?;
        Ok(OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_shares_a_lease_needs_a_name_of_its_own() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let nameless = Operator {
            namespace: None,
            agent_image: String::new(),
            lease_namespace: Some("microapp-system".into()),
            identity: Some(String::new()),
            health_address: address,
            metrics_address: address,
        };
        assert!(matches!(nameless.run().await, Err(Error::NoIdentity)));
    }
}
