//! What a service's specification says of its pods, in Kubernetes' words: variables, files, and bindings as files.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapEnvSource, ConfigMapKeySelector, ConfigMapProjection, ConfigMapVolumeSource, EnvFromSource,
    EnvVar, EnvVarSource, KeyToPath, ProjectedVolumeSource, SecretEnvSource, SecretKeySelector, SecretProjection,
    SecretVolumeSource, Volume, VolumeMount, VolumeProjection,
};

use super::{Service, Source, Variable};
use crate::components::{Component, PartWiring};
use crate::kit::{
    binding::Binding,
    credentials::{PASSWORD, USERNAME},
    digest, pod,
    scope::Scope,
};

/// A variable of the user's.
pub fn variable(from: &Variable) -> EnvVar {
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

pub fn env_from(from: &Source) -> EnvFromSource {
    EnvFromSource {
        secret_ref: from.secret_ref.as_ref().map(|r| SecretEnvSource { name: r.name.clone(), ..Default::default() }),
        config_map_ref: from
            .config_map_ref
            .as_ref()
            .map(|r| ConfigMapEnvSource { name: r.name.clone(), ..Default::default() }),
        ..Default::default()
    }
}

pub fn config_files(spec: &Service) -> (Vec<Volume>, Vec<VolumeMount>) {
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

/// The bindings as files: what is no secret comes from a ConfigMap of the service's, the login from its Secret;
/// Kubernetes puts both into one folder. Keys carry a digest of the content: a new pod begins with no older content
/// that the kubelet still knows, and an old one keeps its own.
pub fn binding_files(scope: &Scope<'_>, spec: &Service, wiring: &PartWiring) -> Option<(ConfigMap, Volume)> {
    if wiring.bindings.is_empty() {
        return None;
    }
    let name = scope.object(&spec.name(), "bindings");
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
    let metadata = scope.meta(name, &spec.name());
    let files = ConfigMap { metadata, data: Some(data), ..Default::default() };
    let volume = Volume {
        name: "bindings".into(),
        projected: Some(ProjectedVolumeSource { sources: Some(sources), default_mode: Some(0o440) }),
        ..Default::default()
    };
    Some((files, volume))
}
