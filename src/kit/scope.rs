//! The application that objects are built for: its names, labels and settings, and what its parts were made with.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{credentials::Hook, fields::Resources, images, observed::Observed};

pub const APP: &str = "microapp.dev/app";
pub const PART: &str = "microapp.dev/part";
/// Marks the ConfigMap of a report, the one whose content is watched.
pub const REPORT: &str = "microapp.dev/report";
/// Labels of claims: what wrote the data, and the digits in the names of the Secrets that open it. The anchor has the major as an annotation.
pub const ENGINE: &str = "microapp.dev/engine";
pub const MAJOR: &str = "microapp.dev/major";
pub const DATA_ID: &str = "microapp.dev/data";
/// Annotation of anchors: the claims that held data. One of them that is gone is lost, and nothing empty takes its place.
pub const VOLUMES: &str = "microapp.dev/volumes";
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
    pub registry: Option<&'a str>,
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
    /// A component's object: `<app>-<role>[-<suffix>]`. One dash is ours.
    pub fn component(&self, role: &str, suffix: &str) -> String {
        if suffix.is_empty() { format!("{}-{role}", self.app) } else { format!("{}-{role}-{suffix}", self.app) }
    }

    /// A service's object: `<app>--<service>[--<suffix>]`. Two dashes are yours, and neither name contains them, so no two names meet.
    pub fn service(&self, service: &str, suffix: &str) -> String {
        if suffix.is_empty() {
            format!("{}--{service}", self.app)
        } else {
            format!("{}--{service}--{suffix}", self.app)
        }
    }

    /// An image of ours, from the mirror if there is one.
    pub fn image(&self, upstream: &str) -> String {
        images::mirrored(upstream, self.registry)
    }

    /// What an object's selector, and with it every watch, policy and prune, goes by.
    pub fn selector(&self, part: &str) -> BTreeMap<String, String> {
        [(APP, self.app), (PART, label(part).as_str())].map(|(k, v)| (k.into(), v.into())).into()
    }

    /// Metadata of an object that goes with the application.
    pub fn meta(&self, name: String, part: &str) -> ObjectMeta {
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

    /// Metadata of an object that goes with its anchor: what may outlive the application carries none of the labels that other tools prune by.
    pub fn anchored(&self, name: String, part: &str, hook: &Hook) -> ObjectMeta {
        let owner = OwnerReference {
            api_version: "apps/v1".into(),
            kind: "ControllerRevision".into(),
            name: hook.anchor.clone(),
            uid: hook.uid.clone().unwrap_or_default(),
            ..Default::default()
        };
        let annotations = BTreeMap::from([(ARGO_KEEP.0.to_owned(), ARGO_KEEP.1.to_owned())]);
        ObjectMeta { owner_references: Some(vec![owner]), annotations: Some(annotations), ..self.bare(name, part) }
    }

    /// Metadata of an anchor: owned by the application only when its data is to go with it. It carries no label of its part: a StatefulSet adopts every
    /// ControllerRevision that its selector matches, and would take the data along when it goes.
    pub fn anchor(&self, name: String, part: &str) -> ObjectMeta {
        let annotations = BTreeMap::from([(ARGO_KEEP.0.to_owned(), ARGO_KEEP.1.to_owned())]);
        let mut meta = self.meta(name, part);
        meta.owner_references = meta.owner_references.filter(|_| !self.retain);
        meta.labels.get_or_insert_default().remove(PART);
        ObjectMeta { annotations: Some(annotations), ..meta }
    }

    fn bare(&self, name: String, part: &str) -> ObjectMeta {
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
    pub fn pod_labels(&self, part: &str) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.extend(self.selector(part));
        let name = part.rsplit('/').next().unwrap_or(part);
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

/// A part's name as the value of a label: `service/orders` becomes `service.orders`, for labels know no slash.
pub fn label(part: &str) -> String {
    part.replace('/', ".")
}

/// The part that a label names.
pub fn part_of(label: &str) -> String {
    label.replace('.', "/")
}
