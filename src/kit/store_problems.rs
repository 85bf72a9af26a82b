//! What keeps data from being used, and what of it is not as it is asked for.

use super::{
    observed::{Anchor, Claim},
    problem::Problem,
    reason::{self, Reason},
    store::{GOING, Store, purge},
    volumes,
};

/// One claim of a store with its anchor.
struct Place<'a> {
    store: &'a Store<'a>,
    claim: &'a str,
    anchor: String,
}

impl Store<'_> {
    /// What keeps the data from being used; while it does, nothing of the part is touched.
    pub fn obstacle(&self) -> Option<Problem> {
        self.claims().iter().find_map(|claim| self.place(claim).obstacle())
    }

    /// What of the specification does not hold, or soon will not, while the data goes on being used.
    pub fn hints(&self) -> Vec<Problem> {
        self.claims().iter().flat_map(|claim| self.place(claim).hints()).collect()
    }

    /// Whether its claims are being deleted while servers still use them: those have to end first.
    pub fn is_leaving(&self) -> bool {
        self.claims().iter().any(|claim| self.scope.observed.claim(claim).is_some_and(|claim| claim.deleting))
    }

    fn place<'a>(&'a self, claim: &'a str) -> Place<'a> {
        Place { store: self, claim, anchor: self.anchor() }
    }
}

