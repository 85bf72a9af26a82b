//! The specification, as the user writes it: composed of those of the components, and the one list of parts.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::components::{
    Component, Part, cache::Cache, database::Database, gateway::Gateway, registry::Registry, services::Service,
};
use crate::kit::fields::{NamedRef, Resources};
use crate::kit::forms::{
    self, CONFINED, CONFINED_TEXT, MIRROR_TEXT, OWN_ANNOTATIONS, OWN_ANNOTATIONS_TEXT, QUALIFIED_KEYS_TEXT,
};
use crate::kit::part::Role;

/// A microservice application: your services and the components that they use, wired together and kept so.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "microapp.dev",
    version = "v1alpha1",
    kind = "MicroserviceApp",
    plural = "microserviceapps",
    shortname = "microapp",
    shortname = "msa",
    category = "microapp",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Components", type_ = "string", json_path = ".status.summary.components"),
    printcolumn(name = "Services", type_ = "string", json_path = ".status.summary.services"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1),
    printcolumn(name = "Availability", type_ = "string", json_path = ".spec.availability", priority = 1),
    validation = Rule::new("size(self.metadata.name) >= 3 && \
        self.metadata.name.matches('^[a-z][a-z0-9]*(-[a-z0-9]+)*$')")
        .field_path(".metadata.name").message("`name` must be 3 to 24 characters of a-z, 0-9 and single dashes, and \
            begin with a letter")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.gateway) || !has(self.services) || !self.services.exists(s, has(s.routes) \
    && size(s.routes) > 0)").message("`gateway` must be set when a service has `routes`; add `gateway: {}`"))]
#[x_kube(validation = Rule::new("has(self.database) || !has(self.services) || !self.services.exists(s, has(s.uses) \
    && s.uses.exists(u, u.component == 'Database'))").message("`database` must be set when a service `uses` it; add \
    `database: {}`"))]
#[x_kube(validation = Rule::new("has(self.cache) || !has(self.services) || !self.services.exists(s, has(s.uses) \
    && s.uses.exists(u, u.component == 'Cache'))").message("`cache` must be set when a service `uses` it; add \
    `cache: {}`"))]
#[x_kube(validation = Rule::new("!has(self.services) || self.services.all(s, !has(s.calls) || s.calls.all(c, \
    self.services.exists(t, t.name == c.service)))")
    .message("every `calls[].service` must be the `name` of a service of this application").field_path(".services"))]
#[x_kube(validation = Rule::new("!has(self.services) || self.services.all(s, !has(s.calls) || s.calls.all(c, \
    !self.services.exists(t, t.name == c.service && has(t.protocol) && t.protocol == 'None' && (!has(t.ports) || \
    size(t.ports) == 0))))")
    .message("a service of `protocol` 'None' without `ports` cannot be called; set one of them, or remove it from \
        `calls`").field_path(".services"))]
pub struct MicroserviceAppSpec {
    /// `SingleReplica` (default), or `HighlyAvailable`: two pods of the gateway and of each service, unless they say
    /// otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// What becomes of data when the application is deleted. `Retain` (default): volumes and passwords stay, and an
    /// application of the same name finds them again. `Delete`: they go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_retention: Option<DataRetention>,
    /// `Active` (default), or `Paused`: the operator changes nothing and only reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<Reconciliation>,
    /// Seconds without progress after which the application counts as stalled. Default: 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: Option<i32>,
    /// Labels for every object and pod of the application. They are never part of selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = forms::label_value()))]
    #[x_kube(validation = Rule::new("self.all(k, !k.matches('^([^/]*[.])?(microapp[.]dev|kubernetes[.]io|k8s[.]io)/'))")
        .message("keys of microapp.dev, kubernetes.io and k8s.io may not be set; use a domain of your own, or none"))]
    #[x_kube(validation = Rule::new(forms::qualified_keys()).message(QUALIFIED_KEYS_TEXT))]
    pub labels: BTreeMap<String, String>,
    /// Annotations for every pod and for the objects that expose the gateway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = Rule::new(OWN_ANNOTATIONS).message(OWN_ANNOTATIONS_TEXT), validation = Rule::new(CONFINED)
        .message(CONFINED_TEXT))]
    #[x_kube(validation = Rule::new(forms::qualified_keys()).message(QUALIFIED_KEYS_TEXT))]
    pub annotations: BTreeMap<String, String>,
    /// The containers that the operator adds beside yours and the components': what finds endpoints for the gateway,
    /// and what makes logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Agents>,
    /// Where images come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Images>,
    /// Your services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub services: Vec<Service>,
    /// The API gateway. `{}` means: with defaults. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// The service registry. `{}` means: with defaults. Absent: as `{}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// The database. `{}` means: with defaults. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// The cache. `{}` means: with defaults. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
}

/// The roles of all components.
pub const ROLES: [Role; 4] = [Gateway::ROLE, Registry::ROLE, Database::ROLE, Cache::ROLE];

impl MicroserviceAppSpec {
    /// Seconds without progress after which the application counts as stalled.
    pub fn progress_deadline(&self) -> i32 {
        self.progress_deadline_seconds.unwrap_or(600)
    }

    /// THE ONE LIST: every declared component, then every service, in the order of status.
    pub fn parts(&self) -> Vec<&dyn Part> {
        fn part<P: Part>(declared: &Option<P>) -> Option<&dyn Part> {
            declared.as_ref().map(|it| it as &dyn Part)
        }
        let components = [part(&self.gateway), part(&self.registry), part(&self.database), part(&self.cache)];
        components.into_iter().flatten().chain(self.services.iter().map(|it| it as &dyn Part)).collect()
    }
}

/// The containers that the operator adds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// CPU and memory of each of them. A namespace whose quota bounds limits needs limits here. Default: requests of
    /// 10m and 24Mi, no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// How much an application may lose and go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Availability {
    #[default]
    SingleReplica,
    HighlyAvailable,
}

/// What becomes of data when the application is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DataRetention {
    #[default]
    Retain,
    Delete,
}

/// Whether the operator acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reconciliation {
    #[default]
    Active,
    Paused,
}

/// Where images come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// A mirror that the components' images are taken from: `registry.corp.example/mirror` stands before their paths.
    /// Images of your services are taken as you wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(forms::mirror()).message(MIRROR_TEXT))]
    pub registry: Option<String>,
    /// `IfNotPresent`, `Always` or `Never`, for all pods. Default: Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,
    /// Image pull Secrets, for all pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub pull_secret_refs: Vec<NamedRef>,
}

/// When images are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    IfNotPresent,
    Always,
    Never,
}
