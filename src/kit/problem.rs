//! A mistake of the user, and where it stands.

use super::reason::Reason;

/// A mistake in the specification. Problems are collected, never thrown: the user sees all of them at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the field, as the API server writes it: `spec.services[2].routes[0].path`.
    pub path: String,
    /// One word for the kind of mistake, as it stands in a condition.
    pub reason: Reason,
    /// A sentence that says what to write instead.
    pub message: String,
}

impl Problem {
    pub fn new(path: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self { path: path.into(), reason, message: message.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
