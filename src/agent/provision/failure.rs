//! Why a binding does not work, and what is told of it.

use super::{SECRET_MISSING, SECRET_UNREAD};
use crate::kit::{
    agents::{Proof, User},
    reason,
};

const MESSAGE_CHARACTERS: usize = 256;

/// Why a binding does not work. Each sentence goes to the user, and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    LoginRefused(String),
    #[error("{0}")]
    ServerUnreachable(String),
    #[error("key {key} of Secret {secret} is missing")]
    SecretMissing { secret: String, key: &'static str },
    #[error("key {key} of Secret {secret} cannot be read: {kind}")]
    SecretUnread { secret: String, key: &'static str, kind: std::io::ErrorKind },
    #[error("{0}")]
    AccessMissing(String),
    #[error("{0}")]
    AccessTooWide(String),
    #[error("{0}")]
    NotManaged(String),
    #[error("{0}")]
    WrongVersion(String),
}

impl Failure {
    /// Of two Secrets that can be missing, the proof's own alone is `SecretMissing`: a new one is made for it, which
    /// would not help if the other one is gone.
    fn reason(&self, own: &str) -> &'static str {
        match self {
            Self::LoginRefused(_) => reason::LOGIN_REFUSED.name(),
            Self::ServerUnreachable(_) => reason::SERVER_UNREACHABLE.name(),
            Self::SecretMissing { secret, .. } if secret == own => SECRET_MISSING,
            Self::SecretMissing { .. } => reason::ADMINISTRATOR_MISSING.name(),
            Self::SecretUnread { .. } => SECRET_UNREAD,
            Self::AccessMissing(_) => reason::ACCESS_MISSING.name(),
            Self::AccessTooWide(_) => reason::ACCESS_TOO_WIDE.name(),
            Self::NotManaged(_) => reason::NOT_MANAGED.name(),
            Self::WrongVersion(_) => reason::WRONG_VERSION.name(),
        }
    }

    pub fn explain(&self, proof: &mut Proof) {
        proof.reason = self.reason(&proof.secret).into();
        proof.message = self.to_string().chars().take(MESSAGE_CHARACTERS).collect();
    }
}

/// What is told of a binding: who the server says the user is, or why it does not work.
pub fn proof(component: &str, user: User, outcome: Result<String, Failure>) -> Proof {
    let User { service, secret } = user;
    let mut proof = Proof { service, component: component.into(), secret, ..Default::default() };
    match outcome {
        Ok(identity) => {
            proof.proved = true;
            proof.reason = reason::LOGGED_IN.into();
            proof.identity = identity;
        }
        Err(failure) => failure.explain(&mut proof),
    }
    proof
}
