//! When: the queue, the reconciliations, and the process around them.

mod context;
mod lanes;
mod reconcile;
mod server;
mod telemetry;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use kube::{
    Client,
    api::{ApiResource, DynamicObject},
    runtime::{
        Controller, Predicate, PredicateConfig, WatchStreamExt,
        controller::{self, Error as ControllerError},
        reflector::{self, ObjectRef},
        watcher,
    },
};
use tokio::sync::watch;

pub use context::{Context, Options};

use crate::app::MicroserviceApp;
use crate::cluster::{self, changes::Changes, handshake, index::Index, leader::Candidate, watch as watches};
use crate::kit::owned::OWNED;

/// Reconciliations at once. Each has up to eight writes in flight.
const CONCURRENCY: u16 = 8;

/// Runs the operator until `shutdown` is done, or until somebody else leads.
///
/// # Errors
/// When the ports for health and metrics cannot be had.
pub async fn run(
    client: Client,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), std::io::Error> {
    let (index, changes) = Index::new(watches::count(OWNED));
    let index = Arc::new(index);
    let (ready, is_ready) = watch::channel(false);
    let context = Arc::new(Context::new(client.clone(), index.clone(), &options));
    server::start(&options, context.telemetry.clone(), is_ready, index.clone()).await?;
    let _watches = watches::start(&client, options.namespace.as_deref(), &index, OWNED);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        let _ = stop.send(true);
    });
    let lead = async {
        prepared(&client, &index).await;
        let _ = ready.send(true);
        lead(&client, &options, context, changes, stopped.clone()).await;
    };
    tokio::select! {
        () = lead => {}
        // Nothing is under way before this process leads.
        () = async { done(stopped.clone()).await; tokio::time::sleep(Duration::from_secs(20)).await } => {}
    }
    Ok(())
}

/// Works, once this process leads if it has to ask for that.
async fn lead(
    client: &Client,
    options: &Options,
    context: Arc<Context>,
    changes: Changes,
    stopped: watch::Receiver<bool>,
) {
    let working = work(client.clone(), options.namespace.as_deref(), context, changes, done(stopped));
    let Some(namespace) = &options.lease_namespace else { return working.await };
    let mut candidate = Candidate::new(client.clone(), namespace, options.identity.clone());
    candidate.elected().await;
    tracing::info!(identity = options.identity, "leading");
    tokio::select! {
        () = working => {}
        () = candidate.deposed() => {
            tracing::error!("no longer leading; the process ends, and begins again as a candidate");
        }
    }
    candidate.resign().await;
}

async fn done(mut stopped: watch::Receiver<bool>) {
    // The sender goes only when it has spoken, or with the process.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Waits until the CRD fits, and until everything that is there has been seen.
async fn prepared(client: &Client, index: &Index) {
    loop {
        match handshake::missing_fields(client).await {
            Ok(missing) if missing.is_empty() => break,
            Ok(missing) => tracing::error!(
                first = missing[0],
                count = missing.len(),
                "the installed CustomResourceDefinition is older than this operator and lacks fields; apply the one \
                    of this release"
            ),
            Err(error @ cluster::Error::Api(_)) if !error.is_not_found() => {
                tracing::warn!(%error, "the CustomResourceDefinition cannot be read, so it is not compared");
                break;
            }
            Err(error) => tracing::warn!(%error, "the CustomResourceDefinition cannot be read"),
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    while !index.is_synced() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Works until `stop` is done and the reconciliations under way have ended.
async fn work(
    client: Client,
    namespace: Option<&str>,
    context: Arc<Context>,
    changes: Changes,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let kind = ApiResource::erase::<MicroserviceApp>(&());
    let writer = reflector::store::Writer::new(kind.clone());
    let reader = writer.as_reader();
    let apps = applications(&client, namespace, &context, writer);
    // Asked to end before it has seen the applications once, the queue would wait for them for ever.
    let seen = reader.clone();
    let stop = async move {
        stop.await;
        drop(seen.wait_until_ready().await);
    };
    // Every application is looked at first, so what changed before this leads is no news.
    changes.clear();
    let triggers = changes.told().map(move |key| ObjectRef::new_with(&key.name, kind.clone()).within(&key.namespace));
    Controller::for_stream_with(calm(apps), reader, ApiResource::erase::<MicroserviceApp>(&()))
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(triggers)
        .graceful_shutdown_on(stop)
        .run(reconcile::reconcile, reconcile::error_policy, context)
        .for_each(|outcome| async move {
            match outcome {
                // Changes of data that outlives its application.
                Ok(_) | Err(ControllerError::ObjectNotFound(_)) => {}
                Err(error) => tracing::debug!(%error, "reconciliation failed"),
            }
        })
        .await;
}

/// Applications that are worth a reconciliation. What goes is forgotten.
fn applications(
    client: &Client,
    namespace: Option<&str>,
    context: &Arc<Context>,
    writer: reflector::store::Writer<DynamicObject>,
) -> impl Stream<Item = Result<DynamicObject, watcher::Error>> + use<> {
    let kind = ApiResource::erase::<MicroserviceApp>(&());
    let apps = watcher(watches::scoped::<DynamicObject>(client, namespace, &kind), watcher::Config::default());
    let (forget, present, index) = (context.clone(), writer.as_reader(), context.index.clone());
    // What the operator itself writes into the status is no reason for a reconciliation.
    apps.default_backoff()
        .inspect(move |news| index.note_applications(news, Instant::now()))
        .modify(|app| app.metadata.managed_fields = None)
        .reflect(writer)
        .inspect(move |event| {
            match event {
                Ok(watcher::Event::Delete(app)) => forget.forget(app),
                // What went while nobody watched.
                Ok(watcher::Event::InitDone) => forget.forget_all_but(&present.state()),
                _ => {}
            }
        })
        .applied_objects()
        .predicate_filter(GenerationPredicate, PredicateConfig::default())
}

/// Errors of a watch stay with the watch: the queue's own backoff would stop all others.
fn calm<K, E: std::fmt::Display>(stream: impl Stream<Item = Result<K, E>>) -> impl Stream<Item = Result<K, E>> {
    stream.filter_map(|item| async move {
        item.inspect_err(|error| tracing::warn!(%error, "watch of applications interrupted")).ok().map(Ok)
    })
}

/// Reconcile on a new uid, generation or deletion only.
struct GenerationPredicate;

impl Predicate<DynamicObject> for GenerationPredicate {
    fn hash_property(&self, app: &DynamicObject) -> Option<u64> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&app.metadata.uid, app.metadata.generation, app.metadata.deletion_timestamp.is_some()).hash(&mut hasher);
        Some(hasher.finish())
    }
}
