//! From an object to the little that is kept of it.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ObjectMeta};
use kube::api::DynamicObject;
use serde::Deserialize;

use super::{MANAGER, wire};
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
    let meta = &object.metadata;
    let facts = match kind {
        "Deployment" => read(object).map(|it| Facts::Workload(deployment(it, meta))),
        "StatefulSet" => read(object).map(|it| Facts::Workload(stateful_set(it, meta))),
        "PersistentVolumeClaim" => read(object).map(|it| Facts::Claim(claim(it, meta))),
        "Service" => read(object).map(|it| Facts::Service(service(it))),
        "ControllerRevision" => Some(Facts::Anchor(anchor(object))),
        _ => None,
    };
    Record { facts: facts.unwrap_or_default(), ..metadata_record(meta) }
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
    our_fields(meta).map(|fields| digest::of_json(&fields.0)).unwrap_or_default()
}

fn our_fields(meta: &ObjectMeta) -> Option<&FieldsV1> {
    let ours = meta.managed_fields.iter().flatten().find(|f| {
        f.manager.as_deref() == Some(MANAGER)
            && f.operation.as_deref() == Some("Apply")
            && f.subresource.as_deref().unwrap_or_default().is_empty()
    });
    ours.and_then(|entry| entry.fields_v1.as_ref())
}

/// Reads the little that is asked for, without a copy of the rest.
fn read<'a, K: Deserialize<'a>>(object: &'a DynamicObject) -> Option<K> {
    K::deserialize(&object.data)
        .inspect_err(|error| tracing::warn!(name = object.metadata.name, %error, "object cannot be read"))
        .ok()
}

fn deployment(from: wire::Pods, meta: &ObjectMeta) -> observed::Workload {
    let failed = from.status.conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    let failure = failed.map(|c| short(c.message.as_deref().or(c.reason.as_deref()).unwrap_or_default()));
    let updated = from.status.updated_replicas;
    observed::Workload {
        updated,
        failure,
        secrets: remembered(meta, SECRETS),
        paused: from.spec.paused,
        ..workload(from, meta)
    }
}

fn stateful_set(from: wire::Pods, meta: &ObjectMeta) -> observed::Workload {
    let status = &from.status;
    // Once all pods are of the newest revision, the controller counts them as current and no more as updated.
    let rolled = status.update_revision.is_some() && status.update_revision == status.current_revision;
    let updated = if rolled { status.current_replicas } else { status.updated_replicas };
    let revision = status.update_revision.clone().unwrap_or_default();
    observed::Workload { updated, revision, ..workload(from, meta) }
}

/// What both kinds of workloads tell.
fn workload(from: wire::Pods, meta: &ObjectMeta) -> observed::Workload {
    let (template, status) = (from.spec.template, from.status);
    let containers = template.spec.init_containers.into_iter().chain(template.spec.containers);
    observed::Workload {
        replicas: from.spec.replicas.unwrap_or(1),
        ready: status.ready_replicas,
        current: status.replicas,
        observed: status.observed_generation >= meta.generation,
        annotations: template
            .metadata
            .annotations
            .into_iter()
            .filter(|(key, _)| key.starts_with("microapp.dev/"))
            .collect(),
        images: containers.map(|container| (container.name, container.image)).collect(),
        chosen: chosen(meta),
        ..Default::default()
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

fn claim(from: wire::Claim, meta: &ObjectMeta) -> observed::Claim {
    let label =
        |key: &str| meta.labels.iter().flatten().find(|(k, _)| *k == key).map(|(_, v)| v.clone()).unwrap_or_default();
    let (spec, phase) = (from.spec, from.status.phase);
    observed::Claim {
        bound: phase == "Bound",
        lost: phase == "Lost",
        deleting: meta.deletion_timestamp.is_some(),
        named: !spec.volume_name.is_empty() || spec.data_source.is_some() || spec.data_source_ref.is_some(),
        request: spec.resources.requests.get("storage").cloned().unwrap_or_default(),
        class: spec.storage_class_name,
        class_is_ours: our_fields(meta).is_some_and(|f| f.0.pointer("/f:spec/f:storageClassName").is_some()),
        engine: label(ENGINE),
        major: label(MAJOR),
        id: data_id(label(DATA_ID)),
        anchor: owner(meta, "ControllerRevision"),
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

fn service(from: wire::Service) -> observed::Service {
    let ingress = from.status.load_balancer.ingress.into_iter();
    let port = |p: wire::Port| Some((p.name?, p.node_port.filter(|port| *port > 0)?));
    observed::Service {
        ingress: ingress.filter_map(|it| it.hostname.or(it.ip)).next(),
        node_ports: from.spec.ports.into_iter().filter_map(port).collect(),
    }
}

fn anchor(from: &DynamicObject) -> observed::Anchor {
    let text = |key: &str| from.data["data"][key].as_str().unwrap_or_default().to_owned();
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
        // One that no node takes has no such condition.
        since: readiness
            .and_then(|c| c.last_transition_time)
            .or_else(|| from.metadata.creation_timestamp.clone())
            .map(|since| since.0),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_no_node_takes_is_unready_since_it_was_made() -> Result<(), serde_json::Error> {
        let pod = |conditions: serde_json::Value| {
            let made = serde_json::json!({ "metadata": { "creationTimestamp": "2026-11-29T10:00:00Z" },
                "status": { "conditions": conditions } });
            serde_json::from_value::<Pod>(made).map(|it| super::pod(&it).since.map(|since| since.to_string()))
        };
        let none = pod(serde_json::json!([{ "type": "PodScheduled", "status": "False" }]))?;
        assert_eq!(none.as_deref(), Some("2026-11-29T10:00:00Z"));
        let later = serde_json::json!([{ "type": "Ready", "status": "False",
            "lastTransitionTime": "2026-11-29T11:00:00Z" }]);
        assert_eq!(pod(later)?.as_deref(), Some("2026-11-29T11:00:00Z"));
        Ok(())
    }
}
