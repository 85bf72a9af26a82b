//! Envoy, a proxy: <https://www.envoyproxy.io/docs/envoy/latest/>. Routes and listeners are static, and their digest is in the pod template: a finished roll proves
//! that new routes serve. Endpoints come from files that `agent discover` keeps, so that scaling rolls nothing.

use std::collections::BTreeMap;

use super::{Exposure, Gateway, RouteEdge, config, discover};
use crate::components::{Component, Engine, Wiring};
use crate::kit::{
    access,
    agents::{self, AGENT_PORT, BOOTSTRAP, DiscoverCluster, DiscoverPlan, ENDPOINTS_FOLDER, PLAN_FILE},
    images,
    objects::Objects,
    pod::{self, Ask, Shutdown},
    scope::Scope,
    workload::{Port, Workload},
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
/// Ports that a service mesh must leave alone: the kubelet speaks to them from outside of the mesh, and a drain must not depend on another sidecar.
const NO_MESH: [&str; 2] = ["traffic.sidecar.istio.io/excludeInboundPorts", "config.linkerd.io/skip-inbound-ports"];

pub struct Envoy;

impl Engine<Gateway> for Envoy {
    fn name(&self) -> &'static str {
        "Envoy"
    }

    fn build(&self, scope: &Scope<'_>, spec: &Gateway, wiring: &Wiring, out: &mut Objects) {
        let name = scope.component(Gateway::ROLE, "");
        let (drain, host) = (drain_seconds(wiring), format!("{name}.{}.svc", scope.namespace));
        let shutdown = shutdown(drain);
        let no_mesh = NO_MESH.into_iter().filter(|key| !scope.annotations.contains_key(*key));
        let files = files(spec, wiring, &host, agents::drain_path(scope.uid, &name));
        let workload = Workload {
            part: Gateway::ROLE.into(),
            container: "envoy".into(),
            image: spec.runtime.image.clone(),
            default_image: images::ENVOY.into(),
            command: vec!["envoy".into()],
            args: [
                "--config-path",
                BOOTSTRAP,
                "--disable-hot-restart",
                "--drain-time-s",
                &drain.to_string(),
                "--log-level",
                "warn",
            ]
            .map(Into::into)
            .into(),
            user: USER,
            replicas: spec.replicas.unwrap_or(if scope.highly_available { 2 } else { 1 }),
            ports: vec![Port { exposed: Some(80), protocol: Some("http"), ..Port::new("http", config::HTTP_PORT) }],
            sidecars: vec![discover::container(scope, &files)],
            files: Some(("/etc/envoy".into(), files)),
            volumes: vec![pod::scratch("endpoints", "16Mi"), access::token("token"), discover::plan_volume(&name)],
            mounts: vec![pod::mount("endpoints", ENDPOINTS_FOLDER, true)],
            startup: Some((ready(), 60)),
            readiness: Some(ready()),
            liveness: Some(ready()),
            resources: spec.runtime.resources.clone(),
            default_requests: ("50m", "64Mi"),
            scheduling: spec.runtime.scheduling.clone(),
            shutdown,
            annotations: no_mesh.map(|key| (key.to_owned(), format!("{},{AGENT_PORT}", config::READY_PORT))).collect(),
            rules: vec![access::rule("discovery.k8s.io", "endpointslices", &[], &["get", "list", "watch"])],
            name,
            ..Default::default()
        };
        let from = out.len();
        workload.deployment(scope, out);
        // An Envoy that drains is not ready, and lives: it is begun anew only when the agent has not taken back in time what nobody meant.
        let patience = (shutdown.grace_seconds() + 60) / 10;
        let probe = "/spec/template/spec/containers/0/livenessProbe/failureThreshold";
        out.amend_since(from, "Deployment", |object| {
            if let Some(failures) = object.pointer_mut(probe) {
                *failures = patience.into();
            }
        });
        out.amend_since(from, "Service", |service| expose(scope, spec, service));
    }
}

fn ready() -> Ask {
    Ask::Http { path: "/ready".into(), port: config::READY_PORT }
}

/// All that the pods are told: Envoy's configuration, and the plan of its agent.
pub fn files(spec: &Gateway, wiring: &Wiring, host: &str, drain_path: String) -> BTreeMap<String, String> {
    let cluster = |route: &RouteEdge| DiscoverCluster {
        name: route.service.clone(),
        service: route.backend.clone(),
        port_name: route.port_name.clone(),
    };
    let mut clusters: Vec<DiscoverCluster> = wiring.routes.iter().map(cluster).collect();
    clusters.dedup();
    let drain = drain_seconds(wiring);
    let plan = DiscoverPlan {
        clusters,
        envoy_admin: format!("127.0.0.1:{}", config::ADMIN_PORT),
        drain_path,
        drain_seconds: drain.unsigned_abs(),
        grace_seconds: shutdown(drain).grace_seconds().unsigned_abs(),
        bootstrap: CONFIG_FILE.into(),
    };
    let plan = serde_json::to_string(&plan).unwrap_or_default();
    [(CONFIG_FILE.to_owned(), config::bootstrap(spec, wiring, host).to_string()), (PLAN_FILE.to_owned(), plan)].into()
}

/// The hook may take a little longer than what it waits for.
fn shutdown(drain: i64) -> Shutdown {
    Shutdown { sleep: 0, drain: drain + 5, stop: STOP }
}

/// How long a pod that ends waits for open requests.
fn drain_seconds(wiring: &Wiring) -> i64 {
    let allowed =
        |route: &RouteEdge| if route.timeout_seconds == 0 { LONGEST_DRAIN } else { route.timeout_seconds.into() };
    (NEWS + wiring.routes.iter().map(allowed).max().unwrap_or_default()).min(LONGEST_DRAIN)
}

/// Opens the gateway's Service as far as the user wants it open.
fn expose(scope: &Scope<'_>, spec: &Gateway, service: &mut serde_json::Value) {
    let kind = match spec.exposure.unwrap_or_default() {
        Exposure::ClusterIP => "ClusterIP",
        Exposure::NodePort => "NodePort",
        Exposure::LoadBalancer => "LoadBalancer",
    };
    service["spec"]["type"] = kind.into();
    for (key, text) in scope.annotations.iter().chain(&spec.annotations) {
        service["metadata"]["annotations"][key] = text.as_str().into();
    }
}
