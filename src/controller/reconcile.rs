//! One reconciliation: observe, resolve, build, apply and prune, report.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{ResourceExt, api::DynamicObject, runtime::controller::Action};
use tokio::task::{JoinError, JoinSet};

use super::context::{Context, State};
use crate::app::{self, App, Applied, Desired, MicroserviceApp, Reconciliation, Status, applied::Failure, report};
use crate::cluster::{
    Error as ClusterError,
    apply::{Applier, differences},
    index::AppKey,
    prune, publish, unstick,
};
use crate::kit::{objects::Id, observed::Observed, problem::Problem, reason};

/// Why a reconciliation ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("a reconciliation panicked: {0}")]
    Panic(String),
}

/// The longest time between two tries of what failed, and of what must be repaired first.
const LONGEST_RETRY: Duration = Duration::from_secs(300);
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// Reconciles one application, apart from the others: what goes wrong with one, a panic too, never touches another.
pub async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    let key = key(&object);
    let Some(_slot) = context.lanes.enter(&key) else { return Ok(Action::requeue(backoff(1, LONGEST_LOOK))) };
    let begun = std::time::Instant::now();
    // A task of its own: it may run on any thread, so that one that computes keeps nobody waiting. It ends with the
    // set.
    let mut task = JoinSet::new();
    let own = (object, context.clone());
    task.spawn(async move { attempt(&own.0, &own.1).await });
    let outcome = match task.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(Error::Panic(words(error))),
        None => Err(Error::Panic("without a word".into())),
    };
    context.lanes.note(key, begun.elapsed());
    context.telemetry.reconciled(begun.elapsed(), outcome.is_ok());
    outcome
}

fn words(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "it was ended".into() };
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a word".into())
}

/// When to try again after an error: later each time, and never all at once.
pub fn error_policy(object: Arc<DynamicObject>, error: &Error, context: Arc<Context>) -> Action {
    let key = key(&object);
    let failures = context.count_failure(&key);
    tracing::warn!(app = key.name, namespace = key.namespace, failures, %error, "reconciliation failed");
    Action::requeue(backoff(failures, LONGEST_RETRY))
}

fn backoff(failures: u32, longest: Duration) -> Duration {
    let base = Duration::from_millis(500).saturating_mul(1 << failures.min(10)).min(longest);
    base.mul_f64(0.75 + rand::random::<f64>() / 2.0)
}

fn key(object: &DynamicObject) -> AppKey {
    AppKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

async fn attempt(object: &DynamicObject, context: &Context) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        // Everything goes by garbage collection.
        return Ok(Action::await_change());
    }
    let key = key(object);
    let mut resource = match decoded(object) {
        Ok(resource) => resource,
        Err(problem) => return unreadable(object, &key, problem, context).await,
    };
    let mut state = context.recall(&key, &resource);
    use_latest_status(&mut resource, &state);
    let observed = observe(&key, &state, context);
    let app = match App::resolve(&resource, &context.settings) {
        Ok(app) => app,
        Err(problems) => return refuse(&resource, &problems, &observed, key, state, context).await,
    };
    let desired = app.desired(&observed);
    let applied = act(&app, &desired, &key, &mut state, context).await;
    // The report speaks of what is there now, answers to our own writes included.
    let after = observe(&key, &state, context);
    let status = report::report(&app, &desired, &applied, &after);
    let next = next(&app, &desired, &status, &applied, &mut state, after.now);
    publish(&resource, status, &applied, key.clone(), state, context).await?;
    if applied.is_well() {
        context.count_success(&key);
    }
    Ok(next)
}

fn observe(key: &AppKey, state: &State, context: &Context) -> Observed {
    Observed { secrets: state.memory.secrets(), ..context.index.observe(key) }
}

/// A resource with mistakes: nothing is touched, and they are told.
async fn refuse(
    resource: &MicroserviceApp,
    problems: &[Problem],
    observed: &Observed,
    key: AppKey,
    state: State,
    context: &Context,
) -> Result<Action, Error> {
    let status = report::refusal(resource, problems, observed, &context.settings);
    publish(resource, status, &Applied::default(), key, state, context).await?;
    Ok(Action::await_change())
}

fn is_paused(app: &App<'_>) -> bool {
    app.spec().reconciliation == Some(Reconciliation::Paused)
}

