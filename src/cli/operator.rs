//! `microapp operator`: the operator itself.

use std::net::SocketAddr;

use clap::Args;
use kube::Client;

use super::{Error, OK, asked_to_end};
use crate::app::Settings;
use crate::controller::{self, Options};
use crate::kit::images;

/// Run the operator, on the cluster that it is in or that the kubeconfig names
#[derive(Args, Debug)]
pub struct Operator {
    /// Keep the applications of one namespace only [default: of all]
    #[arg(long)]
    namespace: Option<String>,
    /// Image of the agents in the pods of applications
    #[arg(long, env = "MICROAPP_AGENT_IMAGE", default_value = images::AGENT)]
    agent_image: String,
    /// Namespace of the Lease by which one of several operators acts [default: none; it acts without asking]
    #[arg(long, env = "POD_NAMESPACE")]
    lease_namespace: Option<String>,
    /// How the others know this one
    #[arg(long, env = "POD_NAME", default_value = "microapp")]
    identity: String,
    /// Where /livez and /readyz are answered
    #[arg(long, default_value = "0.0.0.0:8081")]
    health_address: SocketAddr,
    /// Where /metrics is answered
    #[arg(long, default_value = "0.0.0.0:8080")]
    metrics_address: SocketAddr,
}

impl Operator {
    pub async fn run(self) -> Result<u8, Error> {
        let options = Options {
            settings: Settings { agent_image: self.agent_image, ..Default::default() },
            namespace: self.namespace,
            lease_namespace: self.lease_namespace,
            identity: self.identity,
            health_address: Some(self.health_address),
            metrics_address: Some(self.metrics_address),
        };
        controller::run(Client::try_default().await?, options, asked_to_end()).await?;
        Ok(OK)
    }
}
