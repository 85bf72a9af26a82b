//! The objects that an application is to consist of.

use serde::Serialize;
use serde_json::Value;

use super::{digest, owned::Owned};

/// The annotation that says what was rendered: equal digests need no write.
pub const HASH: &str = "microapp.dev/hash";

/// One object, complete but for its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub kind: &'static Owned,
    pub name: String,
    /// The part that it belongs to, as in status: `database`, `service/orders`.
    pub part: String,
    pub body: Value,
    pub gate: Gate,
    pub secret: Option<Secret>,
}

/// Whether an object may be touched now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    #[default]
    Open,
    /// It is neither created nor changed nor pruned. Says what it waits for, in words for the user.
    Hold(Vec<String>),
}

/// What is peculiar to a Secret of ours: its password is made at the moment of creation, and is never read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The key that gets a fresh password.
    pub key: String,
    /// The claim whose data nobody can open without this Secret. If that claim exists and the Secret does not, the Secret is lost, and a new one would open nothing.
    pub opens: Option<String>,
}

/// `<Kind>/<name>`: identifies an object within the namespace of its application.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    pub kind: &'static str,
    pub name: String,
}

impl Id {
    /// Reads what [`Id`]'s `Display` wrote. None for kinds that this release does not own.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        Some(Self { kind: Owned::of(kind)?.kind, name: name.into() })
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Object {
    pub fn id(&self) -> Id {
        Id { kind: self.kind.kind, name: self.name.clone() }
    }

    pub fn is_held(&self) -> bool {
        matches!(self.gate, Gate::Hold(_))
    }

    /// Objects of one step are written side by side, after those of the step before. What opens data comes first among Secrets: without it no other is made.
    pub fn step(&self) -> (u8, bool) {
        (self.kind.rank, self.secret.as_ref().is_some_and(|secret| secret.opens.is_none()))
    }

    /// The anchor that it hangs on, if that was not there yet when it was built.
    pub fn unowned(&self) -> Option<Id> {
        let owner = self
            .body
            .pointer("/metadata/ownerReferences/0")
            .filter(|owner| owner["uid"] == "" && owner["kind"] == "ControllerRevision")?;
        Some(Id { kind: "ControllerRevision", name: owner["name"].as_str()?.into() })
    }

    /// The same object, hanging on an anchor that has a uid now.
    pub fn owned_by(&self, uid: &str) -> Self {
        let mut object = self.clone();
        object.body["metadata"]["ownerReferences"][0]["uid"] = uid.into();
        object
    }

    /// Digest of all that was rendered.
    pub fn hash(&self) -> String {
        digest::of(&self.body)
    }

    /// What is sent: the body with its digest as annotation.
    pub fn sealed(&self) -> Value {
        let mut body = self.body.clone();
        body["metadata"]["annotations"][HASH] = self.hash().into();
        body
    }
}

/// Collects what the parts are made of.
#[derive(Debug, Default)]
pub struct Objects(Vec<Object>);

impl Objects {
    /// Adds an object to a part. Kinds that [`super::owned::OWNED`] does not know are a mistake in our own code, which the invariants find: they are not added.
    pub fn push<K: Serialize + kube::Resource<DynamicType = ()>>(&mut self, part: &str, object: &K) {
        self.add(part, object, None);
    }

    /// Adds a Secret whose password is made when it is created.
    pub fn push_secret(&mut self, part: &str, object: &k8s_openapi::api::core::v1::Secret, secret: Secret) {
        self.add(part, object, Some(secret));
    }

    fn add<K: Serialize + kube::Resource<DynamicType = ()>>(&mut self, part: &str, object: &K, secret: Option<Secret>) {
        let (Some(kind), Some(name), Ok(body)) =
            (Owned::of(&K::kind(&())), object.meta().name.clone(), serde_json::to_value(object))
        else {
            debug_assert!(false, "{} is not owned or has no name", K::kind(&()));
            return;
        };
        self.0.push(Object { kind, name, part: part.into(), body, gate: Gate::Open, secret });
    }

    /// Lets an engine change what is peculiar to it in an object that its workload made.
    pub fn amend_since(&mut self, from: usize, kind: &str, change: impl Fn(&mut Value)) {
        self.0
            .iter_mut()
            .skip(from)
            .filter(|object| object.kind.kind == kind)
            .for_each(|object| change(&mut object.body));
    }

    /// Holds every object of a part from `from` on (an index that [`Objects::len`] gave).
    pub fn hold_since(&mut self, from: usize, waits: &[String]) {
        if !waits.is_empty() {
            self.0.iter_mut().skip(from).for_each(|object| object.gate = Gate::Hold(waits.to_vec()));
        }
    }

    /// Holds the workloads among the objects since `from`, with the files that running pods would see change. What others reach them by stays open.
    pub fn hold_workloads_since(&mut self, from: usize, waits: &[String]) {
        if !waits.is_empty() {
            let held = self
                .0
                .iter_mut()
                .skip(from)
                .filter(|object| matches!(object.kind.kind, "Deployment" | "StatefulSet" | "ConfigMap"));
            held.for_each(|object| object.gate = Gate::Hold(waits.to_vec()));
        }
    }

    /// Scales to nothing the StatefulSets among the objects since `from` that run, although they are held.
    pub fn drain_since(&mut self, from: usize, running: impl Fn(&str) -> bool) {
        for object in
            self.0.iter_mut().skip(from).filter(|object| object.kind.kind == "StatefulSet" && running(&object.name))
        {
            object.body["spec"]["replicas"] = 0.into();
            object.gate = Gate::Open;
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of applying.
    pub fn into_sorted(mut self) -> Vec<Object> {
        self.0.sort_by(|a, b| (a.step(), a.kind.kind, &a.name).cmp(&(b.step(), b.kind.kind, &b.name)));
        self.0
    }
}
