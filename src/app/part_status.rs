//! The state of each part: from what was observed and applied to one word and one sentence.

use super::{
    Applied,
    desired::{Desired, DesiredPart},
    status::PartStatus,
    waiting,
};
use crate::kit::{
    images,
    objects::Id,
    observed::{Observed, Workload},
    part::PartName,
    reason::{self, Reason},
};

/// What a part is judged by: what was desired, what came of applying it, and what is there now.
pub struct Evidence<'a> {
    pub desired: &'a Desired<'a>,
    pub applied: &'a Applied,
    pub observed: &'a Observed,
}

/// `Component`, `Service` or `Agent`.
pub fn kind(part: &PartName) -> &'static str {
    match part {
        PartName::Component(..) => "Component",
        PartName::Service(_) => "Service",
        PartName::Agent(_) => "Agent",
    }
}

/// The components among some parts, each with the server that says most of it: the first that is not ready, or its
/// first.
pub fn components(parts: &[PartStatus]) -> Vec<(&str, &PartStatus)> {
    let mut found: Vec<(&str, &PartStatus)> = vec![];
    for part in parts.iter().filter(|part| part.kind == "Component") {
        let role = part.name.split('/').next().unwrap_or_default();
        match found.iter_mut().find(|(known, _)| *known == role) {
            Some((_, told)) if told.ready == "True" => *told = part,
            Some(_) => {}
            None => found.push((role, part)),
        }
    }
    found
}

/// The state of one part. `was_ready`: it was, for this very generation, so what is wrong now broke later.
pub fn status(evidence: &Evidence<'_>, part: &DesiredPart, was_ready: bool) -> PartStatus {
    let live = part.workloads.first().and_then(|id| evidence.observed.workload_of(id));
    let (reason, message) = match verdict(evidence, part, live) {
        Ok(()) => (reason::READY, None),
        // Not ready, and nothing is known to be wrong with it: it is progressing, or it was ready and is not any more.
        // As long as all wanted pods serve, it only rolls.
        Err((reason, message))
            if reason == reason::PROGRESSING && was_ready && live.is_none_or(|w| w.ready < w.replicas) =>
        {
            (reason::UNAVAILABLE, Some(message))
        }
        Err((reason, message)) => (reason, Some(message)),
    };
    let image = live.and_then(|live| live.images.get(part.container.as_ref()?)).map(String::as_str);
    let is_component = matches!(part.name, PartName::Component(..));
    PartStatus {
        engine: Some(part.engine.into()),
        version: image.filter(|_| is_component).and_then(images::version).map(Into::into),
        image: image.map(Into::into),
        replicas: live.map(|w| w.replicas),
        ready_replicas: live.map(|w| w.ready),
        updated_replicas: live.map(|w| w.updated),
        ready: if message.is_none() { "True" } else { "False" }.into(),
        reason: reason.into(),
        message,
        name: part.name.to_string(),
        kind: kind(&part.name).into(),
        address: part.address.clone(),
        waiting_for: part.waits.clone(),
    }
}

type Trouble = (Reason, String);

/// Ok: it works as desired. Else a reason and a sentence: what is wrong with the specification, then with its objects,
/// then with its pods.
fn verdict(evidence: &Evidence<'_>, part: &DesiredPart, live: Option<&Workload>) -> Result<(), Trouble> {
    let Evidence { desired, applied, .. } = evidence;
    if let Some(problem) = desired.obstacle(&part.name) {
        return Err((problem.reason, problem.to_string()));
    }
    if let Some(trouble) = unwritten(applied, &part.name).or_else(|| administrator(evidence, part)) {
        return Err(trouble);
    }
    let no = |reason: Reason, message: String| Err((reason, message));
    if !part.waits.is_empty() {
        return no(reason::WAITING, format!("waits for {}", part.waits.join("; ")));
    }
    let Some(id) = part.workloads.first() else { return Ok(()) };
    let Some(live) = live else { return no(reason::PROGRESSING, format!("{id} is being created")) };
    if applied.pending.contains(id) {
        return no(reason::PROGRESSING, format!("{id} is not applied yet"));
    }
    if live.settled() {
        return address(evidence, part);
    }
    no(reason::PROGRESSING, progress(evidence, part, id, live))
}

