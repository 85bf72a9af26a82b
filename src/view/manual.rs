//! The schema of the resource as pages of a manual: one table for each object, in the order in which a reader meets
//! them.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Its first line.
pub const TITLE: &str = "MicroserviceApp, `microapp.dev/v1alpha1`";
/// Kubernetes' own types, whose manual is elsewhere.
const FOREIGN: &[&str] = &["affinity", "tolerations", "conditions"];

/// Markdown for a structural schema.
pub fn manual(title: &str, schema: &Value) -> String {
    let mut text = format!("# {title}\n\n{}\n", sentence(schema));
    for part in ["spec", "status"] {
        page(part, &schema["properties"][part], &mut text);
    }
    text
}

fn page(path: &str, node: &Value, text: &mut String) {
    let Some(Value::Object(fields)) = node.get("properties") else { return };
    let required = names(&node["required"]);
    // Writing into a text cannot fail.
    let _ = write!(text, "\n## {path}\n\n{}\n\n| field | type | meaning |\n|---|---|---|\n", sentence(node));
    for (name, field) in fields {
        let needed = if required.contains(&name.as_str()) { ", required" } else { "" };
        let _ = writeln!(text, "| `{name}` | {}{needed} | {} |", kind(field), sentence(field));
    }
    // Objects tell their rules on their own page.
    let plain = fields.iter().filter(|(_, field)| field.get("properties").is_none());
    let theirs = plain.flat_map(|(name, field)| {
        rules(field).map(move |rule| if rule.contains('`') { rule.into() } else { format!("`{name}`: {rule}") })
    });
    let rules: Vec<String> = rules(node).map(str::to_owned).chain(theirs).collect();
    if !rules.is_empty() {
        let _ = writeln!(text, "\nChecked at once, by the API server and by `microapp check`:\n");
        rules.iter().for_each(|rule| {
            let _ = writeln!(text, "- {rule}");
        });
    }
    below(path, fields, text);
}

fn below(path: &str, fields: &Map<String, Value>, text: &mut String) {
    for (name, field) in fields {
        if !FOREIGN.contains(&name.as_str()) {
            let path = format!("{path}.{name}");
            page(&path, field, text);
            page(&format!("{path}[]"), &field["items"], text);
        }
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the rules of a node say.
fn rules(node: &Value) -> impl Iterator<Item = &str> {
    node["x-kubernetes-validations"].as_array().into_iter().flatten().filter_map(|rule| rule["message"].as_str())
}

/// What may be written: a type with its bounds, or the words to choose from.
fn kind(node: &Value) -> String {
    let number = |key: &str| node[key].as_f64();
    if let Some(words) = node["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    }
    match node["type"].as_str().unwrap_or("number or text") {
        "array" => format!("list of {}", kind(&node["items"])),
        "object" if node.get("additionalProperties").is_some() => {
            format!("map of {}", kind(&node["additionalProperties"]))
        }
        "integer" => match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => format!("number, {least} to {most}"),
            _ => "number".into(),
        },
        "string" if node["format"] == "date-time" => "time".into(),
        "string" => "text".into(),
        other => other.into(),
    }
}

/// A description in one line that stays within its cell.
fn sentence(node: &Value) -> String {
    node["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}