/// Applies and prunes, unless the user wants the application left alone.
async fn act(app: &App<'_>, desired: &Desired<'_>, key: &AppKey, state: &mut State, context: &Context) -> Applied {
    let (objects, observed, version) = (&desired.objects, desired.scope.observed, &context.settings.version);
    if is_paused(app) {
        let pending = differences(objects, observed, &state.memory).into_iter().collect();
        return Applied { pending, inventory: state.memory.entries(version), ..Default::default() };
    }
    let applier = Applier {
        client: context.client.clone(),
        index: context.index.clone(),
        key: key.clone(),
        version: version.clone(),
    };
    let mut applied = applier.apply(objects, observed, &mut state.memory).await;
    let failure = clean(app, desired, key, context).await.err();
    state.unavailable = if failure.is_some() { state.unavailable.saturating_add(1) } else { 0 };
    applied.failed = failure.map(|message| Failure { message, times: state.unavailable });
    let made = |id: &Id| objects.iter().any(|o| o.id() == *id && !o.is_held()) && !applied.pending.contains(id);
    applied.restarted = desired.restarts.iter().filter(|restart| made(&restart.id)).cloned().collect();
    state.memory.tidy(objects, &context.index.observe(key));
    applied.inventory = state.memory.entries(version);
    context.telemetry.writes(&applied);
    applied
}

