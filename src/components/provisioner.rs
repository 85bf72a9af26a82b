//! The provisioner: one small pod of our own program that makes what must exist inside servers, proves every binding by
//! using it, and tells when a Secret that people named has changed.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    ConfigMap, KeyToPath, ProjectedVolumeSource, SecretProjection, SecretVolumeSource, Volume, VolumeMount,
    VolumeProjection,
};

use crate::kit::{
    access,
    agents::{
        AGENT_PORT, LOGINS_FOLDER, PLAN_FILE, PLAN_FOLDER, Plan, Provision, SECRETS_FOLDER, SecretUse,
        WHOLE_SECRETS_FOLDER, WatchedSecrets,
    },
    credentials::{self, AnchorRef, Credential, PASSWORD, USERNAME},
    digest,
    objects::Objects,
    part::PartName,
    pod::{self, ProbeHandler, Shutdown},
    scope::{REPORT, Scope},
    template::resources_of_agents,
    workload::{Files, Workload},
};

/// The part that it is.
pub const PART: PartName = PartName::Agent("provisioner");
/// User of our own image.
const USER: i64 = 65532;
/// Seconds between two rounds. A failed binding is found and repaired within two of them.
const INTERVAL_SECONDS: u64 = 30;
/// How much of a plan names Secrets of people at most, in bytes; each name stands about three times in the pod.
const WATCHED_BYTES: usize = 192 * 1024;
/// What stands around two names in a plan, and a little more.
const OVERHEAD: usize = 40;
/// How many Secrets are watched as a whole at most: each is a volume.
const WHOLE_SECRETS: usize = 100;

/// What it is to do, if there is anything.
pub fn plan(scope: &Scope<'_>, provisions: Vec<Provision>, secrets: Option<WatchedSecrets>) -> Option<Plan> {
    let needed = !provisions.is_empty() || secrets.is_some();
    let secrets = secrets.map(|watched| WatchedSecrets { uses: bounded(watched.uses), ..watched });
    needed.then(|| Plan {
        mark: format!("{}/{}", scope.namespace, scope.app),
        interval_seconds: INTERVAL_SECONDS,
        provisions,
        secrets,
    })
}

/// The plan as it is published, and the digest by which a report names it.
pub fn published(plan: &Plan) -> (String, String) {
    let text = serde_json::to_string(plan).unwrap_or_default();
    let digest = digest::of_bytes(text.as_bytes());
    (text, digest)
}

/// The current Secret with the key of digests. An application that is created again digests with another one.
pub fn digest_key<'a>(
    scope: &Scope<'_>,
    in_use: impl Iterator<Item = &'a str>,
    missing: impl Fn(&str) -> bool,
) -> Credential {
    let anchor = AnchorRef { name: scope.app.into(), id: credentials::digits(scope.uid), uid: None };
    anchor.current(&scope.object(&PART, "key"), scope.observed, in_use, missing)
}

/// Name of the report's ConfigMap.
pub fn report(scope: &Scope<'_>) -> String {
    scope.object(&PART, "report")
}

/// The provisioner's objects. A new plan restarts the pod, so that it never works on an old one.
pub fn build(scope: &Scope<'_>, plan: Plan) -> Objects {
    let mut objects = Objects::default();
    let (text, _) = published(&plan);
    let mut credentials: BTreeSet<String> = plan.provisions.iter().flat_map(credentials_of).collect();
    let watched = plan.secrets.unwrap_or_default();
    if !watched.key.is_empty() {
        objects.extend(credentials::key(scope, &PART, &watched.key));
        credentials.insert(watched.key);
    }
    let (volumes, mounts): (Vec<_>, Vec<_>) = secrets(&watched.uses).into_iter().unzip();
    let report = report(scope);
    let mut metadata = scope.meta(report.clone(), &PART);
    metadata.labels.get_or_insert_default().insert(REPORT.into(), "true".into());
    // Made empty: its content is the provisioner's own.
    objects.push(&PART, &ConfigMap { metadata, ..Default::default() });
    let http = |path: &str| Some(ProbeHandler::Http { path: path.into(), port: AGENT_PORT });
    let tokens = pod::mount("token", access::TOKEN_FOLDER, true);
    let workload = Workload {
        default_image: scope.agent_image.into(),
        args: ["agent", "provision", "--report", &report].map(Into::into).into(),
        user: USER,
        files: vec![Files {
            folder: PLAN_FOLDER.into(),
            content: BTreeMap::from([(PLAN_FILE.to_owned(), text)]),
            ..Default::default()
        }],
        volumes: [vec![access::token("token"), logins(&credentials)], volumes].concat(),
        mounts: [vec![tokens, pod::mount("logins", LOGINS_FOLDER, true)], mounts].concat(),
        readiness: http("/readyz"),
        liveness: http("/livez"),
        resources: scope.agent_resources.cloned(),
        default_requests: resources_of_agents(),
        shutdown: Shutdown { stop: 5, ..Default::default() },
        rules: vec![access::rule("", "configmaps", &[&report], &["patch"])],
        recreate: true,
        ..Workload::new(PART, PART.short())
    };
    objects.extend(workload.deployment(scope));
    objects
}

