//! Watches: one for each kind, each with a backoff of its own, so that one that fails leaves the others alone.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    core::DynamicResourceScope,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};

use tokio::task::JoinSet;

use super::{
    client::resource,
    facts,
    index::{AppKey, Index, Named},
};
use crate::kit::{
    agents::{REPORT_KEY, REPORT_LIMIT, Report},
    objects::Id,
    owned::{Owned, Served, Watched},
    scope::{APP, REPORT},
};

/// How many watches [`start`] starts for these kinds.
pub fn count(kinds: &'static [Owned]) -> usize {
    watched(kinds).count() + 2
}

fn watched(kinds: &'static [Owned]) -> impl Iterator<Item = &'static Owned> {
    kinds.iter().filter(|row| row.watched != Watched::Never)
}

/// Starts the watches of these kinds, of pods and of reports, of one namespace or of all. They end when the answer is
/// dropped.
pub fn start(client: &Client, namespace: Option<&str>, index: &Arc<Index>, kinds: &'static [Owned]) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    for (number, row) in watched(kinds).enumerate() {
        let (kind, index) = (resource(row), index.clone());
        match row.watched {
            Watched::Facts => watches.spawn(follow(
                scoped::<DynamicObject>(client, namespace, &kind),
                (APP, row.served),
                number,
                Objects(row, index, facts::record),
            )),
            _ => {
                let read =
                    |_: &str, object: &PartialObjectMeta<DynamicObject>| facts::metadata_record(&object.metadata);
                watches.spawn(follow(
                    scoped::<PartialObjectMeta<DynamicObject>>(client, namespace, &kind),
                    (APP, row.served),
                    number,
                    Objects(row, index, read),
                ))
            }
        };
    }
    let next = watched(kinds).count();
    watches.spawn(follow(typed::<Pod>(client, namespace), (APP, Served::Always), next, Pods(index.clone())));
    watches.spawn(follow(
        typed::<ConfigMap>(client, namespace),
        (REPORT, Served::Always),
        next + 1,
        Reports(index.clone()),
    ));
    watches
}

/// Objects of a kind known only by name, of one namespace or of all.
pub fn scoped<K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>>(
    client: &Client,
    namespace: Option<&str>,
    kind: &ApiResource,
) -> Api<K> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    }
}

fn typed<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(
    client: &Client,
    namespace: Option<&str>,
) -> Api<K> {
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// What becomes of the news of one watch.
trait Sink<K> {
    fn put(&self, key: AppKey, object: K);
    fn gone(&self, key: AppKey, object: K);
    /// A new list is complete: only what it named is there.
    fn keep(&self, named: &Named);
    fn index(&self) -> &Index;
}

async fn follow<K>(api: Api<K>, (label, served): (&str, Served), number: usize, sink: impl Sink<K>)
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut stream = watcher(api, watcher::Config::default().labels(label)).default_backoff().boxed();
    let mut list = List::default();
    loop {
        let news = stream.try_next().await;
        if served == Served::IfInstalled && news.as_ref().is_err_and(is_not_served) {
            // Tried again, as after any error: the kind may be installed later.
            list.absent = true;
            sink.keep(&Named::new());
            sink.index().set_listed(number, true);
            continue;
        }
        sink.index().note_news(number, news.as_ref().map(Option::as_ref), Instant::now());
        match news {
            Ok(Some(event)) => list.take(event, number, &sink),
            Ok(None) => return,
            // It resumes where it stood, or lists again: nothing is missed, only late.
            Err(error) => tracing::warn!(%error, watch = number, "watch interrupted"),
        }
    }
}

/// The list that a watch begins with.
#[derive(Default)]
struct List {
    named: Named,
    /// The kind was not installed at the last try. Nothing of it can be there, so nobody waits for the next list.
    absent: bool,
}

impl List {
    fn take<K: Resource>(&mut self, event: Event<K>, number: usize, sink: &impl Sink<K>) {
        match event {
            Event::Init => {
                self.named.clear();
                sink.index().set_listed(number, self.absent);
            }
            Event::InitApply(object) => {
                if let Some(key) = key(&object) {
                    self.named.entry(key.clone()).or_default().insert(object.name_any());
                    sink.put(key, object);
                }
            }
            Event::InitDone => {
                self.absent = false;
                sink.keep(&self.named);
                sink.index().set_listed(number, true);
            }
            Event::Apply(object) => drop(key(&object).map(|key| sink.put(key, object))),
            Event::Delete(object) => drop(key(&object).map(|key| sink.gone(key, object))),
        }
    }
}

/// The API server knows no such kind.
fn is_not_served(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if status.code == 404)
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
        let id = Id { kind: self.0.key, name: object.name_any() };
        self.1.put(key, id, version(&object), (self.2)(self.0.key, &object), true);
    }
    fn gone(&self, key: AppKey, object: K) {
        self.1.remove(&key, &Id { kind: self.0.key, name: object.name_any() }, &object.uid().unwrap_or_default());
    }
    fn keep(&self, named: &Named) {
        self.1.keep(self.0.key, named);
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
    fn keep(&self, named: &Named) {
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
    fn keep(&self, named: &Named) {
        self.0.keep_reports(named);
    }
    fn index(&self) -> &Index {
        &self.0
    }
}
