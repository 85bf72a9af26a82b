//! The status: pure, from what was desired, applied and observed, and from the status before.

use super::{
    App, Applied, MicroserviceApp, Settings, binding_status,
    conditions::{self, Common},
    desired::Desired,
    part_status::{self, Evidence},
    status::{Inventory, PartStatus, Retained, Status, Summary},
    verdict::verdict,
};
use crate::kit::{observed::Observed, problem::Problem, reason, store};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The report on a sound application, with what is observed after applying.
pub fn report(app: &App<'_>, desired: &Desired<'_>, applied: &Applied, observed: &Observed) -> Status {
    let previous = app.resource.status.clone().unwrap_or_default();
    let same_generation = previous.observed_generation == app.resource.metadata.generation;
    let ready = |p: &PartStatus| p.ready == "True" || p.reason == reason::UNAVAILABLE;
    let was_ready = |name: &str| same_generation && previous.parts.iter().any(|p| p.name == name && ready(p));
    let evidence = Evidence { desired, applied, observed };
    let part = |part| part_status::status(&evidence, part, was_ready(&part.name.to_string()));
    let parts: Vec<PartStatus> = desired.parts.iter().map(part).collect();
    let bindings = binding_status::all(&evidence, app, &previous);
    let summary = summary(&parts);
    let verdict = verdict(app, applied, &parts, &bindings, &summary);
    let now = Time(observed.now);
    let scope = app.scope(observed);
    let mut status = Status {
        observed_generation: app.resource.metadata.generation,
        operator_version: Some(app.settings.version.clone()),
        url: app.spec().parts().iter().find_map(|part| part.url(&scope)),
        summary: Some(summary),
        retained: retained(&evidence, &previous, &now),
        inventory: (!applied.inventory.is_empty()).then(|| Inventory { entries: applied.inventory.clone() }),
        parts,
        bindings,
        conditions: vec![],
    };
    let common = Common { previous: &previous, generation: app.resource.metadata.generation, now: &now };
    status.conditions = conditions::conditions(app, &common, &status, verdict);
    status.conditions.extend(conditions::warning(&common, desired, applied));
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    status
}

/// The report on a resource that cannot be acted on: it is as it was, and its mistakes are said.
pub fn refusal(resource: &MicroserviceApp, problems: &[Problem], observed: &Observed, settings: &Settings) -> Status {
    let previous = resource.status.clone().unwrap_or_default();
    let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let reason = problems.first().map_or(reason::INVALID_SPEC, |p| p.reason);
    let now = Time(observed.now);
    let common = Common { previous: &previous, generation: resource.metadata.generation, now: &now };
    let make = |kind: &str, status: &str| common.condition(kind, status, reason.name(), &sentences.join("; "));
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

/// Anchors of parts that the resource does not declare any more.
fn retained(evidence: &Evidence<'_>, previous: &Status, now: &Time) -> Vec<Retained> {
    let since = |name: &String| previous.retained.iter().find(|r| r.anchor == *name).and_then(|r| r.since.clone());
    let one = |name: &String| Retained {
        anchor: name.clone(),
        since: since(name).or_else(|| Some(now.clone())),
        purge: store::purge(evidence.desired.scope.namespace, name),
    };
    // A StatefulSet keeps ControllerRevisions of its own.
    evidence.observed.anchors().filter(|name| !evidence.desired.anchors.contains(*name)).map(one).collect()
}

fn summary(parts: &[PartStatus]) -> Summary {
    let of = |total: usize, ready: usize| format!("{ready}/{total}");
    let components = part_status::components(parts);
    let services: Vec<_> = parts.iter().filter(|p| p.kind == "Service").collect();
    Summary {
        components: of(components.len(), components.iter().filter(|(_, part)| part.ready == "True").count()),
        services: of(services.len(), services.iter().filter(|part| part.ready == "True").count()),
    }
}