/// Deletes what is obsolete, and pods that are stuck on an old revision.
///
/// # Errors
/// A sentence for the status.
async fn clean(app: &App<'_>, desired: &Desired<'_>, key: &AppKey, context: &Context) -> Result<(), String> {
    let (objects, observed) = (&desired.objects, desired.scope.observed);
    let unwanted = prune::unwanted(objects, observed, desired.scope.uid);
    let pruned = prune::prune(&context.client, &context.index, key, app.resource, &unwanted).await;
    let stateful: Vec<_> = objects
        .iter()
        .filter(|o| o.kind.kind == "StatefulSet" && !o.is_held())
        .filter_map(|o| Some((o.name.as_str(), observed.workload("StatefulSet", &o.name)?)))
        .collect();
    let unstuck = unstick::unstick(&context.client, key, observed, &stateful).await;
    match pruned.and_then(|pruned| unstuck.map(|()| pruned)) {
        Ok(true) => Ok(()),
        Ok(false) => Err("obsolete objects are pruned once all watches are synced".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// When to look again although nothing happened.
fn next(
    app: &App<'_>,
    desired: &Desired<'_>,
    status: &Status,
    applied: &Applied,
    state: &mut State,
    now: Timestamp,
) -> Action {
    let due = [state.memory.next_due(&desired.objects), unstick::due(desired.scope.observed)];
    let due = due.into_iter().flatten().min().filter(|_| !is_paused(app));
    if !applied.is_well() {
        state.failures = state.failures.saturating_add(1);
        return Action::requeue(backoff(
            state.failures,
            if applied.failed.is_some() { LONGEST_RETRY } else { LONGEST_LOOK },
        ));
    }
    if !applied.contested.is_empty() {
        return Action::requeue(Duration::from_secs(60));
    }
    // The moment at which waiting becomes too long, and the next object that is applied for insurance.
    let waiting = status.conditions.iter().find(|c| c.type_ == "Reconciling").map(|c| c.last_transition_time.0);
    let patience = SignedDuration::from_secs(app.spec().progress_deadline().into());
    let deadline = waiting.and_then(|since| since.checked_add(patience).ok());
    soonest(now, deadline, due).map_or_else(Action::await_change, Action::requeue)
}

/// How long until the sooner of both. What is due in any case is never a reason to come back within a minute.
fn soonest(now: Timestamp, deadline: Option<Timestamp>, due: Option<Timestamp>) -> Option<Duration> {
    let until = |at: Timestamp, least: u64| {
        Duration::try_from(at.duration_since(now)).unwrap_or_default().max(Duration::from_secs(least))
    };
    deadline.map(|at| until(at, 1)).into_iter().chain(due.map(|at| until(at, 60))).min()
}

/// A status that we wrote and that the watch has not brought back yet is still the latest.
fn use_latest_status(app: &mut MicroserviceApp, state: &State) {
    let version = app.resource_version().and_then(|v| v.parse::<u64>().ok()).unwrap_or_default();
    if let Some((written, status)) = state.published.as_ref().filter(|(written, _)| *written > version) {
        app.metadata.resource_version = Some(written.to_string());
        app.status = Some(status.clone());
    }
}

async fn publish(
    app: &MicroserviceApp,
    status: Status,
    applied: &Applied,
    key: AppKey,
    mut state: State,
    context: &Context,
) -> Result<(), Error> {
    let (before, status) = (app.status.clone().unwrap_or_default(), status.bounded());
    let events = app::events::events(&before, &status, applied);
    if before != status {
        match written(&context.client, app, &before, status).await {
            Ok(published) => state.published = Some(published),
            Err(error) => {
                context.remember(key, state);
                return Err(error.into());
            }
        }
    }
    context.events.tell(app, events);
    context.remember(key, state);
    Ok(())
}

/// Writes a status; one that is refused is replaced by the little that says so, for silence would look like the last
/// word.
async fn written(
    client: &kube::Client,
    app: &MicroserviceApp,
    before: &Status,
    status: Status,
) -> Result<(u64, Status), ClusterError> {
    let error = match publish::status(client, app, &status).await {
        Err(error) if error.is_invalid() => error,
        answer => return answer.map(|version| (version, status)),
    };
    tracing::warn!(app = app.name_any(), namespace = app.namespace(), %error, "status refused");
    let status = status.refused(before, &error.to_string(), Time(Timestamp::now()));
    publish::status(client, app, &status).await.map(|version| (version, status))
}

/// The resource as this release knows it. A status of another release that it cannot read counts as none.
fn decoded(object: &DynamicObject) -> Result<MicroserviceApp, Problem> {
    let mut json = serde_json::to_value(object).map_err(|e| Problem::new("", reason::INVALID_SPEC, e.to_string()))?;
    let error = match serde_path_to_error::deserialize(&json) {
        Ok(resource) => return Ok(resource),
        Err(error) => error,
    };
    if let Some(fields) = json.as_object_mut().filter(|_| error.path().to_string().starts_with("status")) {
        fields.remove("status");
        return decoded(&serde_json::from_value(json).map_err(|_| unread(&error))?);
    }
    Err(unread(&error))
}

fn unread(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let text = format!("this operator cannot read it: {}", error.inner());
    Problem::new(error.path().to_string(), reason::INVALID_SPEC, text)
}

/// A resource that this operator cannot read, such as one of a newer definition: nothing of it is touched, and it says
/// why.
async fn unreadable(
    object: &DynamicObject,
    key: &AppKey,
    problem: Problem,
    context: &Context,
) -> Result<Action, Error> {
    let status = object.data.get("status").cloned().and_then(|s| serde_json::from_value(s).ok());
    let bare = MicroserviceApp { metadata: object.metadata.clone(), spec: Default::default(), status };
    let mut app = bare;
    let state = context.recall(key, &app);
    use_latest_status(&mut app, &state);
    let status = report::refusal(&app, &[problem], &context.index.observe(key), &context.settings);
    publish(&app, status, &Applied::default(), key.clone(), state, context).await?;
    Ok(Action::await_change())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_another_release_keeps_nobody_from_the_specification() -> Result<(), serde_json::Error> {
        let object = |status: serde_json::Value| {
            let json = serde_json::json!({
                "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "shop" },
                "spec": { "gateway": {} }, "status": status,
            });
            serde_json::from_value::<DynamicObject>(json)
        };
        let older = object(serde_json::json!({ "bindings": [{ "service": "orders", "name": "database" }] }))?;
        assert!(decoded(&older).is_ok_and(|app| app.status.is_none() && app.spec.gateway.is_some()));
        let newer = object(serde_json::json!({ "observedGeneration": 3 }))?;
        assert!(decoded(&newer).is_ok_and(|app| app.status.is_some()));
        Ok(())
    }

    #[test]
    fn what_is_due_brings_nobody_back_within_a_minute() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |seconds| Some(now + SignedDuration::from_secs(seconds));
        let seconds = |deadline, due| soonest(now, deadline, due).map(|it| it.as_secs());
        assert_eq!(seconds(None, None), None);
        assert_eq!(seconds(None, at(-5)), Some(60), "overdue");
        assert_eq!(seconds(None, at(600)), Some(600));
        assert_eq!(seconds(at(20), at(-5)), Some(20));
        assert_eq!(seconds(at(-20), None), Some(1));
    }
}
