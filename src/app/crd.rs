//! The CustomResourceDefinition: what kube derives from the types, made fit for an API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::MicroserviceApp;

/// Bounds of what has none of its own. Every string, list and map is bounded, so that the cost of every rule can be estimated and nobody fills the store.
const TEXT: u64 = 1024;
const ITEMS: u64 = 64;
const PROPERTIES: u64 = 64;

/// The definition as it is installed.
///
/// # Errors
/// When the derived schema is not the JSON that we know, which a test excludes.
pub fn definition() -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut crd = serde_json::to_value(MicroserviceApp::crd())?;
    if let Some(schema) = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        schema["description"] = "A microservice application: your services and the components that they use, wired together and kept so.".into();
        tidy(schema, false);
        // A resource that nobody has looked at yet reads as "in progress" to every tool that knows kstatus.
        schema["properties"]["status"]["default"] = json!({ "observedGeneration": -1 });
    }
    serde_json::from_value(crd)
}

/// Strips what structural schemas do not want and adds the bounds that are missing. Kubernetes' own types (`foreign`) lose their
/// long descriptions: their manual is elsewhere.
fn tidy(schema: &mut Value, foreign: bool) {
    let Some(node) = schema.as_object_mut() else { return };
    node.remove("nullable");
    if matches!(node.get("format").and_then(Value::as_str), Some(f) if f.starts_with("uint")) {
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
            // Its parts say nothing of ours; the field itself does.
            let theirs = matches!(name.as_str(), "affinity" | "tolerations");
            let description = child.get("description").cloned();
            tidy(child, foreign || theirs);
            if let (true, false, Some(text)) = (theirs, foreign, description) {
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

fn bound(node: &mut Map<String, Value>) {
    let missing = |node: &Map<String, Value>, key: &str| !node.contains_key(key);
    match node.get("type").and_then(Value::as_str) {
        Some("string") if missing(node, "maxLength") && missing(node, "enum") && missing(node, "format") => drop(node.insert("maxLength".into(), TEXT.into())),
        Some("array") if missing(node, "maxItems") => drop(node.insert("maxItems".into(), ITEMS.into())),
        Some("object") if node.contains_key("additionalProperties") && missing(node, "maxProperties") => drop(node.insert("maxProperties".into(), PROPERTIES.into())),
        _ => {}
    }
}
