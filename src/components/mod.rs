//! One folder for each component, one file for each engine. A component knows itself and the vocabulary; how components meet is [`Wiring`], which the application fills.

pub mod database;
pub mod gateway;
pub mod provisioner;
pub mod registry;
pub mod services;

use crate::kit::{agents::Provision, objects::Objects, problem::Problem, scope::Scope};

/// A component: what it is called and which engine its specification chooses.
pub trait Component: Sized + 'static {
    /// Its name in status, and in the names of its objects: `database`.
    const ROLE: &'static str;

    /// The one `match` of the folder.
    fn engine(&self) -> &'static dyn Engine<Self>;
}

/// One way to run a component. Pure: the same inputs give the same objects.
pub trait Engine<Spec>: Sync {
    /// As the user writes it: `PostgreSQL`.
    fn name(&self) -> &'static str;

    /// What this engine cannot honour of a specification, or of the data that is there.
    fn check(&self, _scope: &Scope<'_>, _spec: &Spec) -> Vec<Problem> {
        vec![]
    }

    /// What of a specification is not so, while everything goes on.
    fn hints(&self, _scope: &Scope<'_>, _spec: &Spec) -> Vec<Problem> {
        vec![]
    }

    /// Names that the server keeps for itself, with `*` for any ending: nothing inside it, and no login, may be called so.
    fn reserved(&self) -> &'static [&'static str] {
        &[]
    }

    /// Adds the component's objects.
    fn build(&self, scope: &Scope<'_>, spec: &Spec, wiring: &Wiring, out: &mut Objects);

    /// What must exist inside the running server.
    fn provision(&self, _scope: &Scope<'_>, _spec: &Spec, _wiring: &Wiring) -> Option<Provision> {
        None
    }
}

/// Where components meet: who uses whom, said in words that every component understands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wiring {
    /// What the gateway routes.
    pub routes: Vec<gateway::RouteEdge>,
    /// Who uses the database.
    pub databases: Vec<database::DatabaseEdge>,
}
