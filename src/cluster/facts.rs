//! From an object to the little that is kept of it.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment, StatefulSet},
    core::v1::{ContainerStatus, PersistentVolumeClaim, Pod, PodSpec, PodTemplateSpec, Service},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ObjectMeta};
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

use super::MANAGER;
use crate::kit::{
    digest,
    objects::HASH,
    observed::{self, Facts, Record},
    part::of_label,
    scope::{BOOTSTRAPPED, DATA_ID, ENGINE, MAJOR, PART, VOLUMES},
    text,
    workload::{IMAGES, SECRETS},
};

/// Bytes kept of what a pod or a workload says of itself.
const TEXT_LIMIT: usize = 512;

/// What is kept of an object of a kind of ours.
pub fn record(kind: &str, object: &DynamicObject) -> Record {
    let facts = match kind {
        "Deployment" => typed::<Deployment>(object).map(|d| Facts::Workload(deployment(&d))),
        "StatefulSet" => typed::<StatefulSet>(object).map(|s| Facts::Workload(stateful_set(&s))),
        "PersistentVolumeClaim" => typed::<PersistentVolumeClaim>(object).map(|c| Facts::Claim(claim(&c))),
        "Service" => typed::<Service>(object).map(|s| Facts::Service(service(&s))),
        "ControllerRevision" => typed::<ControllerRevision>(object).map(|r| Facts::Anchor(anchor(&r))),
        _ => None,
    };
    Record { facts: facts.unwrap_or_default(), ..metadata_record(&object.metadata) }
}

/// What metadata alone tells.
pub fn metadata_record(meta: &ObjectMeta) -> Record {
    let owners = meta.owner_references.iter().flatten();
    Record {
        uid: meta.uid.clone().unwrap_or_default(),
        owner: owners.map(|o| o.uid.clone()).next(),
        hash: meta
            .annotations
            .iter()
            .flatten()
            .find(|(key, _)| *key == HASH)
            .map(|(_, hash)| hash.clone())
            .unwrap_or_default(),
        fingerprint: fingerprint(meta),
        facts: Facts::None,
    }
}

/// Digest of the fields that our manager owns. The API server changes our entry when somebody else changes or takes
/// over a field of ours; what others add beside it does not show here. Empty: we own nothing.
pub fn fingerprint(meta: &ObjectMeta) -> String {
    our_fields(meta).map(digest::of).unwrap_or_default()
}

fn our_fields(meta: &ObjectMeta) -> Option<&FieldsV1> {
    let ours = meta.managed_fields.iter().flatten().find(|f| {
        f.manager.as_deref() == Some(MANAGER)
            && f.operation.as_deref() == Some("Apply")
            && f.subresource.as_deref().unwrap_or_default().is_empty()
    });
    ours.and_then(|entry| entry.fields_v1.as_ref())
}

fn typed<K: DeserializeOwned>(object: &DynamicObject) -> Option<K> {
    object
        .clone()
        .try_parse_value()
        .inspect_err(|error| tracing::warn!(name = object.metadata.name, %error, "object cannot be read"))
        .ok()
}

/// `DynamicObject::try_parse` asks for `Resource`, which facts do not need.
trait ParseValue {
    fn try_parse_value<K: DeserializeOwned>(self) -> Result<K, serde_json::Error>;
}

impl ParseValue for DynamicObject {
    fn try_parse_value<K: DeserializeOwned>(self) -> Result<K, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(self)?)
    }
}

fn deployment(from: &Deployment) -> observed::Workload {
    let (spec, status) = (from.spec.clone().unwrap_or_default(), from.status.clone().unwrap_or_default());
    let failed = status.conditions.iter().flatten().find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    observed::Workload {
        replicas: spec.replicas.unwrap_or(1),
        ready: status.ready_replicas.unwrap_or(0),
        updated: status.updated_replicas.unwrap_or(0),
        current: status.replicas.unwrap_or(0),
        observed: status.observed_generation >= from.metadata.generation,
        annotations: annotations(&spec.template),
        secrets: remembered(&from.metadata, SECRETS),
        images: images(&spec.template),
        chosen: chosen(&from.metadata),
        failure: failed.map(|c| short(c.message.as_deref().or(c.reason.as_deref()).unwrap_or_default())),
        paused: spec.paused == Some(true),
        revision: String::new(),
    }
}

