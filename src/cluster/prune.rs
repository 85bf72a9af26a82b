//! Deletes what is ours and obsolete.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
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
    observed::{Observed, Record},
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
/// When the API server could not be asked; the next reconciliation tries again.
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

pub(super) fn params(uid: &str) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { uid: Some(uid.into()), resource_version: None }),
        ..Default::default()
    }
}
