//! Writes what differs, rank by rank, a few at a time, and says what came of it.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, PartialObjectMeta, Patch, PatchParams, PostParams, ValidationDirective},
};
use serde_json::json;

use super::{
    Error, MANAGER,
    client::{self, within},
    facts,
    index::{AppKey, Index},
    outcome::{Ledger, Outcome},
    plan::{Cause, Memory, Step, Why, step},
    secret::filled,
    whose::{contender, stranger},
};
use crate::app::Applied;
use crate::kit::{
    objects::{Id, Object},
    observed::{Observed, Record},
    scope::APP,
};

/// Writes in flight: more of them make a small API server slower, not faster.
const CONCURRENCY: usize = 8;

/// Writes the objects of one application.
pub struct Applier {
    pub client: Client,
    pub index: Arc<Index>,
    pub key: AppKey,
    /// Version of the operator, for the inventory.
    pub version: String,
}

impl Applier {
    /// Makes the objects so. Nothing of a part is written after something before it could not be: nothing runs before
    /// its policy exists.
    pub async fn apply(&self, objects: &[Object], observed: &Observed, memory: &mut Memory) -> Applied {
        let mut ledger = Ledger { observed, memory, version: &self.version, applied: Applied::default() };
        let mut broken = BTreeSet::new();
        // When nobody answers, each further write would wait for its deadline, and keep other applications waiting.
        let silent = AtomicBool::new(false);
        for rank in objects.chunk_by(|a, b| a.step() == b.step()) {
            let rank: Vec<Cow<'_, Object>> = rank.iter().map(|object| self.owned(object)).collect();
            let (stopped, open): (Vec<_>, Vec<_>) = rank.iter().partition(|object| broken.contains(&object.part));
            ledger.applied.pending.extend(stopped.into_iter().map(|object| object.id()));
            let writes: Vec<_> = open
                .into_iter()
                .map(|object| {
                    let (step, silent) = (self.step(object, observed, ledger.memory), &silent);
                    async move { (object.as_ref(), self.one(object, step, silent).await) }
                })
                .collect();
            let outcomes = futures::stream::iter(writes).buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await;
            for (object, outcome) in outcomes {
                if !ledger.note(object, outcome) {
                    broken.insert(object.part.clone());
                }
            }
        }
        ledger.applied.inventory = ledger.memory.entries(&self.version);
        ledger.applied
    }

    fn step(&self, object: &Object, observed: &Observed, memory: &Memory) -> Step {
        let holds_data = |claim: &str| observed.claim(claim).is_some_and(|it| !it.engine.is_empty());
        step(object, observed.records.get(&object.id()), memory, holds_data, observed.now)
    }

