//! Fields that several components share, as the user writes them. Doc comments here are the user's manual: they become
//! the CRD's descriptions.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::forms::{
    self, DATA_KEY, DATA_KEY_TEXT, DEVICES, DEVICES_TEXT, IMAGE_TEXT, OBJECT_NAME, OBJECT_NAME_TEXT,
    QUALIFIED_KEYS_TEXT, RESOURCES_TEXT,
};

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedRef {
    /// Its name, in the namespace of the application.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(OBJECT_NAME).message(OBJECT_NAME_TEXT))]
    pub name: String,
}

/// One key of a Secret or ConfigMap of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the Secret or ConfigMap, in the namespace of the application.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(OBJECT_NAME).message(OBJECT_NAME_TEXT))]
    pub name: String,
    /// The key whose value is taken.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(DATA_KEY).message(DATA_KEY_TEXT))]
    pub key: String,
}

const ABOVE: &str = "`requests` must be less than or equal to `limits`";

/// CPU and memory of each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(forms::within_limits("cpu")).message(ABOVE).field_path(".requests['cpu']"))]
#[x_kube(validation = Rule::new(forms::within_limits("memory")).message(ABOVE).field_path(".requests['memory']"))]
#[x_kube(validation = Rule::new(forms::within_limits("ephemeral-storage")).message(ABOVE)
    .field_path(".requests['ephemeral-storage']"))]
#[x_kube(validation = Rule::new(DEVICES).message(DEVICES_TEXT))]
pub struct Resources {
    /// What the scheduler reserves for each pod, such as `cpu: 250m` and `memory: 512Mi`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = forms::quantity()))]
    #[x_kube(validation = Rule::new(forms::resources()).message(RESOURCES_TEXT))]
    pub requests: BTreeMap<String, IntOrText>,
    /// What a pod may use at most. A pod over its memory limit is ended and started again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = forms::quantity()))]
    #[x_kube(validation = Rule::new(forms::resources()).message(RESOURCES_TEXT))]
    pub limits: BTreeMap<String, IntOrText>,
}

impl From<&Resources> for core::ResourceRequirements {
    fn from(wanted: &Resources) -> Self {
        let map = |from: &BTreeMap<String, IntOrText>| {
            (!from.is_empty()).then(|| from.iter().map(|(k, v)| (k.clone(), v.into())).collect())
        };
        Self { requests: map(&wanted.requests), limits: map(&wanted.limits), ..Default::default() }
    }
}

/// The volume that holds a component's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size of the volume. Default: 1Gi. It can grow; a smaller size than the volume has is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))")
        .message("`size` must be a quantity above 0, such as '20Gi'"))]
    pub size: Option<IntOrText>,
    /// StorageClass of the volume. Default: the cluster's default class. Another class than the volume has is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(OBJECT_NAME).message(OBJECT_NAME_TEXT))]
    pub class_name: Option<String>,
}

/// Where pods may run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduling {
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = forms::label_value()))]
    #[x_kube(validation = Rule::new(forms::qualified_keys()).message(QUALIFIED_KEYS_TEXT))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<core::Toleration>,
    /// Rules of attraction and repulsion, in Kubernetes' own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<core::Affinity>,
    /// PriorityClass of the pods; none of the cluster's own, whose names begin with `system-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(OBJECT_NAME).message(OBJECT_NAME_TEXT))]
    #[x_kube(validation = Rule::new("!self.startsWith('system-')").message("must not begin with `system-`: those \
        classes are the cluster's own"))]
    pub priority_class_name: Option<String>,
}

/// What every component that we run takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// Image to run instead of the tested default. Give a full reference; a digest is best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(forms::image()).message(IMAGE_TEXT))]
    pub image: Option<String>,
    /// CPU and memory of each pod. Default: small requests and no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the pods may run. Default: anywhere, spread over nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
}
