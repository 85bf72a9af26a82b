//! Which application on which cluster.

use std::path::PathBuf;

use clap::Args;
use futures::{Stream, StreamExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config};

use super::Error;
use crate::app::MicroserviceApp;

#[derive(Args, Debug)]
pub struct Cluster {
    /// Namespace of the application [default: the one of the context]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long)]
    context: Option<String>,
    /// Kubeconfig file [default: as kubectl finds it]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// One application.
pub struct Target {
    pub name: String,
    pub namespace: String,
    api: Api<MicroserviceApp>,
}

impl Cluster {
    pub async fn target(self, name: String) -> Result<Target, Error> {
        let options = KubeConfigOptions { context: self.context, ..Default::default() };
        let config = match self.kubeconfig {
            Some(file) => Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await?,
            None => Config::from_kubeconfig(&options).await?,
        };
        let namespace = self.namespace.unwrap_or_else(|| config.default_namespace.clone());
        let api = Api::namespaced(Client::try_from(config)?, &namespace);
        Ok(Target { name, namespace, api })
    }
}

impl Target {
    pub async fn get(&self) -> Result<MicroserviceApp, Error> {
        self.api.get(&self.name).await.map_err(|error| match error {
            // A cluster that does not know the kind answers 404, too, but names no object.
            kube::Error::Api(status)
                if status.is_not_found() && status.details.as_ref().is_none_or(|d| d.name.is_empty()) =>
            {
                Error::NotInstalled
            }
            kube::Error::Api(status) if status.is_not_found() => self.not_found(),
            error => error.into(),
        })
    }

    /// The application at each of its changes, and nothing while the cluster is away.
    pub fn changes(&self) -> impl Stream<Item = Result<MicroserviceApp, Error>> + Send + '_ {
        let changes = watcher::watch_object(self.api.clone(), &self.name).default_backoff();
        Box::pin(changes.filter_map(async |change| match change {
            Ok(app) => Some(app.ok_or_else(|| self.not_found())),
            Err(error) => {
                tracing::warn!("the cluster does not answer, trying again: {error}");
                None
            }
        }))
    }

    fn not_found(&self) -> Error {
        Error::NotFound(self.name.clone(), self.namespace.clone())
    }
}
