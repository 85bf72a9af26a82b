//! What the provisioner is told of a PostgreSQL server.

use serde::{Deserialize, Serialize};

use super::{Common, User};

/// Databases and logins inside a PostgreSQL server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostgreSQL {
    /// Name of the component as bindings call it: `database`.
    pub component: String,
    pub host: String,
    pub port: u16,
    /// The Secret of the administrator, a folder of [`LOGINS_FOLDER`].
    pub admin_secret: String,
    /// Each is owned by a role of its own that nobody can log in as.
    pub databases: Vec<String>,
    /// The major version that it must be, such as `18`. Empty: any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    pub logins: Vec<DatabaseLogin>,
}

/// One service's login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseLogin {
    /// The service that it belongs to.
    pub service: String,
    pub username: String,
    /// The Secret with its password, a folder of [`LOGINS_FOLDER`].
    pub secret: String,
    pub database: String,
    pub read_only: bool,
}

impl PostgreSQL {
    pub fn common(&self) -> Common<'_> {
        let user = |login: &'_ DatabaseLogin| User { service: login.service.clone(), secret: login.secret.clone() };
        Common {
            component: &self.component,
            admin_secret: &self.admin_secret,
            users: self.logins.iter().map(user).collect(),
        }
    }
}
