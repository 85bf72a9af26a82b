//! The form of a value: what a schema says of types, bounds, lists and fields, in the API server's words.

use serde_json::{Map, Value};

use super::schema::{DUPLICATE, INVALID, NOT_SUPPORTED, REQUIRED, TOO_LONG, TOO_MANY, TYPE_INVALID, field};
use crate::kit::{problem::Problem, reason::Reason};

pub(super) fn walk(schema: &Value, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    let mut add = |reason, message| problems.push(Problem::new(path, reason, message));
    let wanted = types(schema);
    if !wanted.is_empty() && !wanted.iter().any(|t| is(t, value)) {
        add(TYPE_INVALID, wrong_type(&wanted, value));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        add(NOT_SUPPORTED, format!("{value} must be one of {}", list(allowed)));
    }
    match value {
        Value::Number(number) => range(schema, number.as_f64().unwrap_or_default(), &mut add),
        Value::String(text) => length(schema, text, &mut add),
        Value::Array(items) => array(schema, items, path, problems),
        Value::Object(fields) => object(schema, fields, path, problems),
        _ => {}
    }
}

pub(super) fn types(schema: &Value) -> Vec<&str> {
    if schema["x-kubernetes-int-or-string"] == true {
        vec!["integer", "string"]
    } else {
        schema["type"].as_str().into_iter().collect()
    }
}

pub(super) fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "integer" => {
            value.is_i64() || value.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0)
        }
        "number" => value.is_number(),
        _ => kind == name(value),
    }
}

pub(super) fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn wrong_type(wanted: &[&str], value: &Value) -> String {
    let remedy = match value {
        Value::Bool(_) | Value::Number(_) if wanted.contains(&"string") => format!("; put it in quotes: \"{value}\""),
        Value::String(text) if wanted == ["integer"] && text.parse::<i64>().is_ok() => "; remove the quotes".to_owned(),
        Value::Null if wanted == ["object"] => "; write `{}`, or remove it".to_owned(),
        _ => String::new(),
    };
    format!("must be of type {}, not {}{remedy}", wanted.join(" or "), name(value))
}

fn range(schema: &Value, number: f64, add: &mut impl FnMut(Reason, String)) {
    if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
        add(INVALID, format!("must be greater than or equal to {least}"));
    }
    if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
        add(INVALID, format!("must be less than or equal to {most}"));
    }
}

fn length(schema: &Value, text: &str, add: &mut impl FnMut(Reason, String)) {
    let length = text.chars().count() as u64;
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        add(TOO_LONG, format!("must be no more than {most} characters; it has {length}"));
    } else if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        add(INVALID, "may not be empty".to_owned());
    } else if let Some(pattern) =
        schema["pattern"].as_str().filter(|p| regex::Regex::new(p).is_ok_and(|form| !form.is_match(text)))
    {
        add(INVALID, format!("must have the form '{pattern}'"));
    }
}

fn array(schema: &Value, items: &[Value], path: &str, problems: &mut Vec<Problem>) {
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| items.len() as u64 > *most) {
        problems.push(Problem::new(path, TOO_MANY, format!("must have at most {most} items; it has {}", items.len())));
    }
    if let Some(least) = schema["minItems"].as_u64().filter(|least| (items.len() as u64) < *least) {
        problems.push(Problem::new(path, INVALID, format!("must have at least {least} items")));
    }
    for (index, item) in items.iter().enumerate() {
        walk(&schema["items"], item, &format!("{path}[{index}]"), problems);
    }
    if let Some(keys) =
        schema["x-kubernetes-list-map-keys"].as_array().filter(|_| items.iter().all(|i| i.is_object() || i.is_null()))
    {
        duplicates(keys, items, path, problems);
    }
}

/// Entries of a list that names its entries: each name once. The server speaks of the second one alone.
fn duplicates(keys: &[Value], items: &[Value], path: &str, problems: &mut Vec<Problem>) {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for (index, item) in items.iter().enumerate() {
        let key: Map<String, Value> =
            keys.iter().filter_map(Value::as_str).filter_map(|k| Some((k.to_owned(), item.get(k)?.clone()))).collect();
        let key = Value::Object(key).to_string();
        let times = seen.entry(key.clone()).or_default();
        *times += 1;
        if *times == 2 {
            problems.push(Problem::new(
                format!("{path}[{index}]"),
                DUPLICATE,
                format!("duplicate value: {key}; it must be unique in the list"),
            ));
        }
    }
}

fn object(schema: &Value, fields: &Map<String, Value>, path: &str, problems: &mut Vec<Problem>) {
    if let Some(most) = schema["maxProperties"].as_u64().filter(|most| fields.len() as u64 > *most) {
        problems.push(Problem::new(
            path,
            TOO_MANY,
            format!("must have at most {most} entries; it has {}", fields.len()),
        ));
    }
    for required in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|r| !fields.contains_key(*r))
    {
        problems.push(Problem::new(join(path, required), REQUIRED, "must be set"));
    }
    for (name, value) in fields {
        if let Some(schema) = field(schema, name) {
            walk(schema, value, &join(path, name), problems);
        }
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(super) fn list(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}
