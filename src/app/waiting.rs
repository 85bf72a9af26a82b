//! What a part waits for before its pods may be made with a new dependency, and which credentials are current.

use super::desired::Desired;
use crate::components::{Dependency, Part};
use crate::kit::{
    agents::{Proof, Report},
    credentials::Credential,
    observed::Observed,
    part::PartName,
    reason,
    scope::Scope,
    workload::DEPENDENCIES,
};

/// What a part waits for, in words; empty: it may be created and changed. The live pod template is the memory: what it
/// remembers is waited for no more.
pub fn waits(desired: &Desired<'_>, part: &PartName) -> Vec<String> {
    let remembered = remembered(&desired.scope, part);
    let is_new = |it: &&Dependency| it.waits() && !remembered.iter().any(|ids| ids.split(',').any(|id| id == it.id()));
    let mut new: Vec<&Dependency> = desired.wiring.of(part).filter(is_new).collect();
    new.sort_by_key(|dependency| dependency.id());
    let wait = |dependency: &&Dependency| match &dependency.credential {
        _ if !is_ready(desired, &dependency.target) => Some(format!("{}: it is not ready yet", dependency.target)),
        Some(credential) if !is_verified(desired, dependency, credential) => Some(format!(
            "{}: the credentials of '{}' are not verified yet",
            dependency.target,
            dependency.user.short()
        )),
        _ => None,
    };
    new.iter().filter_map(wait).collect()
}

/// The annotations by which the pods of a part remember their dependencies.
fn remembered<'a>(scope: &Scope<'a>, part: &PartName) -> Vec<&'a str> {
    scope.workloads(part).filter_map(|(_, live)| live.annotations.get(DEPENDENCIES)).map(String::as_str).collect()
}

/// All servers of the target answer. Of none wanted, none is missing.
fn is_ready(desired: &Desired<'_>, target: &PartName) -> bool {
    let mut workloads = desired.parts.iter().filter(|it| it.name.belongs_to(target)).flat_map(|it| &it.workloads);
    let ready =
        |id| desired.scope.observed.workload_of(id).is_some_and(|w| w.observed && (w.ready > 0 || w.replicas == 0));
    workloads.all(ready)
}

fn is_verified(desired: &Desired<'_>, dependency: &Dependency, credential: &Credential) -> bool {
    let proof = proof(desired.report(desired.scope.observed), dependency);
    proof.is_some_and(|proof| proof.proved && proof.secret == credential.secret)
}

/// What the provisioner found of a dependency.
pub fn proof<'a>(report: Option<&'a Report>, dependency: &Dependency) -> Option<&'a Proof> {
    report?.proofs.iter().find(|proof| is_of(proof, dependency))
}

fn is_of(proof: &Proof, dependency: &Dependency) -> bool {
    proof.service == dependency.login() && proof.component == dependency.target.to_string()
}

/// Whether the provisioner cannot read the administrator's Secret of a component, so that nothing inside its server can
/// be made or repaired.
pub fn administrator_missing(report: Option<&Report>, component: &PartName, secret: &str) -> bool {
    let component = component.to_string();
    let needed = |proof: &Proof| proof.component == component && proof.reason == reason::ADMINISTRATOR_MISSING;
    let missing = |report: &Report| report.missing.iter().any(|missing| missing == secret);
    report.is_some_and(|report| missing(report) || report.proofs.iter().any(needed))
}

/// The credential of a dependency: the newest one, and its next version when its Secret was lost. The live pod template
/// names the one in use.
pub fn credential(parts: &[&dyn Part], scope: &Scope<'_>, dependency: &Dependency) -> Option<Credential> {
    let target = parts.iter().find(|part| part.name() == dependency.target).filter(|_| dependency.is_use())?;
    let store = target.store(scope).filter(|store| store.has_logins)?;
    let remembered = remembered(scope, &dependency.user);
    let in_use = remembered.iter().flat_map(|ids| Dependency::remembered(ids, &dependency.target));
    let lost = |proof: &&Proof| is_of(proof, dependency) && proof.reason == reason::SECRET_MISSING && !proof.proved;
    let missing = |secret: &str| proofs(scope.observed).filter(lost).any(|proof| proof.secret == secret);
    let stem = store.login_stem(&dependency.login());
    Some(store.anchor_ref().current(&stem, scope.observed, in_use, missing))
}

fn proofs(observed: &Observed) -> impl Iterator<Item = &Proof> {
    observed.report.iter().flat_map(|report| &report.proofs)
}
