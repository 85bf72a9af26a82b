//! One folder for each component, one file for each engine. A component knows itself and the building blocks; how
//! components meet is [`Wiring`], which the application fills.

pub mod cache;
pub mod database;
pub mod gateway;
pub mod provisioner;
pub mod registry;
pub mod services;
mod wiring;

pub use wiring::*;

use std::collections::BTreeSet;

use crate::kit::{
    agents::{Provision, SecretUse},
    binding::Binding,
    fields::Storage,
    objects::Objects,
    part::{PartName, Role},
    problem::Problem,
    scope::Scope,
    store::Store,
};

/// A component, or a service: what it is called and which engine its specification chooses.
pub trait Component: Sized + 'static {
    const ROLE: Role;

    /// The one `match` of the folder.
    fn engine(&self) -> &'static dyn Engine<Self>;

    fn name(&self) -> PartName {
        PartName::component(Self::ROLE)
    }

    /// Clients outside the cluster come in by it: its routes lead to services.
    fn is_entry(&self) -> bool {
        false
    }

    /// The Secrets that its specification names, which pods restart for.
    fn secrets(&self) -> BTreeSet<SecretUse> {
        BTreeSet::new()
    }

    /// What its specification says of data that it keeps.
    fn stored(&self) -> Option<Stored<'_>> {
        None
    }
}

/// One way to run a component. Pure: the same inputs give the same objects.
pub trait Engine<Spec>: Sync {
    /// As the user writes it: `PostgreSQL`.
    fn name(&self) -> &'static str;

    /// What may be called how inside the server.
    fn names(&self) -> Names {
        Names::default()
    }

    /// What this component itself uses.
    fn uses(&self, _spec: &Spec) -> Vec<Request> {
        vec![]
    }

    /// Where it keeps its data, and its credentials.
    fn store<'a>(&self, _scope: &'a Scope<'a>, _spec: &'a Spec) -> Option<Store<'a>> {
        None
    }

    /// How a user of it reaches it.
    fn binding(&self, _scope: &Scope<'_>, _spec: &Spec, _dependency: &Dependency) -> Option<Binding> {
        None
    }

    /// What the pods of a service get from this component without asking, such as a sidecar that registers them.
    fn attach(&self, _scope: &Scope<'_>, _spec: &Spec, _service: &PartName) -> Attachment {
        Attachment::default()
    }

    /// Mistakes in the specification that the schema cannot see. The resource is refused.
    fn mistakes(&self, _scope: &Scope<'_>, _spec: &Spec, _wiring: &Wiring) -> Vec<Problem> {
        vec![]
    }

    /// What keeps this component alone from being changed, such as data that is there. Nothing of it is touched.
    fn obstacles(&self, scope: &Scope<'_>, spec: &Spec) -> Vec<Problem> {
        self.store(scope, spec).and_then(|store| store.obstacle()).into_iter().collect()
    }

    /// What of the specification does not hold, while everything goes on.
    fn hints(&self, scope: &Scope<'_>, spec: &Spec) -> Vec<Problem> {
        self.store(scope, spec).map(|store| store.hints()).unwrap_or_default()
    }

    /// The component's objects.
    fn build(&self, scope: &Scope<'_>, spec: &Spec, wiring: &Wiring) -> Objects;

    /// What must exist inside the running servers.
    fn provision(&self, _scope: &Scope<'_>, _spec: &Spec, _wiring: &Wiring) -> Vec<Provision> {
        vec![]
    }

    /// Where clients outside the application find it.
    fn url(&self, _scope: &Scope<'_>, _spec: &Spec) -> Option<String> {
        None
    }
}

/// What may be called how inside a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names {
    /// Names that it keeps for itself, with `*` for any ending: nothing inside it, and no login, may be called so.
    pub reserved: &'static [&'static str],
    /// The field of `uses` that names what is used inside it: `databaseName`.
    pub field: &'static str,
    /// What is used inside it: `database`.
    pub noun: &'static str,
    /// What stands for `-` there, if it knows no dash.
    pub dash: Option<char>,
}

