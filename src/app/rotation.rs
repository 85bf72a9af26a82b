//! Rotation: pods begin anew when the content of a Secret that they use has changed. The operator reads no Secret: the provisioner tells it keyed digests.
//!
//! What was seen last stands on the Deployment, where it rolls nothing. Only a digest that differs from it changes the pod template, so that neither the first
//! report nor a new release restarts anything.

use std::collections::{BTreeMap, BTreeSet};

use super::{App, applied::Refusal, gates};
use crate::components::{
    provisioner::digest_key,
    services::{self, Rotation, Service},
};
use crate::kit::{
    agents::{SecretDigests, SecretUse, WatchedSecrets},
    credentials, digest,
    objects::Id,
    observed::Workload,
    scope::Scope,
    workload::SECRETS,
};

/// The Secrets that the provisioner is to watch; None: no service names one.
pub fn watched(app: &App<'_>) -> Option<WatchedSecrets> {
    let uses: BTreeSet<SecretUse> = app.spec().services.iter().flat_map(services::secrets).collect();
    (!uses.is_empty())
        .then(|| WatchedSecrets { key: digest_key(&app.scope, key_version(app)), uses: uses.into_iter().collect() })
}

/// What is known of the Secrets that a service names, and whether its pods must begin anew.
pub fn of(app: &App<'_>, service: &Service) -> Rotation {
    let uses = services::secrets(service);
    if uses.is_empty() {
        return Rotation::default();
    }
    let live = live(&app.scope, service);
    let mark = live.and_then(|w| w.annotations.get(SECRETS)).cloned();
    let Some(told) =
        gates::current_report(app).and_then(|report| report.secrets.as_ref()).filter(|told| !told.key_missing)
    else {
        return Rotation { seen: live.and_then(|w| w.secrets.clone()), mark, changed: vec![] };
    };
    let before = live.and_then(seen).filter(|seen| seen.key == told.key).unwrap_or_default().digests;
    // A report can be forged: only what looks like a digest is kept.
    let now = |id: &String| told.digests.get(id).filter(|digest| digest::is_digest(digest));
    let ids: Vec<String> = uses.iter().map(ToString::to_string).collect();
    // A Secret that is gone for a while is remembered: it may come back as another one.
    let digests: BTreeMap<String, String> =
        ids.iter().filter_map(|id| Some((id.clone(), now(id).or(before.get(id))?.clone()))).collect();
    let changed: Vec<String> =
        ids.into_iter().filter(|id| before.get(id).zip(now(id)).is_some_and(|(before, now)| before != now)).collect();
    let mark = if changed.is_empty() { mark } else { Some(digest::of(&digests)) };
    let seen = SecretDigests { key: told.key.clone(), digests, ..Default::default() };
    Rotation { seen: serde_json::to_string(&seen).ok(), mark, changed }
}

/// The services whose pods begin anew in this pass, and why.
pub fn rolled(app: &App<'_>) -> Vec<Refusal> {
    let one = |service: &Service| {
        let changed = of(app, service).changed;
        let id = Id { kind: "Deployment", name: app.scope.service(&service.name, "") };
        let message = format!("{} changed; the pods of '{}' begin anew", changed.join(", "), service.name);
        (!changed.is_empty()).then(|| Refusal { id, part: services::part(&service.name), message })
    };
    app.spec().services.iter().filter_map(one).collect()
}

/// A key that was lost is made anew under its next version. Deployments name the key that they speak of.
fn key_version(app: &App<'_>) -> u32 {
    let name = |version| digest_key(&app.scope, version);
    let version = |key: &str| credentials::version(key).filter(|n| name(*n) == key);
    let in_use = app.spec().services.iter().filter_map(|service| version(&seen(live(&app.scope, service)?)?.key)).max();
    let told = app.scope.observed.report.as_ref().and_then(|report| report.secrets.as_ref());
    credentials::current(app.scope.observed, name, in_use, |key| {
        told.is_some_and(|told| told.key_missing && told.key == key)
    })
}

fn live<'a>(scope: &Scope<'a>, service: &Service) -> Option<&'a Workload> {
    scope.observed.workload("Deployment", &scope.service(&service.name, ""))
}

fn seen(live: &Workload) -> Option<SecretDigests> {
    serde_json::from_str(live.secrets.as_deref()?).ok()
}
