//! Variables that frameworks read as settings of their own, and that a service gets because it calls one of an unlucky
//! name.

use crate::app::{MicroserviceApp, unobserved};
use crate::components::{Dependency, Purpose};
use crate::kit::{problem::Problem, reason};

/// Variable, who reads it, and as what.
const READ: &[(&str, &str, &str)] = &[
    ("SERVER_PORT", "Spring Boot", "the port that it listens on"),
    ("MANAGEMENT_SERVER_PORT", "Spring Boot", "the port of its actuator"),
    ("SPRING_DATASOURCE_URL", "Spring Boot", "the address of its database"),
    ("SPRING_RABBITMQ_HOST", "Spring Boot", "the address of RabbitMQ"),
    ("SPRING_RABBITMQ_PORT", "Spring Boot", "the port of RabbitMQ"),
    ("SPRING_DATA_REDIS_URL", "Spring Boot", "the address of Redis"),
    ("QUARKUS_HTTP_PORT", "Quarkus", "the port that it listens on"),
    ("QUARKUS_HTTP_HOST", "Quarkus", "the address that it listens on"),
    ("MICRONAUT_SERVER_PORT", "Micronaut", "the port that it listens on"),
    ("FLASK_RUN_PORT", "Flask", "the port that it listens on"),
    ("FLASK_RUN_HOST", "Flask", "the address that it listens on"),
    ("UVICORN_PORT", "Uvicorn", "the port that it listens on"),
    ("UVICORN_HOST", "Uvicorn", "the address that it listens on"),
    ("ROCKET_PORT", "Rocket", "the port that it listens on"),
    ("NITRO_PORT", "Nuxt", "the port that it listens on"),
    ("NITRO_HOST", "Nuxt", "the address that it listens on"),
    ("STREAMLIT_SERVER_PORT", "Streamlit", "the port that it listens on"),
];

/// Calls that set such a variable, unless the service sets it itself.
pub fn hints(app: &MicroserviceApp) -> Vec<Problem> {
    let (scope, wiring) = unobserved(app);
    let parts = app.spec.parts();
    let is_call = |it: &&Dependency| matches!(it.purpose, Purpose::Call { .. });
    let mut hints = vec![];
    for call in wiring.dependencies.iter().filter(is_call) {
        let peer = parts.iter().find(|part| part.name() == call.target);
        let given: Vec<String> = peer
            .and_then(|peer| peer.binding(&scope, call))
            .map(|binding| binding.env().into_iter().map(|variable| variable.name).collect())
            .unwrap_or_default();
        let (user, peer) = (call.user.short(), call.target.short());
        let own = app.spec.services.iter().filter(|service| service.name == user).flat_map(|service| &service.env);
        let own: Vec<&str> = own.map(|variable| variable.name.as_str()).collect();
        let read = READ.iter().filter(|(name, ..)| given.iter().any(|given| given == name) && !own.contains(name));
        for (name, reader, meaning) in read {
            let text = format!(
                "gives '{user}' the variable {name}, which {reader} reads as {meaning}; set {name} in its `env`, or \
                 rename '{peer}'"
            );
            hints.push(Problem::new(format!("{}.service", call.path), reason::FRAMEWORK_VARIABLE, text));
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(called: &str, env: Value) -> Vec<String> {
        let services = json!([{ "name": "web", "image": "x:1", "calls": [{ "service": called }], "env": env }, {
            "name": called, "image": "x:1" }]);
        let app = json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": {
            "name": "shop" }, "spec": { "services": services } });
        let app: MicroserviceApp = serde_json::from_value(app).unwrap_or_default();
        hints(&app).into_iter().map(|hint| format!("{}: {}", hint.path, hint.message)).collect()
    }

    #[test]
    fn a_name_that_a_framework_reads_is_told_with_the_way_out() {
        let told = found("server", json!([]));
        assert!(
            told.len() == 1
                && told[0].starts_with("spec.services[0].calls[0].service: ")
                && told[0].contains("SERVER_PORT"),
            "{told:?}"
        );
        assert_eq!(
            found("server", json!([{ "name": "SERVER_PORT", "value": "8080" }])),
            [""; 0],
            "the advice was followed"
        );
        assert_eq!(found("orders", json!([])), [""; 0]);
        assert_eq!(found("quarkus-http", json!([])).len(), 2);
    }
}
