//! The cache: one server, and in it a login for each part that uses it. All of them share the keys.

mod pod;
mod redis;
mod server;
mod spec;
mod valkey;

pub use spec::*;

use super::{Component, Engine, Stored};
use crate::kit::part::Role;

impl Component for Cache {
    const ROLE: Role = Role::new("cache");

    fn engine(&self) -> &'static dyn Engine<Self> {
        match self.engine.unwrap_or_default() {
            CacheEngine::Valkey => &valkey::VALKEY,
            CacheEngine::Redis => &redis::REDIS,
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