fn credentials_of(provision: &Provision) -> Vec<String> {
    let common = provision.common();
    common.users.into_iter().map(|user| user.secret).chain([common.admin_secret.to_owned()]).collect()
}

/// The Secrets that people named, with no more of them than is used: all keys in one volume, and a volume for each
/// Secret that is used as a whole, for only the Secret itself knows its keys. One that is not there yet is in nobody's
/// way.
fn secrets(uses: &[SecretUse]) -> Vec<(Volume, VolumeMount)> {
    let mut keyed: BTreeMap<&str, Vec<KeyToPath>> = BTreeMap::new();
    for (used, key) in uses.iter().filter_map(|used| Some((used, used.key.as_ref()?))) {
        let item = KeyToPath { key: key.clone(), path: format!("{}/{key}", used.secret), ..Default::default() };
        keyed.entry(&used.secret).or_default().push(item);
    }
    let keyed = (!keyed.is_empty()).then(|| {
        let volume = projected("secrets", keyed.into_iter().map(|(name, items)| projection(name, items)).collect());
        (volume, pod::mount("secrets", SECRETS_FOLDER, true))
    });
    let whole = uses.iter().filter(|used| used.key.is_none()).enumerate().map(|(i, used)| {
        let name = format!("secret-{i}");
        let source = SecretVolumeSource {
            secret_name: Some(used.secret.clone()),
            optional: Some(true),
            default_mode: Some(0o440),
            ..Default::default()
        };
        let mount = pod::mount(&name, &format!("{WHOLE_SECRETS_FOLDER}/{}", used.secret), true);
        (Volume { name, secret: Some(source), ..Default::default() }, mount)
    });
    keyed.into_iter().chain(whole).collect()
}

/// Every login as a folder. A Secret that is gone is not in the way of the others: the report says which one is
/// missing.
fn logins(secrets: &BTreeSet<String>) -> Volume {
    let items = |name: &str| {
        [USERNAME, PASSWORD].map(|key| KeyToPath {
            key: key.into(),
            path: format!("{name}/{key}"),
            ..Default::default()
        })
    };
    projected("logins", secrets.iter().map(|name| projection(name, items(name).into())).collect())
}

fn projection(secret: &str, items: Vec<KeyToPath>) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection { name: secret.into(), items: Some(items), optional: Some(true) }),
        ..Default::default()
    }
}

fn projected(name: &str, sources: Vec<VolumeProjection>) -> Volume {
    let projected = ProjectedVolumeSource { sources: Some(sources), default_mode: Some(0o440) };
    Volume { name: name.into(), projected: Some(projected), ..Default::default() }
}

/// As many of the uses as the provisioner can be told of and can mount: a ConfigMap and a pod have their limits. A
/// change of the others rolls nothing.
fn bounded(uses: Vec<SecretUse>) -> Vec<SecretUse> {
    let (mut bytes, mut whole) = (0, 0);
    let mut fits = |used: &SecretUse| {
        let length = used.secret.len() + used.key.as_ref().map_or(0, String::len) + OVERHEAD;
        let (fits, volumes) = (bytes + length <= WATCHED_BYTES, whole + usize::from(used.key.is_none()));
        if !fits || volumes > WHOLE_SECRETS {
            return false;
        }
        (bytes, whole) = (bytes + length, volumes);
        true
    };
    uses.into_iter().filter(|used| fits(used)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(secret: usize, key: Option<usize>, length: usize) -> SecretUse {
        SecretUse { secret: format!("{secret:0length$}"), key: key.map(|key| format!("{key:0length$}")) }
    }

    #[test]
    fn two_hundred_secrets_are_one_volume() {
        let uses: Vec<_> = (0..750).map(|i| used(i % 200, Some(i), 20)).collect();
        let uses = bounded(uses.clone())
            .into_iter()
            .zip(uses)
            .map(|(kept, given)| (kept == given).then_some(kept))
            .collect::<Option<Vec<_>>>()
            .unwrap_or_default();
        assert_eq!(uses.len(), 750, "what 50 services with 15 keys each use fits");
        let mounted = secrets(&uses);
        assert_eq!(mounted.len(), 1);
        let sources = mounted[0].0.projected.as_ref().and_then(|it| it.sources.as_ref());
        assert_eq!(sources.map(Vec::len), Some(200));
    }

    #[test]
    fn the_most_that_a_resource_can_name_is_mounted_and_told() {
        // 50 services with 100 variables, 16 sources of variables and 16 of files, each of another Secret, with the
        // longest names.
        let keyed = (0..5000).map(|i| used(i, Some(i), 253));
        let uses = bounded(keyed.chain((0..1600).map(|i| used(i, None, 253))).collect());
        let short = bounded((0..1600).map(|i| used(i, None, 10)).collect());
        assert_eq!(short.len(), WHOLE_SECRETS);
        let plan =
            Plan { secrets: Some(WatchedSecrets { key: "key".into(), uses: uses.clone() }), ..Default::default() };
        assert!(published(&plan).0.len() < 512 * 1024, "{}", published(&plan).0.len());
        let pod = serde_json::to_string(&secrets(&uses).into_iter().map(|(volume, _)| volume).collect::<Vec<_>>())
            .unwrap_or_default();
        assert!(!pod.is_empty() && pod.len() < 700 * 1024, "{}", pod.len());
    }
}
