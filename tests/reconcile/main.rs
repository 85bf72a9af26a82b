//! The operator on a real API server, with pods that are only played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod crash;
mod data;
mod drift;
mod foreign;
mod gap;
mod hold;
mod life;
mod prune;
mod quota;
mod rest;
mod restore;
mod rotation;
mod strangers;
mod trouble;
mod upgrade;
mod volumes;

use std::time::{Duration, Instant};

use kube::Client;
use microapp::controller::Options;
use support::{
    cluster::{Cluster, cluster},
    crd,
    fault::Connection,
    operator::{Operator, options},
    provisioner::Actor,
    space::{PATIENCE, Space},
};

/// A namespace with an operator and a provisioner of its own.
pub struct Setup {
    pub space: Space,
    /// What the running operator speaks over.
    pub connection: Connection,
    pub operator: Option<Operator>,
    pub provisioner: Actor,
    pub options: Options,
}

impl Setup {
    /// None: this machine has no API server, which was said.
    pub async fn new(stem: &str) -> Option<Self> {
        let mut setup = Self::without_operator(stem).await?;
        setup.start();
        Some(setup)
    }

    pub async fn without_operator(stem: &str) -> Option<Self> {
        let space = space(stem).await?;
        let provisioner = Actor::start(space.client.clone(), &space.name);
        Some(Self {
            options: options(&space.name),
            space,
            connection: Connection::default(),
            operator: None,
            provisioner,
        })
    }

    /// Starts a new operator, over a new connection; one that runs is killed.
    pub fn start(&mut self) {
        self.start_over(Connection::default());
    }

    pub fn start_over(&mut self, connection: Connection) {
        self.kill();
        self.operator = Some(Operator::start(connection.client(&self.space.client), self.options.clone()));
        self.connection = connection;
    }

    /// Waits until the operator has asked for nothing but watches for a second.
    pub async fn quiet(&self) {
        let (mut seen, mut since, begun) = (usize::MAX, Instant::now(), Instant::now());
        while since.elapsed() < Duration::from_secs(1) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{}: the operator does not come to rest; its last requests: {:#?}",
                self.space.name,
                self.connection.asked().iter().rev().take(10).collect::<Vec<_>>()
            );
            let now = self.connection.asked().len();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the operator in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.operator = None;
    }
}

/// A namespace without an operator.
pub async fn space(stem: &str) -> Option<Space> {
    let (_, client) = connect().await?;
    Some(Space::new(&client, stem).await)
}

/// The cluster of this process, with our definition in it.
pub async fn connect() -> Option<(&'static Cluster, Client)> {
    static INSTALLED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    // The first provider wins; the others of this process change nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap()?;
    let client: Client = cluster.client().await;
    INSTALLED.get_or_init(|| crd::install(&client)).await;
    Some((cluster, client))
}