    /// An object that hangs on an anchor of this very reconciliation: its uid is known only now.
    fn owned<'a>(&self, object: &'a Object) -> Cow<'a, Object> {
        let uid = object.unowned().and_then(|anchor| self.index.uid(&self.key, &anchor));
        uid.map_or(Cow::Borrowed(object), |uid| Cow::Owned(object.owned_by(&uid)))
    }

    async fn one(&self, object: &Object, step: Step, silent: &AtomicBool) -> Outcome {
        let (insurance, uid) = match &step {
            Step::Apply { uid, why } => (*why == Why::Insurance, Some(uid.clone())),
            _ => (false, None),
        };
        let writes = !matches!(step, Step::Skip | Step::Hold | Step::Later(_));
        if silent.load(Ordering::Relaxed) && writes && !insurance {
            return Outcome::Later;
        }
        let begun = Instant::now();
        let error = match self.take(object, step).await {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        if error.is_slow(begun.elapsed()) {
            silent.store(true, Ordering::Relaxed);
        }
        match uid.filter(|_| error.is_conflict()) {
            // It is not the object that we know: forget that one, and look at the next reconciliation. What was applied
            // for insurance only is taken for as it should be until then.
            Some(uid) => {
                self.index.forget(&self.key, &object.id(), &uid);
                if insurance { Outcome::Left } else { Outcome::Later }
            }
            None if insurance => Outcome::Unsure(Cause::Failed(error.to_string(), 0)),
            None if error.is_refusal() => Outcome::Failed(Cause::Refused(error.to_string())),
            None => Outcome::Failed(Cause::Failed(error.to_string(), 0)),
        }
    }

    async fn take(&self, object: &Object, step: Step) -> Result<Outcome, Error> {
        match step {
            Step::Skip => Ok(Outcome::Left),
            Step::Hold => Ok(Outcome::Held),
            Step::Later(cause) => Ok(Outcome::StillFailed(cause)),
            Step::Look => self.look(object).await,
            Step::Secret { guarded } => self.secret(object, guarded).await,
            Step::Create => self.create(object).await,
            Step::Contested => {
                let there = self.there(object).await?;
                Ok(Outcome::Contested(contender(&there, &object.body)))
            }
            Step::Apply { uid, why } => {
                let record = Box::new(self.send(object, Some(&uid)).await?);
                Ok(Outcome::Made { record, repaired: why == Why::Repair })
            }
        }
    }

    /// Creates, and touches nothing that is there: an apply that names a version of the object fails unless it is
    /// missing. Only then somebody looks whose it is.
    async fn create(&self, object: &Object) -> Result<Outcome, Error> {
        match self.send(object, None).await {
            Err(error) if error.is_conflict() => {}
            answer => return answer.map(|record| Outcome::Made { record: Box::new(record), repaired: false }),
        }
        let there = self.there(object).await?;
        match stranger(object, &there, &self.key.name) {
            Some(message) => Ok(Outcome::Failed(Cause::Conflict(message))),
            None if object.kind.kind == "ControllerRevision" && !there.labels().contains_key(APP) => {
                self.relabel(object, &there).await.map(|()| Outcome::Later)
            }
            None => self
                .send(object, Some(&there.uid().unwrap_or_default()))
                .await
                .map(|record| Outcome::Made { record: Box::new(record), repaired: true }),
        }
    }

    /// What holds data and lost its label looks as if it were gone, and what it records is not known. It gets its label
    /// back, and the watch tells the rest.
    async fn relabel(&self, object: &Object, there: &PartialObjectMeta<DynamicObject>) -> Result<(), Error> {
        let patch = json!({ "metadata": { "uid": there.uid(), "labels": { APP: self.key.name } } });
        let api = client::objects(&self.client, object.kind, &self.key.namespace);
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() };
        within(api.patch(&object.name, &params, &Patch::Merge(&patch))).await.map(drop)
    }

    async fn look(&self, object: &Object) -> Result<Outcome, Error> {
        match self.there(object).await {
            Ok(there) if !there.labels().contains_key(APP) && stranger(object, &there, &self.key.name).is_none() => {
                self.relabel(object, &there).await.map(|()| Outcome::Held)
            }
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(Outcome::Held),
        }
    }

    /// What is there under an object's name: its metadata.
    async fn there(&self, object: &Object) -> Result<PartialObjectMeta<DynamicObject>, Error> {
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(self.client.clone(), &self.key.namespace, &client::resource(object.kind));
        within(api.get(&object.name)).await
    }

    /// One server-side apply; without a uid it only creates.
    async fn send(&self, object: &Object, uid: Option<&str>) -> Result<Record, Error> {
        let mut body = object.with_hash();
        match uid {
            Some(uid) => body["metadata"]["uid"] = uid.into(),
            None => body["metadata"]["resourceVersion"] = "1".into(),
        }
        let params =
            PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply(MANAGER).force() };
        let api = client::objects(&self.client, object.kind, &self.key.namespace);
        let answer = within(api.patch(&object.name, &params, &Patch::Apply(&body))).await?;
        let record = facts::record(object.kind.kind, &answer);
        let version = answer.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default();
        self.index.put(self.key.clone(), object.id(), version, record.clone(), false);
        Ok(record)
    }

    /// Creates a Secret with a fresh password. A name that is taken is ours: it carries the digits of its data.
    /// `guarded`: something is there that only the old password opens; if a new one could be made, the old one is lost.
    async fn secret(&self, object: &Object, guarded: bool) -> Result<Outcome, Error> {
        let api = client::objects(&self.client, object.kind, &self.key.namespace);
        let params = PostParams { dry_run: guarded, field_manager: Some(MANAGER.into()) };
        let body = filled(object).map_err(|e| Error::Certificate(object.id().to_string(), e))?;
        let body: DynamicObject = serde_json::from_value(body).map_err(|e| Error::Json(object.id().to_string(), e))?;
        match within(api.create(&params, &body)).await {
            Ok(_) if guarded => Ok(Outcome::Lost),
            Ok(_) => Ok(Outcome::SecretThere),
            Err(error) if error.is_conflict() => Ok(Outcome::SecretThere),
            Err(error) => Err(error),
        }
    }
}

/// Objects whose wanted form is not there: what a paused application would change.
pub fn differences(objects: &[Object], observed: &Observed, memory: &Memory) -> Vec<Id> {
    let differs = |o: &&Object| {
        matches!(
            step(o, observed.records.get(&o.id()), memory, |_| true, observed.now),
            Step::Create | Step::Later(_) | Step::Apply { why: Why::Changed | Why::Repair, .. }
        )
    };
    objects.iter().filter(differs).map(Object::id).collect()
}
