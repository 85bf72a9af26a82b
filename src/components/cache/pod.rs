//! The pod of a server that speaks the protocol of Redis.

use k8s_openapi::api::core::v1::{KeyToPath, PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume};

use super::{Cache, server::PORT};
use crate::components::Component;
use crate::kit::{
    agents::{ACL_FILE, ADMINISTRATOR_FOLDER, CACHE_FOLDER},
    credentials::PASSWORD,
    part::PartName,
    pod::{self, ProbeHandler, Shutdown},
    scope::Scope,
    store::Store,
    template::agent,
    volumes::{self, DATA},
    workload::{Port, Workload},
};

/// User of the official images.
const USER: i64 = 999;
/// Memory that a server is planned with when nothing is said.
const MEMORY: &str = "128Mi";
/// What the file of the users may take.
const USERS_SIZE: &str = "16Mi";
/// Succeeds once the provisioner has made the users, and saved them.
const HAS_USERS: &[&str] = &["grep", "-q", "^user __provisioned ", ACL_FILE];

/// The server, to be expanded. `image` is the official one.
pub fn workload(scope: &Scope<'_>, spec: &Cache, store: &Store<'_>, program: &str, image: String) -> Workload {
    let admin = pod::mount("administrator", ADMINISTRATOR_FOLDER, true);
    let data = pod::mount(DATA, CACHE_FOLDER, false);
    Workload {
        image: spec.runtime.image.clone(),
        default_image: image,
        command: vec![program.into()],
        args: arguments(spec),
        user: USER,
        ports: vec![Port::new("redis", PORT)],
        volumes: vec![administrator(&store.admin().secret), kept(store)],
        mounts: vec![data.clone()],
        init: vec![agent(scope, "users", &["agent", "users"], vec![admin, data])],
        startup: Some((ProbeHandler::Tcp { port: PORT }, 300)),
        readiness: Some(ProbeHandler::Exec(HAS_USERS)),
        liveness: Some(ProbeHandler::Tcp { port: PORT }),
        resources: spec.runtime.resources.clone(),
        default_requests: ("50m", MEMORY),
        scheduling: spec.runtime.scheduling.clone(),
        shutdown: Shutdown { stop: 30, ..Default::default() },
        ..Workload::new(PartName::component(Cache::ROLE), "cache")
    }
}

/// Nothing of it is a secret. The server sees the memory of the node and not that of its pod, so it is told.
fn arguments(spec: &Cache) -> Vec<String> {
    let is_kept = spec.storage.is_some();
    let bytes = memory(spec) / 100 * if is_kept { 50 } else { 75 };
    let bytes = bytes.to_string();
    [
        ["--aclfile", ACL_FILE],
        ["--dir", CACHE_FOLDER],
        ["--maxmemory", &bytes],
        ["--maxmemory-policy", "allkeys-lru"],
        ["--appendonly", if is_kept { "yes" } else { "no" }],
        ["--save", ""],
    ]
    .concat()
    .into_iter()
    .map(Into::into)
    .collect()
}

/// Bytes that the pod may use, or is planned with. A file that is rewritten while others write needs room, too.
fn memory(spec: &Cache) -> u128 {
    let resources = spec.runtime.resources.as_ref();
    let said = resources.and_then(|it| it.limits.get("memory").or(it.requests.get("memory")));
    let said = said.map_or_else(|| MEMORY.to_owned(), ToString::to_string);
    volumes::bytes(&said).unwrap_or_default()
}

fn administrator(secret: &str) -> Volume {
    let password = KeyToPath { key: PASSWORD.into(), path: PASSWORD.into(), ..Default::default() };
    let source = SecretVolumeSource {
        secret_name: Some(secret.into()),
        items: Some(vec![password]),
        default_mode: Some(0o440),
        ..Default::default()
    };
    Volume { name: "administrator".into(), secret: Some(source), ..Default::default() }
}

/// The claim, where something is kept. A claim template could not come and go with `storage`.
fn kept(store: &Store<'_>) -> Volume {
    let Some(claim) = store.claims().into_iter().next() else { return pod::scratch(DATA, USERS_SIZE) };
    let claim = PersistentVolumeClaimVolumeSource { claim_name: claim, ..Default::default() };
    Volume { name: DATA.into(), persistent_volume_claim: Some(claim), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maxmemory(cache: serde_json::Value) -> Option<String> {
        let arguments = arguments(&serde_json::from_value(cache).unwrap_or_default());
        let at = arguments.iter().position(|it| it == "--maxmemory")?;
        arguments.get(at + 1).cloned()
    }

    #[test]
    fn the_server_keeps_within_the_memory_of_its_pod() {
        let mebibytes = |n: u64| Some((n * 1024 * 1024).to_string());
        let memory = |kind: &str, size: &str| serde_json::json!({ kind: { "memory": size } });
        assert_eq!(maxmemory(serde_json::json!({})).map(|it| it.len()), Some(9), "less than 128Mi");
        assert_eq!(maxmemory(serde_json::json!({ "resources": memory("limits", "400Mi") })), mebibytes(300));
        assert_eq!(maxmemory(serde_json::json!({ "resources": memory("requests", "400Mi") })), mebibytes(300));
        let kept = serde_json::json!({ "storage": {}, "resources": memory("limits", "400Mi") });
        assert_eq!(maxmemory(kept), mebibytes(200));
    }
}
