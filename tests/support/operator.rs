//! The operator inside a test's process, for one namespace, so that many run side by side and can be killed at any
//! moment.

use std::time::Duration;

use kube::Client;
use microapp::app::Settings;
use microapp::controller::{self, Options};
use tokio::task::JoinHandle;

/// A running operator. Dropped, it is killed: nothing is finished, nothing is given back.
pub struct Operator {
    task: JoinHandle<()>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What an operator for one namespace is started with.
pub fn options(namespace: &str) -> Options {
    Options {
        settings: Settings::default(),
        namespace: Some(namespace.into()),
        lease_namespace: None,
        identity: "test".into(),
        health_address: None,
        metrics_address: None,
    }
}

impl Operator {
    pub fn start(client: Client, options: Options) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            controller::run(client, options, async { drop(stopped.await) }).await.expect("the operator runs");
        });
        Self { task, stop: Some(stop) }
    }

    /// Ends it as Kubernetes would.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.ended(Duration::from_secs(10)).await;
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self, within: Duration) {
        tokio::time::timeout(within, &mut self.task)
            .await
            .expect("the operator ends in time")
            .expect("without a panic");
    }
}
