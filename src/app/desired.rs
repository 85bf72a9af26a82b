//! The desired state: from a sound application and what was observed to its objects, computed once.

use std::collections::{BTreeMap, BTreeSet};

use super::{App, applied::ObjectNote, graph, secret_changes, waiting};
use crate::components::{Attachment, Part, PartWiring, Purpose, Wiring, provisioner};
use crate::kit::{
    agents::{Plan, Report, WatchedSecrets},
    binding::Binding,
    objects::{Id, Object, Objects},
    observed::Observed,
    part::PartName,
    problem::Problem,
    scope::Scope,
    store,
};

/// What an application is to be, as far as it follows from one observation.
pub struct Desired<'a> {
    pub scope: Scope<'a>,
    pub wiring: Wiring,
    /// In the order of applying. Each part is always built; what may not be touched now is held.
    pub objects: Vec<Object>,
    /// Each part, in the order of status.
    pub parts: Vec<DesiredPart>,
    /// What keeps single components from being changed. The others go on.
    pub obstacles: Vec<(PartName, Problem)>,
    /// What of the specification does not hold, while everything goes on.
    pub hints: Vec<Problem>,
    /// Workloads whose pods restart because a Secret changed.
    pub restarts: Vec<ObjectNote>,
    /// Names of the anchors of the data that declared components keep.
    pub anchors: BTreeSet<String>,
    /// The Secrets of the administrators, by part.
    pub administrators: BTreeMap<PartName, String>,
    /// What the provisioner is to do, if there is anything, and the digest by which a report names it.
    plan: Option<(Plan, String)>,
}

/// One part, as its objects say.
#[derive(Clone, Debug)]
pub struct DesiredPart {
    pub name: PartName,
    pub engine: &'static str,
    /// None for engines that run nothing.
    pub workloads: Vec<Id>,
    /// Name of the container that the part is, not of one beside it.
    pub container: Option<String>,
    /// Where it is reached inside the cluster.
    pub address: Option<String>,
    /// Its Service that waits for an address of a load balancer.
    pub balanced: Option<String>,
    /// What it waits for.
    pub waits: Vec<String>,
}

