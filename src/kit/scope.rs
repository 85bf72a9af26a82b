//! The application that objects are built for: its names, labels and settings, and what its parts were made with.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{
    credentials::AnchorRef,
    fields::Resources,
    images,
    objects::Id,
    observed::{Observed, Workload},
    part::{PartName, Role},
};

pub const APP: &str = "microapp.dev/app";
pub const PART: &str = "microapp.dev/part";
/// Marks the ConfigMap of a report, the one whose content is watched.
pub const REPORT: &str = "microapp.dev/report";
/// Labels of claims: what wrote the data, and the digits in the names of the Secrets that open it. The anchor has the
/// major as an annotation.
pub const ENGINE: &str = "microapp.dev/engine";
pub const MAJOR: &str = "microapp.dev/major";
pub const DATA_ID: &str = "microapp.dev/data";
/// Annotation of anchors: the claims that held data. One of them that is gone is lost, and nothing empty takes its
/// place.
pub const VOLUMES: &str = "microapp.dev/volumes";
/// Annotation of anchors: the servers have formed their cluster, which they do once.
pub const BOOTSTRAPPED: &str = "microapp.dev/bootstrapped";
/// Keeps Argo CD from taking what outlives the application for garbage.
const ARGO_KEEP: (&str, &str) = ("argocd.argoproj.io/sync-options", "Prune=false");

/// Everything about the application that a part may know.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    pub app: &'a str,
    pub namespace: &'a str,
    pub uid: &'a str,
    /// The user's labels for every object and pod.
    pub labels: &'a BTreeMap<String, String>,
    /// The user's annotations for pods and for what exposes the gateway.
    pub annotations: &'a BTreeMap<String, String>,
    /// Mirror for the images that we choose.
    pub mirror: Option<&'a str>,
    pub pull_policy: Option<&'static str>,
    pub pull_secrets: Vec<&'a str>,
    /// What each container of our own program may take, if the user says so.
    pub agent_resources: Option<&'a Resources>,
    pub highly_available: bool,
    /// Data outlives the application.
    pub retain: bool,
    /// The agent that new and changed workloads get.
    pub agent_image: &'a str,
    pub observed: &'a Observed,
}

impl<'a> Scope<'a> {
    /// An object of a part. Components': `<app>-<role>[-<server>][-<suffix>]`, one dash. Services':
    /// `<app>--<service>[--<suffix>]`, two dashes. Neither name contains two, so no names of both kinds can be equal.
    pub fn object(&self, part: &PartName, suffix: &str) -> String {
        let (dash, name) = match part {
            PartName::Component(role, Some(server)) => ("-", format!("{}-{role}-{server}", self.app)),
            PartName::Component(role, None) => ("-", format!("{}-{role}", self.app)),
            PartName::Agent(agent) => ("-", format!("{}-{agent}", self.app)),
            PartName::Service(service) => ("--", format!("{}--{service}", self.app)),
        };
        if suffix.is_empty() { name } else { format!("{name}{dash}{suffix}") }
    }

    /// An object of a component with one server.
    pub fn component(&self, role: Role, suffix: &str) -> String {
        self.object(&PartName::component(role), suffix)
    }

    /// The workloads of a part that are there; of a component: those of all its servers.
    pub fn workloads(&self, part: &PartName) -> impl Iterator<Item = (&'a Id, &'a Workload)> {
        let own = self.object(part, "");
        let servers = part.role().map(|_| format!("{own}-"));
        self.observed.workloads().filter(move |(id, _)| {
            id.name == own || servers.as_ref().is_some_and(|servers| id.name.starts_with(servers.as_str()))
        })
    }

    /// An image of ours, from the mirror if there is one.
    pub fn image(&self, upstream: &str) -> String {
        images::mirrored(upstream, self.mirror)
    }

    /// What an object's selector, and with it every watch, policy and prune, goes by.
    pub fn selector(&self, part: &PartName) -> BTreeMap<String, String> {
        [(APP, self.app), (PART, part.label().as_str())].map(|(k, v)| (k.into(), v.into())).into()
    }

    /// Metadata of an object that goes with the application.
    pub fn meta(&self, name: String, part: &PartName) -> ObjectMeta {
        let owner = OwnerReference {
            api_version: "microapp.dev/v1alpha1".into(),
            kind: "MicroserviceApp".into(),
            name: self.app.into(),
            uid: self.uid.into(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        ObjectMeta { owner_references: Some(vec![owner]), ..self.bare(name, part) }
    }

    /// Metadata of an object that goes with its anchor: what may outlive the application carries none of the labels
    /// that other tools prune by.
    pub fn anchored(&self, name: String, part: &PartName, anchor: &AnchorRef) -> ObjectMeta {
        let owner = OwnerReference {
            api_version: "apps/v1".into(),
            kind: "ControllerRevision".into(),
            name: anchor.name.clone(),
            uid: anchor.uid.clone().unwrap_or_default(),
            ..Default::default()
        };
        let annotations = BTreeMap::from([(ARGO_KEEP.0.to_owned(), ARGO_KEEP.1.to_owned())]);
        ObjectMeta { owner_references: Some(vec![owner]), annotations: Some(annotations), ..self.bare(name, part) }
    }

    /// Metadata of an anchor: owned by the application only when its data is to go with it. It carries no label of its
    /// part: a StatefulSet adopts every ControllerRevision that its selector matches, and would take the data along
    /// when it goes.
    pub fn anchor(&self, name: String, part: &PartName) -> ObjectMeta {
        let annotations = BTreeMap::from([(ARGO_KEEP.0.to_owned(), ARGO_KEEP.1.to_owned())]);
        let mut meta = self.meta(name, part);
        meta.owner_references = meta.owner_references.filter(|_| !self.retain);
        meta.labels.get_or_insert_default().remove(PART);
        ObjectMeta { annotations: Some(annotations), ..meta }
    }

    fn bare(&self, name: String, part: &PartName) -> ObjectMeta {
        let mut labels = self.labels.clone();
        labels.extend(self.selector(part));
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.into()),
            labels: Some(labels),
            ..Default::default()
        }
    }

    /// Labels of a pod: the selector's, the user's, and the set that dashboards know.
    pub fn pod_labels(&self, part: &PartName) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.extend(self.selector(part));
        let name = part.short();
        labels.extend(
            [
                ("name", name),
                ("instance", self.app),
                ("component", name),
                ("part-of", self.app),
                ("managed-by", "microapp"),
            ]
            .map(|(k, v)| (format!("app.kubernetes.io/{k}"), v.into())),
        );
        labels
    }
}
