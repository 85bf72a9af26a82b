//! What every engine fills in, and what it becomes: the pods, and all that nobody may forget around them.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{
        Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment, StatefulSet,
        StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    },
    core::v1::{
        ConfigMap, Container, EnvFromSource, EnvVar, PodTemplateSpec, Service, ServicePort, ServiceSpec, Volume,
        VolumeMount,
    },
    policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
};
use k8s_openapi::apimachinery::pkg::{
    apis::meta::v1::{LabelSelector, ObjectMeta},
    util::intstr::IntOrString,
};

use super::{
    access,
    fields::{Resources, Scheduling},
    objects::Objects,
    observed::Chosen,
    pod::{self, Ask, Shutdown},
    scope::Scope,
    volumes,
};

/// On pod templates: digest of the mounted configuration, so that a change of it rolls the pods.
pub const CONFIG: &str = "microapp.dev/config";
/// On pod templates: the edges that the pods carry, so that only a new one holds.
pub const EDGES: &str = "microapp.dev/edges";

/// On pod templates: changes when a Secret that the pods use has changed, so that it rolls them. On Deployments: what was seen of those Secrets last.
pub const SECRETS: &str = "microapp.dev/secrets";

/// On Deployments and StatefulSets: the images that we chose, by container, as they were when the template last changed. Drift of the template does not reach it.
pub const IMAGES: &str = "microapp.dev/images";