fn stateful_set(from: &StatefulSet) -> observed::Workload {
    let (spec, status) = (from.spec.clone().unwrap_or_default(), from.status.clone().unwrap_or_default());
    // Once all pods are of the newest revision, the controller counts them as current and no more as updated.
    let rolled = status.update_revision.is_some() && status.update_revision == status.current_revision;
    observed::Workload {
        replicas: spec.replicas.unwrap_or(1),
        ready: status.ready_replicas.unwrap_or(0),
        updated: if rolled { status.current_replicas.unwrap_or(0) } else { status.updated_replicas.unwrap_or(0) },
        current: status.replicas,
        observed: status.observed_generation >= from.metadata.generation,
        annotations: annotations(&spec.template),
        secrets: None,
        images: images(&spec.template),
        chosen: chosen(&from.metadata),
        failure: None,
        paused: false,
        revision: status.update_revision.unwrap_or_default(),
    }
}

/// What a workload remembers of itself.
fn remembered(meta: &ObjectMeta, annotation: &str) -> Option<String> {
    meta.annotations.as_ref()?.get(annotation).cloned()
}

/// The images that we chose for its containers.
fn chosen(meta: &ObjectMeta) -> Option<observed::Chosen> {
    serde_json::from_str(&remembered(meta, IMAGES)?).ok()
}

fn annotations(template: &PodTemplateSpec) -> BTreeMap<String, String> {
    let ours = |(key, _): &(String, String)| key.starts_with("microapp.dev/");
    template.metadata.clone().and_then(|m| m.annotations).unwrap_or_default().into_iter().filter(ours).collect()
}

fn images(template: &PodTemplateSpec) -> BTreeMap<String, String> {
    let containers = |spec: &PodSpec| {
        spec.init_containers
            .iter()
            .flatten()
            .chain(&spec.containers)
            .map(|c| (c.name.clone(), c.image.clone().unwrap_or_default()))
            .collect()
    };
    template.spec.as_ref().map(containers).unwrap_or_default()
}

