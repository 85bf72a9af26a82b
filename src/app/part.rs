//! How each part fares: from what was observed and applied to one word and one sentence.

use super::{App, Applied, gates, status::PartStatus};
use crate::components::{
    Component,
    database::{self, Database},
    gateway::{Exposure, Gateway},
    provisioner, services,
};
use crate::kit::{images, objects::Id, observed::Workload};

/// A part and the object that its pods come from.
pub struct Part {
    pub name: String,
    pub kind: &'static str,
    pub engine: &'static str,
    /// None for engines that run nothing.
    pub workload: Option<Id>,
    pub address: Option<String>,
    /// What it is held for.
    pub waits: Vec<String>,
}

/// Every part: components in the order of the resource, the provisioner if there is one, services.
pub fn parts(app: &App<'_>) -> Vec<Part> {
    let scope = &app.scope;
    let component = |(role, engine): (&'static str, &'static str)| {
        let name = scope.component(role, "");
        let (kind, port) = match role {
            Gateway::ROLE => ("Deployment", 80),
            Database::ROLE => ("StatefulSet", 5432),
            _ => {
                return Part {
                    name: role.into(),
                    kind: "Component",
                    engine,
                    workload: None,
                    address: None,
                    waits: vec![],
                };
            }
        };
        Part {
            name: role.into(),
            kind: "Component",
            engine,
            address: Some(format!("{name}:{port}")),
            workload: Some(Id { kind, name }),
            waits: vec![],
        }
    };
    let provisioner = app.plan().map(|_| Part {
        name: provisioner::ROLE.into(),
        kind: "Agent",
        engine: "microapp",
        workload: Some(Id { kind: "Deployment", name: scope.component(provisioner::ROLE, "") }),
        address: None,
        waits: vec![],
    });
    let service = |service: &services::Service| {
        let name = scope.service(&service.name, "");
        Part {
            name: services::part(&service.name),
            kind: "Service",
            engine: "Generic",
            address: service.called_port().map(|port| format!("{name}:{port}")),
            workload: Some(Id { kind: "Deployment", name }),
            waits: gates::waits(app, service),
        }
    };
    app.components()
        .into_iter()
        .map(component)
        .chain(provisioner)
        .chain(app.spec().services.iter().map(service))
        .collect()
}

/// The state of one part. `was_ready`: it was, for this very generation, so what is wrong now broke later.
pub fn status(app: &App<'_>, applied: &Applied, part: Part, was_ready: bool) -> PartStatus {
    let live = part.workload.as_ref().and_then(|id| app.scope.observed.workload(id.kind, &id.name));
    let (reason, message) = match verdict(app, applied, &part, live) {
        Ok(()) => ("Ready".to_owned(), None),
        // Not ready, and nothing is known to be wrong with it: it is on its way, or it was there and is not any more.
        // As long as all wanted pods serve, it only rolls.
        Err((reason, message)) if reason == "Progressing" && was_ready && live.is_none_or(|w| w.ready < w.replicas) => {
            ("Unavailable".to_owned(), Some(message))
        }
        Err((reason, message)) => (reason, Some(message)),
    };
    let image = live.and_then(|w| main_image(&part, w));
    PartStatus {
        engine: Some(part.engine.into()),
        version: image.filter(|_| part.kind == "Component").and_then(images::version).map(Into::into),
        image: image.map(Into::into),
        replicas: live.map(|w| w.replicas),
        ready_replicas: live.map(|w| w.ready),
        updated_replicas: live.map(|w| w.updated),
        ready: if message.is_none() { "True" } else { "False" }.into(),
        reason,
        message,
        name: part.name,
        kind: part.kind.into(),
        address: part.address,
        waiting_for: part.waits,
    }
}

/// The image of the container that the part is, not of one beside it.
fn main_image<'a>(part: &Part, live: &'a Workload) -> Option<&'a str> {
    let own = part.name.rsplit('/').next().unwrap_or_default();
    let beside = |name: &String| name == "discover";
    live.images
        .get(own)
        .or_else(|| live.images.iter().find(|(name, _)| !beside(name)).map(|(_, image)| image))
        .map(String::as_str)
}

