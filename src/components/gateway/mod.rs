//! The API gateway: one entry for all services that have routes.

mod config;
mod discover;
mod envoy;
mod routes;
mod spec;

pub use spec::*;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use k8s_openapi::api::core::v1::Service;

use super::{Component, Engine, Wiring};
use crate::kit::{part::Role, problem::Problem, reason, scope::Scope};

/// A route with the service that it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRoute {
    pub service: String,
    pub route: super::Route,
}

/// All routes of the application.
pub fn routes(wiring: &Wiring) -> Vec<ServiceRoute> {
    let one = |(service, _, route): (&str, _, &super::Route)| ServiceRoute {
        service: service.to_owned(),
        route: route.clone(),
    };
    wiring.routes().map(one).collect()
}

impl Component for Gateway {
    const ROLE: Role = Role::new("gateway");

    fn engine(&self) -> &'static dyn Engine<Self> {
        &envoy::Envoy
    }

    fn is_entry(&self) -> bool {
        true
    }
}

/// A gateway that answers to certain hosts never sees a request for another one.
pub fn unknown_hosts(spec: &Gateway, wiring: &Wiring) -> Vec<Problem> {
    let known: BTreeSet<&str> = spec.hosts.iter().map(String::as_str).collect();
    let mut problems = vec![];
    for (_, dependency, route) in wiring.routes().filter(|_| !known.is_empty()) {
        for (h, host) in route.hosts.iter().enumerate().filter(|(_, host)| !known.contains(host.as_str())) {
            let message = format!("'{host}' must be one of `gateway.hosts`; add it there, or remove it here");
            problems.push(Problem::new(format!("{}.hosts[{h}]", dependency.path), reason::UNKNOWN_HOST, message));
        }
    }
    problems
}

/// Two services may not ask for the same requests; a prefix with a slash at its end is the one without it. A route
/// without hosts answers to all hosts of the gateway, so one conflict would be found once for each host; the first is
/// enough.
pub fn route_conflicts(spec: &Gateway, wiring: &Wiring) -> Vec<Problem> {
    let all = if spec.hosts.is_empty() { vec!["*".to_owned()] } else { spec.hosts.clone() };
    let mut owners: BTreeMap<(&str, bool, &str), &str> = BTreeMap::new();
    let mut problems = vec![];
    for (service, dependency, route) in wiring.routes() {
        let hosts = if route.hosts.is_empty() { &all } else { &route.hosts };
        let bare = route.path.strip_suffix('/').unwrap_or(&route.path);
        let path = if route.exact { &route.path } else { bare };
        let mut other = None;
        for host in hosts {
            match owners.entry((host, route.exact, path)) {
                Entry::Occupied(owner) => other = other.or(Some(*owner.get())).filter(|other| *other != service),
                Entry::Vacant(free) => drop(free.insert(service)),
            }
        }
        let Some(other) = other else { continue };
        let message = format!(
            "'{}' of '{service}' is already routed to '{other}'; change the `path`, the `match` or the `hosts` of \
                one of them",
            route.path
        );
        problems.push(Problem::new(format!("{}.path", dependency.path), reason::ROUTE_CONFLICT, message));
    }
    problems
}

/// What a ConfigMap holds.
const LARGEST: usize = 1_048_576;

/// A configuration that is too large could not be stored.
pub fn too_large(scope: &Scope<'_>, spec: &Gateway, wiring: &Wiring) -> Option<Problem> {
    let routes = routes(wiring);
    let groups = routes::groups(spec, &routes);
    let least = routes::least_bytes(&groups);
    let bytes =
        if least > LARGEST { least } else { envoy::files(scope, spec, &routes).values().map(String::len).sum() };
    let advice = match groups.len() {
        ..=1 => "write shorter ones in `path` and `rewrite`".to_owned(),
        lists => {
            format!(
                "its hosts have {lists} different lists of routes; leave `hosts` out of routes, or write the same \
                    ones in all, so that they share one list"
            )
        }
    };
    let message =
        format!("the gateway's configuration would have {bytes} bytes, and {LARGEST} can be stored: {advice}");
    (bytes > LARGEST).then(|| Problem::new("spec.gateway", reason::GATEWAY_TOO_LARGE, message))
}

/// Where the gateway answers, as far as it is known: outside the cluster if it is exposed, else inside. It answers only
/// to its hosts, if there are any, and a wildcard is no address.
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

/// Opens the gateway's Service as far as the user wants it open.
pub fn expose(scope: &Scope<'_>, spec: &Gateway, service: &mut Service) {
    let kind = match spec.exposure.unwrap_or_default() {
        Exposure::ClusterIP => "ClusterIP",
        Exposure::NodePort => "NodePort",
        Exposure::LoadBalancer => "LoadBalancer",
    };
    service.spec.get_or_insert_default().type_ = Some(kind.into());
    let annotations: BTreeMap<_, _> = scope.annotations.iter().chain(&spec.annotations).collect();
    let owned = annotations.into_iter().map(|(key, text)| (key.clone(), text.clone()));
    service.metadata.annotations = Some(owned.collect()).filter(|all: &BTreeMap<_, _>| !all.is_empty());
}
