//! Checks across parts that would exceed the cost budget of the API server's rules.

use std::collections::BTreeMap;

use super::{MicroserviceApp, names, unobserved};
use crate::components::{Dependency, Part, Purpose, Wiring};
use crate::kit::{images, part::PartName, problem::Problem, reason};

/// All of them, in the order of the specification.
pub fn problems(app: &MicroserviceApp) -> Vec<Problem> {
    let (scope, wiring) = unobserved(app);
    let parts = app.spec.parts();
    let mut all: Vec<Problem> = parts.iter().flat_map(|part| part.mistakes(&scope, &wiring)).collect();
    all.extend(start_cycles(&parts, &wiring));
    all.extend(name_conflicts(&parts, &wiring));
    all.extend(reserved_names(&parts, &wiring));
    all.extend(versions(&parts));
    all.extend(names::conflicts(&parts, &scope, &wiring));
    all
}

/// Parts that wait for each other in a circle would wait for ever.
fn start_cycles(parts: &[&dyn Part], wiring: &Wiring) -> Vec<Problem> {
    let names: Vec<PartName> = parts.iter().map(|part| part.name()).collect();
    let index = |name: &PartName| names.iter().position(|known| known == name);
    let waits = |it: &&Dependency| matches!(it.purpose, Purpose::Call { waits: true });
    let after: Vec<Vec<usize>> =
        names.iter().map(|user| wiring.of(user).filter(waits).filter_map(|it| index(&it.target)).collect()).collect();
    let mut search = Search { after: &after, state: vec![State::New; names.len()], trail: vec![], circles: vec![] };
    (0..names.len()).for_each(|part| search.visit(part));
    let told = |circle: Vec<usize>| {
        let way: Vec<&str> = circle.iter().chain(circle.first()).map(|part| names[*part].short()).collect();
        let message = format!(
            "these services wait for each other: {}; remove `waitFor: Ready` from one of the calls",
            way.join(" -> ")
        );
        let path = wiring.of(&names[circle[0]]).find(waits).map(|it| it.path.clone()).unwrap_or_default();
        let list = path.rsplit_once('[').map_or(path.as_str(), |(list, _)| list);
        Problem::new(list, reason::START_CYCLE, message)
    };
    search.circles.into_iter().map(told).collect()
}

/// A depth-first search that keeps the trail from its root, so that it can print a circle.
struct Search<'a> {
    after: &'a [Vec<usize>],
    state: Vec<State>,
    trail: Vec<usize>,
    circles: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    OnTrail,
    Done,
}

impl Search<'_> {
    fn visit(&mut self, service: usize) {
        if self.state[service] == State::OnTrail {
            let start = self.trail.iter().position(|s| *s == service).unwrap_or_default();
            self.circles.push(self.trail[start..].to_vec());
        }
        if self.state[service] != State::New {
            return;
        }
        self.state[service] = State::OnTrail;
        self.trail.push(service);
        for next in &self.after[service] {
            self.visit(*next);
        }
        self.trail.pop();
        self.state[service] = State::Done;
    }
}

/// What a dependency uses inside its target, with the part that decides how it may be called there.
fn resources<'a>(parts: &'a [&dyn Part], wiring: &'a Wiring) -> impl Iterator<Item = (&'a Dependency, &'a dyn Part)> {
    let target = |it: &Dependency| parts.iter().find(|part| part.name() == it.target).copied();
    wiring.dependencies.iter().filter(|it| it.is_use()).filter_map(move |it| Some((it, target(it)?)))
}

/// Two names that differ in nothing but what the server cannot write would be one, which nobody can have meant.
fn name_conflicts(parts: &[&dyn Part], wiring: &Wiring) -> Vec<Problem> {
    let mut known: BTreeMap<(PartName, String), String> = BTreeMap::new();
    let mut problems = vec![];
    for (dependency, target) in resources(parts, wiring) {
        let (names, name) = (target.names(), dependency.resource());
        let key = (target.name(), names.inside(&name));
        let first = known.entry(key).or_insert_with(|| name.clone());
        let Some(dash) = names.dash.filter(|_| *first != name) else { continue };
        let message = format!(
            "'{name}' and '{first}' would be the same {}: '-' becomes '{dash}'; write it alike to share it, or \
                differently",
            names.noun
        );
        problems.push(Problem::new(format!("{}.{}", dependency.path, names.field), reason::NAME_IN_USE, message));
    }
    problems
}

/// What the server would refuse to make, or what is its administrator's.
fn reserved_names(parts: &[&dyn Part], wiring: &Wiring) -> Vec<Problem> {
    let mut problems = vec![];
    for (dependency, target) in resources(parts, wiring) {
        let (names, name, login) = (target.names(), dependency.resource(), dependency.login());
        let (path, name, instead) = if names.is_reserved(&login) {
            let service = dependency.path.split(".uses").next().unwrap_or_default();
            (format!("{service}.name"), login, "a service logs in by its name; write another one")
        } else if names.is_reserved(&names.inside(&name)) {
            (format!("{}.{}", dependency.path, names.field), name, "write another one")
        } else {
            continue;
        };
        let message = format!("'{name}' is a name that {} keeps for itself; {instead}", target.engine());
        problems.push(Problem::new(path, reason::RESERVED_NAME, message));
    }
    problems
}

/// Data is recorded with the version that is named; an image of another one would write what nobody can open later.
fn versions(parts: &[&dyn Part]) -> Vec<Problem> {
    let one = |part: &&dyn Part| {
        let (stored, role) = (part.stored()?, part.name().role()?);
        let (image, version) = (stored.image?, stored.version?);
        let message = format!("'{image}' is not of `version` {version}; write the version that is in the image");
        let problem = || Problem::new(format!("spec.{role}.image"), reason::VERSION_CONTRADICTED, message);
        images::contradicts(image, &version).then(problem)
    };
    parts.iter().filter_map(one).collect()
}