fn claim(from: &PersistentVolumeClaim) -> observed::Claim {
    let label = |key: &str| {
        from.metadata.labels.iter().flatten().find(|(k, _)| *k == key).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let spec = from.spec.clone().unwrap_or_default();
    let phase = from.status.as_ref().and_then(|s| s.phase.as_deref());
    observed::Claim {
        bound: phase == Some("Bound"),
        lost: phase == Some("Lost"),
        deleting: from.metadata.deletion_timestamp.is_some(),
        named: spec.volume_name.is_some_and(|name| !name.is_empty())
            || spec.data_source.is_some()
            || spec.data_source_ref.is_some(),
        request: spec
            .resources
            .and_then(|r| r.requests)
            .and_then(|r| r.get("storage").map(|q| q.0.clone()))
            .unwrap_or_default(),
        class: spec.storage_class_name,
        class_is_ours: our_fields(&from.metadata).is_some_and(|f| f.0.pointer("/f:spec/f:storageClassName").is_some()),
        engine: label(ENGINE),
        major: label(MAJOR),
        id: data_id(label(DATA_ID)),
        anchor: owner(&from.metadata, "ControllerRevision"),
    }
}

/// The digits that names of Secrets carry. What is none, nobody of ours wrote.
fn data_id(text: String) -> String {
    if text.len() == 8 && digest::is_hex(&text) { text } else { String::new() }
}

/// The uid of the owner of a kind.
fn owner(meta: &ObjectMeta, kind: &str) -> Option<String> {
    meta.owner_references.iter().flatten().find(|o| o.kind == kind).map(|o| o.uid.clone())
}

fn service(from: &Service) -> observed::Service {
    let ports = from.spec.iter().flat_map(|s| s.ports.iter().flatten());
    let ingress = from.status.iter().filter_map(|s| s.load_balancer.as_ref()).flat_map(|l| l.ingress.iter().flatten());
    observed::Service {
        ingress: ingress.filter_map(|i| i.hostname.clone().or_else(|| i.ip.clone())).next(),
        node_ports: ports.filter_map(|p| Some((p.name.clone()?, p.node_port.filter(|port| *port > 0)?))).collect(),
    }
}

fn anchor(from: &ControllerRevision) -> observed::Anchor {
    let text = |key: &str| {
        from.data.as_ref().and_then(|d| d.0.get(key)).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
    };
    let noted = |key: &str| {
        from.metadata.annotations.iter().flatten().find(|(k, _)| *k == key).map(|(_, v)| v.as_str()).unwrap_or_default()
    };
    observed::Anchor {
        engine: text("engine"),
        id: data_id(text("id")),
        major: noted(MAJOR).into(),
        bootstrapped: noted(BOOTSTRAPPED) == "true",
        volumes: noted(VOLUMES).split(',').filter(|name| !name.is_empty()).map(Into::into).collect(),
        deleting: from.metadata.deletion_timestamp.is_some(),
        app: owner(&from.metadata, "MicroserviceApp"),
    }
}

/// What is kept of a pod.
pub fn pod(from: &Pod) -> observed::Pod {
    let label = |key: &str| {
        from.metadata.labels.iter().flatten().find(|(k, _)| *k == key).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let status = from.status.clone().unwrap_or_default();
    let condition = |kind: &str| status.conditions.iter().flatten().find(|c| c.type_ == kind).cloned();
    let readiness = condition("Ready");
    let ready = readiness.as_ref().is_some_and(|c| c.status == "True");
    let containers = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    let unschedulable = condition("PodScheduled")
        .filter(|c| c.status == "False")
        .map(|c| (c.reason.unwrap_or_default(), c.message.unwrap_or_default()));
    observed::Pod {
        uid: from.metadata.uid.clone().unwrap_or_default(),
        part: of_label(&label(PART)),
        ready,
        deleting: from.metadata.deletion_timestamp.is_some(),
        revision: label("controller-revision-hash"),
        since: readiness.and_then(|c| c.last_transition_time).map(|since| since.0),
        trouble: unschedulable
            .or_else(|| containers.filter_map(trouble).next())
            .filter(|_| !ready)
            .map(|(reason, text)| (short(&reason), short(&text))),
    }
}

/// As much of a text as is kept for every pod and workload.
fn short(text: &str) -> String {
    text::plain(&text::cut(text, TEXT_LIMIT))
}

/// Why a container does not run: what it waits for, or how it ended.
fn trouble(container: &ContainerStatus) -> Option<(String, String)> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = state
        .waiting
        .as_ref()
        .filter(|w| !matches!(w.reason.as_deref(), Some("ContainerCreating" | "PodInitializing") | None))
    {
        let ended = container
            .last_state
            .as_ref()
            .and_then(|s| s.terminated.as_ref())
            .map(|t| format!("last exit {} ({})", t.exit_code, t.reason.clone().unwrap_or_default()));
        let text = [waiting.message.clone(), ended].into_iter().flatten().collect::<Vec<_>>().join("; ");
        return Some((waiting.reason.clone().unwrap_or_default(), format!("container {}: {text}", container.name)));
    }
    let ended = state.terminated.as_ref().filter(|t| t.exit_code != 0)?;
    Some((
        ended.reason.clone().unwrap_or_else(|| "Error".into()),
        format!("container {}: exit {}", container.name, ended.exit_code),
    ))
}
