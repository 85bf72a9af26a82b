//! Who a pod is towards the API server: an account of its own, and no token unless an agent needs one.

use k8s_openapi::api::{
    core::v1::{
        ConfigMapProjection, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath, ObjectFieldSelector,
        ProjectedVolumeSource, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
    },
    rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject},
};

use super::{objects::Objects, part::PartName, scope::Scope};

/// Where client libraries look for a token.
pub const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Ends the name of every account of ours. Nobody else's ends so: whoever writes workloads in our name becomes no
/// account that was there before.
const ACCOUNT_SUFFIX: &str = ".microapp";

/// Name of a workload's ServiceAccount.
pub fn account_name(workload: &str) -> String {
    format!("{workload}{ACCOUNT_SUFFIX}")
}

/// A workload's ServiceAccount, and for an agent the Role and RoleBinding that allow `rules` within the namespace.
pub fn account(scope: &Scope<'_>, part: &PartName, rules: Vec<PolicyRule>) -> Objects {
    let (mut objects, name) = (Objects::default(), scope.object(part, ""));
    let account = account_name(&name);
    let metadata = scope.meta(account.clone(), part);
    objects
        .push(part, &ServiceAccount { metadata, automount_service_account_token: Some(false), ..Default::default() });
    if rules.is_empty() {
        return objects;
    }
    objects.push(part, &Role { metadata: scope.meta(name.clone(), part), rules: Some(rules) });
    let subject = Subject {
        kind: "ServiceAccount".into(),
        name: account,
        namespace: Some(scope.namespace.into()),
        ..Default::default()
    };
    let role_ref = RoleRef { api_group: "rbac.authorization.k8s.io".into(), kind: "Role".into(), name: name.clone() };
    let metadata = scope.meta(name, part);
    objects.push(part, &RoleBinding { metadata, role_ref, subjects: Some(vec![subject]) });
    objects
}

/// One rule of a Role.
pub fn rule(group: &str, resource: &str, names: &[&str], verbs: &[&str]) -> PolicyRule {
    let texts = |from: &[&str]| from.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(texts(&[group])),
        resources: Some(texts(&[resource])),
        resource_names: (!names.is_empty()).then(|| texts(names)),
        verbs: texts(verbs),
        ..Default::default()
    }
}

/// A token that only the container that mounts it sees, renewed every hour.
pub fn token(volume: &str) -> Volume {
    let token =
        ServiceAccountTokenProjection { path: "token".into(), expiration_seconds: Some(3600), ..Default::default() };
    let authority = ConfigMapProjection {
        name: "kube-root-ca.crt".into(),
        items: Some(vec![KeyToPath { key: "ca.crt".into(), path: "ca.crt".into(), ..Default::default() }]),
        ..Default::default()
    };
    let namespace = DownwardAPIVolumeFile {
        path: "namespace".into(),
        field_ref: Some(ObjectFieldSelector { field_path: "metadata.namespace".into(), ..Default::default() }),
        ..Default::default()
    };
    let sources = vec![
        VolumeProjection { service_account_token: Some(token), ..Default::default() },
        VolumeProjection { config_map: Some(authority), ..Default::default() },
        VolumeProjection {
            downward_api: Some(DownwardAPIProjection { items: Some(vec![namespace]) }),
            ..Default::default()
        },
    ];
    Volume {
        name: volume.into(),
        projected: Some(ProjectedVolumeSource { sources: Some(sources), default_mode: Some(0o440) }),
        ..Default::default()
    }
}
