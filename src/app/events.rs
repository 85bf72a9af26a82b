//! Events for the difference between two statuses.

use super::{
    DATA_WARNING,
    status::{BindingStatus, PartStatus, Status},
};
use crate::app::Applied;
use crate::kit::{part::PartName, reason};

/// One event on the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub warning: bool,
    pub reason: String,
    pub message: String,
}

impl Event {
    fn normal(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { warning: false, reason: reason.into(), message: message.into() }
    }

    fn warning(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { warning: true, reason: reason.into(), message: message.into() }
    }
}

/// Events for what changed from one status to the next. A status that says the same gives none.
pub fn events(before: &Status, after: &Status, applied: &Applied) -> Vec<Event> {
    let mut events = vec![];
    if before.observed_generation != after.observed_generation {
        let generation = after.observed_generation.unwrap_or_default();
        events.push(Event::normal(reason::SPEC_ACCEPTED, format!("Reconciling generation {generation}")));
    }
    events.extend(after.parts.iter().filter_map(|part| of_part(before, part)));
    events.extend(after.bindings.iter().filter_map(|binding| of_binding(before, binding)));
    events.extend(of_ready(before, after));
    events.extend(of_warning(before, after));
    let repaired = applied.repaired.iter();
    events.extend(repaired.map(|it| Event::normal(reason::DRIFT_CORRECTED, format!("{}: {}", it.id, it.message))));
    let restarted = applied.restarted.iter();
    events.extend(restarted.map(|it| Event::normal(reason::SECRET_CHANGED, it.message.as_str())));
    let retained = after.retained.iter().filter(|it| before.retained.iter().all(|b| b.anchor != it.anchor));
    events.extend(retained.map(|it| {
        let message = format!("Retained the data of {}. To delete it: {}", it.anchor, it.purge);
        Event::normal(reason::DATA_RETAINED, message)
    }));
    events
}

/// A part that became ready, or is not ready any more for another cause than a roll.
fn of_part(before: &Status, part: &PartStatus) -> Option<Event> {
    let earlier = before.parts.iter().find(|p| p.name == part.name).map(|p| p.ready.as_str());
    let kind = if part.kind == "Service" { "Service" } else { "Component" };
    let is_busy = reason::BUSY.iter().any(|busy| part.reason == *busy);
    match (earlier, part.ready.as_str()) {
        (Some("True"), "False") if !is_busy => {
            let told = part.message.as_deref().unwrap_or(&part.reason);
            Some(Event::warning(format!("{kind}Unavailable"), format!("{}: {told}", part.name)))
        }
        (Some("False") | None, "True") => {
            Some(Event::normal(format!("{kind}Ready"), format!("{} is ready", part.name)))
        }
        _ => None,
    }
}

fn of_binding(before: &Status, binding: &BindingStatus) -> Option<Event> {
    let earlier = before.bindings.iter().find(|b| b.service == binding.service && b.name == binding.name);
    let told = binding.message.as_deref().unwrap_or(&binding.reason);
    let message = format!("{} -> {}: {told}", binding.service, binding.name);
    // A service that exists was let go by a proof. Before that nothing fails: the server is only starting.
    let part = PartName::service(&*binding.service).to_string();
    let released = before.parts.iter().any(|p| p.name == part && p.replicas.is_some());
    match (earlier.map(|b| b.verified.as_str()), binding.verified.as_str()) {
        (Some("False"), "True") if released => Some(Event::normal(reason::BINDING_REPAIRED, message)),
        (earlier, "True") if earlier != Some("True") && !released => {
            Some(Event::normal(reason::BINDING_VERIFIED, message))
        }
        (earlier, "False") if earlier != Some("False") && released => {
            Some(Event::warning(reason::BINDING_FAILED, message))
        }
        _ => None,
    }
}

/// Another cause for which the application is not ready, if it is one that people must hear of.
fn of_ready(before: &Status, after: &Status) -> Option<Event> {
    let now = after.condition("Ready").filter(|now| now.status != "True")?;
    let is_new = before.condition("Ready").is_none_or(|then| then.reason != now.reason);
    let is_told = is_new && reason::row(&now.reason).is_some_and(|row| row.is_event);
    let event = Event { warning: now.reason != reason::PAUSED, ..Event::normal(&*now.reason, &*now.message) };
    is_told.then_some(event)
}

fn of_warning(before: &Status, after: &Status) -> Option<Event> {
    let now = after.condition(DATA_WARNING)?;
    let is_new = before.condition(DATA_WARNING).is_none_or(|then| then.reason != now.reason);
    is_new.then(|| Event::warning(&*now.reason, &*now.message))
}
