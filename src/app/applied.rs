//! What came of applying: the facts that a report needs beside what was observed.

use std::collections::BTreeSet;

use super::status::Entry;
use crate::kit::{objects::Id, part::PartName};

/// The outcome of one reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Objects that differ from the desired state and were not written: something before them failed, or the
    /// application is paused.
    pub pending: BTreeSet<Id>,
    /// How many were written. What became of them shows in what is observed.
    pub written: usize,
    /// Objects that somebody else owns: name and who.
    pub conflicts: Vec<ObjectNote>,
    /// Objects that the API server refused, and what it said.
    pub refused: Vec<ObjectNote>,
    /// Volumes that the API server does not let grow: they stay as they are, and all else goes on.
    pub unresized: Vec<ObjectNote>,
    /// Secrets that are gone although the volume that they open is there.
    pub lost: Vec<Lost>,
    /// Objects that others keep changing back: left alone for a while.
    pub contested: Vec<ObjectNote>,
    /// Repairs of this reconciliation: object and what had been done to it.
    pub repaired: Vec<ObjectNote>,
    /// Workloads whose pods restart because a Secret changed.
    pub restarted: Vec<ObjectNote>,
    /// What is known to be there as we made it.
    pub inventory: Vec<Entry>,
    /// Objects that could not be written for no fault of theirs, and how many times in a row.
    pub failing: Vec<(ObjectNote, u32)>,
    /// Reading or deleting failed, so that more may be wrong than is known.
    pub failed: Option<Failure>,
}

/// As many failures in a row of one write are taken for a moment's trouble.
const PATIENCE: u32 = 3;

impl Applied {
    /// Objects that could not be written again and again.
    pub fn stuck(&self) -> impl Iterator<Item = &ObjectNote> {
        self.failing.iter().filter(|(_, times)| *times >= PATIENCE).map(|(refusal, _)| refusal)
    }

    /// Reading or deleting failed again and again.
    pub fn unavailable(&self) -> Option<&str> {
        self.failed.as_ref().filter(|failure| failure.times >= PATIENCE).map(|failure| failure.message.as_str())
    }

    /// Whether all that was to be done was done.
    pub fn is_well(&self) -> bool {
        self.failed.is_none()
            && self.failing.is_empty()
            && self.conflicts.is_empty()
            && self.lost.is_empty()
            && self.refused.is_empty()
    }
}

/// Why reading or deleting failed, and how many times in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub times: u32,
}

/// An object, the part that it belongs to, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectNote {
    pub id: Id,
    pub part: PartName,
    pub message: String,
}

/// A Secret without which a volume cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub part: PartName,
    pub secret: String,
    pub claims: Vec<String>,
}
