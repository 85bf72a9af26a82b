//! Names that meet in one pod: variables and files that a service is given, made from names that users chose.

use std::collections::BTreeMap;

use crate::components::{Part, Purpose, Wiring};
use crate::kit::{binding::Binding, part::PartName, problem::Problem, reason, scope::Scope};

/// Two bindings of one part that give a variable or a file of the same name. The second one is at fault.
pub fn conflicts(parts: &[&dyn Part], scope: &Scope<'_>, wiring: &Wiring) -> Vec<Problem> {
    parts.iter().flat_map(|part| conflicts_of(parts, scope, wiring, &part.name())).collect()
}

fn conflicts_of(parts: &[&dyn Part], scope: &Scope<'_>, wiring: &Wiring, user: &PartName) -> Vec<Problem> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = vec![];
    for dependency in wiring.of(user).filter(|it| !matches!(it.purpose, Purpose::Route(_))) {
        let target = parts.iter().find(|part| part.name() == dependency.target);
        let Some(binding) = target.and_then(|target| target.binding(scope, dependency)) else { continue };
        let (other, user) = (dependency.target.short(), user.short());
        let taken = names(&binding).find_map(|name| owners.get(&name).cloned().map(|owner| (name, owner)));
        if let Some((name, owner)) = taken {
            let message = format!(
                "calling '{other}' gives '{user}' the name {name}, which {owner} gives it, too; rename the service \
                    '{other}'"
            );
            let field = if dependency.is_use() { "component" } else { "service" };
            problems.push(Problem::new(format!("{}.{field}", dependency.path), reason::VARIABLE_CONFLICT, message));
        }
        let owner =
            if dependency.is_use() { format!("the component '{other}'") } else { format!("the call of '{other}'") };
        owners.extend(names(&binding).map(|name| (name, owner.clone())));
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
    use crate::app::{MicroserviceApp, unobserved};

    fn found(callers: &str, called: &[&str]) -> Vec<(String, &'static str)> {
        let calls: Vec<_> = called.iter().map(|name| json!({ "service": name })).collect();
        let uses = if callers == "uses" { json!([{ "component": "Database" }]) } else { json!([]) };
        let mut services = vec![json!({ "name": "web", "image": "x:1", "calls": calls, "uses": uses })];
        services.extend(called.iter().map(|name| json!({ "name": name, "image": "x:1" })));
        let app = json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": {
            "name": "shop" }, "spec": { "services": services, "database": {} } });
        let app: MicroserviceApp = serde_json::from_value(app).unwrap_or_default();
        let (scope, wiring) = unobserved(&app);
        conflicts(&app.spec.parts(), &scope, &wiring).into_iter().map(|p| (p.path, p.reason.name())).collect()
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
