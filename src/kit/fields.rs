//! Fields that several components share, as the user writes them. Doc comments here are the user's manual: they become the CRD's descriptions.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Whether every key of a map can be the key of a label or of an annotation.
pub const QUALIFIED_KEYS: &str = "self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))";
pub const QUALIFIED_KEYS_TEXT: &str =
    "keys must be names of at most 63 characters of A-Z, a-z, 0-9, '-', '_' and '.', optionally behind a domain and '/', such as 'acme.dev/team'";
/// Whether a map of annotations leaves ours alone.
pub const OWN_ANNOTATIONS: &str = "self.all(k, !k.matches('^([^/]*[.])?microapp[.]dev/'))";
pub const OWN_ANNOTATIONS_TEXT: &str = "keys of microapp.dev may not be set; they are the operator's own";
/// Whether every value of a map can be the value of a label.
pub const LABEL_VALUES: &str = "self.all(k, self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$'))";
pub const LABEL_VALUES_TEXT: &str = "values must be at most 63 characters of A-Z, a-z, 0-9, '-', '_' and '.', beginning and ending with a letter or digit";
/// What the name of a host looks like, perhaps with a star as its first label.
pub const HOST_NAME: &str = "^([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Whether a text can be the path of a request.
pub const REQUEST_PATH: &str = "self.matches('^/[!-\"$->@-~]*$')";
/// Whether a text can be the reference of an image.
pub const IMAGE: &str = "self.matches('^[a-z0-9][!-~]*$')";
pub const IMAGE_TEXT: &str = "`image` must be a reference such as 'ghcr.io/acme/shop:1.2.0': printable characters without blanks, beginning with a-z or 0-9";
const QUANTITIES: &str = "self.all(k, isQuantity(string(self[k])) && quantity(string(self[k])).compareTo(quantity('0')) >= 0)";
const QUANTITIES_TEXT: &str = "values must be quantities of 0 or more, such as '250m' or '512Mi'";
const RESOURCE_KEYS: &str = "self.all(k, k in ['cpu', 'memory', 'ephemeral-storage'] || k.matches('^[-a-z0-9.]+/[-A-Za-z0-9_.]+$'))";
const RESOURCE_KEYS_TEXT: &str = "keys must be 'cpu', 'memory', 'ephemeral-storage' or a name with a domain, such as 'nvidia.com/gpu'";

/// A number or a string, as Kubernetes writes quantities (`1`, `"500m"`, `20Gi`) and versions (`18`, `"18.6"`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrText {
    Int(i64),
    Text(String),
}

impl std::fmt::Display for IntOrText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Text(t) => t.fmt(f),
        }
    }
}

impl From<&IntOrText> for Quantity {
    fn from(value: &IntOrText) -> Self {
        Quantity(value.to_string())
    }
}

impl JsonSchema for IntOrText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IntOrText".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true, "maxLength": 32 })
    }
}

/// An object of the same namespace, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedRef {
    /// Its name, in the namespace of the application.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One key of a Secret or ConfigMap of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the Secret or ConfigMap, in the namespace of the application.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key whose value is taken.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// CPU and memory of each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits) || !isQuantity(string(self.requests[k])) || !isQuantity(string(self.limits[k])) || quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)")
    .message("`requests` must be less than or equal to `limits`"))]
pub struct Resources {
    /// What the scheduler reserves for each pod, such as `cpu: 250m` and `memory: 512Mi`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    #[x_kube(validation = Rule::new(QUANTITIES).message(QUANTITIES_TEXT), validation = Rule::new(RESOURCE_KEYS).message(RESOURCE_KEYS_TEXT))]
    pub requests: BTreeMap<String, IntOrText>,
    /// What a pod may use at most. A pod over its memory limit is ended and started again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    #[x_kube(validation = Rule::new(QUANTITIES).message(QUANTITIES_TEXT), validation = Rule::new(RESOURCE_KEYS).message(RESOURCE_KEYS_TEXT))]
    pub limits: BTreeMap<String, IntOrText>,
}

impl From<&Resources> for core::ResourceRequirements {
    fn from(wanted: &Resources) -> Self {
        let map = |from: &BTreeMap<String, IntOrText>| (!from.is_empty()).then(|| from.iter().map(|(k, v)| (k.clone(), v.into())).collect());
        Self { requests: map(&wanted.requests), limits: map(&wanted.limits), ..Default::default() }
    }
}

/// The volume that holds a component's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size of the volume. Default: 1Gi. It can grow, never shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))").message("`size` must be a quantity above 0, such as '20Gi'"))]
    pub size: Option<IntOrText>,
    /// StorageClass of the volume. Default: the cluster's default class. It may not change while the volume exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("`className` must be the name of a StorageClass: a-z, 0-9, '-' and '.'"))]
    pub class_name: Option<String>,
}

/// Where pods may run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduling {
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 63 }))]
    #[x_kube(validation = Rule::new(QUALIFIED_KEYS).message(QUALIFIED_KEYS_TEXT), validation = Rule::new(LABEL_VALUES).message(LABEL_VALUES_TEXT))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<core::Toleration>,
    /// Rules of attraction and repulsion, in Kubernetes' own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<core::Affinity>,
    /// PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

/// What every component that we run takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// Image to run instead of the tested default. Give a full reference; a digest is best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(IMAGE).message(IMAGE_TEXT))]
    pub image: Option<String>,
    /// CPU and memory of each pod. Default: small requests and no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the pods may run. Default: anywhere, spread over nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
}
