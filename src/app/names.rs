//! Names that meet in one pod: variables and files that a service is given, made from names that users chose.

use std::collections::BTreeMap;

use super::{App, MicroserviceApp, Settings};
use crate::components::services::Service;
use crate::kit::{binding::Binding, observed::Observed, problem::Problem};

/// Two bindings of one service that give a variable or a file of the same name. The second one is at fault.
pub fn conflicts(resource: &MicroserviceApp) -> Vec<Problem> {
    let (observed, settings) = (Observed::default(), Settings::default());
    let app = App::sketch(resource, &observed, &settings);
    resource.spec.services.iter().enumerate().flat_map(|(index, service)| conflicts_of(&app, index, service)).collect()
}

fn conflicts_of(app: &App<'_>, index: usize, service: &Service) -> Vec<Problem> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = vec![];
    for binding in app.components_used(service) {
        owners.extend(names(&binding).map(|name| (name, format!("the component '{}'", binding.name))));
    }
    for (c, call) in service.calls.iter().enumerate() {
        let Some(binding) = app.peer(&call.service) else { continue };
        if let Some((name, owner)) =
            names(&binding).find_map(|name| owners.get(&name).cloned().map(|owner| (name, owner)))
        {
            let message = format!(
                "calling '{}' gives '{}' the name {name}, which {owner} gives it, too; rename the service '{}'",
                call.service, service.name, call.service
            );
            problems.push(Problem::new(
                format!("spec.services[{index}].calls[{c}].service"),
                "VariableConflict",
                message,
            ));
        }
        owners.extend(names(&binding).map(|name| (name, format!("the call of '{}'", call.service))));
    }
    problems
}

/// Everything that a binding is called by in the pod.
fn names(binding: &Binding) -> impl Iterator<Item = String> {
    let variables: Vec<String> = binding.env().into_iter().map(|variable| variable.name).collect();
    variables.into_iter().chain([binding.name.clone()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(callers: &str, called: &[&str]) -> Vec<(String, &'static str)> {
        let calls: Vec<_> = called.iter().map(|name| json!({ "service": name })).collect();
        let uses = if callers == "uses" { json!([{ "component": "Database" }]) } else { json!([]) };
        let mut services = vec![json!({ "name": "web", "image": "x:1", "calls": calls, "uses": uses })];
        services.extend(called.iter().map(|name| json!({ "name": name, "image": "x:1" })));
        let app = json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "shop" }, "spec": { "services": services, "database": {} } });
        let app: MicroserviceApp = serde_json::from_value(app).unwrap_or_default();
        conflicts(&app).into_iter().map(|p| (p.path, p.reason)).collect()
    }

    #[test]
    fn the_second_of_two_variables_of_one_name_is_told() {
        let at = |call: usize| vec![(format!("spec.services[0].calls[{call}].service"), "VariableConflict")];
        assert_eq!(found("uses", &["orders", "database"]), at(1));
        assert_eq!(found("uses", &["database-jdbc"]), at(0));
        assert_eq!(found("uses", &["database-r2dbc", "orders"]), at(0));
        for sound in
            [["database", "database-jdbc"], ["order", "order-host"], ["cache", "auth"], ["port", "service-binding"]]
        {
            assert_eq!(found("", &sound), []);
        }
        assert_eq!(found("uses", &["database-name", "database-host", "data"]), []);
    }
}
