//! What a user says of the database.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::fields::{IntOrText, Runtime, Storage};

/// One database server. Each service that uses it gets a database and a login of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("quantity(has(self.storage) && has(self.storage.size) ? string(self.storage.size) : '1Gi').compareTo(quantity(has(oldSelf.storage) && has(oldSelf.storage.size) ? string(oldSelf.storage.size) : '1Gi')) >= 0").message("`storage.size` may not shrink; volumes only grow").field_path(".storage"))]
#[x_kube(validation = Rule::new("(has(self.storage) && has(self.storage.className) ? self.storage.className : '') == (has(oldSelf.storage) && has(oldSelf.storage.className) ? oldSelf.storage.className : '')").message("`storage.className` may not change while the volume exists").field_path(".storage"))]
#[x_kube(validation = Rule::new("!has(self.version) || !has(oldSelf.version) || int(string(self.version).split('.')[0]) > int(string(oldSelf.version).split('.')[0]) || int(string(self.version).split('.')[0]) == int(string(oldSelf.version).split('.')[0]) && (!string(self.version).contains('.') || !string(oldSelf.version).contains('.') || int(string(self.version).split('.')[1]) >= int(string(oldSelf.version).split('.')[1]))").message("`version` may not go down: the data is of the newer one").field_path(".version"))]
pub struct Database {
    /// `PostgreSQL` (default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<DatabaseEngine>,
    /// Version of the engine: a major (`18`) or an exact one (`18.6`). Default: the one that the data has, or else the newest tested. It is recorded with the data and may not go down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("string(self).matches('^[0-9]{1,3}([.][0-9]{1,3})?$')").message("`version` must be a major such as '18' or an exact version such as '18.6'"))]
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
