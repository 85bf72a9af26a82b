//! Where parts meet: who depends on whom, in words that every component understands.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar, Volume, VolumeMount};

use crate::kit::{
    binding::Binding,
    credentials::Credential,
    part::{PartName, Role},
};

/// One part depends on another one: a route, a use or a call. `app::graph` makes them, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// Who depends. A route's user is the part by which clients come in.
    pub user: PartName,
    pub target: PartName,
    /// Where the specification says so: `spec.services[2].uses[0]`.
    pub path: String,
    pub purpose: Purpose,
    /// What the user logs in with, if the target asks for it.
    pub credential: Option<Credential>,
}

/// What a dependency is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    Route(Route),
    Use(Request),
    /// `waits`: the caller's pods are made only once the target is ready.
    Call {
        waits: bool,
    },
}

/// Requests that the gateway sends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Hosts of the request; empty: any that the gateway answers to.
    pub hosts: Vec<String>,
    pub path: String,
    /// The path must be equal, not only begin so.
    pub exact: bool,
    pub rewrite: Option<String>,
    /// Seconds; 0 means none.
    pub timeout_seconds: i32,
}

/// What a part asks of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub role: Role,
    /// What is used inside its server, such as a database. None: what is called like the user.
    pub resource: Option<String>,
    pub read_only: bool,
}

impl Dependency {
    pub fn is_use(&self) -> bool {
        matches!(self.purpose, Purpose::Use(_))
    }

    /// Pods of the user are made only once the target is ready, and the credential is verified.
    pub fn waits(&self) -> bool {
        matches!(self.purpose, Purpose::Use(_) | Purpose::Call { waits: true })
    }

    pub fn request(&self) -> Option<&Request> {
        match &self.purpose {
            Purpose::Use(request) => Some(request),
            _ => None,
        }
    }

    /// What is used inside the target, before the server's own spelling.
    pub fn resource(&self) -> String {
        let asked = self.request().and_then(|request| request.resource.clone());
        asked.unwrap_or_else(|| self.user.short().to_owned())
    }

    /// The name by which the user logs in. No service begins with an underscore, so a component's is nobody else's.
    pub fn login(&self) -> String {
        match &self.user {
            PartName::Service(name) => name.clone(),
            other => format!("_{}", other.short()),
        }
    }

    /// What pods remember it by, in the annotation `microapp.dev/dependencies`. A credential belongs to it, so that a
    /// new one is a new dependency.
    pub fn id(&self) -> String {
        match &self.credential {
            Some(credential) => format!("{}={}", self.target, credential.secret),
            None => self.target.to_string(),
        }
    }

    /// The Secrets of a target that pods remember: the other direction of [`Dependency::id`].
    pub fn remembered<'a>(annotation: &'a str, target: &PartName) -> impl Iterator<Item = &'a str> {
        let prefix = format!("{target}=");
        annotation.split(',').filter_map(move |id| id.strip_prefix(prefix.as_str()))
    }
}

/// What the application knows of its dependencies, for every part that is built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wiring {
    pub dependencies: Vec<Dependency>,
    /// What single parts get from it.
    pub parts: BTreeMap<PartName, PartWiring>,
}

impl Wiring {
    /// The dependencies of a user.
    pub fn of<'a>(&'a self, user: &'a PartName) -> impl Iterator<Item = &'a Dependency> {
        self.dependencies.iter().filter(move |it| it.user == *user)
    }

    /// The uses of a component.
    pub fn users(&self, role: Role) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(move |it| it.request().is_some_and(|request| request.role == role))
    }

    /// The routes, each with the service that it leads to.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &Dependency, &Route)> {
        self.dependencies.iter().filter_map(|it| match (&it.purpose, &it.target) {
            (Purpose::Route(route), PartName::Service(service)) => Some((service.as_str(), it, route)),
            _ => None,
        })
    }

    /// What one part gets.
    pub fn part(&self, name: &PartName) -> PartWiring {
        self.parts.get(name).cloned().unwrap_or_default()
    }
}

/// What one part gets from the application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartWiring {
    /// How it reaches what it uses and calls, in the order of the resource.
    pub bindings: Vec<Binding>,
    /// The dependencies that its pods will remember, sorted.
    pub dependencies: Vec<String>,
    pub secrets: SecretChanges,
    /// What components add to its pods.
    pub attachment: Attachment,
}

/// What is known of the content of the Secrets that a part names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretChanges {
    /// What was seen of them last. The workload remembers it, which restarts nothing.
    pub seen: Option<String>,
    /// Changes with their content, and restarts the pods. None until something has changed.
    pub mark: Option<String>,
    /// The Secrets that have changed since they were seen last.
    pub changed: Vec<String>,
}

/// What a component adds to the pods of services: agents beside them, and what those need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attachment {
    pub init: Vec<Container>,
    pub sidecars: Vec<Container>,
    pub env: Vec<EnvVar>,
    pub volumes: Vec<Volume>,
    pub mounts: Vec<VolumeMount>,
}

impl Attachment {
    pub fn extend(&mut self, other: Self) {
        self.init.extend(other.init);
        self.sidecars.extend(other.sidecars);
        self.env.extend(other.env);
        self.volumes.extend(other.volumes);
        self.mounts.extend(other.mounts);
    }
}
