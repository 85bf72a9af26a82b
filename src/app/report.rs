//! What is said of an application: pure, from what was wished, observed and applied, and from what was said before.

use super::{
    App, Applied, MicroserviceApp, Reconciliation, Settings, gates, part,
    status::{BindingStatus, Inventory, PartStatus, Retained, Status, Summary},
};
use crate::components::{Component, database, gateway, provisioner};
use crate::kit::{data, observed::Observed, problem::Problem};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Type of the condition that warns of data.
pub const DATA_WARNING: &str = "DataWarning";
/// Seconds without progress after which an application counts as stalled, unless it says otherwise.
const PROGRESS_DEADLINE: i32 = 600;

/// The report on a sound application.
pub fn report(app: &App<'_>, applied: &Applied, settings: &Settings) -> Status {
    let previous = app.resource.status.clone().unwrap_or_default();
    let same_generation = previous.observed_generation == app.resource.metadata.generation;
    let was_ready = |name: &str| {
        same_generation
            && previous.parts.iter().any(|p| p.name == name && (p.ready == "True" || p.reason == "Unavailable"))
    };
    let parts: Vec<PartStatus> = part::parts(app)
        .into_iter()
        .map(|p| {
            let ready = was_ready(&p.name);
            part::status(app, applied, p, ready)
        })
        .collect();
    let bindings = bindings(app, &previous);
    let verdict = verdict(app, applied, &parts, &bindings);
    let now = Time(app.scope.observed.now);
    let mut status = Status {
        observed_generation: app.resource.metadata.generation,
        operator_version: Some(settings.version.clone()),
        url: app.spec().gateway.as_ref().and_then(|spec| gateway::url(&app.scope, spec)),
        summary: Some(Summary { components: count(&parts, "Component"), services: count(&parts, "Service") }),
        retained: retained(app, &previous, &now),
        inventory: (!applied.inventory.is_empty()).then(|| Inventory { entries: applied.inventory.clone() }),
        parts,
        bindings,
        conditions: vec![],
    };
    status.conditions = conditions(app, &previous, &status, verdict, &now);
    status.conditions.extend(warning(app, applied, &previous, &now));
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    status
}

/// The report on a resource that cannot be acted on: it is as it was, and its mistakes are said.
pub fn refusal(resource: &MicroserviceApp, problems: &[Problem], observed: &Observed, settings: &Settings) -> Status {
    let previous = resource.status.clone().unwrap_or_default();
    let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let reason = problems.first().map_or("InvalidSpec", |p| p.reason);
    let make = |kind: &str, status: &str| {
        condition(
            &previous,
            kind,
            status,
            reason,
            &sentences.join("; "),
            resource.metadata.generation,
            &Time(observed.now),
        )
    };
    let mut conditions: Vec<Condition> = previous
        .conditions
        .iter()
        .filter(|c| !matches!(c.type_.as_str(), "Ready" | "Stalled" | "Reconciling"))
        .cloned()
        .collect();
    conditions.extend([make("Ready", "False"), make("Stalled", "True")]);
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    Status {
        observed_generation: resource.metadata.generation,
        operator_version: Some(settings.version.clone()),
        conditions,
        ..previous
    }
}

/// Ready's reason and message; None: all is well.
struct Verdict {
    reason: String,
    message: String,
    /// Waiting does not help: somebody must do something.
    stuck: bool,
}

