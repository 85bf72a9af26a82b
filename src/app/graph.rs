//! Who is connected to whom: the one source of variables, grants, start order and picture.

use super::spec::MicroserviceAppSpec;
use crate::components::{
    Component, Wiring,
    database::{Database, DatabaseEdge},
    gateway::{Gateway, RouteEdge},
    services::{self, Access, Call, Route, Service, Use, UsedComponent},
};

/// One connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge<'a> {
    /// Parts, as in status.
    pub from: String,
    pub to: String,
    pub purpose: Purpose<'a>,
}

/// What a connection is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose<'a> {
    Route(&'a Service, &'a Route),
    Use(&'a Service, &'a Use),
    Call(&'a Service, &'a Call),
}

/// Every connection of an application, in the order of the resource.
pub fn edges(spec: &MicroserviceAppSpec) -> Vec<Edge<'_>> {
    spec.services.iter().flat_map(edges_of).collect()
}

fn edges_of(service: &Service) -> impl Iterator<Item = Edge<'_>> {
    let part = services::part(&service.name);
    let routes = service.routes.iter().map({
        let to = part.clone();
        move |route| Edge { from: Gateway::ROLE.into(), to: to.clone(), purpose: Purpose::Route(service, route) }
    });
    let uses = service.uses.iter().map({
        let from = part.clone();
        move |used| Edge { from: from.clone(), to: role(used.component).into(), purpose: Purpose::Use(service, used) }
    });
    let calls = service.calls.iter().map(move |call| Edge {
        from: part.clone(),
        to: services::part(&call.service),
        purpose: Purpose::Call(service, call),
    });
    routes.chain(uses).chain(calls)
}

/// The component that `uses` names.
pub fn role(component: UsedComponent) -> &'static str {
    match component {
        UsedComponent::Database => Database::ROLE,
    }
}

/// The same edges in the words of the components. `backend` names a service's Kubernetes Service, `login` says which version of its login is current.
pub fn wiring(spec: &MicroserviceAppSpec, backend: impl Fn(&str) -> String, login: impl Fn(&str) -> u32) -> Wiring {
    let mut wiring = Wiring::default();
    for edge in edges(spec) {
        match edge.purpose {
            Purpose::Route(service, route) => wiring.routes.push(RouteEdge {
                service: service.name.clone(),
                backend: backend(&service.name),
                port_name: services::MAIN_PORT.into(),
                hosts: route.hosts.clone(),
                path: route.path.clone(),
                exact: route.r#match == Some(services::PathMatch::Exact),
                rewrite: route.rewrite.clone(),
                timeout_seconds: route.timeout_seconds.unwrap_or(30),
            }),
            Purpose::Use(service, used) => match used.component {
                UsedComponent::Database => wiring.databases.push(DatabaseEdge {
                    service: service.name.clone(),
                    // SQL names know no dash; an underscore cannot occur in a service's name, so no two meet.
                    database: used.database_name.as_ref().unwrap_or(&service.name).replace('-', "_"),
                    read_only: used.access == Some(Access::ReadOnly),
                    login: login(&service.name),
                }),
            },
            Purpose::Call(..) => {}
        }
    }
    wiring
}
