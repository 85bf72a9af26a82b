//! What Valkey and Redis have in common: one instance, whose users stand in a file beside its data.
//!
//! The file is on the pod's own volume, where the server can write it. A new pod begins with the administrator alone
//! and is not ready until the provisioner has made the others: so no service ever meets a server that does not know it.

use super::{Cache, pod};
use crate::components::{Component, Dependency, Engine, Names, Wiring};
use crate::kit::{
    agents::{self, ADMINISTRATOR, CacheLogin},
    binding::Binding,
    images::{self, Version},
    objects::Objects,
    part::PartName,
    problem::Problem,
    reason,
    scope::Scope,
    store::{self, Store},
    volumes::DATA,
};

pub const PORT: i32 = 6379;

/// A server that speaks the protocol of Redis.
pub struct Server {
    /// As the user writes it.
    pub name: &'static str,
    pub program: &'static str,
    /// Tested versions: major, exact version.
    pub tested: &'static [(&'static str, &'static str)],
    /// The official image of a version.
    pub image: fn(&str) -> String,
}

impl Engine<Cache> for Server {
    fn name(&self) -> &'static str {
        self.name
    }

    fn names(&self) -> Names {
        Names { reserved: &["default"], ..Default::default() }
    }

    fn store<'a>(&self, scope: &'a Scope<'a>, spec: &'a Cache) -> Option<Store<'a>> {
        let store = Store::new(scope, PartName::component(Cache::ROLE), self.name, self.version(scope, spec).major);
        let volumes: &[&str] = if spec.storage.is_some() { &[DATA] } else { &[] };
        // Each start writes the administrator as the Secret has it: what is kept opens with any.
        let own = Store { volumes, reads: store::older, sealed: false, has_logins: true, ..store };
        Some(Store { storage: spec.storage.as_ref(), ..own })
    }

    fn obstacles(&self, scope: &Scope<'_>, spec: &Cache) -> Vec<Problem> {
        let unknown = images::untested(self.name, self.tested, &self.version(scope, spec).major);
        let unknown = unknown.map(|text| Problem::new("spec.cache.version", reason::UNKNOWN_VERSION, text));
        unknown.into_iter().chain(self.store(scope, spec).and_then(|store| store.obstacle())).collect()
    }

    /// Passwords are letters and digits, so addresses need no escaping.
    fn binding(&self, scope: &Scope<'_>, _: &Cache, dependency: &Dependency) -> Option<Binding> {
        Some(Binding {
            name: Cache::ROLE.to_string(),
            kind: "redis".into(),
            host: scope.component(Cache::ROLE, ""),
            port: PORT,
            secret: dependency.credential.as_ref().map(|it| it.secret.clone()),
            urls: vec![("URL", "redis://$(CACHE_USERNAME):$(CACHE_PASSWORD)@$(CACHE_HOSTPORT)".into())],
            ..Default::default()
        })
    }

    fn build(&self, scope: &Scope<'_>, spec: &Cache, wiring: &Wiring) -> Objects {
        let Some(store) = self.store(scope, spec) else { return Objects::default() };
        let mut objects = store.objects();
        objects.extend(store.admin_secret(ADMINISTRATOR));
        for (user, credential) in wiring.users(Cache::ROLE).filter_map(|it| Some((it, it.credential.as_ref()?))) {
            objects.extend(store.login_secret(credential, &user.login()));
        }
        let image = (self.image)(&self.version(scope, spec).exact);
        objects.extend(pod::workload(scope, spec, &store, self.program, image).stateful(scope, &[]));
        objects
    }

    fn provision(&self, scope: &Scope<'_>, spec: &Cache, wiring: &Wiring) -> Vec<agents::Provision> {
        let Some(store) = self.store(scope, spec) else { return vec![] };
        let login = |user: &Dependency| CacheLogin {
            service: user.login(),
            username: user.login(),
            secret: user.credential.as_ref().map(|it| it.secret.clone()).unwrap_or_default(),
            read_only: user.request().is_some_and(|request| request.read_only),
        };
        vec![agents::Provision::Redis(agents::Redis {
            component: Cache::ROLE.to_string(),
            host: scope.component(Cache::ROLE, ""),
            admin_host: scope.component(Cache::ROLE, "peers"),
            port: PORT as u16,
            admin_secret: store.admin().secret,
            logins: wiring.users(Cache::ROLE).map(login).collect(),
        })]
    }
}

impl Server {
    /// What the user asks for; else what kept data was written by; else the newest tested.
    fn version(&self, scope: &Scope<'_>, spec: &Cache) -> Version {
        let part = PartName::component(Cache::ROLE);
        let kept = spec.storage.as_ref().and_then(|_| store::recorded(scope, &part, self.name));
        images::version_of(self.tested, spec.version.as_ref().map(ToString::to_string), kept)
    }
}
