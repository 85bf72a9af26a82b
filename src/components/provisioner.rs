//! The provisioner: one small pod of our own program that makes what must exist inside servers, and proves every binding by using it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, KeyToPath, ProjectedVolumeSource, SecretProjection, Volume, VolumeProjection};

use crate::kit::{
    access,
    agents::{AGENT_PORT, LOGINS_FOLDER, PLAN_FILE, PLAN_FOLDER, Plan, Provision},
    credentials::{PASSWORD, USERNAME},
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

/// The plan that is to be published, and the digest by which a report names it.
pub fn plan(scope: &Scope<'_>, provisions: Vec<Provision>) -> (String, String) {
    let plan = Plan { mark: format!("{}/{}", scope.namespace, scope.app), interval_seconds: INTERVAL_SECONDS, provisions };
    let text = serde_json::to_string(&plan).unwrap_or_default();
    let digest = digest::of_bytes(text.as_bytes());
    (text, digest)
}

/// Name of the report's ConfigMap.
pub fn report(scope: &Scope<'_>) -> String {
    scope.component(ROLE, "report")
}

/// Adds the provisioner's objects. A new plan rolls the pod, so that it never works on an old one.
pub fn build(scope: &Scope<'_>, provisions: Vec<Provision>, out: &mut Objects) {
    let secrets: BTreeSet<String> = provisions.iter().flat_map(secrets).collect();
    let (plan, _) = plan(scope, provisions);
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
        files: Some((PLAN_FOLDER.into(), BTreeMap::from([(PLAN_FILE.to_owned(), plan)]))),
        volumes: vec![access::token("token"), logins(&secrets)],
        mounts: vec![pod::mount("token", access::TOKEN_FOLDER, true), pod::mount("logins", LOGINS_FOLDER, true)],
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

fn secrets(provision: &Provision) -> Vec<String> {
    match provision {
        Provision::PostgreSQL(server) => server.logins.iter().map(|login| login.secret.clone()).chain([server.admin_secret.clone()]).collect(),
    }
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
