//! Anything in a container: it gets its port as `PORT`, and what it is wired to as variables and as files.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::EnvVar;

use super::{
    DEFAULT_USER, PortProtocol, Probe, Protocol, Service,
    pod::{binding_files, config_files, env_from, variable},
};
use crate::components::{Component, Dependency, Engine, PartWiring, Wiring};
use crate::kit::{
    binding::{self, Binding, merge, value},
    objects::Objects,
    pod::{self, ProbeHandler, Shutdown},
    scope::Scope,
    workload::{DEPENDENCIES, MAIN_PORT, Port, SECRETS, Workload},
};

/// Seconds that a service goes on serving while gateway and peers learn that it ends, and that it then has to finish.
const SHUTDOWN: Shutdown = Shutdown { sleep: 5, drain: 0, stop: 25 };
/// Room in `/tmp`.
const SCRATCH: &str = "1Gi";

/// Any container.
pub struct Generic;

impl Engine<Service> for Generic {
    fn name(&self) -> &'static str {
        "Generic"
    }

    /// How others reach a service that answers at `host` and `port`.
    fn binding(&self, scope: &Scope<'_>, spec: &Service, _: &Dependency) -> Option<Binding> {
        let kind = if spec.protocol() == Protocol::HTTP { "http" } else { "tcp" };
        let prefix = binding::variable(&spec.name);
        Some(Binding {
            name: spec.name.clone(),
            kind: kind.into(),
            host: scope.object(&spec.name(), ""),
            port: spec.called_port()?,
            urls: vec![("URL", format!("{kind}://$({prefix}_HOST):$({prefix}_PORT)"))],
            ..Default::default()
        })
    }

    fn build(&self, scope: &Scope<'_>, spec: &Service, wiring: &Wiring) -> Objects {
        let (mut objects, wiring) = (Objects::default(), wiring.part(&spec.name()));
        let mut workload = workload(scope, spec, &wiring);
        if let Some((files, volume)) = binding_files(scope, spec, &wiring) {
            objects.push(&spec.name(), &files);
            workload.volumes.push(volume);
            workload.mounts.push(pod::mount("bindings", binding::ROOT, true));
        }
        objects.extend(workload.deployment(scope));
        objects
    }
}

fn workload(scope: &Scope<'_>, spec: &Service, wiring: &PartWiring) -> Workload {
    let health = spec.health.clone().unwrap_or_default();
    let http = |path: Option<&String>| {
        path.zip(spec.main_port()).map(|(path, port)| ProbeHandler::Http { path: path.clone(), port })
    };
    let readiness = match health.probe {
        Some(Probe::None) => None,
        _ => http(health.readiness_path.as_ref()).or(spec.called_port().map(|port| ProbeHandler::Tcp { port })),
    };
    let (volumes, mounts) = config_files(spec);
    let attached = wiring.attachment.clone();
    Workload {
        image: Some(spec.image.clone()),
        command: spec.command.clone(),
        args: spec.args.clone(),
        user: spec.run_as_user.unwrap_or(DEFAULT_USER),
        replicas: spec.replicas.unwrap_or(if scope.highly_available { 2 } else { 1 }),
        ports: ports(spec),
        env: merge(our_env(spec, wiring), spec.env.iter().map(variable).collect()),
        env_from: spec.env_from.iter().map(env_from).collect(),
        volumes: [volumes, attached.volumes].concat(),
        mounts: [mounts, attached.mounts].concat(),
        init: attached.init,
        sidecars: attached.sidecars,
        startup: readiness.clone().map(|handler| (handler, health.startup_timeout_seconds.unwrap_or(120))),
        readiness,
        liveness: http(health.liveness_path.as_ref()),
        resources: spec.resources.clone(),
        scheduling: spec.scheduling.clone(),
        scratch: SCRATCH,
        shutdown: SHUTDOWN,
        annotations: annotations(spec, wiring),
        object_annotations: wiring.secrets.seen.iter().map(|seen| (SECRETS.to_owned(), seen.clone())).collect(),
        ..Workload::new(spec.name(), &*spec.name)
    }
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

fn our_env(spec: &Service, wiring: &PartWiring) -> Vec<EnvVar> {
    let mut env: Vec<EnvVar> = spec.main_port().map(|port| value("PORT", port.to_string())).into_iter().collect();
    if !wiring.bindings.is_empty() {
        env.push(value("SERVICE_BINDING_ROOT", binding::ROOT));
    }
    env.extend(wiring.bindings.iter().flat_map(Binding::env));
    env.extend(wiring.attachment.env.clone());
    env
}

fn annotations(spec: &Service, wiring: &PartWiring) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    if !wiring.dependencies.is_empty() {
        annotations.insert(DEPENDENCIES.to_owned(), wiring.dependencies.join(","));
    }
    annotations.extend(wiring.secrets.mark.iter().map(|mark| (SECRETS.to_owned(), mark.clone())));
    annotations.extend(spec.restart_token.iter().map(|token| ("microapp.dev/restart-token".to_owned(), token.clone())));
    annotations
}
