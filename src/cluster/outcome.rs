//! What came of writing objects, kept for the status and for the next reconciliation.

use super::plan::{Cause, Memory};
use crate::app::{
    Applied,
    applied::{Lost, ObjectNote},
};
use crate::kit::{
    objects::Object,
    observed::{Observed, Record},
};

/// What came of one object.
pub(super) enum Outcome {
    Left,
    Held,
    Made {
        record: Box<Record>,
        repaired: bool,
    },
    SecretThere,
    /// Nothing of the part goes on before the next reconciliation: what is there is not known, or nobody answers.
    Later,
    /// As far as is known it is as desired, whatever came of this write.
    Unsure(Cause),
    Lost,
    Contested(String),
    Failed(Cause),
    /// It failed before, and was not tried again.
    StillFailed(Cause),
}

/// Collects outcomes.
pub(super) struct Ledger<'a> {
    pub observed: &'a Observed,
    pub memory: &'a mut Memory,
    /// Version of the operator, for the inventory.
    pub version: &'a str,
    pub applied: Applied,
}

impl Ledger<'_> {
    /// Keeps what came of an object. False: its part cannot go on.
    pub fn note(&mut self, object: &Object, outcome: Outcome) -> bool {
        let Some(failure) = self.settled(object, outcome) else { return true };
        self.unsettled(object, failure);
        self.applied.pending.insert(object.id());
        false
    }

    /// Answers an outcome that its part cannot go on with, and keeps the others.
    fn settled(&mut self, object: &Object, outcome: Outcome) -> Option<Outcome> {
        let (id, now) = (object.id(), self.observed.now);
        match outcome {
            Outcome::Left | Outcome::Held => self.memory.recovered(&id),
            Outcome::Unsure(cause) => drop(self.memory.fail(object, cause, now)),
            Outcome::Made { record, repaired } => {
                self.memory.note(id, record.hash.clone(), record.fingerprint, self.version, repaired, now);
                if repaired {
                    self.applied.repaired.push(note(object, "reverted a change by another manager".into()));
                }
                self.applied.written += 1;
            }
            Outcome::SecretThere => {
                self.memory.recovered(&id);
                self.memory.note(id, object.hash(), String::new(), self.version, false, now);
            }
            Outcome::Contested(who) => {
                let message = format!("{id}: {who}; it is left alone for a few minutes");
                self.applied.contested.push(note(object, message));
            }
            Outcome::Failed(Cause::Refused(message)) if self.is_claim_that_exists(object) => {
                let message =
                    format!("volume {} stays as it is, for the API server refuses to change it: {message}", id.name);
                self.applied.unresized.push(note(object, message));
            }
            failure => return Some(failure),
        }
        None
    }

    fn is_claim_that_exists(&self, object: &Object) -> bool {
        object.kind.kind == "PersistentVolumeClaim" && self.observed.claim(&object.name).is_some()
    }

    fn unsettled(&mut self, object: &Object, failure: Outcome) {
        match failure {
            Outcome::Lost => self.applied.lost.push(Lost {
                part: object.part.clone(),
                secret: object.name.clone(),
                claims: object.secret.clone().map(|secret| secret.opens).unwrap_or_default(),
            }),
            Outcome::Failed(cause) => {
                let times = self.memory.fail(object, cause.clone(), self.observed.now);
                if times == 1 {
                    tracing::warn!(object = %object.id(), ?cause, "an object cannot be written");
                }
                self.tell(object, cause, times);
            }
            Outcome::StillFailed(cause) => {
                let times = if let Cause::Failed(_, times) = cause { times } else { 1 };
                self.tell(object, cause, times);
            }
            _ => {}
        }
    }

    /// Keeps why an object could not be written, for the status.
    fn tell(&mut self, object: &Object, cause: Cause, times: u32) {
        match cause {
            Cause::Conflict(message) => self.applied.conflicts.push(note(object, message)),
            Cause::Refused(message) => self.applied.refused.push(note(object, message)),
            Cause::Failed(message, _) => self.applied.failing.push((note(object, message), times)),
        }
    }
}

fn note(object: &Object, message: String) -> ObjectNote {
    ObjectNote { id: object.id(), part: object.part.clone(), message }
}
