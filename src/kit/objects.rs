//! The objects that an application is to consist of.

use serde::Serialize;
use serde_json::Value;

use super::{credentials::Form, digest, owned::Owned, part::PartName};

/// The annotation that says what was rendered: equal digests need no write.
pub const HASH: &str = "microapp.dev/hash";

/// One object, complete but for its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub kind: &'static Owned,
    pub name: String,
    pub part: PartName,
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

/// What is peculiar to a Secret of ours: a random value that is made when the Secret is, and is never read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub form: Form,
    /// The claims whose data nobody can open without this Secret. If one of them exists and the Secret does not, the
    /// Secret is lost, and a new one would open nothing.
    pub opens: Vec<String>,
}

/// `<Kind>/<name>`, or `<Kind>.<group>/<name>` for a foreign kind: identifies an object within the namespace of its
/// application.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    pub kind: &'static str,
    pub name: String,
}

impl Id {
    /// Reads what [`Id`]'s `Display` wrote. None for kinds that this release does not own.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        Some(Self { kind: Owned::of(kind)?.key, name: name.into() })
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Object {
    pub fn id(&self) -> Id {
        Id { kind: self.kind.key, name: self.name.clone() }
    }

    /// It makes pods.
    pub fn is_workload(&self) -> bool {
        matches!(self.kind.kind, "Deployment" | "StatefulSet")
    }

    /// Name of the container that a workload is made for; agents stand beside it.
    pub fn main_container(&self) -> Option<&str> {
        self.body.pointer("/spec/template/spec/containers/0/name")?.as_str()
    }

    /// Where others reach the pods of a Service: its name and first port. A headless one is for its members alone.
    pub fn address(&self) -> Option<String> {
        let spec = &self.body["spec"];
        let serves = self.kind.kind == "Service" && spec["clusterIP"] != "None";
        serves.then(|| Some(format!("{}:{}", self.name, spec.pointer("/ports/0/port")?)))?
    }

    /// It is a Service that a load balancer of the cluster is to give an address.
    pub fn is_balanced(&self) -> bool {
        self.kind.kind == "Service" && self.body["spec"]["type"] == "LoadBalancer"
    }

    pub fn is_held(&self) -> bool {
        matches!(self.gate, Gate::Hold(_))
    }

    /// Objects of one step are written side by side, after those of the step before. What opens data comes first among
    /// Secrets: without it no other is made.
    pub fn step(&self) -> (u8, bool) {
        (self.kind.rank, self.secret.as_ref().is_some_and(|secret| secret.opens.is_empty()))
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
        digest::of_json(&self.body)
    }

    /// What is sent: the body with its digest as annotation.
    pub fn with_hash(&self) -> Value {
        let mut body = self.body.clone();
        body["metadata"]["annotations"][HASH] = self.hash().into();
        body
    }
}

/// What parts are made of.
#[derive(Clone, Debug, Default)]
pub struct Objects(Vec<Object>);

impl Objects {
    /// Adds an object to a part. A kind that [`super::owned::OWNED`] does not have is a mistake in our own code, which
    /// the invariants find: it is not added.
    pub fn push<K: Serialize + kube::Resource<DynamicType = ()>>(&mut self, part: &PartName, object: &K) {
        self.add(part, object, None);
    }

    /// Adds a Secret whose value is made when it is created.
    pub fn push_secret(&mut self, part: &PartName, object: &k8s_openapi::api::core::v1::Secret, secret: Secret) {
        self.add(part, object, Some(secret));
    }

    fn add<K: Serialize + kube::Resource<DynamicType = ()>>(
        &mut self,
        part: &PartName,
        object: &K,
        secret: Option<Secret>,
    ) {
        let (Some(kind), Some(name), Ok(body)) =
            (Owned::of(&K::kind(&())), object.meta().name.clone(), serde_json::to_value(object))
        else {
            debug_assert!(false, "{} is not owned or has no name", K::kind(&()));
            return;
        };
        self.0.push(Object { kind, name, part: part.clone(), body, gate: Gate::Open, secret });
    }

    /// Adds an object of a kind that is not of Kubernetes itself: its body without `apiVersion` and `kind`.
    pub fn push_foreign(&mut self, part: &PartName, kind: &'static Owned, name: &str, mut body: Value) {
        body["apiVersion"] = kind.api_version().into();
        body["kind"] = kind.kind.into();
        self.0.push(Object { kind, name: name.into(), part: part.clone(), body, gate: Gate::Open, secret: None });
    }

    pub fn extend(&mut self, others: impl Into<Self>) {
        self.0.extend(others.into().0);
    }

    /// Holds all of them.
    pub fn hold(&mut self, waits: &[String]) {
        if !waits.is_empty() {
            self.0.iter_mut().for_each(|object| object.gate = Gate::Hold(waits.to_vec()));
        }
    }

    /// Holds the workloads, with the files that running pods would see change. What others reach them by stays open.
    pub fn hold_workloads(&mut self, waits: &[String]) {
        if !waits.is_empty() {
            let held = self.0.iter_mut().filter(|it| it.is_workload() || it.kind.kind == "ConfigMap");
            held.for_each(|object| object.gate = Gate::Hold(waits.to_vec()));
        }
    }

    /// Scales to nothing the StatefulSets that run, although they are held.
    pub fn drain(&mut self, running: impl Fn(&str) -> bool) {
        for object in self.0.iter_mut().filter(|it| it.kind.kind == "StatefulSet" && running(&it.name)) {
            object.body["spec"]["replicas"] = 0.into();
            object.gate = Gate::Open;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.0.iter()
    }

    /// All of them, in the order of applying.
    pub fn into_sorted(mut self) -> Vec<Object> {
        self.0.sort_by(|a, b| (a.step(), a.kind.kind, &a.name).cmp(&(b.step(), b.kind.kind, &b.name)));
        self.0
    }
}