/// What keeps objects of a part from being written.
fn unwritten(applied: &Applied, part: &PartName) -> Option<Trouble> {
    let trouble = |reason: Reason, message: String| Some((reason, message));
    if let Some(conflict) = applied.conflicts.iter().find(|c| c.part == *part) {
        return trouble(reason::NAME_CONFLICT, conflict.message.clone());
    }
    if let Some(lost) = applied.lost.iter().find(|lost| lost.part == *part) {
        let message = format!(
            "Secret {} is gone, and without it nobody can open volume {}. Put the Secret back from a backup; nothing \
                was \
             made or started",
            lost.secret,
            lost.claims.join(", ")
        );
        return trouble(reason::CREDENTIALS_LOST, message);
    }
    if let Some(refused) = applied.refused.iter().find(|r| r.part == *part) {
        return trouble(reason::APPLY_REFUSED, format!("{}: {}", refused.id, refused.message));
    }
    if let Some(failing) = applied.stuck().find(|r| r.part == *part) {
        return trouble(reason::APPLY_FAILED, format!("{} cannot be written: {}", failing.id, failing.message));
    }
    let contested = applied.contested.iter().find(|r| r.part == *part)?;
    trouble(reason::FIELD_CONFLICT, contested.message.clone())
}

/// The administrator's Secret of a server that runs is gone.
fn administrator(evidence: &Evidence<'_>, part: &DesiredPart) -> Option<Trouble> {
    let Evidence { desired, observed, .. } = evidence;
    let secret = desired.administrators.get(&part.name)?;
    let message = format!(
        "Secret {secret} of the administrator is gone. What runs goes on, but nothing inside the server can be made or \
         repaired, and its next pod does not start. Put the Secret back from a backup"
    );
    waiting::administrator_missing(desired.report(observed), &part.name, secret)
        .then_some((reason::CREDENTIALS_LOST, message))
}

/// How far the pods are, and what keeps the first that says so.
fn progress(evidence: &Evidence<'_>, part: &DesiredPart, id: &Id, live: &Workload) -> String {
    let ready = format!("{} {} {}/{} pods ready", id.kind, id.name, live.ready.min(live.replicas), live.replicas);
    let updated = format!(", {}/{} of the newest revision", live.updated, live.replicas);
    let rolling = if live.updated < live.replicas { updated } else { String::new() };
    let told = trouble(evidence.observed, &part.name.to_string()).map(|(pod, reason, text)| {
        let text = if text.is_empty() { String::new() } else { format!(": {text}") };
        format!(": pod {pod}: {reason}{text}")
    });
    let told = told.or_else(|| unmade(evidence.desired.scope.namespace, id, live));
    format!("{ready}{rolling}{}", told.unwrap_or_default())
}

/// Why there are no pods that could say what is wrong.
fn unmade(namespace: &str, id: &Id, live: &Workload) -> Option<String> {
    let (kind, name) = (id.kind.to_lowercase(), &id.name);
    match &live.failure {
        Some(failure) => Some(format!(": no further pod can be made: {failure}")),
        None if live.paused => Some(format!(
            ": its rollout is paused; `kubectl -n {namespace} rollout resume {kind} {name}` lets it go on"
        )),
        // A StatefulSet says it in events alone, which nobody watches.
        None if id.kind == "StatefulSet" && live.observed && live.current < live.replicas => Some(format!(
            ": pods are missing; if they stay so, `kubectl -n {namespace} describe {kind} {name}` says why, such as \
                a quota"
        )),
        None => None,
    }
}

/// What is to have an address of the cluster's load balancer is of no use without one.
fn address(evidence: &Evidence<'_>, part: &DesiredPart) -> Result<(), Trouble> {
    let Some(name) = &part.balanced else { return Ok(()) };
    if evidence.observed.service(name).is_some_and(|service| service.ingress.is_some()) {
        return Ok(());
    }
    let text = format!(
        "Service {name} has no address yet; the load balancer of the cluster gives it one. Where there is none, write \
         `exposure: NodePort`"
    );
    Err((reason::WAITING_FOR_ADDRESS, text))
}

/// The first pod of a part that says why it is not ready.
fn trouble<'a>(observed: &'a Observed, part: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let pods = observed.pods.iter().filter(|(_, pod)| pod.part == part && !pod.ready && !pod.deleting);
    let say = |(name, pod): (&'a String, &'a crate::kit::observed::Pod)| {
        pod.trouble.as_ref().map(|(reason, text)| (name.as_str(), reason.as_str(), text.as_str()))
    };
    pods.filter_map(say).next()
}
