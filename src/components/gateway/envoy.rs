//! Envoy, a proxy: <https://www.envoyproxy.io/docs/envoy/latest/>. Routes and listeners are static, and their digest is in the pod template: a finished roll proves
//! that new routes serve. Endpoints come from files that `agent discover` keeps, so that scaling rolls nothing.

use std::collections::BTreeMap;

use super::{Exposure, Gateway, RouteEdge, config};
use crate::components::{Component, Engine, Wiring};
use crate::kit::{
    access,
    agents::{self, AGENT_PORT, BOOTSTRAP, DiscoverCluster, DiscoverPlan, ENDPOINTS_FOLDER, PLAN_FILE, PLAN_FOLDER},
    images,
    objects::Objects,
    pod::{self, Ask, Shutdown},
    scope::Scope,
    template::agent,
    workload::{Port, Workload},
};
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, Volume};

/// User of the official image.
const USER: i64 = 101;
/// Envoy's configuration, in the ConfigMap.
const CONFIG_FILE: &str = "envoy.json";
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
        let workload = Workload {
            part: Gateway::ROLE.into(),
            container: "envoy".into(),
            image: spec.runtime.image.clone(),
            default_image: images::ENVOY.into(),
            command: vec!["envoy".into()],
            args: ["--config-path", BOOTSTRAP, "--disable-hot-restart", "--drain-time-s", &drain.to_string(), "--log-level", "warn"].map(Into::into).into(),
            user: USER,
            replicas: spec.replicas.unwrap_or(if scope.highly_available { 2 } else { 1 }),
            ports: vec![Port { exposed: Some(80), protocol: Some("http"), ..Port::new("http", config::HTTP_PORT) }],
            files: Some(("/etc/envoy".into(), files(spec, wiring, &host, agents::drain_path(scope.uid, &name)))),
            volumes: vec![pod::scratch("endpoints", "16Mi"), access::token("token"), plan_volume(&name)],
            mounts: vec![pod::mount("endpoints", ENDPOINTS_FOLDER, true)],
            sidecars: vec![discover(scope)],
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

/// The agent that finds endpoints, and drains when the pod ends. Envoy starts when the agent has written its first answer.
fn discover(scope: &Scope<'_>) -> k8s_openapi::api::core::v1::Container {
    let mounts = vec![pod::mount("endpoints", ENDPOINTS_FOLDER, false), pod::mount("token", access::TOKEN_FOLDER, true), pod::mount("plan", PLAN_FOLDER, true)];
    let mut container = pod::sidecar(agent(scope, "discover", &["agent", "discover"], mounts));
    let ready = Ask::Http { path: "/readyz".into(), port: AGENT_PORT };
    container.startup_probe = Some(ready.probe(1, 120));
    container.liveness_probe = Some(Ask::Http { path: "/livez".into(), port: AGENT_PORT }.probe(10, 6));
    container
}

/// What the agent reads stands in the same ConfigMap as Envoy's configuration.
fn plan_volume(config_map: &str) -> Volume {
    let item = |key: &str| KeyToPath { key: key.into(), path: key.into(), ..Default::default() };
    let items = vec![item(CONFIG_FILE), item(PLAN_FILE)];
    Volume {
        name: "plan".into(),
        config_map: Some(ConfigMapVolumeSource { name: config_map.into(), items: Some(items), ..Default::default() }),
        ..Default::default()
    }
}

/// All that the pods are told: Envoy's configuration, and the plan of its agent.
pub fn files(spec: &Gateway, wiring: &Wiring, host: &str, drain_path: String) -> BTreeMap<String, String> {
    let cluster = |route: &RouteEdge| DiscoverCluster { name: route.service.clone(), service: route.backend.clone(), port_name: route.port_name.clone() };
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
    let allowed = |route: &RouteEdge| if route.timeout_seconds == 0 { LONGEST_DRAIN } else { route.timeout_seconds.into() };
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
