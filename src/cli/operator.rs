//! `microapp operator`: keeps applications.

use std::net::SocketAddr;

use crate::app::Settings;
use crate::cluster::client;
use crate::controller::{self, Options};

/// Keep the applications of the cluster.
#[derive(clap::Args, Debug)]
pub struct Operator {
    /// Image of the agents in pods; the operator's own by default
    #[arg(long, env = "MICROAPP_AGENT_IMAGE")]
    agent_image: Option<String>,
    /// The one namespace whose applications it keeps; all by default
    #[arg(long, env = "MICROAPP_NAMESPACE")]
    namespace: Option<String>,
    /// Namespace of the Lease by which one of several operators leads; none: this one leads without asking
    #[arg(long, env = "POD_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Name by which others know this one
    #[arg(long, env = "POD_NAME", default_value = "microapp")]
    identity: String,
    /// Where `/livez` and `/readyz` answer
    #[arg(long, default_value = "0.0.0.0:8081")]
    health_address: SocketAddr,
    /// Where `/metrics` answers
    #[arg(long, default_value = "0.0.0.0:8080")]
    metrics_address: SocketAddr,
}

/// Why the operator could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] crate::cluster::Error),
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

/// Runs until the process is told to end, or until another operator leads.
///
/// # Errors
/// When there is no cluster to speak to, or a port is taken.
pub async fn run(args: Operator) -> Result<(), Error> {
    let mut settings = Settings::default();
    settings.agent_image = args.agent_image.unwrap_or(settings.agent_image);
    let options = Options {
        settings,
        namespace: args.namespace,
        lease_namespace: args.lease_namespace,
        identity: args.identity,
        health_address: Some(args.health_address),
        metrics_address: Some(args.metrics_address),
    };
    controller::run(client::connect().await?, options, ended()).await?;
    Ok(())
}

/// Done when the process is told to end.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    // Without a handler the signal ends the process, which is what it asks for.
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