impl Place<'_> {
    fn obstacle(&self) -> Option<Problem> {
        let (claim, anchor) = (self.there(), self.store.scope.observed.anchor(&self.anchor).map(|(_, anchor)| anchor));
        let owner = self.store.scope.observed.anchor(&self.anchor).map(|(uid, _)| uid);
        let found = self
            .going(claim, anchor, owner)
            .or_else(|| self.foreign(claim, anchor))
            .or_else(|| self.lost(claim, anchor))
            .or_else(|| self.unbound(claim, anchor));
        found.map(|(reason, message)| self.problem(reason, message))
    }

    fn hints(&self) -> Vec<Problem> {
        let Some(there) = self.there().filter(|_| self.obstacle().is_none()) else { return vec![] };
        let mut hints = vec![];
        if there.deleting {
            hints.push((reason::VOLUME_BEING_DELETED, self.leaving()));
        }
        let size = volumes::size(self.store.storage).0;
        if volumes::bytes(&size) < volumes::bytes(&there.request) {
            let message =
                format!("volume {} keeps its size, for volumes only grow; write `size: {}`", self.claim, there.request);
            hints.push((reason::VOLUME_KEEPS_ITS_SIZE, message));
        }
        let wanted = self.store.storage.and_then(|storage| storage.class_name.as_ref());
        if let (Some(_), Some(is)) = (wanted.filter(|wanted| there.class.as_ref() != Some(wanted)), &there.class) {
            let message = format!(
                "volume {} keeps its class, for data does not move by itself; write `className: {is}`",
                self.claim
            );
            hints.push((reason::VOLUME_KEEPS_ITS_CLASS, message));
        }
        hints.into_iter().map(|(reason, message)| self.problem(reason, message)).collect()
    }

    fn problem(&self, reason: Reason, message: String) -> Problem {
        let role = self.store.part.role().map(|role| role.name()).unwrap_or_default();
        Problem::new(format!("spec.{role}"), reason, message)
    }

    fn there(&self) -> Option<&Claim> {
        self.store.scope.observed.claim(self.claim)
    }

    fn leaving(&self) -> String {
        format!(
            "somebody deleted the volume claim {}; its data goes when the pod that uses it ends. Copy it while the \
                pod runs; nothing empty takes its place",
            self.claim
        )
    }

    /// An anchor or claim that is being deleted, or that belongs to what is gone: the garbage collector is about to
    /// take it.
    fn going(&self, claim: Option<&Claim>, anchor: Option<&Anchor>, uid: Option<&str>) -> Option<(Reason, String)> {
        let of_another = anchor.and_then(|anchor| anchor.app.as_deref()).is_some_and(|uid| uid != self.store.scope.uid);
        let orphaned = claim.and_then(|claim| claim.anchor.as_deref()).is_some_and(|owner| Some(owner) != uid);
        let leaving = anchor.map_or_else(|| claim.is_some_and(|claim| claim.deleting), |anchor| anchor.deleting);
        let going = leaving || of_another || orphaned;
        let message = if of_another {
            format!(
                "the data under {} goes with an application of this name that was deleted; new data is begun once it \
                    is gone",
                self.anchor
            )
        } else {
            format!("the data under {} is being deleted; new data is begun once it is gone", &self.anchor)
        };
        going.then_some((GOING, message))
    }

    /// Another engine would not open it, or worse, would start again beside it.
    fn foreign(&self, claim: Option<&Claim>, anchor: Option<&Anchor>) -> Option<(Reason, String)> {
        let unread = |major: &str| !major.is_empty() && !(self.store.reads)(major, &self.store.major);
        let written = |engine: &String| !engine.is_empty() && engine != self.store.engine;
        let there = claim.filter(|claim| !claim.deleting && claim.may_hold_data());
        let is = match there {
            Some(claim) if written(&claim.engine) || unread(&claim.major) => {
                (claim.engine.clone(), claim.major.clone())
            }
            Some(claim) if !claim.engine.is_empty() => return None,
            // What the anchor was made for matters only if something was kept.
            _ => anchor
                .filter(|anchor| written(&anchor.engine) && anchor.volumes.iter().any(|name| name == self.claim))
                .map(|anchor| (anchor.engine.clone(), anchor.major.clone()))?,
        };
        let ask =
            if is.0 == self.store.engine { format!("`version: '{}'`", is.1) } else { format!("`engine: {}`", is.0) };
        let message = format!(
            "volume {} holds data of {} {}, and `{}` asks for {} {}; write {ask}, or throw the data away: {}",
            self.claim,
            is.0,
            is.1,
            self.store.part,
            self.store.engine,
            self.store.major,
            purge(self.store.scope.namespace, &self.anchor)
        );
        Some((reason::VOLUME_OF_ANOTHER_ENGINE, message))
    }

    /// Data that was there and is not: an empty volume in its place would look as if all were well.
    fn lost(&self, claim: Option<&Claim>, anchor: Option<&Anchor>) -> Option<(Reason, String)> {
        let held = anchor.is_some_and(|anchor| anchor.volumes.iter().any(|name| name == self.claim));
        let gone = claim.is_none_or(|claim| claim.lost);
        let message = format!(
            "volume {} held data and is gone; nothing is started on an empty one. Put it back from a backup, or \
                start again without the data: {}",
            self.claim,
            purge(self.store.scope.namespace, &self.anchor)
        );
        (held && gone).then_some((reason::VOLUME_LOST, message))
    }

    /// A claim that waits for a class that is not asked for any more. It never held anything.
    fn unbound(&self, claim: Option<&Claim>, anchor: Option<&Anchor>) -> Option<(Reason, String)> {
        let recorded = anchor.is_some_and(|anchor| anchor.volumes.iter().any(|name| name == self.claim));
        let claim = claim.filter(|claim| !claim.may_hold_data() && !claim.deleting && !recorded)?;
        let wanted = self.store.storage.and_then(|storage| storage.class_name.as_ref());
        let differs = wanted != claim.class.as_ref() && (wanted.is_some() || claim.class_is_ours);
        let class = claim.class.as_deref().unwrap_or_default();
        let message = format!(
            "volume claim {} still waits for class '{class}' and holds nothing; to let it be created again with the \
                class that is asked for now: \
             kubectl -n {} delete persistentvolumeclaim {}",
            self.claim, self.store.scope.namespace, self.claim
        );
        differs.then_some((reason::VOLUME_OF_ANOTHER_CLASS, message))
    }
}
