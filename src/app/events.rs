//! Events for the difference between two statuses.

use super::{DATA_WARNING, status::Status};
use crate::app::Applied;
use crate::kit::{part::PartName, reason};

/// One event on the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub warning: bool,
    pub reason: String,
    pub message: String,
}

/// Events for what changed from one report to the next. A report that says the same gives none.
pub fn events(before: &Status, after: &Status, applied: &Applied) -> Vec<Event> {
    let mut events = vec![];
    let mut tell =
        |warning: bool, reason: &str, message: String| events.push(Event { warning, reason: reason.into(), message });
    let ready = |s: &Status| s.conditions.iter().find(|c| c.type_ == "Ready").cloned();
    if before.observed_generation != after.observed_generation {
        tell(
            false,
            reason::SPEC_ACCEPTED.name(),
            format!("Reconciling generation {}", after.observed_generation.unwrap_or_default()),
        );
    }
    for part in &after.parts {
        let earlier = before.parts.iter().find(|p| p.name == part.name);
        let kind = if part.kind == "Service" { "Service" } else { "Component" };
        match (earlier.map(|p| p.ready.as_str()), part.ready.as_str()) {
            // What rolls or waits is progressing.
            (Some("True"), "False")
                if ![reason::PROGRESSING, reason::WAITING, reason::WAITING_FOR_ADDRESS]
                    .iter()
                    .any(|it| part.reason == *it) =>
            {
                tell(
                    true,
                    &format!("{kind}Unavailable"),
                    format!("{}: {}", part.name, part.message.as_deref().unwrap_or(&part.reason)),
                )
            }
            (Some("False") | None, "True") => tell(false, &format!("{kind}Ready"), format!("{} is ready", part.name)),
            _ => {}
        }
    }
    for binding in &after.bindings {
        let earlier = before.bindings.iter().find(|b| b.service == binding.service && b.name == binding.name);
        let name = format!("{} -> {}", binding.service, binding.name);
        let message = format!("{name}: {}", binding.message.as_deref().unwrap_or(&binding.reason));
        // A service that exists was let go by a proof. Before that nothing breaks: the server is only starting.
        let released = before
            .parts
            .iter()
            .any(|p| p.name == PartName::service(&*binding.service).to_string() && p.replicas.is_some());
        match (earlier.map(|b| b.verified.as_str()), binding.verified.as_str()) {
            (Some("False"), "True") if released => tell(false, reason::BINDING_REPAIRED.name(), message),
            (earlier, "True") if earlier != Some("True") && !released => {
                tell(false, reason::BINDING_VERIFIED.name(), message)
            }
            (earlier, "False") if earlier != Some("False") && released => {
                tell(true, reason::BINDING_FAILED.name(), message)
            }
            _ => {}
        }
    }
    if let (Some(now), then) = (ready(after), ready(before))
        && now.status != "True"
        && then.as_ref().is_none_or(|c| c.reason != now.reason)
        && reason::row(&now.reason).is_some_and(|row| row.is_event)
    {
        tell(now.reason != reason::PAUSED, &now.reason, now.message);
    }
    let warned = |s: &Status| s.conditions.iter().find(|c| c.type_ == DATA_WARNING).cloned();
    if let Some(now) = warned(after).filter(|now| warned(before).is_none_or(|then| then.reason != now.reason)) {
        tell(true, &now.reason, now.message);
    }
    for repair in &applied.repaired {
        tell(false, reason::DRIFT_CORRECTED.name(), format!("{}: {}", repair.id, repair.message));
    }
    for rolled in &applied.restarted {
        tell(false, reason::SECRET_CHANGED.name(), rolled.message.clone());
    }
    for kept in after.retained.iter().filter(|kept| before.retained.iter().all(|b| b.anchor != kept.anchor)) {
        tell(
            false,
            reason::DATA_RETAINED.name(),
            format!("Retained the data of {}. To delete it: {}", kept.anchor, kept.purge),
        );
    }
    events
}
