//! The API gateway: one entry for all services that have routes.

mod config;
mod envoy;
mod spec;

pub use spec::*;

use super::{Component, Engine};
use crate::kit::scope::Scope;

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

/// Where the gateway answers, as far as it is known: outside the cluster if it is exposed, else inside.
pub fn url(scope: &Scope<'_>, spec: &Gateway) -> Option<String> {
    let name = scope.component(Gateway::ROLE, "");
    let service = scope.observed.service(&name);
    match spec.exposure.unwrap_or_default() {
        Exposure::ClusterIP => Some(format!("http://{name}.{}.svc", scope.namespace)),
        Exposure::NodePort => service?.node_ports.get("http").map(|port| format!("http://<node>:{port}")),
        Exposure::LoadBalancer => service?.ingress.as_ref().map(|address| format!("http://{}", spec.hosts.first().unwrap_or(address))),
    }
}
