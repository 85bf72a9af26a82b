//! Data storage: one server, and in it a database and a login for each part that uses it.

mod postgresql;
mod spec;

pub use spec::*;

use super::{Component, Engine, Stored};
use crate::kit::part::Role;

/// Longest name that the server keeps whole, in bytes; it cuts what is longer without a word.
pub const LONGEST_NAME: usize = 63;
/// The longest of what is put behind a database's name to name its roles: `__owner`, `__reader`.
pub const LONGEST_SUFFIX: usize = "__reader".len();

impl Component for Database {
    const ROLE: Role = Role::new("database");

    fn engine(&self) -> &'static dyn Engine<Self> {
        match self.engine.unwrap_or_default() {
            DatabaseEngine::PostgreSQL => &postgresql::PostgreSql,
        }
    }

    fn stored(&self) -> Option<Stored<'_>> {
        Some(Stored {
            version: self.version.as_ref().map(ToString::to_string),
            image: self.runtime.image.as_deref(),
            storage: self.storage.as_ref(),
        })
    }
}
