//! What a user says of the service registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the gateway finds the instances of services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// `Kubernetes` (default): the cluster's own records of ready pods. It runs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<RegistryEngine>,
}

/// A registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RegistryEngine {
    #[default]
    Kubernetes,
}
