//! The only room that writes to Kubernetes. It knows how to read and write objects, and nothing of applications.

pub mod apply;
pub mod changes;
pub mod client;
pub mod facts;
pub mod fields;
pub mod handshake;
pub mod index;
pub mod leader;
mod outcome;
pub mod plan;
pub mod prune;
pub mod publish;
mod secret;
pub mod unstick;
pub mod watch;
pub mod whose;
mod wire;

use std::time::Duration;

/// The one field manager for content.
pub const MANAGER: &str = "microapp";

/// An answer that takes so long keeps others waiting.
const SLOW: Duration = Duration::from_secs(3);

/// Why reading or writing failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API server did not answer within {0} s")]
    Late(u64),
    #[error("{0}{advice}", advice = advice(&.0.message))]
    Api(Box<kube::core::Status>),
    #[error("{0}")]
    Client(Box<kube::Error>),
    #[error("{0} cannot be written as JSON: {1}")]
    Json(String, serde_json::Error),
    #[error("the certificate of {0} cannot be made: {1}")]
    Certificate(String, rcgen::Error),
}

/// What the API server does not say: how to let the operator change an owner where the admission plugin
/// OwnerReferencesPermissionEnforcement is at work.
fn advice(message: &str) -> &'static str {
    let enforced = message.contains("cannot set an ownerRef on a resource you can't delete");
    if enforced { "; this cluster asks for that right: install the chart with rbac.ownerReferences=true" } else { "" }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Api(status),
            other => Self::Client(Box::new(other)),
        }
    }
}

impl Error {
    fn status(&self) -> Option<&kube::core::Status> {
        if let Self::Api(status) = self { Some(status) } else { None }
    }

    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_not_found)
    }

    /// Somebody was faster, or the object is another one than we thought.
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(|s| s.is_conflict() || s.is_already_exists())
    }

    /// Nobody answered in time, or the API server took long to say that it cannot: so will the next request.
    pub fn is_slow(&self, took: Duration) -> bool {
        let overloaded = || self.status().is_some_and(|s| s.code >= 500 || s.code == 429);
        matches!(self, Self::Late(_)) || (took >= SLOW && overloaded())
    }

    /// The API server understood, and its definition or a policy does not allow it: 422.
    pub fn is_invalid(&self) -> bool {
        self.status().is_some_and(|s| s.code == 422)
    }

    /// The API server understood and said no: trying again changes nothing until somebody changes something.
    pub fn is_refusal(&self) -> bool {
        let ending = |s: &kube::core::Status| {
            s.details.iter().flat_map(|d| &d.causes).any(|c| c.reason == "NamespaceTerminating")
        };
        self.status().is_some_and(|s| matches!(s.code, 400 | 403 | 413 | 422) && !ending(s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_guards_owners_is_explained() {
        let refused = |message: &str| {
            Error::Api(Box::new(kube::core::Status { message: message.into(), code: 403, ..Default::default() }))
                .to_string()
        };
        let guarded = "controllerrevisions.apps \"a\" is forbidden: cannot set an ownerRef on a resource you can't \
            delete: , <nil>";
        assert!(refused(guarded).contains("rbac.ownerReferences=true"));
        assert!(!refused("pods \"a\" is forbidden").contains("ownerReferences"));
    }
}
