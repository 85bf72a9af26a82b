//! The few fields of other objects that matter to us, as the API server writes them. Whole pod templates are never
//! decoded for six numbers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A Deployment or a StatefulSet.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Pods {
    pub spec: PodsSpec,
    pub status: PodsStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct PodsSpec {
    pub replicas: Option<i32>,
    pub paused: bool,
    pub template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Template {
    pub metadata: TemplateMeta,
    pub spec: TemplateSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct TemplateMeta {
    pub annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TemplateSpec {
    pub init_containers: Vec<Container>,
    pub containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Container {
    pub name: String,
    pub image: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodsStatus {
    pub replicas: i32,
    pub ready_replicas: i32,
    pub updated_replicas: i32,
    pub current_replicas: i32,
    pub observed_generation: Option<i64>,
    pub update_revision: Option<String>,
    pub current_revision: Option<String>,
    pub conditions: Vec<Condition>,
}

#[derive(Deserialize)]
pub struct Condition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
}

/// A PersistentVolumeClaim.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Claim {
    pub spec: ClaimSpec,
    pub status: ClaimStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimSpec {
    pub volume_name: String,
    pub storage_class_name: Option<String>,
    pub data_source: Option<IgnoredAny>,
    pub data_source_ref: Option<IgnoredAny>,
    pub resources: Requests,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Requests {
    pub requests: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ClaimStatus {
    pub phase: String,
}

/// A Service.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Service {
    pub spec: ServiceSpec,
    pub status: ServiceStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ServiceSpec {
    pub ports: Vec<Port>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Port {
    pub name: Option<String>,
    pub node_port: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceStatus {
    pub load_balancer: LoadBalancer,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    pub ingress: Vec<Ingress>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Ingress {
    pub hostname: Option<String>,
    pub ip: Option<String>,
}
