//! What is there: all that a reconciliation knows of the cluster, as values. Offline it is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{agents::Report, objects::Id};

/// The facts of one application's namespace that concern it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Each object that carries the application's label.
    pub records: BTreeMap<Id, Record>,
    /// Its pods, by name.
    pub pods: BTreeMap<String, Pod>,
    /// What the provisioner said last, if it could be read.
    pub report: Option<Report>,
    /// Secrets that were made for it, and when: nobody may look, so the inventory remembers.
    pub secrets: BTreeMap<String, Timestamp>,
    pub now: Timestamp,
}

/// One object as the watch saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub uid: String,
    /// The controlling or only owner, if any.
    pub owner: Option<String>,
    /// The digest annotation; empty if it has none.
    pub hash: String,
    /// Digest of the fields that our manager owns; empty if it owns none.
    pub fingerprint: String,
    pub facts: Facts,
}

/// What the report needs of an object's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Facts {
    #[default]
    None,
    Workload(Workload),
    Claim(Claim),
    Service(Service),
    Anchor(Anchor),
}

/// A Deployment or StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    pub replicas: i32,
    pub ready: i32,
    pub updated: i32,
    /// Pods that exist, old revisions among them.
    pub current: i32,
    /// Its controller has seen the newest specification.
    pub observed: bool,
    /// Annotations of the pod template.
    pub annotations: BTreeMap<String, String>,
    /// Annotation `microapp.dev/secrets` of the object itself: what was seen of the Secrets that its pods use.
    pub secrets: Option<String>,
    /// Images of the template's containers, by name.
    pub images: BTreeMap<String, String>,
    /// Annotation `microapp.dev/images` of the object itself: what we chose when its template last changed.
    pub chosen: Option<Chosen>,
    /// Why the cluster makes no pods, if it says so: a quota, a limit range, a policy. StatefulSets do not say.
    pub failure: Option<String>,
    /// Somebody keeps its controller from rolling it (`kubectl rollout pause`).
    pub paused: bool,
    /// StatefulSets: the revision that pods should have.
    pub revision: String,
}

/// The images that are ours to choose, as a workload remembers them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Digest of the pod template but for these images.
    pub template: String,
    /// By container.
    pub images: BTreeMap<String, String>,
}

impl Workload {
    /// Every pod that is wanted is there, new and ready, and no old one is left.
    pub fn settled(&self) -> bool {
        self.observed && self.updated >= self.replicas && self.ready >= self.replicas && self.current <= self.replicas
    }
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    pub bound: bool,
    /// Its volume is gone.
    pub lost: bool,
    pub deleting: bool,
    /// It names the volume that it is to be bound to, or another source of data.
    pub named: bool,
    /// The size that it asks for, such as `20Gi`.
    pub request: String,
    pub class: Option<String>,
    /// The class is one that we asked for, not the cluster's default.
    pub class_is_ours: bool,
    /// `microapp.dev/engine`, `microapp.dev/major` and `microapp.dev/data`; empty if it has none.
    pub engine: String,
    pub major: String,
    pub id: String,
    /// The anchor that owns it, if any: its uid.
    pub anchor: Option<String>,
}

impl Claim {
    /// It may hold data, or is about to be bound to a volume that does.
    pub fn may_hold_data(&self) -> bool {
        self.bound || self.lost || self.named
    }
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Address that a load balancer gave.
    pub ingress: Option<String>,
    /// Node ports by name of the port.
    pub node_ports: BTreeMap<String, i32>,
}

/// A ControllerRevision that owns data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    pub engine: String,
    /// Eight hexadecimal digits; empty if it records none.
    pub id: String,
    pub major: String,
    /// Claims that held data.
    pub volumes: Vec<String>,
    /// `microapp.dev/bootstrapped` is set.
    pub bootstrapped: bool,
    pub deleting: bool,
    /// The application that owns it, if any: its uid.
    pub app: Option<String>,
}

/// A pod, as far as it explains why something is not ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    pub uid: String,
    /// Label `microapp.dev/part`.
    pub part: String,
    pub ready: bool,
    pub deleting: bool,
    /// Label `controller-revision-hash`.
    pub revision: String,
    /// Since when it is ready, or not.
    pub since: Option<Timestamp>,
    /// Why it is not ready, if it says so: reason and message of its first failing container or condition.
    pub trouble: Option<(String, String)>,
}

impl Observed {
    pub fn record(&self, kind: &'static str, name: &str) -> Option<&Record> {
        self.records.get(&Id { kind, name: name.into() })
    }

    pub fn workload(&self, kind: &'static str, name: &str) -> Option<&Workload> {
        match self.record(kind, name).map(|r| &r.facts) {
            Some(Facts::Workload(facts)) => Some(facts),
            _ => None,
        }
    }

    pub fn workload_of(&self, id: &Id) -> Option<&Workload> {
        self.workload(id.kind, &id.name)
    }

    pub fn workloads(&self) -> impl Iterator<Item = (&Id, &Workload)> {
        self.records.iter().filter_map(|(id, record)| match &record.facts {
            Facts::Workload(facts) => Some((id, facts)),
            _ => None,
        })
    }

    pub fn claim(&self, name: &str) -> Option<&Claim> {
        match self.record("PersistentVolumeClaim", name).map(|r| &r.facts) {
            Some(Facts::Claim(facts)) => Some(facts),
            _ => None,
        }
    }

    pub fn service(&self, name: &str) -> Option<&Service> {
        match self.record("Service", name).map(|r| &r.facts) {
            Some(Facts::Service(facts)) => Some(facts),
            _ => None,
        }
    }

    /// The names of all anchors.
    pub fn anchors(&self) -> impl Iterator<Item = &String> {
        self.records
            .iter()
            .filter(|(_, record)| matches!(&record.facts, Facts::Anchor(anchor) if !anchor.engine.is_empty()))
            .map(|(id, _)| &id.name)
    }

    /// The anchor of that name, with its uid.
    pub fn anchor(&self, name: &str) -> Option<(&str, &Anchor)> {
        match self.record("ControllerRevision", name) {
            Some(Record { uid, facts: Facts::Anchor(facts), .. }) => Some((uid, facts)),
            _ => None,
        }
    }
}
