//! Watches: one for each kind, each with a backoff of its own, so that one that fails leaves the others alone.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};

use super::{
    client::resource,
    facts,
    index::{AppKey, Index},
};
use crate::kit::{
    agents::{REPORT_KEY, REPORT_LIMIT, Report},
    objects::Id,
    owned::{OWNED, Owned, Watched},
    scope::APP,
};

/// Marks the ConfigMap of a report.
const REPORT_LABEL: &str = "microapp.dev/report";

/// How many watches [`start`] starts.
pub fn count() -> usize {
    watched().count() + 2
}

fn watched() -> impl Iterator<Item = &'static Owned> {
    OWNED.iter().filter(|row| row.watched != Watched::Never)
}

/// Starts all watches. They end with the process.
pub fn start(client: &Client, index: &Arc<Index>) {
    for (number, row) in watched().enumerate() {
        let (client, index) = (client.clone(), index.clone());
        match row.watched {
            Watched::Facts => tokio::spawn(async move { follow(Api::<DynamicObject>::all_with(client, &resource(row)), APP, number, Objects(row, index, facts::record)).await }),
            _ => tokio::spawn(async move {
                let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &resource(row));
                follow(api, APP, number, Objects(row, index, |_, object: &PartialObjectMeta<DynamicObject>| facts::metadata_record(&object.metadata))).await;
            }),
        };
    }
    let next = watched().count();
    tokio::spawn(follow(Api::<Pod>::all(client.clone()), APP, next, Pods(index.clone())));
    tokio::spawn(follow(Api::<ConfigMap>::all(client.clone()), REPORT_LABEL, next + 1, Reports(index.clone())));
}

/// What becomes of the news of one watch.
trait Sink<K> {
    fn put(&self, key: AppKey, object: K);
    fn gone(&self, key: AppKey, object: K);
    /// A new list is complete: only what it named is there.
    fn keep(&self, named: &BTreeSet<(AppKey, String)>);
    fn index(&self) -> &Index;
}

async fn follow<K>(api: Api<K>, label: &str, number: usize, sink: impl Sink<K>)
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut stream = watcher(api, watcher::Config::default().labels(label)).default_backoff().boxed();
    let mut named = BTreeSet::new();
    loop {
        match stream.try_next().await {
            Ok(Some(Event::Init)) => named.clear(),
            Ok(Some(Event::InitApply(object))) => {
                if let Some(key) = key(&object) {
                    named.insert((key.clone(), object.name_any()));
                    sink.put(key, object);
                }
            }
            Ok(Some(Event::InitDone)) => {
                sink.keep(&named);
                sink.index().set_synced(number, true);
            }
            Ok(Some(Event::Apply(object))) => drop(key(&object).map(|key| sink.put(key, object))),
            Ok(Some(Event::Delete(object))) => drop(key(&object).map(|key| sink.gone(key, object))),
            Ok(None) => return,
            Err(error) => {
                sink.index().set_synced(number, false);
                tracing::warn!(%error, watch = number, "watch interrupted");
            }
        }
    }
}

fn key<K: Resource>(object: &K) -> Option<AppKey> {
    let name = object.labels().get(APP)?.clone();
    Some(AppKey { namespace: object.namespace()?, name })
}

fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default()
}

/// Objects of one kind of ours, and how to read them.
struct Objects<K>(&'static Owned, Arc<Index>, fn(&str, &K) -> crate::kit::observed::Record);

impl<K: Resource> Sink<K> for Objects<K> {
    fn put(&self, key: AppKey, object: K) {
        let id = Id { kind: self.0.kind, name: object.name_any() };
        self.1.put(key, id, version(&object), (self.2)(self.0.kind, &object), true);
    }
    fn gone(&self, key: AppKey, object: K) {
        self.1.remove(&key, &Id { kind: self.0.kind, name: object.name_any() }, &object.uid().unwrap_or_default());
    }
    fn keep(&self, named: &BTreeSet<(AppKey, String)>) {
        self.1.keep(self.0.kind, named);
    }
    fn index(&self) -> &Index {
        &self.1
    }
}

struct Pods(Arc<Index>);

impl Sink<Pod> for Pods {
    fn put(&self, key: AppKey, pod: Pod) {
        self.0.put_pod(key, pod.name_any(), Some(facts::pod(&pod)));
    }
    fn gone(&self, key: AppKey, pod: Pod) {
        self.0.put_pod(key, pod.name_any(), None);
    }
    fn keep(&self, named: &BTreeSet<(AppKey, String)>) {
        self.0.keep_pods(named);
    }
    fn index(&self) -> &Index {
        &self.0
    }
}

struct Reports(Arc<Index>);

impl Sink<ConfigMap> for Reports {
    /// Whoever may write ConfigMaps may write this: it is bounded, and what cannot be read counts as no report.
    fn put(&self, key: AppKey, object: ConfigMap) {
        let text = object.data.as_ref().and_then(|d| d.get(REPORT_KEY)).filter(|text| text.len() <= REPORT_LIMIT);
        let report = text.and_then(|text| serde_json::from_str::<Report>(text).ok());
        self.0.put_report(key, report);
    }
    fn gone(&self, key: AppKey, _: ConfigMap) {
        self.0.put_report(key, None);
    }
    fn keep(&self, _: &BTreeSet<(AppKey, String)>) {}
    fn index(&self) -> &Index {
        &self.0
    }
}
