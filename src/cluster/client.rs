//! The connection: every request has a deadline, and none is tried again behind our back.

use std::{future::Future, time::Duration};

use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject},
};

use super::Error;
use crate::kit::owned::Owned;

const DEADLINE: Duration = Duration::from_secs(30);
/// Longest silence of a connection. A watch that is alive says something each minute, if only a bookmark; a connection
/// that died without a word ends here, and so does a list or the start of a watch that nobody answers.
const SILENCE: Duration = Duration::from_secs(90);

/// A client for the cluster that the environment names: the pod's own, or that of the kubeconfig.
///
/// # Errors
/// When there is no cluster to speak to, or the files that name it are not right.
pub async fn connect() -> Result<Client, Error> {
    let config = Config::infer().await.map_err(|e| Error::from(kube::Error::InferConfig(e)))?;
    Ok(Client::try_from(tuned(config, SILENCE))?)
}

/// Our own queue decides what is tried again, and when: a client that waits by itself would hold a worker for minutes.
pub fn tuned(mut config: Config, silence: Duration) -> Config {
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(silence);
    // The time for an answer counts from its request, not from when its connection was used last.
    config.reset_reader_on_write = true;
    config.disable_compression = true;
    config
}

/// Waits for an answer, but not for ever.
///
/// # Errors
/// The request's own, or [`Error::Late`].
pub async fn within<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Late(DEADLINE.as_secs())),
    }
}

/// A kind as the client knows it.
pub fn resource(kind: &Owned) -> ApiResource {
    ApiResource {
        group: kind.group.into(),
        version: kind.version.into(),
        api_version: kind.api_version(),
        kind: kind.kind.into(),
        plural: kind.plural.into(),
    }
}

/// Objects of a kind in a namespace.
pub fn objects(client: &Client, kind: &Owned, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::{ListParams, WatchParams};
    use tokio::net::TcpListener;

    use super::*;

    /// Connections are taken and nothing is ever said, as behind a firewall that forgot them.
    #[tokio::test]
    async fn lists_and_watches_that_nobody_answers_end() -> Result<(), Box<dyn std::error::Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            let mut kept = vec![];
            while let Ok((connection, _)) = listener.accept().await {
                kept.push(connection);
            }
        });
        let config = tuned(Config::new(address.parse()?), Duration::from_millis(200));
        assert!(!config.default_retry, "our own queue says when to try again");
        let api: Api<Pod> = Api::all(Client::try_from(config)?);
        let patience = Duration::from_secs(20);
        assert!(tokio::time::timeout(patience, api.list(&ListParams::default())).await?.is_err());
        assert!(tokio::time::timeout(patience, api.watch(&WatchParams::default(), "0")).await?.is_err());
        Ok(())
    }
}
