//! Where a part keeps its data: the anchor that owns it, the claims that hold it, the credentials that open it, and
//! what is wrong with them when they are compared with what is there, which no schema can see.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, runtime::RawExtension};

use super::{
    credentials::{self, AnchorRef, Credential},
    fields::Storage,
    objects::Objects,
    observed::Claim,
    part::PartName,
    reason::{self, Reason},
    scope::{BOOTSTRAPPED, DATA_ID, ENGINE, MAJOR, Scope, VOLUMES},
    volumes,
};

/// Data that is being deleted is waited for: what uses it ends, and then everything is created again.
pub const GOING: Reason = reason::DATA_BEING_DELETED;

/// The data of one part.
pub struct Store<'a> {
    pub scope: &'a Scope<'a>,
    pub part: PartName,
    pub engine: &'static str,
    /// The version of the engine that is to open it: as much of it as the data depends on.
    pub major: String,
    /// Whether a version (second) can open data of another one (first).
    pub reads: fn(&str, &str) -> bool,
    pub storage: Option<&'a Storage>,
    /// Pods, each with a claim for each of the volumes.
    pub replicas: i32,
    pub volumes: &'static [&'static str],
    /// Only the administrator's Secret opens it: without that, a new one would open nothing.
    pub sealed: bool,
    /// Its users log in: each gets a credential of its own, owned by the anchor.
    pub has_logins: bool,
    /// Its servers form a cluster at their very first start, and only then: the anchor remembers that they did.
    pub bootstraps: bool,
}

/// How to delete retained data on purpose.
pub fn purge(namespace: &str, anchor: &str) -> String {
    let kubectl = format!("kubectl -n {namespace}");
    format!(
        "{kubectl} annotate controllerrevision {anchor} microapp.dev/purge={anchor} && {kubectl} delete \
            controllerrevision {anchor}"
    )
}

/// Only the same version opens data.
pub fn same(on_disk: &str, wanted: &str) -> bool {
    on_disk == wanted
}

/// The same version opens data, and every later one.
pub fn older(on_disk: &str, wanted: &str) -> bool {
    let number = |major: &str| major.parse::<u32>().ok();
    on_disk == wanted || number(on_disk).zip(number(wanted)).is_some_and(|(on_disk, wanted)| on_disk < wanted)
}

/// Name of the anchor of a part's data.
pub fn anchor_name(scope: &Scope<'_>, part: &PartName) -> String {
    scope.object(part, "data")
}

/// The version of an engine that a part's data was written by, if some was and it is recorded. Where anchor and
/// claim disagree, the claim is opened as neither.
pub fn recorded(scope: &Scope<'_>, part: &PartName, engine: &str) -> Option<String> {
    let is_own = |written: &str| written.is_empty() || written == engine;
    let claim = volumes::claim_name(volumes::DATA, &scope.object(part, ""), 0);
    let claim = scope.observed.claim(&claim).filter(|claim| !claim.deleting && is_own(&claim.engine));
    let noted = scope.observed.anchor(&anchor_name(scope, part));
    let noted = noted.filter(|(_, anchor)| is_own(&anchor.engine) && !anchor.volumes.is_empty());
    let (claim, noted) = (claim.map(|claim| claim.major.clone()), noted.map(|(_, anchor)| anchor.major.clone()));
    noted.into_iter().chain(claim).find(|major| !major.is_empty())
}

impl<'a> Store<'a> {
    /// One server with one volume.
    pub fn new(scope: &'a Scope<'a>, part: PartName, engine: &'static str, major: String) -> Self {
        let volumes = &[volumes::DATA];
        Self {
            scope,
            part,
            engine,
            major,
            reads: same,
            storage: None,
            replicas: 1,
            volumes,
            sealed: true,
            has_logins: false,
            bootstraps: false,
        }
    }

    pub fn anchor(&self) -> String {
        anchor_name(self.scope, &self.part)
    }

    /// The claims of all its pods.
    pub fn claims(&self) -> Vec<String> {
        let workload = self.scope.object(&self.part, "");
        let of_pod = |ordinal| self.volumes.iter().map(move |volume| (volume, ordinal));
        let all = (0..self.replicas.max(1)).flat_map(of_pod);
        all.map(|(volume, ordinal)| volumes::claim_name(volume, &workload, ordinal)).collect()
    }

    /// The anchor, and the digits in the names of what it owns. They are known before it is there: an anchor that was
    /// not restored is created again with the digits of its claim.
    pub fn anchor_ref(&self) -> AnchorRef {
        let (scope, name) = (self.scope, self.anchor());
        let there = scope.observed.anchor(&name).filter(|(_, anchor)| !anchor.deleting);
        // A claim of another anchor goes with that one.
        let ours =
            |claim: &&Claim| claim.anchor.as_deref().is_none_or(|owner| there.is_some_and(|(uid, _)| uid == owner));
        let claims = self.claims();
        let kept = claims.iter().filter_map(|claim| scope.observed.claim(claim)).filter(|claim| !claim.deleting);
        let known = kept.filter(ours).map(|claim| &claim.id).chain(there.map(|(_, anchor)| &anchor.id));
        let stem = format!("{}-", scope.object(&self.part, ""));
        let fresh = || credentials::fresh_digits(scope.uid, scope.observed, &stem);
        let id = known.into_iter().find(|id| !id.is_empty()).cloned().unwrap_or_else(fresh);
        AnchorRef { id, uid: there.map(|(uid, _)| uid.to_owned()), name }
    }

