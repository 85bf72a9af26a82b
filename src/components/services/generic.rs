//! Anything in a container: it gets its port as `PORT`, and what it is wired to as variables and as files.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapEnvSource, ConfigMapKeySelector, ConfigMapProjection, ConfigMapVolumeSource, EnvFromSource,
    EnvVar, EnvVarSource, KeyToPath, ProjectedVolumeSource, SecretEnvSource, SecretKeySelector, SecretProjection,
    SecretVolumeSource, Volume, VolumeProjection,
};

use super::{DEFAULT_USER, PortProtocol, Probe, Protocol, Service, ServiceWiring, Source, Variable, part};
use crate::kit::{
    binding::{self, Binding, merge, value},
    credentials::{PASSWORD, USERNAME},
    digest,
    objects::Objects,
    pod::{self, Ask, Shutdown},
    scope::Scope,
    workload::{EDGES, Port, SECRETS, Workload},
};

/// Seconds that a service goes on serving while gateway and peers learn that it ends, and that it then has to finish.
const SHUTDOWN: Shutdown = Shutdown { sleep: 5, drain: 0, stop: 25 };
/// Room in `/tmp`.
const SCRATCH: &str = "1Gi";
/// The port's name in Service and pod, by which the gateway finds it.
pub const MAIN_PORT: &str = "main";

/// Adds a service's objects.
pub fn build(scope: &Scope<'_>, spec: &Service, wiring: &ServiceWiring, out: &mut Objects) {
    let health = spec.health.clone().unwrap_or_default();
    let ask =
        |path: Option<&String>| path.zip(spec.main_port()).map(|(path, port)| Ask::Http { path: path.clone(), port });
    let readiness = match health.probe {
        Some(Probe::None) => None,
        _ => ask(health.readiness_path.as_ref()).or(spec.called_port().map(|port| Ask::Tcp { port })),
    };
    let (mut volumes, mut mounts) = config_files(spec);
    volumes.extend(binding_files(scope, spec, wiring, out));
    if !wiring.bindings.is_empty() {
        mounts.push(pod::mount("bindings", binding::ROOT, true));
    }
    let workload = Workload {
        name: scope.service(&spec.name, ""),
        part: part(&spec.name),
        container: spec.name.clone(),
        image: Some(spec.image.clone()),
        command: spec.command.clone(),
        args: spec.args.clone(),
        user: spec.run_as_user.unwrap_or(DEFAULT_USER),
        replicas: spec.replicas.unwrap_or(if scope.highly_available { 2 } else { 1 }),
        ports: ports(spec),
        env: merge(our_env(spec, wiring), spec.env.iter().map(variable).collect()),
        env_from: spec.env_from.iter().map(env_from).collect(),
        volumes,
        mounts,
        startup: readiness.clone().map(|ask| (ask, health.startup_timeout_seconds.unwrap_or(120))),
        readiness,
        liveness: ask(health.liveness_path.as_ref()),
        resources: spec.resources.clone(),
        default_requests: ("50m", "64Mi"),
        scheduling: spec.scheduling.clone(),
        scratch: Some(SCRATCH),
        shutdown: SHUTDOWN,
        annotations: annotations(spec, wiring),
        memory: wiring.rotation.seen.iter().map(|seen| (SECRETS.to_owned(), seen.clone())).collect(),
        ..Default::default()
    };
    workload.deployment(scope, out);
}

fn ports(spec: &Service) -> Vec<Port> {
    let main = spec.main_port().map(|number| Port {
        protocol: (spec.protocol() == Protocol::HTTP).then_some("http"),
        ..Port::new(MAIN_PORT, number)
    });
    let further = spec.ports.iter().map(|p| Port {
        protocol: (p.protocol.unwrap_or_default() == PortProtocol::HTTP).then_some("http"),
        ..Port::new(&p.name, p.port)
    });
    main.into_iter().chain(further).collect()
}

fn our_env(spec: &Service, wiring: &ServiceWiring) -> Vec<EnvVar> {
    let mut env: Vec<EnvVar> = spec.main_port().map(|port| value("PORT", port.to_string())).into_iter().collect();
    if !wiring.bindings.is_empty() {
        env.push(value("SERVICE_BINDING_ROOT", binding::ROOT));
    }
    env.extend(wiring.bindings.iter().flat_map(Binding::env));
    env
}

