//! Mistakes that only a comparison of all with all can show, which is too dear for the API server's rules.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{MicroserviceApp, MicroserviceAppSpec, graph, names};
use crate::components::{
    Component, gateway,
    services::{PathMatch, Service, Start},
};
use crate::kit::{images, problem::Problem};

/// All of them, in the order of the specification.
pub fn problems(app: &MicroserviceApp) -> Vec<Problem> {
    let spec = &app.spec;
    [
        unknown_hosts(spec),
        route_conflicts(spec),
        start_cycles(&spec.services),
        database_name_conflicts(&spec.services),
        reserved_names(spec),
        versions(spec),
        names::conflicts(app),
        gateway_too_large(app),
    ]
    .concat()
}

/// Found by rendering it: what is too large could not be stored.
fn gateway_too_large(app: &MicroserviceApp) -> Vec<Problem> {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let wiring = || graph::wiring(&app.spec, |service| format!("{name}--{service}"), |_| 1);
    app.spec.gateway.iter().filter_map(|spec| gateway::too_large(spec, &wiring())).collect()
}

/// Every service with its index, which paths need.
fn indexed(services: &[Service]) -> impl Iterator<Item = (usize, &Service)> {
    services.iter().enumerate()
}

/// A gateway that answers to certain hosts never sees a request for another one.
fn unknown_hosts(spec: &MicroserviceAppSpec) -> Vec<Problem> {
    let Some(gateway) = spec.gateway.as_ref().filter(|g| !g.hosts.is_empty()) else { return vec![] };
    let known: std::collections::BTreeSet<&str> = gateway.hosts.iter().map(String::as_str).collect();
    let mut problems = vec![];
    for (s, service) in indexed(&spec.services) {
        for (r, route) in service.routes.iter().enumerate() {
            for (h, host) in route.hosts.iter().enumerate().filter(|(_, host)| !known.contains(host.as_str())) {
                let path = format!("spec.services[{s}].routes[{r}].hosts[{h}]");
                problems.push(Problem::new(
                    path,
                    "UnknownHost",
                    format!("'{host}' must be one of `gateway.hosts`; add it there, or remove it here"),
                ));
            }
        }
    }
    problems
}

/// Two services may not ask for the same requests; a prefix with a slash at its end is the one without it. A route without hosts answers to all hosts of the gateway, so one conflict would be found once for
/// each host; the first is enough.
fn route_conflicts(spec: &MicroserviceAppSpec) -> Vec<Problem> {
    let all: Vec<String> = spec
        .gateway
        .as_ref()
        .map(|g| g.hosts.clone())
        .filter(|hosts| !hosts.is_empty())
        .unwrap_or_else(|| vec!["*".to_owned()]);
    let mut owners: BTreeMap<(&str, PathMatch, &str), &Service> = BTreeMap::new();
    let mut problems = vec![];
    for (s, service) in indexed(&spec.services) {
        for (r, route) in service.routes.iter().enumerate() {
            let hosts = if route.hosts.is_empty() { &all } else { &route.hosts };
            let path = if route.r#match == Some(PathMatch::Exact) {
                &route.path
            } else {
                route.path.strip_suffix('/').unwrap_or(&route.path)
            };
            let mut other = None;
            for host in hosts {
                match owners.entry((host, route.r#match.unwrap_or_default(), path)) {
                    Entry::Occupied(owner) => other = other.or(Some(*owner.get())).filter(|o| o.name != service.name),
                    Entry::Vacant(free) => drop(free.insert(service)),
                }
            }
            if let Some(other) = other {
                let path = format!("spec.services[{s}].routes[{r}].path");
                let message = format!(
                    "'{}' of '{}' is already routed to '{}'; change the `path`, the `match` or the `hosts` of one of them",
                    route.path, service.name, other.name
                );
                problems.push(Problem::new(path, "RouteConflict", message));
            }
        }
    }
    problems
}

/// Services that wait for each other in a circle would wait for ever.
fn start_cycles(services: &[Service]) -> Vec<Problem> {
    let index: BTreeMap<&str, usize> = indexed(services).map(|(i, s)| (s.name.as_str(), i)).collect();
    let after: Vec<Vec<usize>> = services
        .iter()
        .map(|s| {
            s.calls
                .iter()
                .filter(|c| c.start == Some(Start::After))
                .filter_map(|c| index.get(c.service.as_str()).copied())
                .collect()
        })
        .collect();
    let mut search = Search { after: &after, state: vec![State::New; services.len()], trail: vec![], circles: vec![] };
    (0..services.len()).for_each(|s| search.visit(s));
    let name = |i: &usize| services[*i].name.as_str();
    let told = |circle: Vec<usize>| {
        let way: Vec<&str> = circle.iter().chain(circle.first()).map(name).collect();
        let message = format!(
            "these services wait for each other: {}; remove `start: After` from one of the calls",
            way.join(" -> ")
        );
        Problem::new(format!("spec.services[{}].calls", circle[0]), "StartCycle", message)
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

/// Inside the server '-' becomes '_': two names that differ in nothing else would be one database, which nobody can have meant.
fn database_name_conflicts(services: &[Service]) -> Vec<Problem> {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = vec![];
    for (s, service) in indexed(services) {
        for (u, r#use) in service.uses.iter().enumerate() {
            let name = r#use.database_name.as_deref().unwrap_or(&service.name);
            let first = *names.entry(name.replace('-', "_")).or_insert(name);
            if first != name {
                let path = format!("spec.services[{s}].uses[{u}].databaseName");
                let message = format!(
                    "'{name}' and '{first}' would be the same database: '-' becomes '_'; write it alike to share it, or differently"
                );
                problems.push(Problem::new(path, "DatabaseNameConflict", message));
            }
        }
    }
    problems
}

/// What the server would refuse to make, or what is its administrator's.
fn reserved_names(spec: &MicroserviceAppSpec) -> Vec<Problem> {
    let Some(database) = &spec.database else { return vec![] };
    let engine = database.engine();
    let reserved = |name: &str| {
        engine.reserved().iter().any(|r| r.strip_suffix('*').map_or(*r == name, |start| name.starts_with(start)))
    };
    let mut problems = vec![];
    for (s, service) in indexed(&spec.services) {
        for (u, used) in service.uses.iter().enumerate() {
            let name = used.database_name.as_deref().unwrap_or(&service.name);
            let (path, name, instead) = match () {
                () if reserved(&service.name) => (
                    format!("spec.services[{s}].name"),
                    &*service.name,
                    "a service logs in by its name; write another one",
                ),
                () if reserved(&name.replace('-', "_")) => {
                    (format!("spec.services[{s}].uses[{u}].databaseName"), name, "write another one")
                }
                () => continue,
            };
            problems.push(Problem::new(
                path,
                "ReservedName",
                format!("'{name}' is a name that {} keeps for itself; {instead}", engine.name()),
            ));
        }
    }
    problems
}

/// Data is recorded with the version that is named; an image of another one would write what nobody can open later.
fn versions(spec: &MicroserviceAppSpec) -> Vec<Problem> {
    let Some(database) = &spec.database else { return vec![] };
    let (Some(image), Some(version)) = (&database.runtime.image, database.version.as_ref().map(ToString::to_string))
    else {
        return vec![];
    };
    let message = format!("'{image}' is not of `version` {version}; write the version that is in the image");
    if images::contradicts(image, &version) {
        vec![Problem::new("spec.database.image", "VersionContradicted", message)]
    } else {
        vec![]
    }
}
