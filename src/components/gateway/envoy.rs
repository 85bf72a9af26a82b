//! Envoy, a proxy: <https://www.envoyproxy.io/docs/envoy/latest/>. Routes and listeners are static, and their digest is
//! in the pod template: a finished roll proves that new routes serve. Endpoints come from files that `agent discover`
//! keeps, so that scaling rolls nothing.

use std::collections::BTreeMap;

use super::{Gateway, ServiceRoute, config, discover, expose, route_conflicts, routes, too_large, unknown_hosts, url};
use crate::components::{Component, Engine, Wiring};
use crate::kit::{
    access,
    agents::{self, AGENT_PORT, BOOTSTRAP, DiscoverCluster, DiscoverPlan, ENDPOINTS_FOLDER, PLAN_FILE},
    images,
    objects::Objects,
    part::PartName,
    pod::{self, ProbeHandler, Shutdown},
    problem::Problem,
    scope::Scope,
    workload::{Files, MAIN_PORT, Port, Workload},
};

/// User of the official image.
const USER: i64 = 101;
/// Envoy's configuration, in the ConfigMap.
pub const CONFIG_FILE: &str = "envoy.json";
/// Seconds that a pod which ends still gets new requests, until the news has spread.
const NEWS: i64 = 10;
/// Seconds that requests which are open then may take: as long as the longest route allows, but no longer than this.
const LONGEST_DRAIN: i64 = 120;
/// Seconds that Envoy needs to stop.
const STOP: i64 = 5;
/// Ports that a service mesh must leave alone: the kubelet speaks to them from outside of the mesh, and a drain must
/// not depend on another sidecar.
const NO_MESH: [&str; 2] = ["traffic.sidecar.istio.io/excludeInboundPorts", "config.linkerd.io/skip-inbound-ports"];

pub struct Envoy;

impl Engine<Gateway> for Envoy {
    fn name(&self) -> &'static str {
        "Envoy"
    }

    fn mistakes(&self, scope: &Scope<'_>, spec: &Gateway, wiring: &Wiring) -> Vec<Problem> {
        let conflicts = unknown_hosts(spec, wiring).into_iter().chain(route_conflicts(spec, wiring));
        conflicts.chain(too_large(scope, spec, wiring)).collect()
    }

    fn url(&self, scope: &Scope<'_>, spec: &Gateway) -> Option<String> {
        url(scope, spec)
    }

    fn build(&self, scope: &Scope<'_>, spec: &Gateway, wiring: &Wiring) -> Objects {
        let routes = routes(wiring);
        let shutdown = shutdown(drain_seconds(&routes));
        let mut expanded = workload(scope, spec, &routes, shutdown).deployment(scope);
        // An Envoy that drains is not ready, and lives: it is restarted only when the agent has not taken back in time
        // what nobody meant.
        if let Some(probe) = expanded.pod().containers.iter_mut().find_map(|it| it.liveness_probe.as_mut()) {
            probe.failure_threshold = i32::try_from((shutdown.grace_seconds() + 60) / 10).ok();
        }
        if let Some(service) = &mut expanded.service {
            expose(scope, spec, service);
        }
        expanded.into()
    }
}

fn workload(scope: &Scope<'_>, spec: &Gateway, routes: &[ServiceRoute], shutdown: Shutdown) -> Workload {
    let part = PartName::component(Gateway::ROLE);
    let files = files(scope, spec, routes);
    let drain = drain_seconds(routes).to_string();
    let no_mesh = NO_MESH.into_iter().filter(|key| !scope.annotations.contains_key(*key));
    Workload {
        image: spec.runtime.image.clone(),
        default_image: images::ENVOY.into(),
        command: vec!["envoy".into()],
        args: ["--config-path", BOOTSTRAP, "--disable-hot-restart", "--drain-time-s", &drain, "--log-level", "warn"]
            .map(Into::into)
            .into(),
        user: USER,
        replicas: spec.replicas.unwrap_or(if scope.highly_available { 2 } else { 1 }),
        ports: vec![Port { exposed: Some(80), protocol: Some("http"), ..Port::new("http", config::HTTP_PORT) }],
        sidecars: vec![discover::container(scope, &files)],
        volumes: vec![
            pod::scratch("endpoints", "16Mi"),
            access::token("token"),
            discover::plan_volume(&scope.object(&part, "")),
        ],
        files: vec![Files { folder: "/etc/envoy".into(), content: files, ..Default::default() }],
        mounts: vec![pod::mount("endpoints", ENDPOINTS_FOLDER, true)],
        startup: Some((ready(), 60)),
        readiness: Some(ready()),
        liveness: Some(ready()),
        resources: spec.runtime.resources.clone(),
        scheduling: spec.runtime.scheduling.clone(),
        shutdown,
        annotations: no_mesh.map(|key| (key.to_owned(), format!("{},{AGENT_PORT}", config::READY_PORT))).collect(),
        rules: vec![access::rule("discovery.k8s.io", "endpointslices", &[], &["get", "list", "watch"])],
        ..Workload::new(part, "envoy")
    }
}

fn ready() -> ProbeHandler {
    ProbeHandler::Http { path: "/ready".into(), port: config::READY_PORT }
}

/// All that the pods are told: Envoy's configuration, and the plan of its agent.
pub fn files(scope: &Scope<'_>, spec: &Gateway, routes: &[ServiceRoute]) -> BTreeMap<String, String> {
    let name = scope.component(Gateway::ROLE, "");
    let cluster = |route: &ServiceRoute| DiscoverCluster {
        name: route.service.clone(),
        service: scope.object(&PartName::service(&*route.service), ""),
        port_name: MAIN_PORT.into(),
    };
    let mut clusters: Vec<DiscoverCluster> = routes.iter().map(cluster).collect();
    clusters.dedup();
    let drain = drain_seconds(routes);
    let plan = DiscoverPlan {
        clusters,
        envoy_admin: format!("127.0.0.1:{}", config::ADMIN_PORT),
        drain_path: agents::drain_path(scope.uid, &name),
        drain_seconds: drain.unsigned_abs(),
        grace_seconds: shutdown(drain).grace_seconds().unsigned_abs(),
        bootstrap: CONFIG_FILE.into(),
    };
    let plan = serde_json::to_string(&plan).unwrap_or_default();
    let host = format!("{name}.{}.svc", scope.namespace);
    let bootstrap = config::bootstrap(spec, routes, &host).to_string();
    [(CONFIG_FILE.to_owned(), bootstrap), (PLAN_FILE.to_owned(), plan)].into()
}

/// The hook may take a little longer than what it waits for.
fn shutdown(drain: i64) -> Shutdown {
    Shutdown { sleep: 0, drain: drain + 5, stop: STOP }
}

/// How long a pod that ends waits for open requests.
fn drain_seconds(routes: &[ServiceRoute]) -> i64 {
    let allowed = |it: &ServiceRoute| match it.route.timeout_seconds {
        0 => LONGEST_DRAIN,
        seconds => seconds.into(),
    };
    (NEWS + routes.iter().map(allowed).max().unwrap_or_default()).min(LONGEST_DRAIN)
}
