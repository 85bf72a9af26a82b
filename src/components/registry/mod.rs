//! The service registry: where the gateway learns which instances of a service there are.

mod kubernetes;
mod spec;

pub use spec::*;

use super::{Component, Engine};
use crate::kit::part::Role;

impl Component for Registry {
    const ROLE: Role = Role::new("registry");

    fn engine(&self) -> &'static dyn Engine<Self> {
        match self.engine.unwrap_or_default() {
            RegistryEngine::Kubernetes => &kubernetes::Kubernetes,
        }
    }
}
