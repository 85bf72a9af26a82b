//! The agent beside Envoy: it writes the configuration and the endpoints that Envoy reads.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, Container, KeyToPath, Volume};

use super::envoy::CONFIG_FILE;
use crate::kit::{
    access,
    agents::{self, AGENT_PORT, ENDPOINTS_FOLDER, PLAN_FILE, PLAN_FOLDER},
    pod::{self, ProbeHandler},
    scope::Scope,
    template::agent,
};

/// The agent that finds endpoints, and drains when the pod ends. Envoy starts when the agent has seen the configuration
/// that the pod is made for, and has written its first answer.
pub fn container(scope: &Scope<'_>, files: &BTreeMap<String, String>) -> Container {
    let [plan, config] = [PLAN_FILE, CONFIG_FILE].map(|name| files.get(name).map(String::as_str).unwrap_or_default());
    let digest = agents::configuration_digest(plan, config);
    let mounts = vec![
        pod::mount("endpoints", ENDPOINTS_FOLDER, false),
        pod::mount("token", access::TOKEN_FOLDER, true),
        pod::mount("plan", PLAN_FOLDER, true),
    ];
    let mut container =
        pod::sidecar(agent(scope, "discover", &["agent", "discover", "--configuration", &digest], mounts));
    let ready = ProbeHandler::Http { path: "/readyz".into(), port: AGENT_PORT };
    container.startup_probe = Some(ready.probe(1, 120));
    container.liveness_probe = Some(ProbeHandler::Http { path: "/livez".into(), port: AGENT_PORT }.probe(10, 6));
    container
}

/// What the agent reads stands in the same ConfigMap as Envoy's configuration.
pub fn plan_volume(config_map: &str) -> Volume {
    let item = |key: &str| KeyToPath { key: key.into(), path: key.into(), ..Default::default() };
    let items = vec![item(CONFIG_FILE), item(PLAN_FILE)];
    Volume {
        name: "plan".into(),
        config_map: Some(ConfigMapVolumeSource { name: config_map.into(), items: Some(items), ..Default::default() }),
        ..Default::default()
    }
}
