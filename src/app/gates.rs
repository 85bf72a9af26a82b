//! Hold by edge: what a service waits for before its pods may carry a new edge.

use super::App;
use crate::components::{
    Component,
    database::{self, Database},
    services::{self, Service, Start},
};
use crate::kit::{
    agents::{Proof, Report},
    credentials,
    scope::Scope,
    workload::EDGES,
};

/// Reasons in proofs: the very Secret of the proof is not there, or the one without which nobody can repair.
const SECRET_MISSING: &str = "SecretMissing";
const ADMINISTRATOR_MISSING: &str = "AdministratorMissing";

/// An edge that holds: pods that do not carry it yet wait for its other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingEdge {
    /// What the pod template remembers it by. A login is remembered with its Secret, so that a new login is a new edge.
    pub id: String,
    /// The part at the other end.
    pub to: String,
    /// The Secret whose login must be proved.
    pub secret: Option<String>,
}

/// The edges of a service that hold, sorted.
pub fn edges(app: &App<'_>, service: &Service) -> Vec<HoldingEdge> {
    let database = app.wiring.databases.iter().filter(|edge| edge.service == service.name).map(|edge| {
        let secret = database::login_secret(&app.scope, &service.name, edge.login);
        HoldingEdge { id: format!("database={secret}"), to: Database::ROLE.into(), secret: Some(secret) }
    });
    let calls = service.calls.iter().filter(|call| call.start == Some(Start::After)).map(|call| {
        let to = services::part(&call.service);
        HoldingEdge { id: to.clone(), to, secret: None }
    });
    let mut edges: Vec<_> = database.chain(calls).collect();
    edges.sort_by(|a, b| a.id.cmp(&b.id));
    edges
}

/// What a service waits for, in words; empty: it may be created and rolled. Its own live pod template is the memory: edges that it carries hold no more.
pub fn waits(app: &App<'_>, service: &Service) -> Vec<String> {
    let live = app.scope.observed.workload("Deployment", &app.scope.service(&service.name, ""));
    let carried: Vec<&str> =
        live.and_then(|w| w.annotations.get(EDGES)).map(|list| list.split(',').collect()).unwrap_or_default();
    let unproved = |edge: &HoldingEdge| match &edge.secret {
        Some(secret)
            if proof(app, &service.name, &edge.to).is_none_or(|proof| !proof.proved || proof.secret != *secret) =>
        {
            Some(format!("{}: the login of '{}' is not proved yet", edge.to, service.name))
        }
        _ => None,
    };
    let wait = |edge: &HoldingEdge| match edge.to.strip_prefix("service/") {
        _ if carried.contains(&edge.id.as_str()) => None,
        Some(peer) => (!is_ready(app, "Deployment", &app.scope.service(peer, "")))
            .then(|| format!("{}: it is not ready yet", edge.to)),
        None if !is_ready(app, "StatefulSet", &app.scope.component(&edge.to, "")) => {
            Some(format!("{}: it is not ready yet", edge.to))
        }
        None => unproved(edge),
    };
    edges(app, service).iter().filter_map(wait).collect()
}

/// Of none wanted, none is missing.
fn is_ready(app: &App<'_>, kind: &'static str, name: &str) -> bool {
    app.scope.observed.workload(kind, name).is_some_and(|w| w.observed && (w.ready > 0 || w.replicas == 0))
}

/// What the provisioner says of the plan that stands now. A report on another plan proves nothing.
pub fn current_report<'a>(app: &'a App<'_>) -> Option<&'a Report> {
    let (_, digest) = app.plan()?;
    app.scope.observed.report.as_ref().filter(|report| report.plan == *digest)
}

/// What the provisioner found of a binding.
pub fn proof<'a>(app: &'a App<'_>, service: &str, component: &str) -> Option<&'a Proof> {
    current_report(app)?.proofs.iter().find(|proof| proof.service == service && proof.component == component)
}

/// Whether the provisioner cannot read the administrator's Secret of a component, so that nothing inside its server can be made or repaired.
pub fn administrator_missing(app: &App<'_>, component: &str, secret: &str) -> bool {
    let needed = |proof: &Proof| proof.component == component && proof.reason == ADMINISTRATOR_MISSING;
    current_report(app).is_some_and(|report| {
        report.missing.iter().any(|missing| missing == secret) || report.proofs.iter().any(needed)
    })
}

/// A login gets a new version when its Secret was lost. The live pod template names the one in use.
pub fn login_version(scope: &Scope<'_>, service: &str) -> u32 {
    let name = |version| database::login_secret(scope, service, version);
    let version = |secret: &str| credentials::version(secret).filter(|n| name(*n) == secret);
    let live = scope.observed.workload("Deployment", &scope.service(service, ""));
    let carried = live
        .and_then(|w| w.annotations.get(EDGES))
        .into_iter()
        .flat_map(|list| list.split(','))
        .filter_map(|edge| edge.strip_prefix("database="))
        .filter_map(version);
    let of_it = |proof: &&Proof| {
        proof.service == service && proof.component == Database::ROLE && proof.reason == SECRET_MISSING && !proof.proved
    };
    let missing = |secret: &str| {
        scope.observed.report.iter().flat_map(|report| &report.proofs).filter(of_it).any(|proof| proof.secret == secret)
    };
    credentials::current(scope.observed, name, carried.max(), missing)
}
