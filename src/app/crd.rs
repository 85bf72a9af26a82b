//! The CustomResourceDefinition: what kube derives from the types, made fit for an API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::MicroserviceApp;
use crate::kit::forms::{EXPRESSION, EXPRESSION_TEXT, FIELD, FIELD_TEXT, TOLERATION, TOLERATION_TEXT, label_key};

/// Bounds of what has none of its own. Every string, list and map is bounded, so that the cost of every rule can be
/// estimated and nobody fills the store.
const TEXT: u64 = 1024;
const ITEMS: u64 = 64;
const PROPERTIES: u64 = 64;

/// Terms of affinity in a list: few, for they stand in lists of lists.
const TERMS: u64 = 16;

/// Fields in Kubernetes' own types, whose manual is elsewhere.
const FOREIGN: [&str; 2] = ["affinity", "tolerations"];

/// The definition as it is installed.
///
/// # Errors
/// When the derived schema is not the JSON that we know, which a test excludes.
pub fn definition() -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut crd = serde_json::to_value(MicroserviceApp::crd())?;
    if let Some(schema) = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        schema["description"] =
            "A microservice application: your services and the components that they use, wired together and kept so."
                .into();
        tidy(schema, false);
        // Only what is declared can be the path of a rule's error.
        schema["properties"]["metadata"] =
            json!({ "type": "object", "properties": { "name": { "type": "string", "maxLength": 24 } } });
        // A resource that nobody has looked at yet reads as "in progress" to every tool that knows kstatus.
        schema["properties"]["status"]["default"] = json!({ "observedGeneration": -1 });
    }
    serde_json::from_value(crd)
}

/// The definition as it stands in `crds/`.
///
/// # Errors
/// As [`definition`].
pub fn yaml() -> Result<String, String> {
    let crd = definition().map_err(|e| e.to_string())?;
    serde_saphyr::to_string(&crd).map_err(|e| e.to_string())
}

/// The schema of the resource, as the API server enforces it.
///
/// # Errors
/// As [`definition`].
pub fn schema() -> Result<Value, serde_json::Error> {
    let mut crd = serde_json::to_value(definition()?)?;
    Ok(crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").map(Value::take).unwrap_or_default())
}

/// Strips what structural schemas do not want and adds the bounds that are missing. Kubernetes' own types (`foreign`)
/// lose their long descriptions.
fn tidy(schema: &mut Value, foreign: bool) {
    let Some(node) = schema.as_object_mut() else { return };
    node.remove("nullable");
    if let Some(Value::Array(values)) = node.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
    if node.contains_key("x-kubernetes-int-or-string") {
        node.remove("anyOf"); // kube leaves two empty branches, which the API server refuses
    }
    if node.contains_key("maximum") || node.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint"))
    {
        // The API server says of a number beyond its format no path, of one beyond its bounds the right one.
        node.remove("format");
    }
    if foreign {
        node.remove("description");
    } else if let Some(Value::String(text)) = node.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    bound(node);
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        for (name, child) in properties {
            let theirs = !foreign && FOREIGN.contains(&name.as_str());
            let description = theirs.then(|| child.get("description").cloned()).flatten();
            tidy(child, foreign || theirs);
            if foreign || theirs {
                judge(name, child);
            }
            if let Some(text) = description {
                child["description"] = text;
            }
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get_mut(key) {
            tidy(child, foreign);
        }
    }
}

/// What Kubernetes refuses of its own types, which their schema does not say.
fn judge(name: &str, field: &mut Value) {
    match name {
        "tolerations" => {
            entry(field, (TOLERATION, TOLERATION_TEXT), "^(|Exists|Equal)$");
            field["items"]["properties"]["key"]["pattern"] = format!("^$|{}", label_key()).into();
        }
        "matchExpressions" => entry(field, (EXPRESSION, EXPRESSION_TEXT), "^(In|NotIn|Exists|DoesNotExist|Gt|Lt)$"),
        "labelSelector" | "namespaceSelector" => {
            let expressions = &mut field["properties"]["matchExpressions"];
            entry(expressions, (EXPRESSION, EXPRESSION_TEXT), "^(In|NotIn|Exists|DoesNotExist)$");
        }
        "matchFields" => {
            entry(field, (FIELD, FIELD_TEXT), "^(In|NotIn)$");
            field["items"]["properties"]["key"]["pattern"] = "^metadata[.]name$".into();
        }
        "effect" => field["pattern"] = "^(|NoSchedule|PreferNoSchedule|NoExecute)$".into(),
        "topologyKey" => field["pattern"] = label_key().into(),
        "weight" => (field["minimum"], field["maximum"]) = (1.into(), 100.into()),
        "nodeSelectorTerms" => field["minItems"] = 1.into(),
        _ => {}
    }
    if field["items"]["type"] == "object" {
        field["maxItems"] = TERMS.into();
    }
}

/// What an entry with a `key` and an `operator` must be. The bounds keep the rule cheap: it stands in lists of lists.
fn entry(list: &mut Value, (rule, text): (&str, &str), operators: &str) {
    let item = &mut list["items"];
    item["x-kubernetes-validations"] = json!([{ "rule": rule, "message": text }]);
    let (operator, key) = (
        json!({ "type": "string", "maxLength": 16, "pattern": operators }),
        json!({ "type": "string", "maxLength": 317, "pattern": label_key() }),
    );
    (item["properties"]["operator"], item["properties"]["key"]) = (operator, key);
}

fn bound(node: &mut Map<String, Value>) {
    let (bound, limit) = match node.get("type").and_then(Value::as_str) {
        Some("string") if !node.contains_key("enum") && !node.contains_key("format") => ("maxLength", TEXT),
        Some("array") => ("maxItems", ITEMS),
        Some("object") if node.contains_key("additionalProperties") => ("maxProperties", PROPERTIES),
        _ => return,
    };
    node.entry(bound).or_insert(limit.into());
}
