//! The application as nodes and wires, with how each of them fares.

use super::{State, Verdict, counts, made_with, pods, verdict};
use crate::app::{MicroserviceApp, Status, unobserved};
use crate::components::{Dependency, Purpose};
use crate::kit::{images, part::PartName};

/// Who asks the gateway.
const USERS: &str = "users";

pub struct Graph {
    pub name: String,
    /// None: it was read from a file, and nothing runs yet.
    pub verdict: Option<Verdict>,
    pub facts: String,
    pub nodes: Vec<Node>,
    pub wires: Vec<Wire>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Callers,
    Entry,
    Services,
    Components,
}

pub struct Node {
    /// The part, as in status.
    pub part: String,
    pub rank: Rank,
    pub name: String,
    /// What it is made with.
    pub detail: String,
    /// Paths that lead to it.
    pub routes: Vec<String>,
    pub pods: Option<String>,
    pub state: State,
    /// Why it is not ready.
    pub cause: Option<String>,
}

pub struct Wire {
    /// Indexes of nodes.
    pub from: usize,
    pub to: usize,
    pub proof: Proof,
    /// What passes over it, or what is known of it.
    pub said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nobody proves it: a route, a call.
    Plain,
    Verified,
    Unverified,
    Failed,
}

/// The graph of an application; with `live`, as its status says it is.
pub fn graph(app: &MicroserviceApp, live: bool) -> Graph {
    let status = app.status.clone().filter(|_| live).unwrap_or_default();
    let nodes = nodes(app, &status);
    let wires = wires(app, &status, &nodes);
    let verdict = live.then(|| verdict(app));
    let facts = match live {
        true => [counts(&status, " · "), status.url.clone().unwrap_or_default()]
            .into_iter()
            .filter(|fact| !fact.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        false => "not deployed".into(),
    };
    Graph { name: app.metadata.name.clone().unwrap_or_default(), verdict, facts, nodes, wires }
}

fn nodes(app: &MicroserviceApp, status: &Status) -> Vec<Node> {
    let parts = app.spec.parts();
    let of = |rank: Rank| parts.iter().filter(move |part| rank_of(part.is_entry(), &part.name()) == rank);
    let component = |rank: Rank| of(rank).map(move |part| node(status, &part.name(), rank, part.engine()));
    let mut nodes: Vec<Node> = component(Rank::Entry).collect();
    if !nodes.is_empty() {
        nodes.insert(0, users());
    }
    for service in &app.spec.services {
        let version = images::version(&service.image).unwrap_or_default();
        let mut node = node(status, &PartName::service(&*service.name), Rank::Services, version);
        node.routes = service.routes.iter().map(|route| route.path.clone()).collect();
        nodes.push(node);
    }
    nodes.extend(component(Rank::Components));
    nodes
}

fn rank_of(is_entry: bool, part: &PartName) -> Rank {
    match part {
        _ if is_entry => Rank::Entry,
        PartName::Service(_) => Rank::Services,
        _ => Rank::Components,
    }
}

fn users() -> Node {
    Node {
        part: USERS.into(),
        rank: Rank::Callers,
        name: USERS.into(),
        detail: "outside the application".into(),
        routes: vec![],
        pods: None,
        state: State::Planned,
        cause: None,
    }
}

fn node(status: &Status, part: &PartName, rank: Rank, planned: &str) -> Node {
    let text = part.to_string();
    let found = status.parts.iter().find(|p| p.name == text);
    Node {
        part: text,
        rank,
        name: part.short().into(),
        detail: found.map(made_with).filter(|text| !text.is_empty()).unwrap_or_else(|| planned.into()),
        routes: vec![],
        pods: found.and_then(pods),
        state: found.map(State::of).unwrap_or_default(),
        cause: found.filter(|p| p.ready != "True").map(|p| p.message.clone().unwrap_or_else(|| p.reason.clone())),
    }
}

/// One wire for each pair of nodes: sixteen routes to one service are one wire that names sixteen paths.
fn wires(app: &MicroserviceApp, status: &Status, nodes: &[Node]) -> Vec<Wire> {
    let place = |part: &str| nodes.iter().position(|node| node.part == part);
    let mut wires: Vec<Wire> = vec![];
    let entry = place(USERS).zip(nodes.iter().position(|node| node.rank == Rank::Entry));
    wires.extend(entry.map(|(from, to)| Wire { from, to, proof: Proof::Plain, said: String::new() }));
    for dependency in unobserved(app).1.dependencies {
        let (user, target) = (dependency.user.to_string(), dependency.target.to_string());
        let Some((from, to)) = place(&user).zip(place(&target)) else { continue };
        let (proof, said) = proof(&dependency, status);
        match wires.iter_mut().find(|wire| (wire.from, wire.to) == (from, to)) {
            Some(wire) => wire.said = format!("{}, {said}", wire.said),
            None => wires.push(Wire { from, to, proof, said }),
        }
    }
    wires
}

fn proof(dependency: &Dependency, status: &Status) -> (Proof, String) {
    match &dependency.purpose {
        Purpose::Route(route) => return (Proof::Plain, route.path.clone()),
        Purpose::Call { .. } => return (Proof::Plain, "calls".into()),
        Purpose::Use(_) => {}
    }
    let (user, target) = (dependency.login(), dependency.target.to_string());
    let binding = status.bindings.iter().find(|b| b.service == user && b.name == target);
    let Some(binding) = binding else { return (Proof::Unverified, "uses".into()) };
    let said = binding.message.as_deref().unwrap_or(&binding.reason);
    match (binding.verified.as_str(), &binding.identity) {
        ("True", Some(identity)) => (Proof::Verified, format!("verified: logged in as {identity}")),
        ("True", None) => (Proof::Verified, "verified".into()),
        ("False", _) => (Proof::Failed, format!("broken: {said}")),
        _ => (Proof::Unverified, format!("not verified: {said}")),
    }
}

impl Graph {
    /// The column of each node: callers, entry, services by how deep they are called, components.
    pub fn columns(&self) -> Vec<usize> {
        let depths = self.depths();
        let first = self.nodes.iter().filter(|node| node.rank < Rank::Services).count();
        let deepest = depths.iter().max().map_or(0, |depth| depth + 1);
        let column = |(index, node): (usize, &Node)| match node.rank {
            Rank::Callers => 0,
            Rank::Entry => 1,
            Rank::Services => first + depths[index],
            Rank::Components => first + deepest,
        };
        self.nodes.iter().enumerate().map(column).collect()
    }

    /// How many services stand before each service on the longest chain of calls. A call that closes a circle does not
    /// count.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        let mut seen = vec![false; self.nodes.len()];
        let mut order = vec![];
        for node in 0..self.nodes.len() {
            self.visit(node, &mut seen, &mut order);
        }
        // Callers before those they call.
        let rank: Vec<usize> =
            (0..self.nodes.len()).map(|node| order.iter().rev().position(|n| *n == node).unwrap_or_default()).collect();
        for &node in order.iter().rev() {
            for callee in self.callees(node).filter(|callee| rank[*callee] > rank[node]) {
                depths[callee] = depths[callee].max(depths[node] + 1);
            }
        }
        depths
    }

    fn visit(&self, node: usize, seen: &mut [bool], order: &mut Vec<usize>) {
        if !std::mem::replace(&mut seen[node], true) {
            for callee in self.callees(node) {
                self.visit(callee, seen, order);
            }
            order.push(node);
        }
    }

    fn callees(&self, node: usize) -> impl Iterator<Item = usize> {
        let service = |index: usize| self.nodes[index].rank == Rank::Services;
        self.wires
            .iter()
            .filter(move |wire| wire.from == node && service(wire.from) && service(wire.to))
            .map(|wire| wire.to)
    }
}
