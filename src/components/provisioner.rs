//! The provisioner: one small pod of our own program that makes what must exist inside servers, proves every binding by using it, and tells when a Secret that
//! people named has changed.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, KeyToPath, ProjectedVolumeSource, SecretProjection, SecretVolumeSource, Volume, VolumeMount, VolumeProjection};

use crate::kit::{
    access,
    agents::{AGENT_PORT, LOGINS_FOLDER, PLAN_FILE, PLAN_FOLDER, Plan, Provision, SECRETS_FOLDER, SecretUse, WatchedSecrets},
    credentials::{self, Hook, PASSWORD, USERNAME},
    digest,
    objects::Objects,
    pod::{self, Ask, Shutdown},
    scope::{REPORT, Scope},
    template::resources_of_agents,
    workload::Workload,
};

/// Name of the part, and in the names of its objects.
pub const ROLE: &str = "provisioner";
/// User of our own image.
const USER: i64 = 65532;
/// Seconds between two rounds. A binding that broke is found, and mended, within two of them.
const INTERVAL_SECONDS: u64 = 30;

/// What it is to do, if there is anything.
pub fn plan(scope: &Scope<'_>, provisions: Vec<Provision>, secrets: Option<WatchedSecrets>) -> Option<Plan> {
    let needed = !provisions.is_empty() || secrets.is_some();
    needed.then(|| Plan { mark: format!("{}/{}", scope.namespace, scope.app), interval_seconds: INTERVAL_SECONDS, provisions, secrets })
}

/// The plan as it is published, and the digest by which a report names it.
pub fn published(plan: &Plan) -> (String, String) {
    let text = serde_json::to_string(plan).unwrap_or_default();
    let digest = digest::of_bytes(text.as_bytes());
    (text, digest)
}

/// Name of the Secret with the key of digests. An application that is made again digests anew.
pub fn digest_key(scope: &Scope<'_>, version: u32) -> String {
    Hook { anchor: scope.app, uid: scope.uid }.secret_name(&scope.component(ROLE, "key"), version)
}

/// Name of the report's ConfigMap.
pub fn report(scope: &Scope<'_>) -> String {
    scope.component(ROLE, "report")
}

/// Adds the provisioner's objects. A new plan rolls the pod, so that it never works on an old one.
pub fn build(scope: &Scope<'_>, plan: Plan, out: &mut Objects) {
    let (text, _) = published(&plan);
    let mut credentials: BTreeSet<String> = plan.provisions.iter().flat_map(credentials_of).collect();
    let watched = plan.secrets.unwrap_or_default();
    if !watched.key.is_empty() {
        credentials::key(scope, ROLE, &watched.key, out);
        credentials.insert(watched.key);
    }
    let (volumes, mounts): (Vec<_>, Vec<_>) = by_secret(&watched.uses).into_iter().enumerate().map(|(i, (name, keys))| secret(i, name, &keys)).unzip();
    let report = report(scope);
    let mut metadata = scope.meta(report.clone(), ROLE);
    metadata.labels.get_or_insert_default().insert(REPORT.into(), "true".into());
    // Made empty: its content is the provisioner's own.
    out.push(ROLE, &ConfigMap { metadata, ..Default::default() });
    let workload = Workload {
        name: scope.component(ROLE, ""),
        part: ROLE.into(),
        container: ROLE.into(),
        image: None,
        default_image: scope.agent_image.into(),
        args: ["agent", "provision", "--report", &report].map(Into::into).into(),
        user: USER,
        replicas: 1,
        files: Some((PLAN_FOLDER.into(), BTreeMap::from([(PLAN_FILE.to_owned(), text)]))),
        volumes: [vec![access::token("token"), logins(&credentials)], volumes].concat(),
        mounts: [vec![pod::mount("token", access::TOKEN_FOLDER, true), pod::mount("logins", LOGINS_FOLDER, true)], mounts].concat(),
        readiness: Some(Ask::Http { path: "/readyz".into(), port: AGENT_PORT }),
        liveness: Some(Ask::Http { path: "/livez".into(), port: AGENT_PORT }),
        default_requests: resources_of_agents(),
        shutdown: Shutdown { stop: 5, ..Default::default() },
        rules: vec![access::rule("", "configmaps", &[&report], &["patch"])],
        recreate: true,
        ..Default::default()
    };
    workload.deployment(scope, out);
}

fn credentials_of(provision: &Provision) -> Vec<String> {
    match provision {
        Provision::PostgreSQL(server) => server.logins.iter().map(|login| login.secret.clone()).chain([server.admin_secret.clone()]).collect(),
    }
}

/// What is used of each Secret; no keys: all of it.
fn by_secret(uses: &[SecretUse]) -> BTreeMap<&str, Vec<&str>> {
    let mut secrets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for used in uses {
        secrets.entry(&used.secret).or_default().extend(used.key.as_deref());
    }
    for used in uses.iter().filter(|used| used.key.is_none()) {
        secrets.insert(&used.secret, vec![]);
    }
    secrets
}

/// One Secret of the user's as a folder, with no more of it than is used. One that is not there yet is in nobody's way.
fn secret(index: usize, name: &str, keys: &[&str]) -> (Volume, VolumeMount) {
    let volume = format!("secret-{index}");
    let items = keys.iter().map(|key| KeyToPath { key: (*key).into(), path: (*key).into(), ..Default::default() }).collect();
    let source =
        SecretVolumeSource { secret_name: Some(name.into()), items: (!keys.is_empty()).then_some(items), optional: Some(true), default_mode: Some(0o440) };
    let mount = pod::mount(&volume, &format!("{SECRETS_FOLDER}/{name}"), true);
    (Volume { name: volume, secret: Some(source), ..Default::default() }, mount)
}

/// Every login as a folder. A Secret that is gone is not in the way of the others: the report says which one is missing.
fn logins(secrets: &BTreeSet<String>) -> Volume {
    let source = |name: &String| {
        let items = [USERNAME, PASSWORD].map(|key| KeyToPath { key: key.into(), path: format!("{name}/{key}"), ..Default::default() });
        VolumeProjection { secret: Some(SecretProjection { name: name.clone(), items: Some(items.into()), optional: Some(true) }), ..Default::default() }
    };
    Volume {
        name: "logins".into(),
        projected: Some(ProjectedVolumeSource { sources: Some(secrets.iter().map(source).collect()), default_mode: Some(0o440) }),
        ..Default::default()
    }
}
