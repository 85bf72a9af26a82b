//! Writes what differs, rank by rank, a few at a time, and says what came of it.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::Engine;
use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, PartialObjectMeta, Patch, PatchParams, PostParams, ValidationDirective},
};
use rand::{RngExt, distr::Alphanumeric};
use serde_json::{Value, json};

use super::{
    Error, MANAGER,
    client::{self, within},
    facts,
    index::{AppKey, Index},
    plan::{Cause, Memory, Step, Why, step},
    whose::{contender, stranger},
};
use crate::app::{
    Applied,
    applied::{Lost, ObjectNote},
};
use crate::kit::{
    credentials::Form,
    objects::{Id, Object},
    observed::{Observed, Record},
    scope::APP,
};

/// Writes in flight: more of them make a small API server slower, not faster.
const CONCURRENCY: usize = 8;
/// Characters of a password: letters and digits, so that no address that it stands in needs escaping.
const PASSWORD_LENGTH: usize = 32;

/// Writes the objects of one application.
pub struct Applier {
    pub client: Client,
    pub index: Arc<Index>,
    pub key: AppKey,
    /// Version of the operator, for the inventory.
    pub version: String,
}

/// What came of one object.
enum Outcome {
    Left,
    Held,
    Made {
        record: Box<Record>,
        repaired: bool,
    },
    SecretThere,
    /// Nothing of the part goes on before the next pass: what is there is not known, or nobody answers.
    Later,
    /// As far as is known it is as desired, whatever came of this write.
    Unsure(Cause),
    Lost,
    Contested(String),
    Failed(Cause),
    /// It failed before, and was not tried again.
    StillFailed(Cause),
}

impl Applier {
    /// Makes the objects so. Nothing of a part is written after something before it could not be: nothing runs before its policy exists.
    pub async fn apply(&self, objects: &[Object], observed: &Observed, memory: &mut Memory) -> Applied {
        let mut applied = Applied::default();
        let mut broken = BTreeSet::new();
        // When nobody answers, each further write would wait for its deadline, and keep other applications waiting.
        let silent = AtomicBool::new(false);
        for rank in objects.chunk_by(|a, b| a.step() == b.step()) {
            let rank: Vec<Cow<'_, Object>> = rank.iter().map(|object| self.owned(object)).collect();
            applied
                .pending
                .extend(rank.iter().filter(|object| broken.contains(&object.part)).map(|object| object.id()));
            let mut writes = vec![];
            for object in rank.iter().filter(|object| !broken.contains(&object.part)) {
                let step = step(
                    object,
                    observed.records.get(&object.id()),
                    memory,
                    |claim| observed.claim(claim).is_some_and(|it| !it.engine.is_empty()),
                    observed.now,
                );
                let silent = &silent;
                writes.push(async move { (object.as_ref(), self.one(object, step, silent).await) });
            }
            for (object, outcome) in
                futures::stream::iter(writes).buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await
            {
                if !self.note(object, outcome, observed, memory, &mut applied) {
                    broken.insert(object.part.clone());
                }
            }
        }
        applied.inventory = memory.entries(&self.version);
        applied
    }

