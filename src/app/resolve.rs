//! From the wish to a sound application, and from that to its objects.

use std::sync::OnceLock;

use super::{MicroserviceApp, gates, graph, problems::problems, rotation, spec::*};
use crate::components::{Component, Wiring, database, gateway::Gateway, provisioner, registry::Registry, services};
use crate::kit::{
    agents::Plan,
    binding::Binding,
    data,
    objects::{Object, Objects},
    observed::Observed,
    problem::Problem,
    scope::Scope,
    volumes,
};

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
    pub scope: Scope<'a>,
    pub wiring: Wiring,
    /// What keeps single parts from being built as they are wished: part and mistake. The others go on.
    pub blocked: Vec<(&'static str, Problem)>,
    /// What of the wish is not so, while its part goes on.
    pub hints: Vec<Problem>,
    /// What the provisioner is to do, and its digest: many ask, and it is long.
    plan: OnceLock<Option<(Plan, String)>>,
}

impl<'a> App<'a> {
    /// The application as it is wired, whether it is sound or not: what [`super::names`] looks at.
    pub(super) fn sketch(resource: &'a MicroserviceApp, observed: &'a Observed, settings: &'a Settings) -> Self {
        let scope = scope(resource, observed, settings);
        let wiring = graph::wiring(&resource.spec, |service| scope.service(service, ""), |_| 1);
        Self { resource, scope, wiring, blocked: vec![], hints: vec![], plan: OnceLock::new() }
    }

    /// Everything that is wrong with the resource as a whole, or a sound application.
    ///
    /// # Errors
    /// All mistakes at once, in the order of the resource.
    pub fn resolve(
        resource: &'a MicroserviceApp,
        observed: &'a Observed,
        settings: &'a Settings,
    ) -> Result<Self, Vec<Problem>> {
        let found = problems(resource);
        if !found.is_empty() {
            return Err(found);
        }
        let scope = scope(resource, observed, settings);
        let wiring = graph::wiring(
            &resource.spec,
            |service| scope.service(service, ""),
            |service| gates::login_version(&scope, service),
        );
        let blocked = resource
            .spec
            .database
            .iter()
            .flat_map(|spec| spec.engine().check(&scope, spec))
            .map(|problem| (database::Database::ROLE, problem))
            .collect();
        let hints = resource.spec.database.iter().flat_map(|spec| spec.engine().hints(&scope, spec)).collect();
        Ok(Self { resource, scope, wiring, blocked, hints, plan: OnceLock::new() })
    }

    pub fn spec(&self) -> &'a MicroserviceAppSpec {
        &self.resource.spec
    }

    /// Every object that the application is to consist of, in the order of applying. Each part is always built; what may not be touched now is held.
    pub fn build(&self) -> Vec<Object> {
        let (spec, mut out) = (self.spec(), Objects::default());
        self.component(spec.registry.as_ref(), &mut out);
        self.component(spec.database.as_ref(), &mut out);
        self.component(spec.gateway.as_ref(), &mut out);
        if let Some((plan, _)) = self.plan() {
            let from = out.len();
            provisioner::build(&self.scope, plan.clone(), &mut out);
            // Nothing new is asked of a server whose data is another one's.
            out.hold_since(from, &self.mistakes(database::Database::ROLE));
        }
        for service in &spec.services {
            let from = out.len();
            services::build(&self.scope, service, &self.service_wiring(service), &mut out);
            out.hold_workloads_since(from, &gates::waits(self, service));
        }
        out.into_sorted()
    }

    fn component<C: Component>(&self, spec: Option<&C>, out: &mut Objects) {
        let Some(spec) = spec else { return };
        let from = out.len();
        spec.engine().build(&self.scope, spec, &self.wiring, out);
        out.hold_since(from, &self.mistakes(C::ROLE));
        if self.blocked.iter().any(|(role, problem)| *role == C::ROLE && problem.reason == data::GOING) {
            // A claim goes when no pod uses it any more.
            let running = |name: &str| {
                self.scope
                    .observed
                    .record("StatefulSet", name)
                    .is_some_and(|it| it.owner.as_deref() == Some(self.scope.uid))
            };
            let leaving = |name: &str| {
                self.scope.observed.claim(&volumes::claim_name(name, 0)).is_some_and(|claim| claim.deleting)
            };
            out.drain_since(from, |name| running(name) && leaving(name));
        }
    }

    /// What keeps a component from being built as it is wished.
    fn mistakes(&self, role: &str) -> Vec<String> {
        self.blocked
            .iter()
            .filter(|(blocked, _)| *blocked == role)
            .map(|(_, problem)| problem.message.clone())
            .collect()
    }

    /// What the provisioner is to do, if there is anything, and the digest by which a report names it.
    pub fn plan(&self) -> Option<&(Plan, String)> {
        let made = || {
            let provisions = self
                .spec()
                .database
                .iter()
                .filter_map(|spec| spec.engine().provision(&self.scope, spec, &self.wiring))
                .collect();
            let plan = provisioner::plan(&self.scope, provisions, rotation::watched(self))?;
            let (_, digest) = provisioner::published(&plan);
            Some((plan, digest))
        };
        self.plan.get_or_init(made).as_ref()
    }

    /// What a service reaches, and the edges that its pods will carry.
    pub fn service_wiring(&self, service: &services::Service) -> services::ServiceWiring {
        let calls = service.calls.iter().filter_map(|call| self.peer(&call.service));
        let bindings = self.components_used(service).into_iter().chain(calls).collect();
        let edges = gates::edges(self, service).into_iter().map(|edge| edge.id).collect();
        services::ServiceWiring { bindings, edges, rotation: rotation::of(self, service) }
    }

    /// How a service reaches the components that it uses.
    pub(super) fn components_used(&self, service: &services::Service) -> Vec<Binding> {
        let edges = self.wiring.databases.iter().filter(|edge| edge.service == service.name);
        edges
            .flat_map(|edge| self.spec().database.iter().map(|spec| database::binding(&self.scope, spec, edge)))
            .collect()
    }

    /// How a service reaches another one.
    pub(super) fn peer(&self, name: &str) -> Option<Binding> {
        let peer = self.spec().services.iter().find(|s| s.name == name)?;
        Some(services::binding(peer, self.scope.service(name, ""), peer.called_port()?))
    }

    /// Variables of a binding that the user's own replace.
    pub fn overridden(&self, service: &services::Service, component: &str) -> Vec<String> {
        let ours: Vec<String> = self
            .components_used(service)
            .iter()
            .filter(|b| b.name == component)
            .flat_map(Binding::env)
            .map(|v| v.name)
            .collect();
        service.env.iter().filter(|v| ours.contains(&v.name)).map(|v| v.name.clone()).collect()
    }

    /// The roles of the declared components, with their engines.
    pub fn components(&self) -> Vec<(&'static str, &'static str)> {
        let spec = self.spec();
        let gateway = spec.gateway.iter().map(|c| (Gateway::ROLE, c.engine().name()));
        let registry = spec.registry.iter().map(|c| (Registry::ROLE, c.engine().name()));
        let database = spec.database.iter().map(|c| (database::Database::ROLE, c.engine().name()));
        gateway.chain(registry).chain(database).collect()
    }
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
        registry: images.and_then(|i| i.registry.as_deref()),
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
