//! The user's own services.

mod generic;
mod spec;

pub use generic::{MAIN_PORT, build};
pub use spec::*;

use std::collections::BTreeSet;

use crate::kit::{
    agents::SecretUse,
    binding::{Binding, variable},
};

/// What one service is wired to, as the application found it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceWiring {
    /// Components and services that it reaches, in the order of the resource.
    pub bindings: Vec<Binding>,
    /// The edges that its pods will carry, sorted.
    pub edges: Vec<String>,
    pub rotation: Rotation,
}

/// What is known of the content of the Secrets that a service names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// What was seen of them last. The Deployment remembers it, which rolls nothing.
    pub seen: Option<String>,
    /// Changes with their content, and rolls the pods. None until something has changed.
    pub mark: Option<String>,
    /// The Secrets that have changed since they were seen last.
    pub changed: Vec<String>,
}

/// The Secrets that a service names.
pub fn secrets(service: &Service) -> BTreeSet<SecretUse> {
    let keys = service
        .env
        .iter()
        .filter_map(|v| v.value_from.as_ref()?.secret_key_ref.as_ref())
        .map(|r| (&r.name, Some(r.key.clone())));
    let whole = service
        .env_from
        .iter()
        .chain(&service.config_files)
        .filter_map(|source| source.secret_ref.as_ref())
        .map(|r| (&r.name, None));
    keys.chain(whole).map(|(secret, key)| SecretUse { secret: secret.clone(), key }).collect()
}

/// How others reach a service that answers at `host` and `port`.
pub fn binding(service: &Service, host: String, port: i32) -> Binding {
    let kind = if service.protocol() == Protocol::HTTP { "http" } else { "tcp" };
    let prefix = variable(&service.name);
    let urls = vec![("URL", format!("{kind}://$({prefix}_HOST):$({prefix}_PORT)"))];
    Binding { name: service.name.clone(), kind: kind.into(), host, port, urls, ..Default::default() }
}

/// The part that a service is, as in status.
pub fn part(service: &str) -> String {
    format!("service/{service}")
}
