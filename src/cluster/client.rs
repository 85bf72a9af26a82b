//! The connection: every request has a deadline, and none is tried again behind our back.

use std::{future::Future, time::Duration};

use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject},
};

use super::Error;
use crate::kit::owned::Owned;

const DEADLINE: Duration = Duration::from_secs(30);

/// A client for the cluster that the environment names: the pod's own, or that of the kubeconfig.
///
/// # Errors
/// When there is no cluster to speak to, or the files that name it are not right.
pub async fn connect() -> Result<Client, Error> {
    let config = Config::infer().await.map_err(|e| Error::from(kube::Error::InferConfig(e)))?;
    Ok(Client::try_from(tuned(config))?)
}

/// Our own queue decides what is tried again, and when: a client that waits by itself would hold a worker for minutes.
pub fn tuned(mut config: Config) -> Config {
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
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
    ApiResource { group: kind.group.into(), version: kind.version.into(), api_version: kind.api_version(), kind: kind.kind.into(), plural: kind.plural.into() }
}

/// Objects of a kind in a namespace.
pub fn objects(client: &Client, kind: &Owned, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}
