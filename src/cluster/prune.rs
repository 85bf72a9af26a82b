//! Deletes what is ours and obsolete.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PartialObjectMeta, Preconditions, PropagationPolicy},
};

use super::{
    Error,
    client::{self, within},
    index::{AppKey, Index},
};
use crate::app::MicroserviceApp;
use crate::kit::{
    digest,
    objects::{Id, Object},
    observed::{Observed, Record, Workload},
    owned::{Owned, Prune},
};

const CONCURRENCY: usize = 8;

/// What of the observed is obsolete: ours, of a kind that may be deleted, and in no part of what was built. What a
/// deletion of the application orphaned has no owner, and still our mark as its manager.
pub fn unwanted<'a>(objects: &[Object], observed: &'a Observed, app_uid: &str) -> Vec<(&'a Id, &'a Record)> {
    let wanted: BTreeSet<Id> = objects.iter().map(Object::id).collect();
    let prunable = |id: &Id| Owned::of(id.kind).is_some_and(|row| row.prune == Prune::Delete);
    let ours = |record: &Record| match record.owner.as_deref() {
        Some(owner) => owner == app_uid,
        None => !record.fingerprint.is_empty() && digest::is_digest(&record.hash),
    };
    observed.records.iter().filter(|(id, record)| prunable(id) && !wanted.contains(id) && ours(record)).collect()
}

/// Deletes them. Before the first one the resource itself is asked for, not a copy of it: a plan made from an old
/// specification deletes nothing. Answers whether all are gone.
///
/// # Errors
/// When the API server could not be asked; the next pass tries again.
pub async fn prune(
    client: &Client,
    index: &Index,
    key: &AppKey,
    app: &MicroserviceApp,
    unwanted: &[(&Id, &Record)],
) -> Result<bool, Error> {
    if unwanted.is_empty() {
        return Ok(true);
    }
    if !index.is_synced() || !is_current(client, key, app).await? {
        return Ok(false);
    }
    let mut deletes = vec![];
    for (id, record) in unwanted {
        deletes.push(delete(client, index, key, id, record));
    }
    // The first that nobody answers ends it: the others would wait as long.
    futures::stream::iter(deletes).buffer_unordered(CONCURRENCY).try_collect::<Vec<()>>().await.map(|_| true)
}

/// Whether the resource is still the one, of the generation, that was planned from.
async fn is_current(client: &Client, key: &AppKey, app: &MicroserviceApp) -> Result<bool, Error> {
    let api: Api<PartialObjectMeta<MicroserviceApp>> = Api::namespaced(client.clone(), &key.namespace);
    match within(api.get(&key.name)).await {
        Ok(live) => Ok(live.uid() == app.uid()
            && live.metadata.generation == app.metadata.generation
            && live.metadata.deletion_timestamp.is_none()),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn delete(client: &Client, index: &Index, key: &AppKey, id: &Id, record: &Record) -> Result<(), Error> {
    let Some(kind) = Owned::of(id.kind) else { return Ok(()) };
    let api = client::objects(client, kind, &key.namespace);
    match within(api.delete(&id.name, &params(&record.uid))).await {
        Ok(_) => tracing::info!(app = key.name, namespace = key.namespace, object = %id, "deleted"),
        Err(error) if error.is_not_found() || error.is_conflict() => {}
        Err(error) => return Err(error),
    }
    index.remove(key, id, &record.uid);
    Ok(())
}

fn params(uid: &str) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { uid: Some(uid.into()), resource_version: None }),
        ..Default::default()
    }
}

/// Deletes pods of StatefulSets that are stuck on an old revision: the controller never replaces a pod that is not
/// ready by one of a newer revision (kubernetes/kubernetes#67250).
///
/// # Errors
/// When the API server could not be asked; the next pass tries again.
pub async fn unstick(
    client: &Client,
    key: &AppKey,
    observed: &Observed,
    stateful: &[(&str, &Workload)],
) -> Result<(), Error> {
    // A StatefulSet makes its pods before it says of which revision they are to be.
    for (set, workload) in stateful.iter().filter(|(_, workload)| workload.observed && !workload.revision.is_empty()) {
        let stuck = observed.pods.iter().filter(|(name, pod)| {
            is_of(name, set)
                && !pod.ready
                && !pod.deleting
                && !pod.revision.is_empty()
                && pod.revision != workload.revision
        });
        for (name, pod) in stuck {
            let api: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
            match within(api.delete(name, &params(&pod.uid))).await {
                Ok(_) => tracing::info!(
                    app = key.name,
                    namespace = key.namespace,
                    pod = name,
                    "deleted a pod that was stuck on an old revision"
                ),
                Err(error) if error.is_not_found() || error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Whether a pod is one of a StatefulSet: `<set>-<ordinal>`.
fn is_of(pod: &str, set: &str) -> bool {
    pod.strip_prefix(set).and_then(|rest| rest.strip_prefix('-')).is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
}
