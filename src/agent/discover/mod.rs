//! Follows the EndpointSlices of the pod's namespace and writes, for each Envoy cluster, the file from which Envoy
//! reads its endpoints.
//!
//! The last good answer stays: while the API server is away the files are as they were, also over a restart of this
//! program.

mod bootstrap;
mod configuration;
mod drain;
mod endpoints;
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, ResourceExt};
use tracing::warn;

use super::server::{self, Readiness};
use super::{Error, backoff, cluster, whole};
use crate::kit::agents::{BOOTSTRAP, DiscoverCluster, ENDPOINTS_FOLDER, PLAN_FILE, PLAN_FOLDER};
use drain::Drain;
use endpoints::SERVICE;
use files::Files;

/// Once complete, the answer stays good however old it becomes: an Envoy that can serve is worth more than one that is
/// taken away.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Between attempts to reach the API server. The longest is short, because Envoy goes on with old endpoints for as
/// long.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The plan: which clusters there are.
    #[arg(long, env = "MICROAPP_PLAN", default_value_os_t = PathBuf::from(PLAN_FOLDER).join(PLAN_FILE))]
    plan: PathBuf,
    /// The folder that Envoy reads endpoints from.
    #[arg(long, env = "MICROAPP_ENDPOINTS", default_value = ENDPOINTS_FOLDER)]
    endpoints: PathBuf,
    /// Digest of plan and configuration that this pod is made for; it waits until they are mounted.
    #[arg(long)]
    configuration: Option<String>,
    /// Where Envoy's configuration is written.
    #[arg(long, env = "MICROAPP_BOOTSTRAP", default_value = BOOTSTRAP)]
    bootstrap: PathBuf,
    /// Where the kubelet is answered. Default: port 9903 of every address.
    #[arg(long, env = "MICROAPP_LISTEN")]
    listen: Option<SocketAddr>,
}

pub async fn run(options: Options) -> Result<(), Error> {
    let plan = configuration::take(&options.plan, &options.bootstrap, options.configuration.as_deref()).await?;
    let mut files = Files::open(options.endpoints, &plan.clusters)?;
    let readiness = Readiness::new();
    let drain = Drain::new(&plan);
    let serve = server::serve(options.listen, readiness.clone(), drain.router());
    let follow = async {
        if plan.clusters.is_empty() {
            readiness.extend(FOREVER);
            return std::future::pending().await;
        }
        let client = cluster()?;
        let slices = Api::<EndpointSlice>::default_namespaced(client);
        let events = watcher::watcher(slices, watcher::Config::default().labels(&selector(&plan.clusters)));
        follow(events.backoff(backoff(FIRST_RETRY, LONGEST_RETRY)), &plan.clusters, &mut files, &readiness).await
    };
    let undo = async {
        drain.undo().await;
        Ok(())
    };
    tokio::try_join!(serve, follow, undo).map(|_| ())
}

/// Only slices of our services, so that a namespace shared with others costs nothing.
fn selector(clusters: &[DiscoverCluster]) -> String {
    let services: BTreeSet<&str> = clusters.iter().map(|cluster| cluster.service.as_str()).collect();
    format!("{SERVICE} in ({})", services.into_iter().collect::<Vec<_>>().join(","))
}

async fn follow(
    events: impl Stream<Item = Result<Event<EndpointSlice>, watcher::Error>>,
    clusters: &[DiscoverCluster],
    files: &mut Files,
    readiness: &Readiness,
) -> Result<(), Error> {
    let mut slices = Slices::default();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => slices.learn(event),
            Err(error) => warn!(
                error = whole(&error),
                "cannot follow EndpointSlices; Envoy keeps the last endpoints, and we try again"
            ),
        }
        if slices.complete {
            for cluster in clusters {
                files.write(&cluster.name, endpoints::of(cluster, slices.known.values()))?;
            }
            readiness.extend(FOREVER);
        }
    }
    Ok(())
}

/// The slices that there are, by name. A list that is still arriving is kept apart, so that a restarted watch never
/// shows half of the endpoints.
#[derive(Default)]
struct Slices {
    known: BTreeMap<String, EndpointSlice>,
    arriving: BTreeMap<String, EndpointSlice>,
    /// A first list has arrived.
    complete: bool,
}

impl Slices {
    fn learn(&mut self, event: Event<EndpointSlice>) {
        match event {
            Event::Init => self.arriving.clear(),
            Event::InitApply(slice) => drop(self.arriving.insert(slice.name_any(), slice)),
            Event::InitDone => {
                self.known = std::mem::take(&mut self.arriving);
                self.complete = true;
            }
            Event::Apply(slice) => drop(self.known.insert(slice.name_any(), slice)),
            Event::Delete(slice) => drop(self.known.remove(&slice.name_any())),
        }
    }
}

#[cfg(test)]
mod tests;