fn annotations(spec: &Service, wiring: &ServiceWiring) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    if !wiring.edges.is_empty() {
        annotations.insert(EDGES.to_owned(), wiring.edges.join(","));
    }
    annotations.extend(wiring.rotation.mark.iter().map(|mark| (SECRETS.to_owned(), mark.clone())));
    annotations.extend(spec.restart_token.iter().map(|token| ("microapp.dev/restart-token".to_owned(), token.clone())));
    annotations
}

fn variable(from: &Variable) -> EnvVar {
    let source = from.value_from.as_ref().map(|v| EnvVarSource {
        secret_key_ref: v.secret_key_ref.as_ref().map(|r| SecretKeySelector {
            name: r.name.clone(),
            key: r.key.clone(),
            ..Default::default()
        }),
        config_map_key_ref: v.config_map_key_ref.as_ref().map(|r| ConfigMapKeySelector {
            name: r.name.clone(),
            key: r.key.clone(),
            ..Default::default()
        }),
        ..Default::default()
    });
    EnvVar { name: from.name.clone(), value: from.value.clone(), value_from: source }
}

fn env_from(from: &Source) -> EnvFromSource {
    EnvFromSource {
        secret_ref: from.secret_ref.as_ref().map(|r| SecretEnvSource { name: r.name.clone(), ..Default::default() }),
        config_map_ref: from
            .config_map_ref
            .as_ref()
            .map(|r| ConfigMapEnvSource { name: r.name.clone(), ..Default::default() }),
        ..Default::default()
    }
}

fn config_files(spec: &Service) -> (Vec<Volume>, Vec<k8s_openapi::api::core::v1::VolumeMount>) {
    let volume = |from: &Source| Volume {
        name: format!("files-{}", from.name),
        secret: from
            .secret_ref
            .as_ref()
            .map(|r| SecretVolumeSource { secret_name: Some(r.name.clone()), ..Default::default() }),
        config_map: from
            .config_map_ref
            .as_ref()
            .map(|r| ConfigMapVolumeSource { name: r.name.clone(), ..Default::default() }),
        ..Default::default()
    };
    let mount =
        |from: &Source| pod::mount(&format!("files-{}", from.name), &format!("/etc/microapp/{}", from.name), true);
    (spec.config_files.iter().map(volume).collect(), spec.config_files.iter().map(mount).collect())
}

/// The bindings as files: what is no secret comes from a ConfigMap of the service's, the login from its Secret; Kubernetes puts both into one folder.
/// Keys carry a digest of the content: a new pod begins with no older content that the kubelet still knows, and an old one keeps its own.
fn binding_files(scope: &Scope<'_>, spec: &Service, wiring: &ServiceWiring, out: &mut Objects) -> Option<Volume> {
    if wiring.bindings.is_empty() {
        return None;
    }
    let name = scope.service(&spec.name, "bindings");
    let content: Vec<_> = wiring.bindings.iter().map(|binding| (&binding.name, binding.files())).collect();
    let digest = &digest::of(&content);
    let key = |binding: &Binding, file: &str| format!("{digest}.{}.{file}", binding.name);
    let item = |key: String, path: String| KeyToPath { key, path, ..Default::default() };
    let data: BTreeMap<String, String> = wiring
        .bindings
        .iter()
        .flat_map(|b| b.files().into_iter().map(move |(file, text)| (key(b, file), text)))
        .collect();
    let items = wiring
        .bindings
        .iter()
        .flat_map(|b| b.files().into_keys().map(move |file| item(key(b, file), format!("{}/{file}", b.name))))
        .collect();
    let mut sources = vec![VolumeProjection {
        config_map: Some(ConfigMapProjection { name: name.clone(), items: Some(items), ..Default::default() }),
        ..Default::default()
    }];
    for (binding, secret) in wiring.bindings.iter().filter_map(|b| Some((b, b.secret.as_ref()?))) {
        let items = [USERNAME, PASSWORD].map(|file| item(file.into(), format!("{}/{file}", binding.name))).into();
        sources.push(VolumeProjection {
            secret: Some(SecretProjection { name: secret.clone(), items: Some(items), ..Default::default() }),
            ..Default::default()
        });
    }
    out.push(
        &part(&spec.name),
        &ConfigMap { metadata: scope.meta(name, &part(&spec.name)), data: Some(data), ..Default::default() },
    );
    Some(Volume {
        name: "bindings".into(),
        projected: Some(ProjectedVolumeSource { sources: Some(sources), default_mode: Some(0o440) }),
        ..Default::default()
    })
}
