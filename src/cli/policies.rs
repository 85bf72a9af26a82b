//! `microapp policies`: what the chart's admission policies must cover, as it follows from the kinds that we own and
//! from the schema. The next kind and the next field that names a Secret are covered without anybody thinking of it.

use k8s_openapi::api::{admissionregistration::v1::RuleWithOperations, rbac::v1::PolicyRule};
use serde::Serialize;
use serde_json::Value;

use super::Error;
use crate::app::crd;
use crate::kit::{
    access::rule,
    owned::{OWNED, Prune, Watched},
};

/// What controllers make of our workloads, with our labels.
const MADE_BY_CONTROLLERS: [(&str, &str); 2] = [("", "pods"), ("apps", "replicasets")];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Covered {
    /// Kinds whose labels are the operator's.
    pub labelled: Vec<RuleWithOperations>,
    /// Kinds that hold data: the operator may change their owner, where a cluster asks for the right to delete, and
    /// delete none.
    pub kept: Vec<PolicyRule>,
    /// Where a resource names a Secret, as `services[].env[].valueFrom.secretKeyRef`.
    pub secret_paths: Vec<String>,
}

/// All of it as YAML.
///
/// # Errors
/// When there is no schema, or it cannot be written as YAML, which a test excludes.
pub fn yaml() -> Result<String, Error> {
    serde_saphyr::to_string(&covered()?).map_err(|e| Error::Yaml(e.to_string()))
}

/// What the policies must cover.
///
/// # Errors
/// When there is no schema, which a test excludes.
pub fn covered() -> Result<Covered, Error> {
    let kinds = OWNED.iter().map(|row| (row.group, row.plural)).chain(MADE_BY_CONTROLLERS);
    let labelled = |(group, plural): (&str, &str)| RuleWithOperations {
        api_groups: Some(vec![group.into()]),
        api_versions: Some(vec!["*".into()]),
        operations: Some(vec!["CREATE".into(), "UPDATE".into()]),
        resources: Some(vec![plural.into()]),
        ..Default::default()
    };
    let kept = OWNED.iter().filter(|row| row.prune == Prune::Keep && row.watched != Watched::Never);
    let mut secret_paths = vec![];
    find_secrets(&crd::schema()?["properties"]["spec"], "", &mut secret_paths);
    Ok(Covered {
        labelled: kinds.map(labelled).collect(),
        kept: kept.map(|row| rule(row.group, row.plural, &[], &["delete"])).collect(),
        secret_paths,
    })
}

/// Every field below a schema that speaks of a Secret, whatever its form.
fn find_secrets(schema: &Value, path: &str, out: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let here = if field["items"].is_object() { format!("{here}[]") } else { here };
        if name.to_lowercase().contains("secret") {
            out.push(here);
            continue;
        }
        find_secrets(field, &here, out);
        find_secrets(&field["items"], &here, out);
        find_secrets(&field["additionalProperties"], &format!("{here}{{}}"), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_ours_is_covered() -> Result<(), Error> {
        let covered = covered()?;
        let has = |group: &str, plural: &str| {
            covered.labelled.iter().any(|r| {
                r.api_groups.iter().flatten().any(|g| g == group) && r.resources.iter().flatten().any(|p| p == plural)
            })
        };
        assert!(OWNED.iter().all(|row| has(row.group, row.plural)) && has("", "pods") && has("apps", "replicasets"));
        let kept: Vec<&str> =
            covered.kept.iter().flat_map(|r| r.resources.iter().flatten().map(String::as_str)).collect();
        assert_eq!(kept, ["controllerrevisions", "persistentvolumeclaims"]);
        Ok(())
    }

    #[test]
    fn no_field_that_names_a_secret_is_forgotten() {
        let found = |schema: &Value| {
            let mut out = vec![];
            find_secrets(schema, "", &mut out);
            out
        };
        let secret = serde_json::json!({ "type": "object", "properties": { "name": { "type": "string" } } });
        let list = |items: Value| serde_json::json!({ "type": "array", "items": items });
        let object = |name: &str, of: Value| serde_json::json!({ "type": "object", "properties": { name: of } });
        assert_eq!(
            found(&object("database", object("external", object("secretRef", secret.clone())))),
            ["database.external.secretRef"]
        );
        assert_eq!(
            found(&object("tls", list(object("certificateSecretRef", secret.clone())))),
            ["tls[].certificateSecretRef"]
        );
        assert_eq!(found(&object("pullSecretRefs", list(secret.clone()))), ["pullSecretRefs[]"]);
        let map = serde_json::json!({ "type": "object", "additionalProperties": object("secretKeyRef", secret) });
        assert_eq!(found(&object("any", map)), ["any{}.secretKeyRef"]);
        let schema = crd::schema().map(|s| s["properties"]["spec"].clone()).unwrap_or_default();
        let names =
            schema.to_string().matches("ecretRef\":").count() + schema.to_string().matches("ecretRefs\":").count();
        let keys = schema.to_string().matches("ecretKeyRef\":").count();
        assert!(names + keys > 3 && found(&schema).len() == names + keys, "{:?}", found(&schema));
    }
}
