//! The operator on a real API server, with pods that are only played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod life;

use kube::Client;
use support::{
    cluster::cluster,
    crd,
    operator::{Operator, options},
    provisioner::Actor,
    space::Space,
};

/// A namespace with an operator and a provisioner of its own.
pub struct World {
    pub space: Space,
    pub operator: Operator,
    pub provisioner: Actor,
}

impl World {
    /// None: this machine has no API server, which was said.
    pub async fn new(stem: &str) -> Option<Self> {
        let space = space(stem).await?;
        let operator = Operator::start(space.client.clone(), options(&space.name));
        let provisioner = Actor::start(space.client.clone(), &space.name);
        Some(Self { space, operator, provisioner })
    }
}

/// A namespace without an operator.
pub async fn space(stem: &str) -> Option<Space> {
    // The first provider wins; the others of this process change nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap()?;
    let client: Client = cluster.client().await;
    crd::install(&client).await;
    Some(Space::new(&client, stem).await)
}
