//! Whether the installed definition and this binary speak of the same resource.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use kube::{Api, Client};

use super::{Error, client::within};
use crate::app::crd;

const NAME: &str = "microserviceapps.microapp.dev";

/// Fields that this binary knows and the installed definition does not: what it would write there would be dropped
/// without a word. A newer definition is fine.
///
/// # Errors
/// When the CRD cannot be read.
pub async fn missing_fields(client: &Client) -> Result<Vec<String>, Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let installed = within(api.get(NAME)).await?;
    let ours = crd::definition().map_err(|e| Error::Json(NAME.into(), e))?;
    let schema = |crd: &CustomResourceDefinition| {
        crd.spec
            .versions
            .iter()
            .find(|v| v.name == "v1alpha1")
            .and_then(|v| v.schema.clone())
            .and_then(|s| s.open_api_v3_schema)
    };
    let mut missing = vec![];
    match (schema(&ours), schema(&installed)) {
        (Some(ours), Some(there)) => compare("", &ours, &there, &mut missing),
        _ => missing.push("v1alpha1".into()),
    }
    Ok(missing)
}

fn compare(path: &str, ours: &JSONSchemaProps, there: &JSONSchemaProps, missing: &mut Vec<String>) {
    for (name, field) in ours.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        match there.properties.as_ref().and_then(|p| p.get(name)) {
            Some(same) => compare(&path, field, same, missing),
            None => missing.push(path),
        }
    }
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray::Schema;
    if let (Some(Schema(ours)), Some(Schema(there))) = (&ours.items, &there.items) {
        compare(&format!("{path}[]"), ours, there, missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_definition_lacks_fields_and_a_newer_one_does_not() {
        let props = |json: &str| serde_json::from_str::<JSONSchemaProps>(json).unwrap_or_default();
        let small = props(r#"{"properties":{"spec":{"properties":{"a":{"type":"string"}}}}}"#);
        let large = props(
            r#"{"properties":{"spec":{"properties":{"a":{"type":"string"},"b":{"items":{"properties":{"c":{}}}}}}}}"#,
        );
        let lacking = |ours, there| {
            let mut m = vec![];
            compare("", ours, there, &mut m);
            m
        };
        assert_eq!(lacking(&large, &small), [".spec.b"]);
        assert!(lacking(&small, &large).is_empty());
    }
}
