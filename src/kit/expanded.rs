//! What a workload becomes: pods, and all that nobody may forget around them.

use k8s_openapi::api::{
    apps::v1::{
        Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment, StatefulSet,
        StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    },
    core::v1::{ConfigMap, PodSpec, Service, ServicePort, ServiceSpec},
    policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
};
use k8s_openapi::apimachinery::pkg::{
    apis::meta::v1::{LabelSelector, ObjectMeta},
    util::intstr::IntOrString,
};

use super::{
    access,
    objects::Objects,
    observed::Chosen,
    part::PartName,
    pod,
    scope::Scope,
    volumes,
    workload::{Files, IMAGES, Port, Workload},
};

/// The objects that a workload becomes, typed: an engine edits what is peculiar to it, and answers the rest as it is.
pub struct Expanded {
    pub part: PartName,
    /// Account, and the Role and RoleBinding of an agent.
    pub access: Objects,
    pub files: Vec<ConfigMap>,
    pub service: Option<Service>,
    pub budget: Option<PodDisruptionBudget>,
    pub pods: Pods,
}

/// What the pods come from.
pub enum Pods {
    Deployment(Box<Deployment>),
    /// With the headless Service by which its pods find each other.
    StatefulSet(Box<StatefulSet>, Box<Service>),
}

impl Expanded {
    /// The pods' specification.
    pub fn pod(&mut self) -> &mut PodSpec {
        let template = match &mut self.pods {
            Pods::Deployment(it) => &mut it.spec.get_or_insert_default().template,
            Pods::StatefulSet(it, _) => &mut it.spec.get_or_insert_default().template,
        };
        template.spec.get_or_insert_default()
    }
}

impl From<Expanded> for Objects {
    fn from(it: Expanded) -> Self {
        let mut objects = it.access;
        it.files.iter().for_each(|files| objects.push(&it.part, files));
        it.service.iter().for_each(|service| objects.push(&it.part, service));
        it.budget.iter().for_each(|budget| objects.push(&it.part, budget));
        match it.pods {
            Pods::Deployment(deployment) => objects.push(&it.part, &*deployment),
            Pods::StatefulSet(set, peers) => {
                objects.push(&it.part, &*peers);
                objects.push(&it.part, &*set);
            }
        }
        objects
    }
}

impl Workload {
    /// Name of its objects.
    pub fn name(&self, scope: &Scope<'_>) -> String {
        scope.object(&self.part, "")
    }

    /// Pods that nothing distinguishes.
    pub fn deployment(self, scope: &Scope<'_>) -> Expanded {
        let (template, chosen) = self.template(scope, scope.observed.workload("Deployment", &self.name(scope)));
        let rolling = RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        };
        let strategy = match self.recreate {
            true => DeploymentStrategy { type_: Some("Recreate".into()), rolling_update: None },
            false => DeploymentStrategy { type_: Some("RollingUpdate".into()), rolling_update: Some(rolling) },
        };
        let spec = DeploymentSpec {
            replicas: Some(self.replicas),
            revision_history_limit: Some(3),
            selector: self.selector(scope),
            strategy: Some(strategy),
            template,
            ..Default::default()
        };
        let deployment = Deployment { metadata: self.meta(scope, &chosen), spec: Some(spec), status: None };
        self.expanded(scope, Pods::Deployment(Box::new(deployment)))
    }

    /// Pods with volumes each: name of the volume, and the folder where it is mounted.
    pub fn stateful(mut self, scope: &Scope<'_>, data: &[(&'static str, &str)]) -> Expanded {
        self.mounts.extend(data.iter().map(|(volume, folder)| pod::mount(volume, folder, false)));
        let (template, chosen) = self.template(scope, scope.observed.workload("StatefulSet", &self.name(scope)));
        let peers = self.headless(scope);
        let retained = StatefulSetPersistentVolumeClaimRetentionPolicy {
            when_deleted: Some("Retain".into()),
            when_scaled: Some("Retain".into()),
        };
        let spec = StatefulSetSpec {
            replicas: Some(self.replicas),
            revision_history_limit: Some(3),
            service_name: peers.metadata.name.clone(),
            // One stuck pod must not keep the others, or its own next revision, from starting.
            pod_management_policy: Some("Parallel".into()),
            persistent_volume_claim_retention_policy: Some(retained),
            selector: self.selector(scope),
            template,
            volume_claim_templates: (!data.is_empty())
                .then(|| data.iter().map(|(volume, _)| volumes::template(volume)).collect()),
            ..Default::default()
        };
        let set = StatefulSet { metadata: self.meta(scope, &chosen), spec: Some(spec), status: None };
        self.expanded(scope, Pods::StatefulSet(Box::new(set), Box::new(peers)))
    }

    /// The pods with all that nobody may forget around them.
    fn expanded(self, scope: &Scope<'_>, pods: Pods) -> Expanded {
        let files = self.files.iter().map(|files| ConfigMap {
            metadata: scope.meta(self.config_map(scope, files), &self.part),
            data: Some(files.content.clone()),
            ..Default::default()
        });
        Expanded {
            access: access::account(scope, &self.part, self.rules.clone()),
            files: files.collect(),
            service: self.ports.iter().any(|p| p.exposed.is_some()).then(|| self.service(scope)),
            budget: (self.replicas > 1).then(|| self.budget(scope)),
            pods,
            part: self.part,
        }
    }

    /// Name of the ConfigMap of some files.
    pub(super) fn config_map(&self, scope: &Scope<'_>, files: &Files) -> String {
        scope.object(&self.part, files.suffix)
    }

    fn selector(&self, scope: &Scope<'_>) -> LabelSelector {
        LabelSelector { match_labels: Some(scope.selector(&self.part)), ..Default::default() }
    }

    fn meta(&self, scope: &Scope<'_>, chosen: &Chosen) -> ObjectMeta {
        let mut meta = scope.meta(self.name(scope), &self.part);
        meta.labels.get_or_insert_default().extend(scope.pod_labels(&self.part));
        let mut annotations = self.object_annotations.clone();
        if !chosen.images.is_empty() {
            annotations.extend(serde_json::to_string(chosen).ok().map(|text| (IMAGES.to_owned(), text)));
        }
        meta.annotations = (!annotations.is_empty()).then_some(annotations);
        meta
    }

    fn budget(&self, scope: &Scope<'_>) -> PodDisruptionBudget {
        PodDisruptionBudget {
            metadata: scope.meta(self.name(scope), &self.part),
            spec: Some(PodDisruptionBudgetSpec {
                max_unavailable: Some(IntOrString::Int(1)),
                selector: Some(self.selector(scope)),
                unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
                ..Default::default()
            }),
            status: None,
        }
    }

    /// The Service that gives each pod a name of its own, ready or not: members of a cluster find each other before
    /// they are ready.
    fn headless(&self, scope: &Scope<'_>) -> Service {
        let mut service = self.service(scope);
        service.metadata.name = Some(scope.object(&self.part, "peers"));
        let headless =
            |spec| ServiceSpec { cluster_ip: Some("None".into()), publish_not_ready_addresses: Some(true), ..spec };
        service.spec = service.spec.map(headless);
        service
    }

    /// The Service by which others find the pods.
    fn service(&self, scope: &Scope<'_>) -> Service {
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
            metadata: scope.meta(self.name(scope), &self.part),
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
