//! What `agent discover` is told, and where it writes.

use serde::{Deserialize, Serialize};

use crate::kit::digest;

/// Where `agent discover` writes endpoints for Envoy: one file for each cluster, named by [`endpoints_file`].
pub const ENDPOINTS_FOLDER: &str = "/var/run/microapp/endpoints";
/// Where `agent discover` writes Envoy's configuration as this node can serve it. No cluster, and so no other file
/// there, is called so.
pub const BOOTSTRAP: &str = "/var/run/microapp/endpoints/envoy_bootstrap.json";
/// Digest of a plan of `discover` and of the configuration beside it, by which a pod names what it is made for.
pub fn configuration_digest(plan: &str, config: &str) -> String {
    digest::of(&(plan, config))
}

/// The file that holds the endpoints of an Envoy cluster.
pub fn endpoints_file(cluster: &str) -> String {
    format!("{ENDPOINTS_FOLDER}/{cluster}.json")
}

/// Envoy's `stat_prefix` for the listener that the public reaches: a drain waits until it has no open request.
pub const GATEWAY_STATS: &str = "gateway";

/// What `agent discover` is to find and to write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoverPlan {
    pub clusters: Vec<DiscoverCluster>,
    /// Where Envoy's administration interface answers, such as `127.0.0.1:9901`.
    pub envoy_admin: String,
    /// What begins a drain ([`drain_path`]). Empty: nothing does.
    pub drain_path: String,
    /// How long a drain waits at most until no request is open.
    pub drain_seconds: u64,
    /// When the pod is still there so long after a drain has begun, nobody meant to end it, and the drain is taken
    /// back. 0: never.
    pub grace_seconds: u64,
    /// The file beside the plan from which [`BOOTSTRAP`] is made. Empty: none is.
    pub bootstrap: String,
}

/// One Envoy cluster and where its endpoints come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoverCluster {
    /// Name of the Envoy cluster.
    pub name: String,
    /// The Service whose EndpointSlices are read.
    pub service: String,
    /// Name of the Service's port.
    pub port_name: String,
}
