//! What every engine fills in.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, Volume, VolumeMount};

use super::{
    fields::{Resources, Scheduling},
    part::PartName,
    pod::{ProbeHandler, Shutdown},
};

/// The name of a service's own port in Service and pod, by which the gateway finds it.
pub const MAIN_PORT: &str = "main";

/// On pod templates: digest of the mounted configuration, so that a change of it rolls the pods.
pub const CONFIG: &str = "microapp.dev/config";
/// On pod templates: the dependencies that the pods were started with, so that only a new one is waited for.
pub const DEPENDENCIES: &str = "microapp.dev/dependencies";

/// On pod templates: changes when a Secret that the pods use has changed, so that it rolls them. On Deployments: what
/// was seen of those Secrets last.
pub const SECRETS: &str = "microapp.dev/secrets";

/// On Deployments and StatefulSets: the images that we chose, by container, as they were when the template last
/// changed. Drift of the template does not reach it.
pub const IMAGES: &str = "microapp.dev/images";

/// One server or service, as an engine describes it.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The part that it is; its objects are named after it.
    pub part: PartName,
    /// Name of the main container.
    pub container: String,
    /// The user's image; None: `default_image`.
    pub image: Option<String>,
    pub default_image: String,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub user: i64,
    pub replicas: i32,
    /// Ports of the container and of the Service: name and number, and the Service's number where it differs.
    pub ports: Vec<Port>,
    pub env: Vec<EnvVar>,
    pub env_from: Vec<EnvFromSource>,
    pub files: Vec<Files>,
    pub volumes: Vec<Volume>,
    pub mounts: Vec<VolumeMount>,
    /// What runs to its end before all else, and what runs beside the main container.
    pub init: Vec<Container>,
    pub sidecars: Vec<Container>,
    /// The probe of a start, and the seconds that it may take.
    pub startup: Option<(ProbeHandler, i32)>,
    pub readiness: Option<ProbeHandler>,
    pub liveness: Option<ProbeHandler>,
    pub resources: Option<Resources>,
    /// Requests when the user says nothing: CPU and memory.
    pub default_requests: (&'static str, &'static str),
    pub scheduling: Option<Scheduling>,
    /// Bound of `/tmp`. More evicts the pod, so it bounds mistakes and not work.
    pub scratch: &'static str,
    pub shutdown: Shutdown,
    /// Further annotations of the pod template.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the Deployment or StatefulSet itself: what is to be remembered and restarts nothing.
    pub object_annotations: BTreeMap<String, String>,
    /// What its pods may ask of the API server.
    pub rules: Vec<k8s_openapi::api::rbac::v1::PolicyRule>,
    /// Old pods end before new ones start.
    pub recreate: bool,
}

/// Files of configuration: one ConfigMap, mounted at a folder.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Ends the name of the ConfigMap; empty for the workload's first one.
    pub suffix: &'static str,
    pub folder: String,
    pub content: BTreeMap<String, String>,
    /// The server reads changes by itself, so that they restart no pod.
    pub is_reloaded: bool,
}

/// A port of a container and of its Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    pub number: i32,
    /// `appProtocol` of the Service's port.
    pub protocol: Option<&'static str>,
    /// The Service's number, if it is another one. None in `exposed`: the port is the container's only.
    pub exposed: Option<i32>,
}

impl Port {
    pub fn new(name: impl Into<String>, number: i32) -> Self {
        Self { name: name.into(), number, protocol: None, exposed: Some(number) }
    }
}

impl Workload {
    /// A workload of a part, to be filled in.
    pub fn new(part: PartName, container: impl Into<String>) -> Self {
        Self {
            part,
            container: container.into(),
            image: None,
            default_image: String::new(),
            command: vec![],
            args: vec![],
            user: 0,
            replicas: 1,
            ports: vec![],
            env: vec![],
            env_from: vec![],
            files: vec![],
            volumes: vec![],
            mounts: vec![],
            init: vec![],
            sidecars: vec![],
            startup: None,
            readiness: None,
            liveness: None,
            resources: None,
            default_requests: ("50m", "64Mi"),
            scheduling: None,
            scratch: "64Mi",
            shutdown: Shutdown::default(),
            annotations: BTreeMap::new(),
            object_annotations: BTreeMap::new(),
            rules: vec![],
            recreate: false,
        }
    }
}
