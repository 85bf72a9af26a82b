//! Envoy, a proxy: <https://www.envoyproxy.io/docs/envoy/latest/>. Routes and listeners are static, and their digest is in the pod template: a finished roll proves
//! that new routes serve. Endpoints come from files that `agent discover` keeps, so that scaling rolls nothing.

use super::{Exposure, Gateway, config};
use crate::components::{Component, Engine, Wiring};
use crate::kit::{
    access,
    agents::{AGENT_PORT, DiscoverCluster, DiscoverPlan, ENDPOINTS_FOLDER, PLAN_FILE, PLAN_FOLDER},
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
/// Seconds that open requests may take when a pod of the gateway ends.
const DRAIN_SECONDS: i64 = 30;

pub struct Envoy;

impl Engine<Gateway> for Envoy {
    fn name(&self) -> &'static str {
        "Envoy"
    }

    fn build(&self, scope: &Scope<'_>, spec: &Gateway, wiring: &Wiring, out: &mut Objects) {
        let name = scope.component(Gateway::ROLE, "");
        let files = [("envoy.json".to_owned(), config::bootstrap(spec, wiring).to_string()), (PLAN_FILE.to_owned(), plan(wiring))];
        let workload = Workload {
            part: Gateway::ROLE.into(),
            container: "envoy".into(),
            image: spec.runtime.image.clone(),
            default_image: images::ENVOY.into(),
            command: vec!["envoy".into()],
            args: ["--config-path", "/etc/envoy/envoy.json", "--disable-hot-restart", "--drain-time-s", "20", "--log-level", "warn"].map(Into::into).into(),
            user: USER,
            replicas: spec.replicas.unwrap_or(if scope.highly_available { 2 } else { 1 }),
            ports: vec![Port { exposed: Some(80), protocol: Some("http"), ..Port::new("http", config::HTTP_PORT) }],
            files: Some(("/etc/envoy".into(), files.into())),
            volumes: vec![pod::scratch("endpoints", "16Mi"), access::token("token"), plan_volume(&name)],
            mounts: vec![pod::mount("endpoints", ENDPOINTS_FOLDER, true)],
            sidecars: vec![discover(scope)],
            startup: Some((ready(), 60)),
            readiness: Some(ready()),
            liveness: Some(Ask::Tcp { port: config::READY_PORT }),
            resources: spec.runtime.resources.clone(),
            default_requests: ("50m", "64Mi"),
            scheduling: spec.runtime.scheduling.clone(),
            shutdown: Shutdown { sleep: 0, drain: DRAIN_SECONDS, stop: 5 },
            rules: vec![access::rule("discovery.k8s.io", "endpointslices", &[], &["get", "list", "watch"])],
            name,
            ..Default::default()
        };
        let from = out.len();
        workload.deployment(scope, out);
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

/// The plan of the agent stands in the same ConfigMap as Envoy's configuration; each container sees its own file.
fn plan_volume(config_map: &str) -> Volume {
    let items = vec![KeyToPath { key: PLAN_FILE.into(), path: PLAN_FILE.into(), ..Default::default() }];
    Volume {
        name: "plan".into(),
        config_map: Some(ConfigMapVolumeSource { name: config_map.into(), items: Some(items), ..Default::default() }),
        ..Default::default()
    }
}

fn plan(wiring: &Wiring) -> String {
    let mut clusters: Vec<DiscoverCluster> = wiring
        .routes
        .iter()
        .map(|route| DiscoverCluster { name: route.service.clone(), service: route.backend.clone(), port_name: route.port_name.clone() })
        .collect();
    clusters.dedup();
    let plan = DiscoverPlan { clusters, envoy_admin: format!("127.0.0.1:{}", config::ADMIN_PORT), drain_seconds: (DRAIN_SECONDS - 5) as u64 };
    serde_json::to_string(&plan).unwrap_or_default()
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
