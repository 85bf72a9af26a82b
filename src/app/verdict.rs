//! Why an application is not ready: the one cause that is told first.

use super::{
    App, Applied, Reconciliation,
    status::{BindingStatus, PartStatus, Summary},
};
use crate::kit::{part, reason};

/// Reason and message of `Ready`.
pub struct Verdict {
    pub reason: String,
    pub message: String,
    /// Waiting does not help: somebody must do something.
    pub stuck: bool,
}

/// None: all is well.
pub fn verdict(
    app: &App<'_>,
    applied: &Applied,
    parts: &[PartStatus],
    bindings: &[BindingStatus],
    summary: &Summary,
) -> Option<Verdict> {
    let (reason, message) = of_parts(parts).or_else(|| of_bindings(bindings)).or_else(|| of_objects(app, applied))?;
    Some(Verdict { stuck: reason::is_stuck(&reason), message: format!("{summary}. {message}"), reason })
}

/// What waits for others is explained by those others.
fn of_parts(parts: &[PartStatus]) -> Option<(String, String)> {
    let worst = |p: &&PartStatus| p.ready != "True" && p.reason != reason::WAITING;
    let stuck = parts.iter().find(|p| worst(p) && reason::is_stuck(&p.reason));
    let first = stuck.or_else(|| parts.iter().find(worst)).or_else(|| parts.iter().find(|p| p.ready != "True"))?;
    let name = match part::service_of(&first.name) {
        Some(_) => "Services".to_owned(),
        None => camel(first.name.split('/').next().unwrap_or_default()),
    };
    let is = |reason| first.reason == reason;
    let reason = if is(reason::PROGRESSING) || is(reason::WAITING) {
        format!("WaitingFor{name}")
    } else if is(reason::UNAVAILABLE) {
        format!("{}Unavailable", name.strip_suffix('s').unwrap_or(&name))
    } else {
        first.reason.clone()
    };
    Some((reason, format!("{}: {}", first.name, first.message.as_deref().unwrap_or_default())))
}

fn of_bindings(bindings: &[BindingStatus]) -> Option<(String, String)> {
    let binding = bindings.iter().find(|b| b.verified != "True")?;
    let reason = if binding.verified == "False" { reason::BINDING_FAILED } else { reason::BINDING_UNVERIFIED };
    let told = binding.message.as_deref().unwrap_or(&binding.reason);
    Some((reason.into(), format!("{} -> {}: {told}", binding.service, binding.name)))
}

/// Objects that belong to no running part, and what could not be read or written.
fn of_objects(app: &App<'_>, applied: &Applied) -> Option<(String, String)> {
    let conflicts = applied.conflicts.iter().map(|r| (reason::NAME_CONFLICT, r));
    let mut refused = conflicts
        .chain(applied.refused.iter().map(|r| (reason::APPLY_REFUSED, r)))
        .chain(applied.stuck().map(|r| (reason::APPLY_FAILED, r)))
        .chain(applied.contested.iter().map(|r| (reason::FIELD_CONFLICT, r)));
    if let Some((reason, note)) = refused.next() {
        return Some((reason.into(), note.message.clone()));
    }
    let paused = app.spec().reconciliation == Some(Reconciliation::Paused);
    if let Some(failed) = applied.unavailable().filter(|_| !paused) {
        return Some((reason::CLUSTER_UNAVAILABLE.into(), failed.to_owned()));
    }
    // What is neither as desired nor any part's to explain: a Service, a Role, a claim.
    Some((reason::PROGRESSING.into(), format!("{} is not applied yet", applied.pending.first()?)))
}

/// `database` as it stands in a condition: `Database`.
pub fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
