//! Conditions: from the state of the parts, and what was said before.

use super::{
    App, Applied, Reconciliation,
    desired::Desired,
    part_status,
    status::{PartStatus, Status, Summary},
    verdict::{Verdict, camel},
};
use crate::kit::reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Type of the condition that warns of data.
pub const DATA_WARNING: &str = "DataWarning";

/// What all conditions of one status have in common.
pub struct Common<'a> {
    pub previous: &'a Status,
    pub generation: Option<i64>,
    pub now: &'a Time,
}

impl Common<'_> {
    /// A condition, with the time since when it has its value.
    pub fn condition(&self, kind: &str, status: &str, reason: &str, message: &str) -> Condition {
        let before = self.previous.condition(kind).filter(|condition| condition.status == status);
        Condition {
            type_: kind.into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            observed_generation: self.generation,
            last_transition_time: before.map_or_else(|| self.now.clone(), |c| c.last_transition_time.clone()),
        }
    }
}

/// `Ready`, one for each component, and `Reconciling` or `Stalled` while they hold.
pub fn conditions(app: &App<'_>, common: &Common<'_>, status: &Status, verdict: Option<Verdict>) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = part_status::components(&status.parts)
        .into_iter()
        .map(|(role, part)| {
            let message = part.message.as_deref().unwrap_or_default();
            common.condition(&format!("{}Ready", camel(role)), &part.ready, &part.reason, message)
        })
        .collect();
    conditions.push(services(common, status));
    let paused = app.spec().reconciliation == Some(Reconciliation::Paused);
    match verdict {
        None => conditions.push(ready(common, status, paused)),
        Some(verdict) if paused => {
            let message = format!("`reconciliation` is 'Paused'. {}", verdict.message);
            conditions.push(common.condition("Ready", "False", reason::PAUSED.name(), &message));
        }
        Some(verdict) => conditions.extend(unready(app, common, status, verdict)),
    }
    conditions
}

fn services(common: &Common<'_>, status: &Status) -> Condition {
    let bad = status.parts.iter().filter(|p| p.kind == "Service").find(|p| p.ready != "True");
    let count = status.summary.as_ref().map(|s| s.services.as_str()).unwrap_or_default();
    let ready = format!("{count} services ready");
    match bad {
        None => common.condition("ServicesReady", "True", reason::READY.name(), &ready),
        Some(part) => {
            let told = part.message.as_deref().unwrap_or_default();
            common.condition("ServicesReady", "False", &part.reason, &format!("{ready}. {}: {told}", part.name))
        }
    }
}

fn ready(common: &Common<'_>, status: &Status, paused: bool) -> Condition {
    let all = status.summary.as_ref().map(Summary::to_string).unwrap_or_default();
    match paused {
        true => {
            let message = format!("{all}. `reconciliation` is 'Paused'");
            common.condition("Ready", "True", reason::PAUSED.name(), &message)
        }
        false => common.condition("Ready", "True", reason::ALL_READY.name(), &all),
    }
}

/// `Ready` is false, and one condition says whether waiting helps.
fn unready(app: &App<'_>, common: &Common<'_>, status: &Status, verdict: Verdict) -> [Condition; 2] {
    let since = last_progress(common, status);
    let deadline = i64::from(app.spec().progress_deadline());
    let late = common.now.0.as_second() - since.0.as_second() >= deadline;
    let (reason, message) = match late && !verdict.stuck {
        true => (
            reason::PROGRESS_DEADLINE_EXCEEDED.into(),
            format!("No progress for {deadline}s. First cause: {}", verdict.message),
        ),
        false => (verdict.reason, verdict.message),
    };
    let kind = if late || verdict.stuck { "Stalled" } else { "Reconciling" };
    let progress = Condition { last_transition_time: since, ..common.condition(kind, "True", &reason, &message) };
    [common.condition("Ready", "False", &reason, &message), progress]
}

/// What of the specification does not hold for data, while everything goes on. It is there only while that is so.
pub fn warning(common: &Common<'_>, desired: &Desired<'_>, applied: &Applied) -> Option<Condition> {
    let unresized = applied.unresized.iter().map(|r| (reason::VOLUME_NOT_RESIZABLE, r.message.clone()));
    let hints = desired.hints.iter().map(|hint| (hint.reason, hint.to_string()));
    let warnings: Vec<_> = unresized.chain(hints).collect();
    let sentences: Vec<&str> = warnings.iter().map(|(_, message)| message.as_str()).collect();
    let (reason, _) = warnings.first()?;
    Some(common.condition(DATA_WARNING, "True", reason.name(), &sentences.join("; ")))
}

/// When something last moved: a new generation, or another count of ready or updated pods. `Reconciling` or `Stalled`
/// of the last status remembers it.
fn last_progress(common: &Common<'_>, status: &Status) -> Time {
    let count = |p: &PartStatus| (p.name.clone(), p.ready_replicas, p.updated_replicas, p.ready.clone());
    let counts = |s: &Status| s.parts.iter().map(count).collect::<Vec<_>>();
    let previous = common.previous;
    let memory = previous.condition("Reconciling").or_else(|| previous.condition("Stalled"));
    let is_same = previous.observed_generation == common.generation && counts(previous) == counts(status);
    memory.filter(|_| is_same).map_or_else(|| common.now.clone(), |memory| memory.last_transition_time.clone())
}
