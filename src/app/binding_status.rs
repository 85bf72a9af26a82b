//! Each use of a component: verified, refuted, or unknown because nobody could say lately.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    App,
    part_status::Evidence,
    status::{BindingStatus, Status},
    waiting,
};
use crate::components::{Dependency, provisioner};
use crate::kit::{agents::Proof, binding::Binding, part::PartName, reason};

/// All uses, in the order of the resource.
pub fn all(evidence: &Evidence<'_>, app: &App<'_>, previous: &Status) -> Vec<BindingStatus> {
    let uses = evidence.desired.wiring.dependencies.iter().filter(|it| it.is_use() && it.credential.is_some());
    uses.map(|it| one(evidence, app, previous, it)).collect()
}

fn one(evidence: &Evidence<'_>, app: &App<'_>, previous: &Status, dependency: &Dependency) -> BindingStatus {
    let (desired, observed) = (evidence.desired, evidence.observed);
    let agent = observed.workload("Deployment", &desired.scope.object(&provisioner::PART, ""));
    let silent = agent.is_none_or(|w| w.ready == 0);
    let proof = waiting::proof(desired.report(observed), dependency).filter(|_| !silent);
    let (verified, reason, message) = match proof {
        Some(proof) => (verdict(proof), proof.reason.as_str(), proof.message.as_str()),
        None if silent => (
            "Unknown",
            reason::PROVISIONER_NOT_READY.name(),
            "the provisioner is not ready, so this binding is not checked",
        ),
        None => ("Unknown", reason::NOT_CHECKED.name(), "the provisioner has not checked this binding yet"),
    };
    let (service, name) = (dependency.login(), dependency.target.to_string());
    let overridden = overridden(evidence, app, dependency);
    let replaced = (!overridden.is_empty()).then(|| format!("`env` of the service replaces {}", overridden.join(", ")));
    let before = previous.bindings.iter().find(|b| b.service == service && b.name == name && b.verified == verified);
    BindingStatus {
        since: before.and_then(|b| b.since.clone()).or(Some(Time(observed.now))),
        service,
        name,
        verified: verified.into(),
        identity: proof.map(|p| p.identity.clone()).filter(|identity| !identity.is_empty()),
        reason: if replaced.is_some() { reason::OVERRIDDEN.name() } else { reason }.into(),
        message: replaced.or_else(|| Some(message.to_owned())).filter(|m| !m.is_empty()),
    }
}

/// A server that does not answer has refused nobody; that it is down is said of the component.
fn verdict(proof: &Proof) -> &'static str {
    match proof.proved {
        true => "True",
        false if proof.reason == reason::SERVER_UNREACHABLE => "Unknown",
        false => "False",
    }
}

/// Variables of a binding that the user's own replace.
fn overridden(evidence: &Evidence<'_>, app: &App<'_>, dependency: &Dependency) -> Vec<String> {
    let PartName::Service(user) = &dependency.user else { return vec![] };
    let Some(wired) = evidence.desired.wiring.parts.get(&dependency.user) else { return vec![] };
    let own = wired.bindings.iter().filter(|binding| binding.name == dependency.target.short());
    let ours: Vec<String> = own.flat_map(Binding::env).map(|v| v.name).collect();
    let service = app.spec().services.iter().find(|service| service.name == *user);
    let theirs = service.iter().flat_map(|service| &service.env).map(|v| v.name.clone());
    theirs.filter(|name| ours.contains(name)).collect()
}