impl<'a> App<'a> {
    /// The desired state.
    pub fn desired(&self, observed: &'a Observed) -> Desired<'a> {
        let scope = self.scope(observed);
        let parts = self.resource.spec.parts();
        let stores = || parts.iter().filter_map(|part| part.store(&scope));
        let mut desired = Desired {
            wiring: Wiring { dependencies: graph::dependencies(self.spec(), &scope), ..Default::default() },
            obstacles: parts.iter().flat_map(|part| named(part.name(), part.obstacles(&scope))).collect(),
            hints: parts.iter().flat_map(|part| part.hints(&scope)).collect(),
            anchors: stores().map(|store| store.anchor()).collect(),
            administrators: stores().map(|store| (store.part.clone(), store.admin().secret)).collect(),
            objects: vec![],
            parts: vec![],
            restarts: vec![],
            plan: None,
            scope,
        };
        desired.plan(&parts);
        desired.wire(&parts);
        desired.build(&parts);
        desired
    }
}

fn named(part: PartName, problems: Vec<Problem>) -> impl Iterator<Item = (PartName, Problem)> {
    problems.into_iter().map(move |problem| (part.clone(), problem))
}

impl Desired<'_> {
    /// The provisioner's report, if it speaks of the plan that is desired. A report on another plan proves nothing.
    pub fn report<'r>(&self, observed: &'r Observed) -> Option<&'r Report> {
        let (_, digest) = self.plan.as_ref()?;
        observed.report.as_ref().filter(|report| report.plan == *digest)
    }

    /// What keeps a part from being changed, if its component has such an obstacle.
    pub fn obstacle(&self, part: &PartName) -> Option<&Problem> {
        self.obstacles.iter().find(|(of, _)| part.belongs_to(of)).map(|(_, problem)| problem)
    }

    fn plan(&mut self, parts: &[&dyn Part]) {
        let asked = parts.iter().filter(|part| self.is_asked(&part.name()));
        let provisions = asked.flat_map(|part| part.provision(&self.scope, &self.wiring)).collect();
        let uses: BTreeSet<_> = parts.iter().flat_map(|part| part.secrets()).collect();
        let secrets = (!uses.is_empty()).then(|| WatchedSecrets {
            key: secret_changes::key(&self.scope, parts).secret,
            uses: uses.into_iter().collect(),
        });
        let plan = provisioner::plan(&self.scope, provisions, secrets);
        self.plan = plan.map(|plan| {
            let (_, digest) = provisioner::published(&plan);
            (plan, digest)
        });
    }

    /// Whether the provisioner is told of a component. One that may not even be started keeps it from no other.
    fn is_asked(&self, part: &PartName) -> bool {
        self.obstacle(part).is_none() || self.scope.workloads(part).next().is_some()
    }

    /// What each part gets from the parts that it depends on, and from components that add to its pods.
    fn wire(&mut self, parts: &[&dyn Part]) {
        for part in parts {
            let name = part.name();
            let mut waits: Vec<_> = self.wiring.of(&name).filter(|it| it.waits()).map(|it| it.id()).collect();
            waits.sort();
            let secrets = secret_changes::of(self, *part);
            let wired = PartWiring {
                bindings: bindings(parts, &self.scope, &self.wiring, &name),
                dependencies: waits,
                secrets,
                attachment: attachment(parts, &self.scope, &name),
            };
            self.wiring.parts.insert(name, wired);
        }
    }

    fn build(&mut self, parts: &[&dyn Part]) {
        let mut built: Vec<Objects> = parts.iter().map(|part| part.build(&self.scope, &self.wiring)).collect();
        for (part, objects) in parts.iter().zip(&built) {
            self.parts.extend(DesiredPart::all(part.name(), part.engine(), objects));
        }
        let provisioner = self.plan.as_ref().map(|(plan, _)| provisioner::build(&self.scope, plan.clone()));
        let first_service = self.parts.iter().position(|it| matches!(it.name, PartName::Service(_)));
        if let Some(objects) = &provisioner {
            let at = first_service.unwrap_or(self.parts.len());
            let own = DesiredPart::all(provisioner::PART, "microapp", objects);
            self.parts.splice(at..at, own);
        }
        for (part, objects) in parts.iter().zip(&mut built) {
            self.hold(*part, objects);
        }
        self.restarts = secret_changes::restarts(self, parts);
        let mut objects = Objects::default();
        built.into_iter().for_each(|it| objects.extend(it));
        if let Some(mut own) = provisioner {
            // Nothing new is asked of a server whose data is another one's.
            let asked = self.obstacles.iter().filter(|(of, _)| self.is_asked(of));
            own.hold(&asked.map(|(_, problem)| problem.message.clone()).collect::<Vec<_>>());
            objects.extend(own);
        }
        self.objects = objects.into_sorted();
    }

    /// Holds what waits, and what an obstacle forbids to touch.
    fn hold(&mut self, part: &dyn Part, objects: &mut Objects) {
        let name = part.name();
        let waits = waiting::waits(self, &name);
        objects.hold_workloads(&waits);
        self.parts.iter_mut().filter(|it| it.name.belongs_to(&name)).for_each(|it| it.waits.clone_from(&waits));
        let obstacles: Vec<_> = self.obstacles.iter().filter(|(of, _)| *of == name).map(|(_, it)| it).collect();
        objects.hold(&obstacles.iter().map(|it| it.message.clone()).collect::<Vec<_>>());
        let leaving = part.store(&self.scope).is_some_and(|store| store.is_leaving());
        if leaving && obstacles.iter().any(|it| it.reason == store::GOING) {
            // A claim goes when no pod uses it any more.
            let record = |name: &str| self.scope.observed.record("StatefulSet", name);
            objects.drain(|name| record(name).is_some_and(|it| it.owner.as_deref() == Some(self.scope.uid)));
        }
    }
}

/// How a part reaches what it uses and calls.
pub(super) fn bindings(parts: &[&dyn Part], scope: &Scope<'_>, wiring: &Wiring, user: &PartName) -> Vec<Binding> {
    let of = |target: &PartName| parts.iter().find(|part| part.name() == *target);
    wiring
        .of(user)
        .filter(|it| !matches!(it.purpose, Purpose::Route(_)))
        .filter_map(|it| of(&it.target)?.binding(scope, it))
        .collect()
}

/// What components add to the pods of a service.
fn attachment(parts: &[&dyn Part], scope: &Scope<'_>, name: &PartName) -> Attachment {
    let mut attachment = Attachment::default();
    if matches!(name, PartName::Service(_)) {
        parts.iter().for_each(|part| attachment.extend(part.attach(scope, name)));
    }
    attachment
}

impl DesiredPart {
    /// The parts that some objects belong to: one for each server. A component that runs nothing is a part, too.
    fn all(name: PartName, engine: &'static str, objects: &Objects) -> Vec<Self> {
        let own = objects.iter().map(|object| &object.part).collect::<BTreeSet<_>>();
        let names: Vec<PartName> = if own.is_empty() { vec![name] } else { own.into_iter().cloned().collect() };
        let one = |name: PartName| Self {
            engine: name.server().unwrap_or(engine),
            workloads: objects.iter().filter(|it| it.part == name && it.is_workload()).map(Object::id).collect(),
            container: objects.iter().filter(|it| it.part == name).find_map(|it| it.main_container().map(Into::into)),
            address: objects.iter().filter(|it| it.part == name).find_map(Object::address),
            balanced: objects.iter().find(|it| it.part == name && it.is_balanced()).map(|it| it.name.clone()),
            waits: vec![],
            name,
        };
        names.into_iter().map(one).collect()
    }
}