/// Ok: it works as it is wished. Else one word and a sentence: what is wrong with the wish, then with its objects, then with its pods.
fn verdict(app: &App<'_>, applied: &Applied, part: &Part, live: Option<&Workload>) -> Result<(), (String, String)> {
    let no = |reason: &str, message: String| Err((reason.to_owned(), message));
    if let Some((_, problem)) = app.blocked.iter().find(|(role, _)| *role == part.name) {
        return no(problem.reason, problem.to_string());
    }
    if let Some(conflict) = applied.conflicts.iter().find(|c| c.part == part.name) {
        return no("NameConflict", conflict.message.clone());
    }
    if let Some(lost) = applied.lost.iter().find(|lost| lost.part == part.name) {
        let message = format!(
            "Secret {} is gone, and without it nobody can open volume {}. Put the Secret back from a backup; nothing was made or started",
            lost.secret, lost.claim
        );
        return no("CredentialsLost", message);
    }
    if part.name == Database::ROLE
        && gates::administrator_missing(app, Database::ROLE, &database::admin_secret(&app.scope))
    {
        let message = format!(
            "Secret {} of the administrator is gone. What runs goes on, but nothing inside the server can be made or repaired, and its next pod \
             does not start. Put the Secret back from a backup",
            database::admin_secret(&app.scope)
        );
        return no("CredentialsLost", message);
    }
    if let Some(refused) = applied.refused.iter().find(|r| r.part == part.name) {
        return no("ApplyRefused", format!("{}: {}", refused.id, refused.message));
    }
    if let Some(failing) = applied.stuck().find(|r| r.part == part.name) {
        return no("ApplyFailed", format!("{} cannot be written: {}", failing.id, failing.message));
    }
    if let Some(contested) = applied.contested.iter().find(|r| r.part == part.name) {
        return no("FieldConflict", contested.message.clone());
    }
    if !part.waits.is_empty() {
        return no("Waiting", format!("waits for {}", part.waits.join("; ")));
    }
    let Some(id) = &part.workload else { return Ok(()) };
    let Some(live) = live else { return no("Progressing", format!("{id} is being made")) };
    if applied.pending.contains(id) {
        return no("Progressing", format!("{id} is not as wished yet"));
    }
    if live.settled() {
        return address(app, part);
    }
    let ready = format!("{} {} {}/{} pods ready", id.kind, id.name, live.ready.min(live.replicas), live.replicas);
    let rolling = if live.updated < live.replicas {
        format!(", {}/{} of the newest revision", live.updated, live.replicas)
    } else {
        String::new()
    };
    let told = trouble(app, &part.name).map(|(pod, reason, text)| {
        format!(": pod {pod}: {reason}{}", if text.is_empty() { String::new() } else { format!(": {text}") })
    });
    no("Progressing", format!("{ready}{rolling}{}", told.or_else(|| unmade(app, id, live)).unwrap_or_default()))
}

/// Why there are no pods that could say what is wrong.
fn unmade(app: &App<'_>, id: &Id, live: &Workload) -> Option<String> {
    let (kind, name, namespace) = (id.kind.to_lowercase(), &id.name, app.scope.namespace);
    match &live.failure {
        Some(failure) => Some(format!(": no further pod can be made: {failure}")),
        None if live.paused => Some(format!(
            ": its rollout is paused; `kubectl -n {namespace} rollout resume {kind} {name}` lets it go on"
        )),
        // A StatefulSet says it in events alone, which nobody watches.
        None if id.kind == "StatefulSet" && live.observed && live.current < live.replicas => Some(format!(
            ": pods are missing; if they stay so, `kubectl -n {namespace} describe {kind} {name}` says why, such as a quota"
        )),
        None => None,
    }
}

/// A gateway that is to have an address of the cluster's load balancer is of no use without one.
fn address(app: &App<'_>, part: &Part) -> Result<(), (String, String)> {
    let balanced = part.name == Gateway::ROLE
        && app.spec().gateway.as_ref().is_some_and(|gateway| gateway.exposure == Some(Exposure::LoadBalancer));
    let name = app.scope.component(&part.name, "");
    if !balanced || app.scope.observed.service(&name).is_some_and(|service| service.ingress.is_some()) {
        return Ok(());
    }
    let text = format!(
        "Service {name} has no address yet; the load balancer of the cluster gives it one. Where there is none, write `exposure: NodePort`"
    );
    Err(("WaitingForAddress".into(), text))
}

/// The first pod of a part that says why it is not ready.
fn trouble<'a>(app: &'a App<'_>, part: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let pods = app.scope.observed.pods.iter().filter(|(_, pod)| pod.part == part && !pod.ready && !pod.deleting);
    pods.filter_map(|(name, pod)| {
        pod.trouble.as_ref().map(|(reason, text)| (name.as_str(), reason.as_str(), text.as_str()))
    })
    .next()
}