    /// The credential that the server itself is made with.
    pub fn admin(&self) -> Credential {
        self.anchor_ref().credential(&self.scope.object(&self.part, "admin"), 1)
    }

    /// The Secret of the administrator.
    pub fn admin_secret(&self, username: &str) -> Objects {
        let opens = if self.sealed { self.claims() } else { vec![] };
        credentials::login(self.scope, &self.anchor_ref(), &self.part, &self.admin(), username, opens)
    }

    /// How the names of the Secrets of one login begin. Names of objects know no underscore.
    pub fn login_stem(&self, login: &str) -> String {
        self.scope.object(&self.part, &format!("login-{}", login.replace('_', "-")))
    }

    /// The Secret of a user's login.
    pub fn login_secret(&self, credential: &Credential, login: &str) -> Objects {
        credentials::login(self.scope, &self.anchor_ref(), &self.part, credential, login, vec![])
    }

    /// Anchor and claims. Everything that the data needs is owned by the anchor, so that one patch of it changes what a
    /// deletion takes along.
    pub fn objects(&self) -> Objects {
        let mut objects = Objects::default();
        let anchor = self.anchor_ref();
        objects.push(&self.part, &self.revision(&anchor));
        for name in self.claims() {
            objects.push(&self.part, &self.claim(&anchor, name));
        }
        objects
    }

    fn revision(&self, anchor: &AnchorRef) -> ControllerRevision {
        let (scope, claims) = (self.scope, self.claims());
        let there = scope.observed.anchor(&anchor.name).map(|(_, anchor)| anchor);
        // What it records cannot be changed any more.
        let id = there.map(|anchor| &anchor.id).filter(|id| !id.is_empty()).unwrap_or(&anchor.id);
        let engine = there.map(|anchor| anchor.engine.as_str()).filter(|engine| !engine.is_empty());
        let content = serde_json::json!({ "engine": engine.unwrap_or(self.engine), "id": id });
        let mut metadata = scope.anchor(anchor.name.clone(), &self.part);
        let bound = |name: &&str| scope.observed.claim(name).is_some_and(|claim| claim.bound);
        let filled = claims.iter().map(String::as_str).filter(bound);
        let volumes: BTreeSet<&str> =
            there.iter().flat_map(|anchor| &anchor.volumes).map(String::as_str).chain(filled).collect();
        let noted = metadata.annotations.get_or_insert_default();
        noted.insert(MAJOR.into(), self.major.clone());
        if !volumes.is_empty() {
            noted.insert(VOLUMES.into(), volumes.into_iter().collect::<Vec<_>>().join(","));
        }
        if self.bootstraps && self.is_bootstrapped() {
            noted.insert(BOOTSTRAPPED.into(), "true".into());
        }
        ControllerRevision { metadata, data: Some(RawExtension(content)), revision: 1 }
    }

    /// Its servers have formed their cluster: the anchor remembers it, or all of them are ready for the first time.
    pub fn is_bootstrapped(&self) -> bool {
        let there = self.scope.observed.anchor(&self.anchor()).map(|(_, anchor)| anchor);
        let ready = || self.scope.workloads(&self.part).any(|(_, it)| it.settled() && it.replicas >= self.replicas);
        there.is_some_and(|anchor| anchor.bootstrapped || ready())
    }

    /// The claim of one pod. It exists before the StatefulSet that looks for it; to grow it is to apply it again. A
    /// volume that is there is taken as it is: larger than what is asked for, and of the class that it has.
    fn claim(&self, anchor: &AnchorRef, name: String) -> PersistentVolumeClaim {
        let mut metadata = self.scope.anchored(name.clone(), &self.part, anchor);
        let there = self.scope.observed.claim(&name);
        let wanted = volumes::size(self.storage);
        let larger = there.filter(|c| volumes::bytes(&c.request) > volumes::bytes(&wanted.0));
        let size = larger.map_or(wanted, |c| Quantity(c.request.clone()));
        let class = match there {
            // Said again if we said it, for what we do not say any more would be taken out.
            Some(there) => there.class.clone().filter(|_| there.class_is_ours),
            None => self.storage.and_then(|s| s.class_name.clone()),
        };
        let labels = [(ENGINE, self.engine), (MAJOR, self.major.as_str()), (DATA_ID, &anchor.id)];
        metadata.labels.get_or_insert_default().extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
        PersistentVolumeClaim {
            metadata,
            spec: Some(PersistentVolumeClaimSpec {
                access_modes: Some(vec!["ReadWriteOnce".into()]),
                resources: Some(VolumeResourceRequirements {
                    requests: Some([("storage".to_owned(), size)].into()),
                    ..Default::default()
                }),
                storage_class_name: class,
                ..Default::default()
            }),
            status: None,
        }
    }
}
