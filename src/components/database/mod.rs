//! Data storage: one server, and in it a database and a login for each service that uses it.

mod postgresql;
mod spec;

pub use spec::*;

use super::{Component, Engine};
use crate::kit::{binding::Binding, credentials::Hook, scope::Scope};

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

/// The anchor with its uid, if it is there. Without it no name of a Secret or claim is known.
pub(super) fn hook<'a>(scope: &'a Scope<'_>, anchor: &'a str) -> Option<Hook<'a>> {
    scope.observed.anchor(anchor).map(|(uid, _)| Hook { anchor, uid })
}

/// The Secret of a service's login, once the anchor is there.
pub fn login_secret(scope: &Scope<'_>, service: &str, version: u32) -> Option<String> {
    let anchor = anchor(scope);
    hook(scope, &anchor).map(|hook| hook.secret_name(&scope.component(Database::ROLE, &format!("login-{service}")), version))
}

/// How a service reaches its database.
pub fn binding(scope: &Scope<'_>, spec: &Database, edge: &DatabaseEdge) -> Binding {
    match spec.engine.unwrap_or_default() {
        DatabaseEngine::PostgreSQL => postgresql::binding(scope, edge),
    }
}
