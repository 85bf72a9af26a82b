//! Data storage: one server, and in it a database and a login for each service that uses it.

mod postgresql;
mod spec;

pub use spec::*;

use super::{Component, Engine};
use crate::kit::{
    binding::Binding,
    credentials::Hook,
    data::Place,
    images::{self, Version},
    problem::Problem,
    scope::Scope,
    volumes::{self, Data},
};

/// Longest name that the server keeps whole, in bytes; it cuts what is longer without a word.
pub const LONGEST_NAME: usize = 63;
/// The longest of what is put behind a database's name to name its roles: `__owner`, `__reader`.
pub const LONGEST_SUFFIX: usize = "__reader".len();

/// One service's use of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseEdge {
    pub service: String,
    /// Name of the database inside the server.
    pub database: String,
    pub read_only: bool,
    /// Version of its login.
    pub login: u32,
}

impl Component for Database {
    const ROLE: &'static str = "database";

    fn engine(&self) -> &'static dyn Engine<Self> {
        match self.engine.unwrap_or_default() {
            DatabaseEngine::PostgreSQL => &postgresql::PostgreSql,
        }
    }
}

/// The anchor of its data.
pub fn anchor(scope: &Scope<'_>) -> String {
    scope.component(Database::ROLE, "data")
}

/// The claim of its one pod.
fn claim(scope: &Scope<'_>) -> String {
    volumes::claim_name(&scope.component(Database::ROLE, ""), 0)
}

/// What its Secrets and claims hang on.
fn hook(scope: &Scope<'_>) -> Hook {
    volumes::hook(scope, anchor(scope), &claim(scope), &format!("{}-", scope.component(Database::ROLE, "")))
}

/// The Secret of the administrator.
pub fn admin_secret(scope: &Scope<'_>) -> String {
    hook(scope).secret_name(&scope.component(Database::ROLE, "admin"), 1)
}

/// The Secret of a service's login.
pub fn login_secret(scope: &Scope<'_>, service: &str, version: u32) -> String {
    hook(scope).secret_name(&scope.component(Database::ROLE, &format!("login-{service}")), version)
}

/// Asks something of the data that is there.
fn ask<T: IntoIterator<Item = Problem>>(
    scope: &Scope<'_>,
    spec: &Database,
    wanted: Data<'_>,
    what: impl Fn(&Place<'_>) -> T,
) -> Vec<Problem> {
    let (claim, anchor) = (claim(scope), anchor(scope));
    what(&Place { scope, claim: &claim, anchor: &anchor, wanted, storage: spec.storage.as_ref() }).into_iter().collect()
}

/// What the user asks for; else what the data was written by; else the newest tested. Where anchor and claim disagree, the claim is opened as neither.
fn version(scope: &Scope<'_>, spec: &Database, tested: &[(&str, &str)]) -> Version {
    let claim = scope.observed.claim(&claim(scope)).filter(|claim| !claim.deleting).map(|there| there.major.clone());
    let noted = scope.observed.anchor(&anchor(scope)).map(|(_, there)| there.major.clone());
    let recorded = noted.into_iter().chain(claim).find(|major| !major.is_empty());
    images::version_of(tested, spec.version.as_ref().map(ToString::to_string), recorded)
}

/// How a service reaches its database.
pub fn binding(scope: &Scope<'_>, spec: &Database, edge: &DatabaseEdge) -> Binding {
    match spec.engine.unwrap_or_default() {
        DatabaseEngine::PostgreSQL => postgresql::binding(scope, edge),
    }
}