    /// An object that hangs on an anchor of this very pass: its uid is known only now.
    fn owned<'a>(&self, object: &'a Object) -> Cow<'a, Object> {
        let uid = object.unowned().and_then(|anchor| self.index.uid(&self.key, &anchor));
        uid.map_or(Cow::Borrowed(object), |uid| Cow::Owned(object.owned_by(&uid)))
    }

    /// Keeps what came of an object. False: its part cannot go on.
    fn note(
        &self,
        object: &Object,
        outcome: Outcome,
        observed: &Observed,
        memory: &mut Memory,
        applied: &mut Applied,
    ) -> bool {
        let (id, part) = (object.id(), object.part.clone());
        let refusal = |message: String| ObjectNote { id: id.clone(), part: part.clone(), message };
        match outcome {
            Outcome::Left | Outcome::Held => {
                memory.recovered(&id);
                return true;
            }
            Outcome::Unsure(cause) => {
                memory.fail(object, cause, observed.now);
                return true;
            }
            Outcome::Made { record, repaired } => {
                memory.note(id.clone(), record.hash.clone(), record.fingerprint, &self.version, repaired, observed.now);
                if repaired {
                    applied.repaired.push(refusal("reverted a change by another manager".into()));
                }
                applied.written += 1;
                return true;
            }
            Outcome::SecretThere => {
                memory.recovered(&id);
                memory.note(id, object.hash(), String::new(), &self.version, false, observed.now);
                return true;
            }
            Outcome::Later => {}
            Outcome::Lost => applied.lost.push(Lost {
                part,
                secret: id.name,
                claims: object.secret.clone().map(|s| s.opens).unwrap_or_default(),
            }),
            Outcome::Failed(Cause::Refused(message))
                if id.kind == "PersistentVolumeClaim" && observed.claim(&id.name).is_some() =>
            {
                applied.unresized.push(refusal(format!(
                    "volume {} stays as it is, for the API server refuses to change it: {message}",
                    id.name
                )));
                return true;
            }
            Outcome::Failed(cause) => {
                let times = memory.fail(object, cause.clone(), observed.now);
                if times == 1 {
                    tracing::warn!(app = self.key.name, namespace = self.key.namespace, object = %id, ?cause, "an object cannot be written");
                }
                told(applied, refusal, cause, times);
            }
            Outcome::StillFailed(cause) => {
                let times = if let Cause::Failed(_, times) = cause { times } else { 1 };
                told(applied, refusal, cause, times);
            }
            Outcome::Contested(who) => {
                applied.contested.push(refusal(format!("{id}: {who}; it is left alone for a few minutes")));
                return true;
            }
        }
        applied.pending.insert(object.id());
        false
    }

    async fn one(&self, object: &Object, step: Step, silent: &AtomicBool) -> Outcome {
        let (insurance, uid) = match &step {
            Step::Apply { uid, why } => (*why == Why::Insurance, Some(uid.clone())),
            _ => (false, None),
        };
        if silent.load(Ordering::Relaxed) && !matches!(step, Step::Skip | Step::Hold | Step::Later(_)) && !insurance {
            return Outcome::Later;
        }
        let answer = match step {
            Step::Skip => return Outcome::Left,
            Step::Hold => return Outcome::Held,
            Step::Later(cause) => return Outcome::StillFailed(cause),
            Step::Look => self.look(object).await,
            Step::Secret { guarded } => self.secret(object, guarded).await,
            Step::Create => self.create(object).await,
            Step::Contested => {
                self.there(object).await.map(|there| Outcome::Contested(contender(&there, &object.body)))
            }
            Step::Apply { uid, why } => self
                .send(object, Some(&uid))
                .await
                .map(|record| Outcome::Made { record: Box::new(record), repaired: why == Why::Repair }),
        };
        let error = match answer {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        if matches!(error, Error::Late(_)) {
            silent.store(true, Ordering::Relaxed);
        }
        match uid.filter(|_| error.is_conflict()) {
            // It is not the object that we know: forget that one, and look at the next pass.
            Some(uid) => {
                self.index.forget(&self.key, &object.id(), &uid);
                Outcome::Later
            }
            None if insurance => Outcome::Unsure(Cause::Failed(error.to_string(), 0)),
            None if error.is_refusal() => Outcome::Failed(Cause::Refused(error.to_string())),
            None => Outcome::Failed(Cause::Failed(error.to_string(), 0)),
        }
    }

    /// Creates, and touches nothing that is there: an apply that names a version of the object fails unless it is missing. Only then somebody looks whose it is.
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

    /// What holds data and lost its label looks as if it were gone, and what it records is not known. It gets its label back, and the watch tells the rest.
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

    /// Creates a Secret with a fresh password. A name that is taken is ours: it carries the digits of its data. `guarded`: something is there that only the
    /// old password opens; if a new one could be made, the old one is lost.
    async fn secret(&self, object: &Object, guarded: bool) -> Result<Outcome, Error> {
        let api = client::objects(&self.client, object.kind, &self.key.namespace);
        let params = PostParams { dry_run: guarded, field_manager: Some(MANAGER.into()) };
        let body: DynamicObject =
            serde_json::from_value(filled(object)).map_err(|e| Error::Json(object.id().to_string(), e))?;
        match within(api.create(&params, &body)).await {
            Ok(_) if guarded => Ok(Outcome::Lost),
            Ok(_) => Ok(Outcome::SecretThere),
            Err(error) if error.is_conflict() => Ok(Outcome::SecretThere),
            Err(error) => Err(error),
        }
    }
}

/// Keeps why an object could not be written, for the report.
fn told(applied: &mut Applied, refusal: impl Fn(String) -> ObjectNote, cause: Cause, times: u32) {
    match cause {
        Cause::Conflict(message) => applied.conflicts.push(refusal(message)),
        Cause::Refused(message) => applied.refused.push(refusal(message)),
        Cause::Failed(message, _) => applied.failing.push((refusal(message), times)),
    }
}

fn filled(object: &Object) -> Value {
    let mut body = object.with_hash();
    if let Some(secret) = &object.secret {
        body["stringData"][&secret.key] = random(secret.form).into();
    }
    body
}

/// A fresh random value.
fn random(form: Form) -> String {
    let mut rng = rand::rng();
    match form {
        Form::Password => (&mut rng).sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect(),
        Form::Base64(bytes) => {
            let key: Vec<u8> = (&mut rng).random_iter().take(bytes).collect();
            base64::prelude::BASE64_STANDARD.encode(key)
        }
        Form::Uuid => uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string(),
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
