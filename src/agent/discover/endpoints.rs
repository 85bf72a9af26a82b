//! From EndpointSlices to Envoy's [endpoint
//! discovery](https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint.proto).

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use serde::Serialize;

use crate::kit::agents::DiscoverCluster;
use crate::kit::digest;

/// The label of a slice that names its Service.
pub const SERVICE: &str = "kubernetes.io/service-name";

/// Where one pod answers. The order is that of the addresses, whatever order the slices come in.
pub type Address = (IpAddr, u16);

/// The addresses that may get requests. One address in two slices counts once: slices overlap while the control plane
/// moves endpoints between them.
pub fn of<'a>(cluster: &DiscoverCluster, slices: impl Iterator<Item = &'a EndpointSlice>) -> BTreeSet<Address> {
    let ours = |slice: &&EndpointSlice| {
        slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE)) == Some(&cluster.service)
    };
    slices.filter(ours).flat_map(|slice| of_slice(slice, &cluster.port_name)).collect()
}

fn of_slice(slice: &EndpointSlice, port_name: &str) -> impl Iterator<Item = Address> {
    let named = slice.ports.iter().flatten().filter(move |port| port.name.as_deref().unwrap_or_default() == port_name);
    let ports: Vec<u16> = named.filter_map(|port| u16::try_from(port.port?).ok()).collect();
    // All addresses of an endpoint lead to the same pod, and the first is the one to use; a host name (address type
    // FQDN) is none.
    let addresses = slice
        .endpoints
        .iter()
        .filter(|endpoint| serves(endpoint))
        .filter_map(|endpoint| endpoint.addresses.first()?.parse().ok());
    addresses.flat_map(move |address: IpAddr| ports.clone().into_iter().map(move |port| (address, port)))
}

/// A pod that ends still serves what it has, but gets nothing new, even if its Service publishes addresses that are not
/// ready.
fn serves(endpoint: &Endpoint) -> bool {
    let conditions = endpoint.conditions.as_ref();
    conditions.and_then(|it| it.ready) != Some(false) && conditions.and_then(|it| it.terminating) != Some(true)
}

/// The file that Envoy reads: a discovery response with one resource.
#[derive(Serialize)]
pub struct DiscoveryResponse<'a> {
    version_info: String,
    resources: [ClusterLoadAssignment<'a>; 1],
}

#[derive(Serialize)]
#[serde(tag = "@type", rename = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment")]
struct ClusterLoadAssignment<'a> {
    cluster_name: &'a str,
    endpoints: [LocalityLbEndpoints; 1],
}

#[derive(Serialize)]
struct LocalityLbEndpoints {
    lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Serialize)]
struct LbEndpoint {
    endpoint: EnvoyEndpoint,
}

#[derive(Serialize)]
struct EnvoyEndpoint {
    address: EnvoyAddress,
}

#[derive(Serialize)]
struct EnvoyAddress {
    socket_address: SocketAddress,
}

#[derive(Serialize)]
struct SocketAddress {
    address: IpAddr,
    port_value: u16,
}

impl<'a> DiscoveryResponse<'a> {
    pub fn new(cluster_name: &'a str, addresses: &BTreeSet<Address>) -> Self {
        let lb_endpoints = addresses.iter().map(|&(address, port_value)| LbEndpoint {
            endpoint: EnvoyEndpoint { address: EnvoyAddress { socket_address: SocketAddress { address, port_value } } },
        });
        let endpoints = [LocalityLbEndpoints { lb_endpoints: lb_endpoints.collect() }];
        Self { version_info: digest::of(addresses), resources: [ClusterLoadAssignment { cluster_name, endpoints }] }
    }
}
