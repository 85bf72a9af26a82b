//! Pods restart when the content of a Secret that they use has changed. The operator reads no Secret: the provisioner
//! tells it keyed digests.
//!
//! What was seen last stands on the workload, where it restarts nothing. Only a digest that differs from it changes the
//! pod template, so that neither the first report nor a new release restarts anything.

use std::collections::BTreeMap;

use super::{applied::ObjectNote, desired::Desired};
use crate::components::{Part, SecretChanges, provisioner::digest_key};
use crate::kit::{
    agents::SecretDigests, credentials::Credential, digest, observed::Workload, part::PartName, scope::Scope,
    workload::SECRETS,
};

/// What is known of the Secrets that a part names, and whether its pods must restart.
pub fn of(desired: &Desired<'_>, part: &dyn Part) -> SecretChanges {
    let uses = part.secrets();
    if uses.is_empty() {
        return SecretChanges::default();
    }
    let live = live(&desired.scope, &part.name());
    let mark = live.and_then(|w| w.annotations.get(SECRETS)).cloned();
    let report = desired.report(desired.scope.observed);
    let Some(told) = report.and_then(|report| report.secrets.as_ref()).filter(|told| !told.key_missing) else {
        return SecretChanges { seen: live.and_then(|w| w.secrets.clone()), mark, changed: vec![] };
    };
    let before = live.and_then(seen).filter(|seen| seen.key == told.key).unwrap_or_default().digests;
    // A report can be forged: only what looks like a digest is kept.
    let now = |id: &String| told.digests.get(id).filter(|digest| digest::is_digest(digest));
    let ids: Vec<String> = uses.iter().map(ToString::to_string).collect();
    // A Secret that is gone for a while is remembered: it may come back as another one.
    let known = ids.iter().filter_map(|id| Some((id.clone(), now(id).or(before.get(id))?.clone())));
    let digests: BTreeMap<String, String> = known.collect();
    let is_other = |id: &String| before.get(id).zip(now(id)).is_some_and(|(before, now)| before != now);
    let changed: Vec<String> = ids.into_iter().filter(is_other).collect();
    let mark = if changed.is_empty() { mark } else { Some(digest::of(&digests)) };
    let seen = SecretDigests { key: told.key.clone(), digests, ..Default::default() };
    SecretChanges { seen: serde_json::to_string(&seen).ok(), mark, changed }
}

/// The workloads whose pods restart now, and why.
pub fn restarts(desired: &Desired<'_>, parts: &[&dyn Part]) -> Vec<ObjectNote> {
    let one = |part: &&dyn Part| {
        let name = part.name();
        let changed = desired.wiring.parts.get(&name).map(|it| it.secrets.changed.join(", ")).unwrap_or_default();
        let message = format!("{changed} changed; the pods of '{}' restart", name.short());
        let (id, _) = desired.scope.workloads(&name).next()?;
        (!changed.is_empty()).then(|| ObjectNote { id: id.clone(), part: name, message })
    };
    parts.iter().filter_map(one).collect()
}

/// The current key of digests: one that was lost is created again under its next version. Workloads name the key that
/// they speak of.
pub fn key(scope: &Scope<'_>, parts: &[&dyn Part]) -> Credential {
    let keys = parts.iter().filter_map(|part| Some(seen(live(scope, &part.name())?)?.key));
    let in_use: Vec<String> = keys.collect();
    let told = scope.observed.report.as_ref().and_then(|report| report.secrets.as_ref());
    let missing = |key: &str| told.is_some_and(|told| told.key_missing && told.key == key);
    digest_key(scope, in_use.iter().map(String::as_str), missing)
}

fn live<'a>(scope: &Scope<'a>, part: &PartName) -> Option<&'a Workload> {
    scope.workloads(part).map(|(_, live)| live).next()
}

fn seen(live: &Workload) -> Option<SecretDigests> {
    serde_json::from_str(live.secrets.as_deref()?).ok()
}
