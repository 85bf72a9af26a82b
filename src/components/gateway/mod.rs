//! The API gateway: one entry for all services that have routes.

mod config;
mod discover;
mod envoy;
mod routes;
mod spec;

pub use spec::*;

use super::{Component, Engine, Wiring};
use crate::kit::{problem::Problem, scope::Scope};

/// One route of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteEdge {
    /// The service that gets the requests, and the Kubernetes Service and port by which its pods are found.
    pub service: String,
    pub backend: String,
    pub port_name: String,
    /// Hosts of the request; empty: any that the gateway answers to.
    pub hosts: Vec<String>,
    pub path: String,
    /// The path must be equal, not only begin so.
    pub exact: bool,
    pub rewrite: Option<String>,
    /// Seconds; 0 means never.
    pub timeout_seconds: i32,
}

impl Component for Gateway {
    const ROLE: &'static str = "gateway";

    fn engine(&self) -> &'static dyn Engine<Self> {
        &envoy::Envoy
    }
}

/// What a ConfigMap holds.
const LARGEST: usize = 1_048_576;

/// A configuration that is too large could not be stored.
pub fn too_large(spec: &Gateway, wiring: &Wiring) -> Option<Problem> {
    let groups = routes::groups(spec, &wiring.routes);
    let least = routes::least_bytes(&groups);
    let bytes = if least > LARGEST {
        least
    } else {
        envoy::files(spec, wiring, "", String::new()).values().map(String::len).sum()
    };
    let advice = match groups.len() {
        ..=1 => "write shorter ones in `path` and `rewrite`".to_owned(),
        lists => {
            format!(
                "its hosts have {lists} different lists of routes; leave `hosts` out of routes, or write the same ones in all, so that they share one list"
            )
        }
    };
    let message =
        format!("the gateway's configuration would have {bytes} bytes, and {LARGEST} can be stored: {advice}");
    (bytes > LARGEST).then(|| Problem::new("spec.gateway", "GatewayTooLarge", message))
}

/// Where the gateway answers, as far as it is known: outside the cluster if it is exposed, else inside. It answers only to its hosts, if there are any, and a
/// wildcard is no address.
pub fn url(scope: &Scope<'_>, spec: &Gateway) -> Option<String> {
    let name = scope.component(Gateway::ROLE, "");
    let service = scope.observed.service(&name);
    let named = |address: &str| match spec.hosts.iter().find(|host| !host.starts_with('*')) {
        Some(host) => Some(host.clone()),
        None => spec.hosts.is_empty().then(|| address.to_owned()),
    };
    let address = match spec.exposure.unwrap_or_default() {
        Exposure::ClusterIP => named(&format!("{name}.{}.svc", scope.namespace))?,
        Exposure::NodePort => {
            let port = service?.node_ports.get("http")?;
            format!("{}:{port}", named("<node>")?)
        }
        Exposure::LoadBalancer => named(service?.ingress.as_ref()?)?,
    };
    Some(format!("http://{address}"))
}
