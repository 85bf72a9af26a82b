//! Names of parts: what an application consists of, as status, labels and objects call it.

use std::fmt;

/// The role of a component: its field in the specification, and the beginning of its objects' names: `database`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role(&'static str);

impl Role {
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One part: a server of a component, a service, or an agent that is a pod of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartName {
    /// A component, or one of several servers that it has.
    Component(Role, Option<&'static str>),
    Service(String),
    Agent(&'static str),
}

impl PartName {
    /// The one server of a component, and the component as a whole.
    pub const fn component(role: Role) -> Self {
        Self::Component(role, None)
    }

    pub fn service(name: impl Into<String>) -> Self {
        Self::Service(name.into())
    }

    /// The component that it belongs to.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Component(role, _) => Some(*role),
            _ => None,
        }
    }

    /// The server, where a component has several.
    pub fn server(&self) -> Option<&'static str> {
        match self {
            Self::Component(_, server) => *server,
            _ => None,
        }
    }

    /// Whether both are the same service, agent or component, whatever the server.
    pub fn belongs_to(&self, whole: &Self) -> bool {
        self == whole
            || matches!((self, whole), (Self::Component(own, _), Self::Component(other, None)) if own == other)
    }

    /// What it is called among its like: `orders`, `prometheus`, `database`.
    pub fn short(&self) -> &str {
        match self {
            Self::Component(role, server) => server.unwrap_or(role.0),
            Self::Service(name) => name,
            Self::Agent(name) => name,
        }
    }

    /// As the value of a label: `service.orders`, for labels know no slash.
    pub fn label(&self) -> String {
        label(&self.to_string())
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(role, Some(server)) => write!(f, "{role}/{server}"),
            Self::Component(role, None) => write!(f, "{role}"),
            Self::Service(name) => write!(f, "service/{name}"),
            Self::Agent(name) => f.write_str(name),
        }
    }
}

/// The label of a part that is known by its text in status.
pub fn label(part: &str) -> String {
    part.replace('/', ".")
}

/// The part that a label names, as status calls it.
pub fn of_label(label: &str) -> String {
    label.replace('.', "/")
}

/// The service that a text of status names: `orders` of `service/orders`.
pub fn service_of(part: &str) -> Option<&str> {
    part.strip_prefix("service/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: Role = Role::new("metrics");

    #[test]
    fn parts_are_called_alike_in_status_and_labels() {
        let server = PartName::Component(METRICS, Some("prometheus"));
        assert_eq!((server.to_string(), server.label()), ("metrics/prometheus".into(), "metrics.prometheus".into()));
        assert_eq!(of_label(&server.label()), server.to_string());
        let service = PartName::service("orders");
        assert_eq!(service_of(&service.to_string()), Some("orders"));
        assert_eq!((service.short(), server.short()), ("orders", "prometheus"));
    }

    #[test]
    fn a_server_belongs_to_its_component() {
        let (whole, server) = (PartName::component(METRICS), PartName::Component(METRICS, Some("grafana")));
        assert!(server.belongs_to(&whole) && whole.belongs_to(&whole) && !whole.belongs_to(&server));
        assert!(!PartName::service("metrics").belongs_to(&whole));
    }
}
