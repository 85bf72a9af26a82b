//! The user's own services.

mod generic;
mod spec;

pub use generic::{MAIN_PORT, build};
pub use spec::*;

use crate::kit::binding::Binding;

/// What one service is wired to, as the application found it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceWiring {
    /// Components and services that it reaches, in the order of the resource.
    pub bindings: Vec<Binding>,
    /// The edges that its pods will carry, sorted.
    pub edges: Vec<String>,
}

/// The part that a service is, as in status.
pub fn part(service: &str) -> String {
    format!("service/{service}")
}