impl Names {
    /// A name as it stands inside the server.
    pub fn inside(&self, name: &str) -> String {
        self.dash.map_or_else(|| name.to_owned(), |dash| name.replace('-', &dash.to_string()))
    }

    pub fn is_reserved(&self, name: &str) -> bool {
        let matches = |it: &&str| it.strip_suffix('*').map_or(*it == name, |start| name.starts_with(start));
        self.reserved.iter().any(matches)
    }
}

/// What a specification says of data that its component keeps.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    pub version: Option<String>,
    pub image: Option<&'a str>,
    pub storage: Option<&'a Storage>,
}

/// A component whose type is forgotten: what the application, views and commands see. Services are parts, too.
pub trait Part {
    fn name(&self) -> PartName;
    fn engine(&self) -> &'static str;
    fn names(&self) -> Names;
    fn is_entry(&self) -> bool;
    fn secrets(&self) -> BTreeSet<SecretUse>;
    fn stored(&self) -> Option<Stored<'_>>;
    fn uses(&self) -> Vec<Request>;
    fn store<'a>(&'a self, scope: &'a Scope<'a>) -> Option<Store<'a>>;
    fn binding(&self, scope: &Scope<'_>, dependency: &Dependency) -> Option<Binding>;
    fn attach(&self, scope: &Scope<'_>, service: &PartName) -> Attachment;
    fn mistakes(&self, scope: &Scope<'_>, wiring: &Wiring) -> Vec<Problem>;
    fn obstacles(&self, scope: &Scope<'_>) -> Vec<Problem>;
    fn hints(&self, scope: &Scope<'_>) -> Vec<Problem>;
    fn build(&self, scope: &Scope<'_>, wiring: &Wiring) -> Objects;
    fn provision(&self, scope: &Scope<'_>, wiring: &Wiring) -> Vec<Provision>;
    fn url(&self, scope: &Scope<'_>) -> Option<String>;
}

impl<C: Component> Part for C {
    fn name(&self) -> PartName {
        Component::name(self)
    }
    fn engine(&self) -> &'static str {
        Component::engine(self).name()
    }
    fn names(&self) -> Names {
        Component::engine(self).names()
    }
    fn is_entry(&self) -> bool {
        Component::is_entry(self)
    }
    fn secrets(&self) -> BTreeSet<SecretUse> {
        Component::secrets(self)
    }
    fn stored(&self) -> Option<Stored<'_>> {
        Component::stored(self)
    }
    fn uses(&self) -> Vec<Request> {
        Component::engine(self).uses(self)
    }
    fn store<'a>(&'a self, scope: &'a Scope<'a>) -> Option<Store<'a>> {
        Component::engine(self).store(scope, self)
    }
    fn binding(&self, scope: &Scope<'_>, dependency: &Dependency) -> Option<Binding> {
        Component::engine(self).binding(scope, self, dependency)
    }
    fn attach(&self, scope: &Scope<'_>, service: &PartName) -> Attachment {
        Component::engine(self).attach(scope, self, service)
    }
    fn mistakes(&self, scope: &Scope<'_>, wiring: &Wiring) -> Vec<Problem> {
        Component::engine(self).mistakes(scope, self, wiring)
    }
    fn obstacles(&self, scope: &Scope<'_>) -> Vec<Problem> {
        Component::engine(self).obstacles(scope, self)
    }
    fn hints(&self, scope: &Scope<'_>) -> Vec<Problem> {
        Component::engine(self).hints(scope, self)
    }
    fn build(&self, scope: &Scope<'_>, wiring: &Wiring) -> Objects {
        Component::engine(self).build(scope, self, wiring)
    }
    fn provision(&self, scope: &Scope<'_>, wiring: &Wiring) -> Vec<Provision> {
        Component::engine(self).provision(scope, self, wiring)
    }
    fn url(&self, scope: &Scope<'_>) -> Option<String> {
        Component::engine(self).url(scope, self)
    }
}