fn verdict(app: &App<'_>, applied: &Applied, parts: &[PartStatus], bindings: &[BindingStatus]) -> Option<Verdict> {
    let summary = format!("{} components and {} services ready", count(parts, "Component"), count(parts, "Service"));
    let stuck = |reason: &str| {
        matches!(
            reason,
            "VolumeOfAnotherEngine"
                | "VolumeOfAnotherClass"
                | "VolumeLost"
                | "UnknownVersion"
                | "NameConflict"
                | "CredentialsLost"
                | "ApplyRefused"
        )
    };
    let worst = |p: &&PartStatus| p.ready != "True" && p.reason != "Waiting";
    // What waits for others is explained by those others.
    if let Some(part) = parts
        .iter()
        .find(|p| worst(p) && stuck(&p.reason))
        .or_else(|| parts.iter().find(worst))
        .or_else(|| parts.iter().find(|p| p.ready != "True"))
    {
        let name = camel(part.name.rsplit('/').next().unwrap_or_default());
        let reason = match part.reason.as_str() {
            "Progressing" | "Waiting" if part.kind == "Service" => "WaitingForServices".to_owned(),
            "Progressing" | "Waiting" => format!("WaitingFor{name}"),
            "Unavailable" if part.kind == "Service" => "ServiceUnavailable".to_owned(),
            "Unavailable" => format!("{name}Unavailable"),
            other => other.to_owned(),
        };
        let message = format!("{summary}. {}: {}", part.name, part.message.as_deref().unwrap_or_default());
        return Some(Verdict { stuck: stuck(&part.reason), reason, message });
    }
    if let Some(binding) = bindings.iter().find(|b| b.proved != "True") {
        let reason = if binding.proved == "False" { "BindingBroken" } else { "BindingUnproved" };
        return Some(Verdict {
            reason: reason.into(),
            message: format!(
                "{summary}. {} -> {}: {}",
                binding.service,
                binding.name,
                binding.message.as_deref().unwrap_or(&binding.reason)
            ),
            stuck: false,
        });
    }
    // Objects that belong to no running part, and what could not be read or written.
    let refused = applied
        .conflicts
        .iter()
        .map(|r| ("NameConflict", r))
        .chain(applied.refused.iter().map(|r| ("ApplyRefused", r)))
        .chain(applied.stuck().map(|r| ("ApplyFailed", r)))
        .chain(applied.contested.iter().map(|r| ("FieldConflict", r)));
    if let Some((reason, refusal)) = refused.into_iter().next() {
        return Some(Verdict {
            reason: reason.into(),
            message: format!("{summary}. {}", refusal.message),
            stuck: stuck(reason),
        });
    }
    let paused = app.spec().reconciliation == Some(Reconciliation::Paused);
    let failed = applied.failed.as_ref().filter(|_| !paused).map(|failed| ("ClusterUnavailable", failed.clone()));
    // What is neither as it is wished nor any part's to explain: a Service, a Role, a claim.
    let (reason, message) =
        failed.or_else(|| Some(("Progressing", format!("{} is not as wished", applied.pending.first()?))))?;
    Some(Verdict { reason: reason.into(), message: format!("{summary}. {message}"), stuck: false })
}

fn conditions(
    app: &App<'_>,
    previous: &Status,
    status: &Status,
    verdict: Option<Verdict>,
    now: &Time,
) -> Vec<Condition> {
    let generation = app.resource.metadata.generation;
    let make = |kind: &str, status: &str, reason: &str, message: &str| {
        condition(previous, kind, status, reason, message, generation, now)
    };
    let mut conditions = vec![];
    for part in status.parts.iter().filter(|p| p.kind == "Component") {
        conditions.push(make(
            &format!("{}Ready", camel(&part.name)),
            &part.ready,
            &part.reason,
            part.message.as_deref().unwrap_or_default(),
        ));
    }
    let bad = status.parts.iter().filter(|p| p.kind == "Service").find(|p| p.ready != "True");
    let services = &status.summary.as_ref().map(|s| s.services.clone()).unwrap_or_default();
    conditions.push(match bad {
        None => make("ServicesReady", "True", "Ready", &format!("{services} services ready")),
        Some(part) => make(
            "ServicesReady",
            "False",
            &part.reason,
            &format!("{services} services ready. {}: {}", part.name, part.message.as_deref().unwrap_or_default()),
        ),
    });
    let paused = app.spec().reconciliation == Some(Reconciliation::Paused);
    let Some(verdict) = verdict else {
        let all = status
            .summary
            .as_ref()
            .map(|s| format!("{} components and {} services ready", s.components, s.services))
            .unwrap_or_default();
        let (reason, text) =
            if paused { ("Paused", format!("{all}. `reconciliation` is 'Paused'")) } else { ("AllReady", all) };
        conditions.push(make("Ready", "True", reason, &text));
        return sorted(conditions);
    };
    if paused {
        conditions.push(make(
            "Ready",
            "False",
            "Paused",
            &format!("`reconciliation` is 'Paused'. {}", verdict.message),
        ));
        return sorted(conditions);
    }
    let since = last_progress(previous, status, generation, now);
    let deadline = i64::from(app.spec().progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE));
    let late = now.0.as_second() - since.0.as_second() >= deadline;
    let (reason, message) = match late && !verdict.stuck {
        true => (
            "ProgressDeadlineExceeded".to_owned(),
            format!("No progress for {deadline}s. First cause: {}", verdict.message),
        ),
        false => (verdict.reason, verdict.message),
    };
    conditions.push(make("Ready", "False", &reason, &message));
    let kind = if late || verdict.stuck { "Stalled" } else { "Reconciling" };
    conditions.push(Condition { last_transition_time: since, ..make(kind, "True", &reason, &message) });
    sorted(conditions)
}

