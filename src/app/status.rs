//! What the operator says of an application. Bounded to 64 KiB by the bounds of its lists.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of the application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The generation of the specification that the rest of the status speaks of; -1 before the first report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Version of the operator that wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_version: Option<String>,
    /// Where the gateway answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// `Ready`; `<Component>Ready` for each declared component; `ServicesReady`; `Reconciling` or `Stalled` only while
    /// true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Each component and service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parts: Vec<PartStatus>,
    /// What each service uses, and whether that was seen to work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 400))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["service".into(), "name".into()]))]
    pub bindings: Vec<BindingStatus>,
    /// Data kept for parts that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub retained: Vec<Retained>,
    /// The operator's own memory of what it applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
}

impl Status {
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }
}

/// How many are ready, of how many, as `ready/declared`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Components, as `8/8`.
    pub components: String,
    /// Services, as `2/2`.
    pub services: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} components and {} services ready", self.components, self.services)
    }
}

/// One component or service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartStatus {
    /// `gateway`, `database`, … or `service/<name>`.
    pub name: String,
    /// `Component`, `Service`, or `Agent`: a pod of the operator's own program.
    #[schemars(extend("enum" = ["Component", "Service", "Agent"]))]
    pub kind: String,
    /// The software that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The version of its engine, as recorded with its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The image that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How many pods there should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// How many of them are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// How many of them are of the newest specification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_replicas: Option<i32>,
    /// `True` or `False`.
    #[schemars(extend("enum" = ["True", "False"]))]
    pub ready: String,
    /// One word for the state.
    pub reason: String,
    /// The state in a sentence: object, count, cause of the first failing pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it is reached inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it is held for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<String>,
}

/// One use of a component by a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// The service.
    pub service: String,
    /// What it uses.
    pub name: String,
    /// `True`: the provisioner logged in as the service and used it. `False`: that failed. `Unknown`: it was not
    /// checked lately.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub verified: String,
    /// Who it is logged in as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Since when `verified` has its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// One word for what was found.
    pub reason: String,
    /// What was found, in a sentence without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Data kept for a part that is gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// The ControllerRevision that owns the kept volumes and Secrets.
    pub anchor: String,
    /// Since when the part is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// How to delete the data on purpose.
    pub purge: String,
}

/// What was applied, so that a new leader neither writes everything again nor takes drift for wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// One entry for each applied object.
    #[schemars(length(max = 2000))]
    pub entries: Vec<Entry>,
}

/// One applied object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// `<Kind>/<name>`.
    pub id: String,
    /// Version of the operator that applied it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub v: String,
    /// Digest of what was rendered.
    pub h: String,
    /// Digest of the fields that were ours when it was applied.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub f: String,
    /// When it was made, in seconds since 1970; of Secrets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t: Option<i64>,
}
