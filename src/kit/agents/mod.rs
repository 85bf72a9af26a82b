//! What the operator and its agents say to each other. The types only ever gain optional fields, and unknown fields are
//! ignored, so that an operator and an agent two releases apart work together; `tests/golden/agents` holds the form of
//! each release.

mod discover;
mod postgresql;
mod redis;

pub use discover::*;
pub use postgresql::*;
pub use redis::*;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest;

/// Where an agent finds its plan: a ConfigMap mounted at this folder, with the one file [`PLAN_FILE`].
pub const PLAN_FOLDER: &str = "/etc/microapp/plan";
pub const PLAN_FILE: &str = "plan.json";
/// Where the provisioner finds logins: each Secret is a folder of its name, with the files `username` and `password`.
pub const LOGINS_FOLDER: &str = "/etc/microapp/logins";
/// Where the provisioner finds single keys of Secrets that people named: each Secret is a folder of its name, with a
/// file for each key.
pub const SECRETS_FOLDER: &str = "/etc/microapp/secrets";
/// Where it finds the Secrets that are used as a whole, in the same form.
pub const WHOLE_SECRETS_FOLDER: &str = "/etc/microapp/whole-secrets";
/// The key of the report's ConfigMap.
pub const REPORT_KEY: &str = "report.json";
/// The field manager that writes the report.
pub const REPORT_MANAGER: &str = "microapp-provisioner";
/// A report of more bytes is not read.
pub const REPORT_LIMIT: usize = 512 * 1024;
/// The port on which agents answer the kubelet: `/readyz`, `/livez`, and for `discover` also [`drain_path`].
pub const AGENT_PORT: i32 = 9903;

/// What the kubelet asks for when a pod of this workload ends. Agents answer to everybody who reaches the pod, so the
/// path says what only those can know who may read the application: something of its uid.
pub fn drain_path(uid: &str, workload: &str) -> String {
    format!("/drain/{}", digest::of(&("drain", uid, workload)))
}

/// What the provisioner is to make inside servers, and to prove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Plan {
    /// Identifier of the application: the mark of everything that the provisioner makes. Nothing without it is ever
    /// changed or removed. It is stable over deletion and re-creation of the resource, as the data is.
    pub mark: String,
    /// Seconds between two rounds.
    pub interval_seconds: u64,
    pub provisions: Vec<Provision>,
    /// Absent if no service names a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<WatchedSecrets>,
}

/// Secrets of the user whose change rolls the pods that use them. The operator never reads them: it is told a digest
/// that nobody can try passwords against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WatchedSecrets {
    /// The Secret with the key of the digests, a folder of [`LOGINS_FOLDER`].
    pub key: String,
    pub uses: Vec<SecretUse>,
}

/// What is used of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretUse {
    /// A folder of [`SECRETS_FOLDER`], or of [`WHOLE_SECRETS_FOLDER`].
    pub secret: String,
    /// None: all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `stripe/apiKey`, or `stripe` for all of it.
impl std::fmt::Display for SecretUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}/{key}", self.secret),
            None => f.write_str(&self.secret),
        }
    }
}

/// What must exist inside one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine")]
pub enum Provision {
    PostgreSQL(PostgreSQL),
    Redis(Redis),
}

impl Provision {
    /// What all servers have in common.
    pub fn common(&self) -> Common<'_> {
        match self {
            Self::PostgreSQL(server) => server.common(),
            Self::Redis(server) => server.common(),
        }
    }
}

/// What is said of every server.
pub struct Common<'a> {
    /// Name of the component as bindings call it: `database`.
    pub component: &'a str,
    /// The Secret of the administrator, a folder of [`LOGINS_FOLDER`].
    pub admin_secret: &'a str,
    pub users: Vec<User>,
}

/// Who logs in to a server.
pub struct User {
    /// The service that it belongs to; a component has an underscore before its name.
    pub service: String,
    /// The Secret with its password, a folder of [`LOGINS_FOLDER`].
    pub secret: String,
}

/// What the provisioner found. It is written on change only; that it is young is said by the readiness of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// Digest of the plan that this speaks of ([`crate::kit::digest::of_bytes`] of the plan's file). A report on
    /// another plan proves nothing.
    pub plan: String,
    pub proofs: Vec<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretDigests>,
    /// Secrets of administrators that are not there. All bindings may still work: it shows when something has to be
    /// repaired, or the server restarts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// What the Secrets that people named contain, told without telling it. Digests of two keys say nothing about each
/// other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretDigests {
    /// [`WatchedSecrets::key`].
    pub key: String,
    /// The key cannot be read, so nothing is known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub key_missing: bool,
    /// 16 hexadecimal digits for each [`SecretUse`]; none for what is not there.
    pub digests: BTreeMap<String, String>,
}

/// Whether one binding was seen to work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Proof {
    pub service: String,
    /// The component: `database`.
    pub component: String,
    /// The Secret whose login was used.
    pub secret: String,
    pub proved: bool,
    /// Who the server says it is.
    pub identity: String,
    /// One word: `LoggedIn`, `LoginRefused`, `ServerUnreachable`, `SecretMissing` (the Secret named here, and no
    /// other), `AdministratorMissing` (the Secret by which the server is entered to repair it), `SecretUnread` (it may
    /// well be there), `AccessMissing`, `AccessTooWide`, `NotManaged`, `WrongVersion`.
    pub reason: String,
    /// A sentence, without secrets, at most 256 characters. Empty if it is proved.
    pub message: String,
}
