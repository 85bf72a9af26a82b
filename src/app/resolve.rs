//! From the specification to a sound application.

use std::sync::OnceLock;

use super::{MicroserviceApp, graph, problems::problems, spec::*};
use crate::components::Wiring;
use crate::kit::{observed::Observed, problem::Problem, scope::Scope};

/// What the operator itself was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Image of agents in new and changed workloads.
    pub agent_image: String,
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { agent_image: crate::kit::images::AGENT.into(), version: env!("CARGO_PKG_VERSION").into() }
    }
}

/// An application that is known to be sound: holding one is the proof that building it cannot fail.
pub struct App<'a> {
    pub resource: &'a MicroserviceApp,
    pub settings: &'a Settings,
}

impl<'a> App<'a> {
    /// A sound application, or everything that is wrong with the resource as a whole.
    ///
    /// # Errors
    /// All mistakes at once, in the order of the resource.
    pub fn resolve(resource: &'a MicroserviceApp, settings: &'a Settings) -> Result<Self, Vec<Problem>> {
        let found = problems(resource);
        if found.is_empty() { Ok(Self { resource, settings }) } else { Err(found) }
    }

    pub fn spec(&self) -> &'a MicroserviceAppSpec {
        &self.resource.spec
    }

    pub fn scope(&self, observed: &'a Observed) -> Scope<'a> {
        scope(self.resource, observed, self.settings)
    }
}

/// The application as it is wired before anything of it is there, whether it is sound or not.
pub fn unobserved(resource: &MicroserviceApp) -> (Scope<'_>, Wiring) {
    static NOTHING: OnceLock<(Observed, Settings)> = OnceLock::new();
    let (observed, settings) = NOTHING.get_or_init(Default::default);
    let scope = scope(resource, observed, settings);
    let dependencies = graph::dependencies(&resource.spec, &scope);
    (scope, Wiring { dependencies, ..Default::default() })
}

fn scope<'a>(resource: &'a MicroserviceApp, observed: &'a Observed, settings: &'a Settings) -> Scope<'a> {
    let (meta, spec) = (&resource.metadata, &resource.spec);
    let images = spec.images.as_ref();
    let text = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
    Scope {
        app: text(&meta.name),
        namespace: text(&meta.namespace),
        uid: text(&meta.uid),
        labels: &spec.labels,
        annotations: &spec.annotations,
        mirror: images.and_then(|i| i.registry.as_deref()),
        pull_policy: images.and_then(|i| i.pull_policy).map(|policy| match policy {
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Always => "Always",
            PullPolicy::Never => "Never",
        }),
        pull_secrets: images.iter().flat_map(|i| &i.pull_secret_refs).map(|r| r.name.as_str()).collect(),
        agent_resources: spec.agents.as_ref().and_then(|agents| agents.resources.as_ref()),
        highly_available: spec.availability == Some(Availability::HighlyAvailable),
        retain: spec.data_retention.unwrap_or_default() == DataRetention::Retain,
        agent_image: &settings.agent_image,
        observed,
    }
}
