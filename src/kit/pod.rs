//! What every pod of ours has in common: the `restricted` pod security standard and more, probes, and the time that a
//! shutdown takes.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, ExecAction, HTTPGetAction, Lifecycle,
    LifecycleHandler, ObjectFieldSelector, PodSecurityContext, Probe, SeccompProfile, SecurityContext, SleepAction,
    TCPSocketAction, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::{
    api::resource::Quantity, apis::meta::v1::LabelSelector, util::intstr::IntOrString,
};

/// What a probe does.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeHandler {
    Http {
        path: String,
        port: i32,
    },
    Tcp {
        port: i32,
    },
    /// A program of the image with fixed arguments. Never text from a resource.
    Exec(&'static [&'static str]),
}

impl ProbeHandler {
    /// A probe every `period` seconds that gives up after `failures` answers that were bad or late.
    pub fn probe(&self, period: i32, failures: i32) -> Probe {
        let mut probe = Probe {
            period_seconds: Some(period),
            failure_threshold: Some(failures),
            timeout_seconds: Some(3),
            ..Default::default()
        };
        match self {
            Self::Http { path, port } => {
                probe.http_get = Some(HTTPGetAction {
                    path: Some(path.clone()),
                    port: IntOrString::Int(*port),
                    ..Default::default()
                })
            }
            Self::Tcp { port } => {
                probe.tcp_socket = Some(TCPSocketAction { port: IntOrString::Int(*port), ..Default::default() })
            }
            Self::Exec(command) => {
                probe.exec = Some(ExecAction { command: Some(command.iter().map(|c| (*c).into()).collect()) })
            }
        }
        probe
    }
}

/// What the pod as a whole may do: run as one numeric user and own its volumes.
pub fn pod_security(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: Some(user),
        fs_group_change_policy: Some("OnRootMismatch".into()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..Default::default() }),
        ..Default::default()
    }
}

/// What a container may do: nothing beyond its own files.
pub fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), ..Default::default() }),
        ..Default::default()
    }
}

/// An empty folder that lives as long as the pod. `size` bounds it, such as `64Mi`.
pub fn scratch(name: &str, size: &str) -> Volume {
    Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource { size_limit: Some(Quantity(size.into())), ..Default::default() }),
        ..Default::default()
    }
}

/// An empty folder in memory, which counts against the memory limit of those who write there.
pub fn memory(name: &str, size: &str) -> Volume {
    let mut volume = scratch(name, size);
    volume.empty_dir.get_or_insert_default().medium = Some("Memory".into());
    volume
}

/// A variable with the number of the pod in its StatefulSet, from 0 on: by it members of a cluster know which they are.
pub fn ordinal(name: &str) -> EnvVar {
    let field_path = "metadata.labels['apps.kubernetes.io/pod-index']".into();
    let source = EnvVarSource {
        field_ref: Some(ObjectFieldSelector { field_path, ..Default::default() }),
        ..Default::default()
    };
    EnvVar { name: name.into(), value_from: Some(source), ..Default::default() }
}

/// Where a volume is seen.
pub fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.into(),
        mount_path: path.into(),
        read_only: read_only.then_some(true),
        ..Default::default()
    }
}

/// Soft spread of a part's pods over nodes and zones: what a scheduler can do it does, and a cluster of one node still
/// runs everything.
pub fn spread(selector: &std::collections::BTreeMap<String, String>) -> Vec<TopologySpreadConstraint> {
    let over = |key: &str| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(LabelSelector { match_labels: Some(selector.clone()), ..Default::default() }),
        ..Default::default()
    };
    vec![over("kubernetes.io/hostname"), over("topology.kubernetes.io/zone")]
}

/// How a pod ends: all `preStop` hooks begin at once, then the containers are told to stop, and native sidecars only
/// after those have gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Seconds that the application goes on serving while the news of its end spreads.
    pub sleep: i64,
    /// Seconds that a hook of an agent may take instead.
    pub drain: i64,
    /// Seconds that the program itself needs after it was told to stop.
    pub stop: i64,
}

impl Shutdown {
    /// The grace period: the one place where the seconds are added up. Five more are for the sidecars.
    pub fn grace_seconds(self) -> i64 {
        self.sleep.max(self.drain) + self.stop + 5
    }

    /// The hook of the main container. The agent drains when it is asked for `drain_path`.
    pub fn hook(self, agent_port: i32, drain_path: &str) -> Option<Lifecycle> {
        let handler = match self {
            Self { drain: 1.., .. } => LifecycleHandler {
                http_get: Some(HTTPGetAction {
                    path: Some(drain_path.into()),
                    port: IntOrString::Int(agent_port),
                    ..Default::default()
                }),
                ..Default::default()
            },
            Self { sleep: 1.., .. } => {
                LifecycleHandler { sleep: Some(SleepAction { seconds: self.sleep }), ..Default::default() }
            }
            _ => return None,
        };
        Some(Lifecycle { pre_stop: Some(handler), ..Default::default() })
    }
}

/// Turns a container into a native sidecar: it starts before the others and ends after them.
pub fn sidecar(mut container: Container) -> Container {
    container.restart_policy = Some("Always".into());
    container
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_covers_the_longest_hook_and_the_stop() {
        assert_eq!(Shutdown { sleep: 5, drain: 0, stop: 25 }.grace_seconds(), 35);
        assert_eq!(Shutdown { sleep: 5, drain: 20, stop: 10 }.grace_seconds(), 35);
        let path =
            |s: Shutdown| s.hook(1, "/drain/x").and_then(|l| l.pre_stop).and_then(|h| h.http_get).and_then(|g| g.path);
        assert_eq!(path(Shutdown { sleep: 5, drain: 20, stop: 1 }).as_deref(), Some("/drain/x"));
        assert!(Shutdown { sleep: 0, drain: 0, stop: 1 }.hook(1, "/drain/x").is_none());
    }
}
