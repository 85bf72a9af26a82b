//! The user's own services.

mod generic;
mod pod;
mod spec;

pub use spec::*;

use std::collections::BTreeSet;

use super::{Component, Engine};
use crate::kit::{
    agents::SecretUse,
    part::{PartName, Role},
};

impl Component for Service {
    const ROLE: Role = Role::new("service");

    fn engine(&self) -> &'static dyn Engine<Self> {
        &generic::Generic
    }

    fn name(&self) -> PartName {
        PartName::service(&*self.name)
    }

    fn secrets(&self) -> BTreeSet<SecretUse> {
        let refs = self.env.iter().filter_map(|v| v.value_from.as_ref()?.secret_key_ref.as_ref());
        let keys = refs.map(|r| SecretUse { secret: r.name.clone(), key: Some(r.key.clone()) });
        let sources = self.env_from.iter().chain(&self.config_files).filter_map(|source| source.secret_ref.as_ref());
        keys.chain(sources.map(|r| SecretUse { secret: r.name.clone(), key: None })).collect()
    }
}

impl UsedComponent {
    /// The component that it names.
    pub fn role(self) -> Role {
        match self {
            Self::Database => Role::new("database"),
            Self::Cache => Role::new("cache"),
        }
    }
}
