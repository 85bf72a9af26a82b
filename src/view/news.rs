//! What changed from one look at an application to the next, in lines for somebody who waits.

use super::{State, counts, verdict};
use crate::app::{MicroserviceApp, Status};

/// The news of `after` for somebody who knew `before`.
pub fn news(before: Option<&MicroserviceApp>, after: &MicroserviceApp) -> Vec<String> {
    let name = after.metadata.name.as_deref().unwrap_or_default();
    let old = before.and_then(|app| app.status.clone()).unwrap_or_default();
    let new = after.status.clone().unwrap_or_default();
    let mut lines = vec![];
    if new.observed_generation != old.observed_generation && new.observed_generation.is_some_and(|seen| seen >= 0) {
        lines.push(format!("{name}: observed generation {}", new.observed_generation.unwrap_or_default()));
    }
    lines.extend(parts(&old, &new));
    lines.extend(bindings(&old, &new));
    let now = verdict(after);
    match before.map(verdict) {
        Some(then) if then == now => {}
        _ if now.state == State::Ready => lines.push(format!("{name}: Ready ({})", counts(&new, ", "))),
        // The parts have said why.
        Some(then) if then.word == now.word => {}
        _ if new.parts.is_empty() || now.stalled => lines.push(format!("{name}: {}: {}", now.word, now.message)),
        _ => lines.push(format!("{name}: {}", now.word)),
    }
    lines
}

fn parts(old: &Status, new: &Status) -> Vec<String> {
    let news = new.parts.iter().filter_map(|part| {
        let before = old.parts.iter().find(|p| p.name == part.name);
        let same = before.is_some_and(|before| (&before.reason, &before.message) == (&part.reason, &part.message));
        let said = part.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        (!same).then(|| format!("{}: {}{said}", part.name, part.reason))
    });
    news.collect()
}

fn bindings(old: &Status, new: &Status) -> Vec<String> {
    let news = new.bindings.iter().filter(|binding| binding.verified != "Unknown").filter_map(|binding| {
        let before = old.bindings.iter().find(|b| (&b.service, &b.name) == (&binding.service, &binding.name));
        let same = before.is_some_and(|before| before.verified == binding.verified);
        let said = match (binding.verified.as_str(), &binding.identity) {
            ("True", Some(identity)) => format!("verified: logged in as {identity}"),
            ("True", None) => "verified".to_owned(),
            _ => format!("broken: {}", binding.message.as_deref().unwrap_or(&binding.reason)),
        };
        (!same).then(|| format!("service/{} -> {}: {said}", binding.service, binding.name))
    });
    news.collect()
}
