//! What a user says of the cache.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::fields::{IntOrText, Runtime, Storage};

/// One cache server. Each service that uses it gets a login of its own; all of them share the keys. When its memory is
/// full, what was used least recently goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    /// `Valkey` (default) or `Redis`. Every client of Redis speaks to both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<CacheEngine>,
    /// Version of the engine: a major (`9`) or an exact one (`9.1.1`). Default: the one that kept data has, or else the
    /// newest tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("string(self).matches('^[0-9]{1,3}([.][0-9]{1,3}){0,2}$')")
        .message("`version` must be a major such as '9' or an exact version such as '9.1.1'"))]
    pub version: Option<IntOrText>,
    /// A volume that keeps what is cached when the server restarts. Absent: a restart empties the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    #[serde(flatten)]
    pub runtime: Runtime,
}

/// A cache engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CacheEngine {
    #[default]
    Valkey,
    Redis,
}
