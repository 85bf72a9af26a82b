//! What the provisioner is told of a server that speaks the protocol of Redis, and what the agent before it makes.

use serde::{Deserialize, Serialize};

use super::{Common, User};

/// The folder of such a server: its data, and its users.
pub const CACHE_FOLDER: &str = "/data";
/// Its users, as `ACL SAVE` writes them.
pub const ACL_FILE: &str = "/data/users.acl";
/// Where the agent that begins that file finds the administrator's password.
pub const ADMINISTRATOR_FOLDER: &str = "/etc/microapp/administrator";
/// The administrator. No service begins with an underscore.
pub const ADMINISTRATOR: &str = "__administrator";
/// A user that nobody is: it stands in the file once all others do.
pub const PROVISIONED: &str = "__provisioned";

/// Logins inside a server that speaks the protocol of Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Redis {
    /// Name of the component as bindings call it: `cache`.
    pub component: String,
    /// Where services find it, once it is ready.
    pub host: String,
    /// Where it is found before.
    pub admin_host: String,
    pub port: u16,
    /// The Secret of the administrator, a folder of [`super::LOGINS_FOLDER`].
    pub admin_secret: String,
    pub logins: Vec<CacheLogin>,
}

/// One service's login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheLogin {
    /// The service that it belongs to.
    pub service: String,
    pub username: String,
    /// The Secret with its password, a folder of [`super::LOGINS_FOLDER`].
    pub secret: String,
    pub read_only: bool,
}

impl Redis {
    pub fn common(&self) -> Common<'_> {
        let user = |login: &'_ CacheLogin| User { service: login.service.clone(), secret: login.secret.clone() };
        Common {
            component: &self.component,
            admin_secret: &self.admin_secret,
            users: self.logins.iter().map(user).collect(),
        }
    }
}
