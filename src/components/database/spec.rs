//! What a user says of the database.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::fields::{IntOrText, Runtime, Storage};

/// One database server. Each service that uses it gets a database and a login of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// `PostgreSQL` (default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<DatabaseEngine>,
    /// Version of the engine: a major (`18`) or an exact one (`18.6`). Default: the one that the data has, or else the
    /// newest tested. It is recorded with the data; data of another major is not opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("string(self).matches('^[0-9]{1,3}([.][0-9]{1,3})?$')").message("`version` must \
        be a major such as '18' or an exact version such as '18.6'"))]
    pub version: Option<IntOrText>,
    /// The volume that holds the data. It outlives the application unless `dataRetention` is `Delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    #[serde(flatten)]
    pub runtime: Runtime,
}

/// A database engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DatabaseEngine {
    #[default]
    PostgreSQL,
}
