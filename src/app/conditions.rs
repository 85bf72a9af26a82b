//! Conditions: from the state of the parts, and what was said before.

use super::{
    App, Applied, Reconciliation,
    desired::Desired,
    part_status,
    status::Status,
    verdict::{Verdict, camel},
};
use crate::kit::reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Type of the condition that warns of data.
pub const DATA_WARNING: &str = "DataWarning";
/// Seconds without progress after which an application counts as stalled, unless it says otherwise.
const PROGRESS_DEADLINE: i32 = 600;

/// `Ready`, one for each component, and `Reconciling` or `Stalled` while they hold.
pub fn conditions(
    app: &App<'_>,
    previous: &Status,
    status: &Status,
    verdict: Option<Verdict>,
    now: &Time,
) -> Vec<Condition> {
    let generation = app.resource.metadata.generation;
    let make = |kind: &str, status: &str, reason: &str, message: &str| {
        condition(previous, kind, status, reason, message, generation, now)
    };
    let mut conditions = vec![];
    for (role, part) in part_status::components(&status.parts) {
        let message = part.message.as_deref().unwrap_or_default();
        conditions.push(make(&format!("{}Ready", camel(role)), &part.ready, &part.reason, message));
    }
    let bad = status.parts.iter().filter(|p| p.kind == "Service").find(|p| p.ready != "True");
    let services = &status.summary.as_ref().map(|s| s.services.clone()).unwrap_or_default();
    conditions.push(match bad {
        None => make("ServicesReady", "True", reason::READY.name(), &format!("{services} services ready")),
        Some(part) => make(
            "ServicesReady",
            "False",
            &part.reason,
            &format!("{services} services ready. {}: {}", part.name, part.message.as_deref().unwrap_or_default()),
        ),
    });
    let paused = app.spec().reconciliation == Some(Reconciliation::Paused);
    let Some(verdict) = verdict else {
        let all = status
            .summary
            .as_ref()
            .map(|s| format!("{} components and {} services ready", s.components, s.services))
            .unwrap_or_default();
        let (reason, text) = if paused {
            (reason::PAUSED.name(), format!("{all}. `reconciliation` is 'Paused'"))
        } else {
            (reason::ALL_READY.name(), all)
        };
        conditions.push(make("Ready", "True", reason, &text));
        return sorted(conditions);
    };
    if paused {
        conditions.push(make(
            "Ready",
            "False",
            reason::PAUSED.name(),
            &format!("`reconciliation` is 'Paused'. {}", verdict.message),
        ));
        return sorted(conditions);
    }
    let since = last_progress(previous, status, generation, now);
    let deadline = i64::from(app.spec().progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE));
    let late = now.0.as_second() - since.0.as_second() >= deadline;
    let (reason, message) = match late && !verdict.stuck {
        true => (
            reason::PROGRESS_DEADLINE_EXCEEDED.into(),
            format!("No progress for {deadline}s. First cause: {}", verdict.message),
        ),
        false => (verdict.reason, verdict.message),
    };
    conditions.push(make("Ready", "False", &reason, &message));
    let kind = if late || verdict.stuck { "Stalled" } else { "Reconciling" };
    conditions.push(Condition { last_transition_time: since, ..make(kind, "True", &reason, &message) });
    sorted(conditions)
}

/// What of the specification does not hold for data, while everything goes on. It is there only while that is so.
pub fn warning(
    app: &App<'_>,
    desired: &Desired<'_>,
    applied: &Applied,
    previous: &Status,
    now: &Time,
) -> Option<Condition> {
    let unresized = applied.unresized.iter().map(|r| (reason::VOLUME_NOT_RESIZABLE, r.message.clone()));
    let warnings: Vec<_> = unresized.chain(desired.hints.iter().map(|hint| (hint.reason, hint.to_string()))).collect();
    let sentences: Vec<&str> = warnings.iter().map(|(_, message)| message.as_str()).collect();
    let reason = warnings.first().map(|(reason, _)| reason)?;
    Some(condition(
        previous,
        DATA_WARNING,
        "True",
        reason.name(),
        &sentences.join("; "),
        app.resource.metadata.generation,
        now,
    ))
}

/// When something last moved: a new generation, or another count of ready or updated pods. `Reconciling` or `Stalled` of the last report remembers it.
fn last_progress(previous: &Status, status: &Status, generation: Option<i64>, now: &Time) -> Time {
    let counts = |s: &Status| {
        s.parts
            .iter()
            .map(|p| (p.name.clone(), p.ready_replicas, p.updated_replicas, p.ready.clone()))
            .collect::<Vec<_>>()
    };
    let memory = previous.conditions.iter().find(|c| matches!(c.type_.as_str(), "Reconciling" | "Stalled"));
    match memory {
        Some(memory) if previous.observed_generation == generation && counts(previous) == counts(status) => {
            memory.last_transition_time.clone()
        }
        _ => now.clone(),
    }
}

pub fn condition(
    previous: &Status,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: &Time,
) -> Condition {
    let before = previous.conditions.iter().find(|c| c.type_ == kind && c.status == status);
    Condition {
        type_: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: before.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
    }
}

fn sorted(mut conditions: Vec<Condition>) -> Vec<Condition> {
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}
