//! Programs inside pods, each beside one running server: `discover` feeds Envoy with endpoints, `provision` makes and
//! proves logins. What they are told and what they answer is in [`crate::kit::agents`]; the operator is never called.

pub mod discover;
pub mod provision;
mod server;
pub mod users;

use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::ExponentialBuilder;
use kube::{Client, Config, runtime::watcher::ExponentialBackoff};
use serde::de::DeserializeOwned;

use crate::kit::digest;

/// A connection to the API server that says nothing for this long is given up. Watches hear a bookmark about every
/// minute.
const SILENCE: Duration = Duration::from_secs(90);

#[derive(Debug, clap::Subcommand)]
pub enum Agent {
    /// Writes the endpoints of services into files for Envoy, and drains Envoy before it stops.
    Discover(discover::Options),
    /// Makes databases and logins inside servers, and proves that every service can use its own.
    Provision(provision::Options),
    /// Begins the file of users of a cache, before it starts.
    Users(users::Options),
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the plan {path}: {source}; the operator's ConfigMap must be mounted there")]
    PlanMissing { path: PathBuf, source: std::io::Error },
    #[error("the plan {path} cannot be understood: {source}")]
    PlanUnclear { path: PathBuf, source: serde_json::Error },
    #[error("cannot read the administrator's password {path}: {source}; its Secret must be mounted there")]
    Password { path: PathBuf, source: std::io::Error },
    #[error("cannot listen for the kubelet: {0}")]
    Listen(std::io::Error),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("not inside a pod with a service account token: {0}")]
    OutsideCluster(#[from] kube::config::InClusterError),
    #[error("the API server refused: {0}")]
    Cluster(#[from] kube::Error),
    #[error("the API server did not answer within {} s", .0.as_secs())]
    Deadline(Duration),
    #[error("Envoy's administration interface at {address}: {problem}")]
    Envoy { address: String, problem: String },
    #[error("cannot write as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the report has {0} bytes, more than the operator reads")]
    ReportTooLong(usize),
}

/// Runs one agent until `shutdown` answers or something fails that only a restart can heal.
pub async fn run(agent: Agent, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let work = async {
        match agent {
            Agent::Discover(options) => discover::run(options).await,
            Agent::Provision(options) => provision::run(options).await,
            Agent::Users(options) => users::run(&options),
        }
    };
    tokio::select! {
        ended = work => ended,
        () = shutdown => Ok(()),
    }
}

/// An error with what is behind it: libraries often say only "cannot connect", and the reason below.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

/// Waits after failures: twice as long each time, up to `longest`, and as much again by chance, so that pods which
/// failed together do not come back together.
fn backoff(first: Duration, longest: Duration) -> ExponentialBackoff {
    let waits = ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_jitter();
    waits.without_max_times().into()
}

/// The plan and the digest of its bytes. A plan that changes comes with a new pod, so it is read once.
fn read_plan<P: DeserializeOwned>(path: &Path) -> Result<(P, String), Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::PlanMissing { path: path.into(), source })?;
    let plan = serde_json::from_slice(&bytes).map_err(|source| Error::PlanUnclear { path: path.into(), source })?;
    Ok((plan, digest::of_bytes(&bytes)))
}

/// A client of the pod's own API server. Its own retries are off: each agent has its backoff, and two on top of each
/// other hide the cause.
fn cluster() -> Result<Client, Error> {
    let mut config = Config::incluster()?;
    config.read_timeout = Some(SILENCE);
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_differ() {
        let waits = || backoff(Duration::from_secs(2), Duration::from_secs(10)).take(50).collect::<Vec<_>>();
        for (wait, due) in waits().into_iter().zip([2, 4, 8].into_iter().chain(std::iter::repeat(10))) {
            let due = Duration::from_secs(due);
            assert!(wait >= due && wait <= due * 2, "{wait:?} of {due:?}");
        }
        assert_ne!(waits(), waits());
    }
}
