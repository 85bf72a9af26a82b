//! The pods of a workload: what an engine said, and what nobody may forget.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, ContainerPort, LocalObjectReference, PodSpec, PodTemplateSpec,
    ResourceRequirements, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta};

use super::{
    access, agents, digest,
    fields::Resources,
    observed::{self, Chosen},
    pod,
    scope::Scope,
    workload::{CONFIG, Files, Port, Workload},
};

/// Name of the volume of some files of configuration.
fn config_volume(files: &Files) -> String {
    if files.suffix.is_empty() { "config".into() } else { format!("config-{}", files.suffix) }
}

impl Workload {
    /// The pod template, and the images that we chose for it. They stay as the workload remembers them until something
    /// else changes: an upgrade of the operator restarts nothing. What runs is not asked, for somebody may have changed
    /// it.
    pub(super) fn template(&self, scope: &Scope<'_>, live: Option<&observed::Workload>) -> (PodTemplateSpec, Chosen) {
        let mut template = self.fresh_template(scope);
        let digest = digest::of(&(self.without_chosen_images(scope, template.clone()), scope.mirror));
        let remembered = live.and_then(|live| live.chosen.as_ref()).filter(|chosen| chosen.template == digest);
        let mut chosen = Chosen { template: digest, ..Default::default() };
        for container in containers(&mut template).filter(|container| self.is_chosen(scope, container)) {
            if let Some(image) = remembered.and_then(|before| before.images.get(&container.name)) {
                container.image = Some(image.clone());
            }
            chosen.images.insert(container.name.clone(), container.image.clone().unwrap_or_default());
        }
        (template, chosen)
    }

    /// Whether a container's image is ours to choose: our own program beside the main container, and that one unless
    /// the user named its image.
    fn is_chosen(&self, scope: &Scope<'_>, container: &Container) -> bool {
        match container.name == self.container {
            true => self.image.is_none(),
            false => container.image.as_deref() == Some(scope.image(scope.agent_image).as_str()),
        }
    }

    /// The template as it would be whatever versions we chose.
    fn without_chosen_images(&self, scope: &Scope<'_>, mut template: PodTemplateSpec) -> PodTemplateSpec {
        containers(&mut template)
            .filter(|container| self.is_chosen(scope, container))
            .for_each(|container| container.image = None);
        template
    }

    fn fresh_template(&self, scope: &Scope<'_>) -> PodTemplateSpec {
        let mut annotations = scope.annotations.clone();
        annotations.extend(self.annotations.clone());
        let rolling = self.files.iter().filter(|files| !files.is_reloaded);
        let named = |files: &'_ Files| {
            let prefix = if files.suffix.is_empty() { String::new() } else { format!("{}/", files.suffix) };
            files.content.iter().map(|(name, text)| (format!("{prefix}{name}"), text.clone())).collect::<Vec<_>>()
        };
        let content: BTreeMap<String, String> = rolling.flat_map(named).collect();
        if !content.is_empty() {
            annotations.insert(CONFIG.into(), digest::of(&content));
        }
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(scope.pod_labels(&self.part)),
                annotations: Some(annotations),
                ..Default::default()
            }),
            spec: Some(self.pod(scope)),
        }
    }

    fn pod(&self, scope: &Scope<'_>) -> PodSpec {
        let scheduling = self.scheduling.clone().unwrap_or_default();
        let mut volumes = self.volumes.clone();
        volumes.push(pod::scratch("tmp", self.scratch));
        volumes.extend(self.files.iter().map(|files| Volume {
            name: config_volume(files),
            config_map: Some(ConfigMapVolumeSource { name: self.config_map(scope, files), ..Default::default() }),
            ..Default::default()
        }));
        let others: Vec<Container> = self.init.iter().chain(&self.sidecars).cloned().collect();
        let others = others
            .into_iter()
            .map(|container| Container { image_pull_policy: scope.pull_policy.map(Into::into), ..container });
        let others: Vec<Container> = others.collect();
        PodSpec {
            service_account_name: Some(access::account_name(&self.name(scope))),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(pod::pod_security(self.user)),
            termination_grace_period_seconds: Some(self.shutdown.grace_seconds()),
            topology_spread_constraints: (self.replicas > 1).then(|| pod::spread(&scope.selector(&self.part))),
            image_pull_secrets: (!scope.pull_secrets.is_empty())
                .then(|| scope.pull_secrets.iter().map(|name| LocalObjectReference { name: (*name).into() }).collect()),
            init_containers: (!others.is_empty()).then_some(others),
            containers: vec![self.main_container(scope)],
            volumes: Some(volumes),
            node_selector: (!scheduling.node_selector.is_empty()).then_some(scheduling.node_selector),
            tolerations: (!scheduling.tolerations.is_empty()).then_some(scheduling.tolerations),
            affinity: scheduling.affinity,
            priority_class_name: scheduling.priority_class_name,
            ..Default::default()
        }
    }

    fn main_container(&self, scope: &Scope<'_>) -> Container {
        let mut mounts = self.mounts.clone();
        mounts.push(pod::mount("tmp", "/tmp", false));
        mounts.extend(self.files.iter().map(|files| pod::mount(&config_volume(files), &files.folder, true)));
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let port =
            |p: &Port| ContainerPort { name: Some(p.name.clone()), container_port: p.number, ..Default::default() };
        Container {
            name: self.container.clone(),
            image: Some(self.image.clone().unwrap_or_else(|| scope.image(&self.default_image))),
            image_pull_policy: scope.pull_policy.map(Into::into),
            command: some(&self.command),
            args: some(&self.args),
            env: (!self.env.is_empty()).then(|| self.env.clone()),
            env_from: (!self.env_from.is_empty()).then(|| self.env_from.clone()),
            ports: (!self.ports.is_empty()).then(|| self.ports.iter().map(port).collect()),
            startup_probe: self.startup.as_ref().map(|(handler, seconds)| handler.probe(1, (*seconds).max(1))),
            readiness_probe: self.readiness.as_ref().map(|handler| handler.probe(5, 2)),
            liveness_probe: self.liveness.as_ref().map(|handler| handler.probe(10, 6)),
            lifecycle: self.shutdown.hook(agents::AGENT_PORT, &agents::drain_path(scope.uid, &self.name(scope))),
            resources: Some(resources(self.resources.as_ref(), self.default_requests)),
            security_context: Some(pod::container_security()),
            volume_mounts: Some(mounts),
            ..Default::default()
        }
    }
}

/// What our own program requests: CPU and memory.
pub fn resources_of_agents() -> (&'static str, &'static str) {
    ("10m", "24Mi")
}

/// A container of our own program.
pub fn agent(scope: &Scope<'_>, name: &str, args: &[&str], mounts: Vec<VolumeMount>) -> Container {
    Container {
        name: name.into(),
        image: Some(scope.image(scope.agent_image)),
        args: Some(args.iter().map(|a| (*a).into()).collect()),
        resources: Some(resources(scope.agent_resources, resources_of_agents())),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(mounts),
        ..Default::default()
    }
}

fn resources(wanted: Option<&Resources>, (cpu, memory): (&str, &str)) -> ResourceRequirements {
    wanted.map(Into::into).unwrap_or_else(|| ResourceRequirements {
        requests: Some([("cpu", cpu), ("memory", memory)].map(|(k, v)| (k.to_owned(), Quantity(v.to_owned()))).into()),
        ..Default::default()
    })
}

fn containers(template: &mut PodTemplateSpec) -> impl Iterator<Item = &mut Container> {
    let spec = template.spec.get_or_insert_default();
    spec.init_containers.iter_mut().flatten().chain(spec.containers.iter_mut())
}