/// One server or service, as an engine describes it.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// Name of all its objects.
    pub name: String,
    /// The part that it is, as in status.
    pub part: String,
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
    /// Files of configuration by name, mounted at the folder.
    pub files: Option<(String, BTreeMap<String, String>)>,
    pub volumes: Vec<Volume>,
    pub mounts: Vec<VolumeMount>,
    pub sidecars: Vec<Container>,
    pub startup: Option<(Ask, i32)>,
    pub readiness: Option<Ask>,
    pub liveness: Option<Ask>,
    pub resources: Option<Resources>,
    /// Requests when the user says nothing: CPU and memory.
    pub default_requests: (&'static str, &'static str),
    pub scheduling: Option<Scheduling>,
    /// Bound of `/tmp`. More evicts the pod, so it bounds mistakes and not work.
    pub scratch: Option<&'static str>,
    pub shutdown: Shutdown,
    /// Further annotations of the pod template.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the Deployment or StatefulSet itself: what is to be remembered and rolls nothing.
    pub memory: BTreeMap<String, String>,
    /// What its pods may ask of the API server.
    pub rules: Vec<k8s_openapi::api::rbac::v1::PolicyRule>,
    /// Old pods end before new ones start.
    pub recreate: bool,
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
    /// Pods that nothing distinguishes.
    pub fn deployment(self, scope: &Scope<'_>, out: &mut Objects) {
        let selector = scope.selector(&self.part);
        let (template, chosen) = self.surroundings(scope, "Deployment", out);
        let rolling = RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        };
        let strategy = match self.recreate {
            true => DeploymentStrategy { type_: Some("Recreate".into()), rolling_update: None },
            false => DeploymentStrategy { type_: Some("RollingUpdate".into()), rolling_update: Some(rolling) },
        };
        out.push(
            &self.part,
            &Deployment {
                metadata: self.meta(scope, &chosen),
                spec: Some(DeploymentSpec {
                    replicas: Some(self.replicas),
                    revision_history_limit: Some(3),
                    selector: LabelSelector { match_labels: Some(selector), ..Default::default() },
                    strategy: Some(strategy),
                    template,
                    ..Default::default()
                }),
                status: None,
            },
        );
    }

    /// Pods with a volume each, mounted at `data_folder`.
    pub fn stateful(mut self, scope: &Scope<'_>, data_folder: &str, out: &mut Objects) {
        self.mounts.push(pod::mount(volumes::DATA, data_folder, false));
        let selector = scope.selector(&self.part);
        let (template, chosen) = self.surroundings(scope, "StatefulSet", out);
        let peers = format!("{}-peers", self.name);
        out.push(&self.part, &self.headless(scope, peers.clone()));
        out.push(
            &self.part,
            &StatefulSet {
                metadata: self.meta(scope, &chosen),
                spec: Some(StatefulSetSpec {
                    replicas: Some(self.replicas),
                    revision_history_limit: Some(3),
                    service_name: Some(peers),
                    // One stuck pod must not keep the others, or its own next revision, from starting.
                    pod_management_policy: Some("Parallel".into()),
                    persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                        when_deleted: Some("Retain".into()),
                        when_scaled: Some("Retain".into()),
                    }),
                    selector: LabelSelector { match_labels: Some(selector), ..Default::default() },
                    template,
                    volume_claim_templates: Some(vec![volumes::template()]),
                    ..Default::default()
                }),
                status: None,
            },
        );
    }

    fn meta(&self, scope: &Scope<'_>, chosen: &Chosen) -> ObjectMeta {
        let mut meta = scope.meta(self.name.clone(), &self.part);
        meta.labels.get_or_insert_default().extend(scope.pod_labels(&self.part));
        let mut memory = self.memory.clone();
        if !chosen.images.is_empty() {
            memory.extend(serde_json::to_string(chosen).ok().map(|text| (IMAGES.to_owned(), text)));
        }
        meta.annotations = (!memory.is_empty()).then_some(memory);
        meta
    }

    /// Adds account, configuration, Service and disruption budget, and answers the pod template with the images that we chose for it.
    fn surroundings(&self, scope: &Scope<'_>, kind: &'static str, out: &mut Objects) -> (PodTemplateSpec, Chosen) {
        access::account(scope, &self.name, &self.part, self.rules.clone(), out);
        if let Some((_, files)) = &self.files {
            out.push(
                &self.part,
                &ConfigMap {
                    metadata: scope.meta(self.name.clone(), &self.part),
                    data: Some(files.clone()),
                    ..Default::default()
                },
            );
        }
        if self.ports.iter().any(|p| p.exposed.is_some()) {
            out.push(&self.part, &self.service(scope));
        }
        if self.replicas > 1 {
            out.push(
                &self.part,
                &PodDisruptionBudget {
                    metadata: scope.meta(self.name.clone(), &self.part),
                    spec: Some(PodDisruptionBudgetSpec {
                        max_unavailable: Some(IntOrString::Int(1)),
                        selector: Some(LabelSelector {
                            match_labels: Some(scope.selector(&self.part)),
                            ..Default::default()
                        }),
                        unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
                        ..Default::default()
                    }),
                    status: None,
                },
            );
        }
        self.template(scope, scope.observed.workload(kind, &self.name))
    }

    /// The Service that gives each pod a name of its own, ready or not: members of a cluster find each other before they are ready.
    fn headless(&self, scope: &Scope<'_>, name: String) -> Service {
        let mut service = self.service(scope);
        service.metadata.name = Some(name);
        service.spec = service.spec.map(|spec| ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            ..spec
        });
        service
    }

    /// The Service by which others find the pods. Engines that expose more push one of their own.
    pub fn service(&self, scope: &Scope<'_>) -> Service {
        let port = |p: &Port| {
            Some(ServicePort {
                name: Some(p.name.clone()),
                port: p.exposed?,
                target_port: Some(IntOrString::String(p.name.clone())),
                app_protocol: p.protocol.map(Into::into),
                ..Default::default()
            })
        };
        Service {
            metadata: scope.meta(self.name.clone(), &self.part),
            spec: Some(ServiceSpec {
                selector: Some(scope.selector(&self.part)),
                ports: Some(self.ports.iter().filter_map(port).collect()),
                type_: Some("ClusterIP".into()),
                ..Default::default()
            }),
            status: None,
        }
    }
}