/// What of the data is not as it is wished, while everything goes on. It stands there only while that is so.
fn warning(app: &App<'_>, applied: &Applied, previous: &Status, now: &Time) -> Option<Condition> {
    let unresized = applied.unresized.iter().map(|r| ("VolumeNotResizable", r.message.clone()));
    let warnings: Vec<_> = unresized.chain(app.hints.iter().map(|hint| (hint.reason, hint.to_string()))).collect();
    let sentences: Vec<&str> = warnings.iter().map(|(_, message)| message.as_str()).collect();
    let reason = warnings.first().map(|(reason, _)| reason)?;
    Some(condition(
        previous,
        DATA_WARNING,
        "True",
        reason,
        &sentences.join("; "),
        app.resource.metadata.generation,
        now,
    ))
}

/// When something last moved: a new generation, or another count of ready or updated pods. `Reconciling` or `Stalled` of the last report remembers it.
fn last_progress(previous: &Status, status: &Status, generation: Option<i64>, now: &Time) -> Time {
    let counts = |s: &Status| {
        s.parts
            .iter()
            .map(|p| (p.name.clone(), p.ready_replicas, p.updated_replicas, p.ready.clone()))
            .collect::<Vec<_>>()
    };
    let memory = previous.conditions.iter().find(|c| matches!(c.type_.as_str(), "Reconciling" | "Stalled"));
    match memory {
        Some(memory) if previous.observed_generation == generation && counts(previous) == counts(status) => {
            memory.last_transition_time.clone()
        }
        _ => now.clone(),
    }
}

fn condition(
    previous: &Status,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: &Time,
) -> Condition {
    let before = previous.conditions.iter().find(|c| c.type_ == kind && c.status == status);
    Condition {
        type_: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: before.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
    }
}

fn sorted(mut conditions: Vec<Condition>) -> Vec<Condition> {
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}

/// Each use of a component.
fn bindings(app: &App<'_>, previous: &Status) -> Vec<BindingStatus> {
    app.wiring.databases.iter().map(|edge| binding(app, previous, &edge.service, database::Database::ROLE)).collect()
}

/// One use: proved, refuted, or unknown because nobody could say lately.
fn binding(app: &App<'_>, previous: &Status, service: &str, component: &str) -> BindingStatus {
    let silent = app
        .scope
        .observed
        .workload("Deployment", &app.scope.component(provisioner::ROLE, ""))
        .is_none_or(|w| w.ready == 0);
    let proof = gates::proof(app, service, component).filter(|_| !silent);
    let (proved, reason, message) = match proof {
        // A server that does not answer has refused nobody; that it is down is said of the component.
        Some(proof) => (
            if proof.proved {
                "True"
            } else if proof.reason == "ServerUnreachable" {
                "Unknown"
            } else {
                "False"
            },
            proof.reason.as_str(),
            proof.message.as_str(),
        ),
        None if silent => {
            ("Unknown", "ProvisionerSilent", "the provisioner is not ready, so nobody tries this binding")
        }
        None => ("Unknown", "NotTriedYet", "the provisioner has not tried this binding yet"),
    };
    let overridden = app
        .spec()
        .services
        .iter()
        .find(|s| s.name == service)
        .map(|s| app.overridden(s, component))
        .unwrap_or_default();
    let replaced = (!overridden.is_empty()).then(|| format!("`env` of the service replaces {}", overridden.join(", ")));
    let before = previous.bindings.iter().find(|b| b.service == service && b.name == component && b.proved == proved);
    BindingStatus {
        service: service.into(),
        name: component.into(),
        proved: proved.into(),
        identity: proof.map(|p| p.identity.clone()).filter(|identity| !identity.is_empty()),
        since: before.and_then(|b| b.since.clone()).or(Some(Time(app.scope.observed.now))),
        reason: if replaced.is_some() { "Overridden" } else { reason }.into(),
        message: replaced.or_else(|| Some(message.to_owned())).filter(|m| !m.is_empty()),
    }
}

/// Anchors of parts that the resource does not declare any more.
fn retained(app: &App<'_>, previous: &Status, now: &Time) -> Vec<Retained> {
    let declared = app.spec().database.as_ref().map(|_| database::anchor(&app.scope));
    // A StatefulSet keeps ControllerRevisions of its own.
    let anchors = app.scope.observed.anchors().filter(|name| Some(*name) != declared.as_ref());
    let one = |name: &String| Retained {
        anchor: name.clone(),
        since: previous
            .retained
            .iter()
            .find(|r| r.anchor == *name)
            .and_then(|r| r.since.clone())
            .or_else(|| Some(now.clone())),
        purge: data::purge(app.scope.namespace, name),
    };
    anchors.map(one).collect()
}

fn count(parts: &[PartStatus], kind: &str) -> String {
    let of_kind = || parts.iter().filter(|p| p.kind == kind);
    format!("{}/{}", of_kind().filter(|p| p.ready == "True").count(), of_kind().count())
}

/// `database` as it stands in a condition: `Database`.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
