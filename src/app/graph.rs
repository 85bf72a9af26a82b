//! Who depends on whom: the one source of variables, grants, start order, status and pictures.

use super::{spec::MicroserviceAppSpec, waiting};
use crate::components::{Component, Dependency, Purpose, Request, Route, services};
use crate::kit::{
    part::{PartName, Role},
    scope::Scope,
};

/// Every dependency of an application, in the order of the resource: routes, uses and calls of each service, then what
/// components use. Credentials are named by what `scope` observed.
pub fn dependencies(spec: &MicroserviceAppSpec, scope: &Scope<'_>) -> Vec<Dependency> {
    let parts = spec.parts();
    let entry = parts.iter().find(|part| part.is_entry()).map(|part| part.name());
    let services = spec.services.iter().enumerate();
    let mut all: Vec<Dependency> = services.flat_map(|(s, service)| of_service(s, service, entry.as_ref())).collect();
    for part in &parts {
        let role = part.name().role().map(Role::name).unwrap_or_default();
        all.extend(part.uses().into_iter().map(|request| use_of(part.name(), format!("spec.{role}"), request)));
    }
    for dependency in &mut all {
        dependency.credential = waiting::credential(&parts, scope, dependency);
    }
    all
}

fn of_service(index: usize, service: &services::Service, entry: Option<&PartName>) -> Vec<Dependency> {
    let path = |list: &str, i: usize| format!("spec.services[{index}].{list}[{i}]");
    let new = |user: PartName, target: PartName, path: String, purpose: Purpose| Dependency {
        user,
        target,
        path,
        purpose,
        credential: None,
    };
    let routes = service.routes.iter().enumerate().filter_map(|(r, route)| {
        let purpose = Purpose::Route(Route {
            hosts: route.hosts.clone(),
            path: route.path.clone(),
            exact: route.r#match == Some(services::PathMatch::Exact),
            rewrite: route.rewrite.clone(),
            timeout_seconds: route.timeout(),
        });
        Some(new(entry?.clone(), service.name(), path("routes", r), purpose))
    });
    let uses = service.uses.iter().enumerate().map(|(u, used)| {
        let read_only = used.access == Some(services::Access::ReadOnly);
        let request = Request { role: used.component.role(), resource: used.database_name.clone(), read_only };
        use_of(service.name(), path("uses", u), request)
    });
    let calls = service.calls.iter().enumerate().map(|(c, call)| {
        let purpose = Purpose::Call { waits: call.wait_for == Some(services::WaitFor::Ready) };
        new(service.name(), PartName::service(&*call.service), path("calls", c), purpose)
    });
    routes.chain(uses).chain(calls).collect()
}

fn use_of(user: PartName, path: String, request: Request) -> Dependency {
    let target = PartName::component(request.role);
    Dependency { user, target, path, purpose: Purpose::Use(request), credential: None }
}
