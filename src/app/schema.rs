//! The API server's verdict on the form of a resource, without an API server: unknown fields, schema, rules. Paths, reasons and the texts of rules are the
//! server's own; `tests/rejected.rs` holds both against each other.

use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Map, Value, json};

use super::{crd, paths};
use crate::kit::{problem::Problem, reason::Reason};

pub const UNKNOWN_FIELD: Reason = Reason::of_api_server("UnknownField");
const REQUIRED: Reason = Reason::of_api_server("FieldValueRequired");
const NOT_SUPPORTED: Reason = Reason::of_api_server("FieldValueNotSupported");
pub const TYPE_INVALID: Reason = Reason::of_api_server("FieldValueTypeInvalid");
const TOO_LONG: Reason = Reason::of_api_server("FieldValueTooLong");
const TOO_MANY: Reason = Reason::of_api_server("FieldValueTooMany");
const DUPLICATE: Reason = Reason::of_api_server("FieldValueDuplicate");
const INVALID: Reason = Reason::of_api_server("FieldValueInvalid");
/// The server calls a broken rule `FieldValueInvalid` too; that its text is the server's own makes it worth a name.
pub const RULE_BROKEN: Reason = Reason::of_api_server("RuleBroken");

/// As long as there is one of these, the server does not look at rules: they may rely on the schema.
const BLOCKING: [Reason; 5] = [REQUIRED, NOT_SUPPORTED, TYPE_INVALID, TOO_LONG, TOO_MANY];

/// So many unknown fields are compared with the known ones: beyond that it is hardly a slip of the pen.
const EXPLAINED: usize = 100;

/// Judges resources by the CRD of this release.
pub struct Checker {
    schema: Value,
    rules: CompiledSchema,
    validator: Validator,
}

impl Checker {
    /// # Errors
    /// When the CRD is not the JSON that we know, which a test excludes.
    pub fn new() -> Result<Self, serde_json::Error> {
        let mut schema = crd::schema()?;
        for name in ["apiVersion", "kind"] {
            schema["properties"][name] = json!({ "type": "string" });
        }
        schema["properties"]["metadata"] = metadata(&schema["properties"]["metadata"]["properties"]["name"]);
        schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
        Ok(Self { rules: compile_schema(&schema), schema, validator: Validator::new() })
    }

    /// The resource as the server would take it, without nulls and unknown fields, and all mistakes of form in it.
    pub fn judge(&self, app: &Value) -> (Value, Vec<Problem>) {
        self.judge_change(app, None)
    }

    /// The same for a change of what was there before: rules may compare both, and old mistakes in what was not changed are tolerated.
    pub fn judge_change(&self, app: &Value, old: Option<&Value>) -> (Value, Vec<Problem>) {
        let (mut app, mut problems, mut form) = (app.clone(), vec![], vec![]);
        prune(&self.schema, &mut app, "", &mut problems);
        walk(&self.schema, &app, "", &mut form);
        let old = old.map(|old| {
            let mut old = old.clone();
            prune(&self.schema, &mut old, "", &mut vec![]);
            old
        });
        if let Some(old) = &old {
            self.tolerate(&app, old, &mut form);
        }
        problems.extend(form);
        if !problems.iter().any(|p| BLOCKING.contains(&p.reason)) {
            let broken = self.validator.validate_compiled(&self.rules, &app, old.as_ref()).err().into_iter().flatten();
            let found = broken.map(|e| (paths::written(&self.schema, &e.field_path), e));
            let old_mistake = |path: &str, rule: &str| {
                let owner = paths::owner(&self.schema, path, rule);
                old.as_ref()
                    .is_some_and(|old| !rule.contains("oldSelf") && paths::unchanged(&self.schema, (&app, old), owner))
            };
            let counts = found.filter(|(path, e)| !old_mistake(path, &e.rule));
            problems.extend(counts.map(|(path, e)| Problem::new(path, RULE_BROKEN, e.message)).collect::<Vec<_>>());
        }
        (app, problems)
    }

    /// Drops mistakes of form that stood there before.
    fn tolerate(&self, app: &Value, old: &Value, form: &mut Vec<Problem>) {
        let mut before = vec![];
        walk(&self.schema, old, "", &mut before);
        let duplicates = before.iter().any(|p| p.reason == DUPLICATE);
        form.retain(|p| match p.reason {
            DUPLICATE => !duplicates,
            REQUIRED => {
                !paths::unchanged(&self.schema, (app, old), p.path.rsplit_once('.').map_or("", |(parent, _)| parent))
            }
            _ => !paths::unchanged(&self.schema, (app, old), &p.path),
        });
    }
}

/// What the server knows of metadata; a definition does not repeat it.
fn metadata(name: &Value) -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    let open = json!({ "type": "array", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": name, "generateName": text, "namespace": text, "labels": texts, "annotations": texts, "finalizers": open, "ownerReferences": open,
            "managedFields": open, "uid": text, "resourceVersion": text, "selfLink": text, "creationTimestamp": text, "deletionTimestamp": text,
            "generation": { "type": "integer" }, "deletionGracePeriodSeconds": { "type": "integer" },
        },
    })
}

/// Removes what the server removes before it looks closer: unknown fields, which are mistakes, and nulls, which mean "absent".
fn prune(schema: &Value, value: &mut Value, path: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, child| {
                let known = field(schema, name);
                if known.is_none() && !open(schema) {
                    problems.push(if problems.len() < EXPLAINED {
                        unknown(schema, name, path)
                    } else {
                        Problem::new(join(path, name), UNKNOWN_FIELD, "unknown field")
                    });
                }
                known.is_some_and(|schema| {
                    prune(schema, child, &join(path, name), problems);
                    !child.is_null()
                }) || open(schema)
            });
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, &format!("{path}[{index}]"), problems);
            }
        }
        _ => {}
    }
}

/// The schema of a field or of a map's entry.
fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema["properties"].get(name).or_else(|| schema.get("additionalProperties"))
}

/// Whether anything goes below a node: it is marked so, or it is of another type than the schema, which is a mistake of its own.
fn open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true || schema["type"] != "object"
}

fn unknown(schema: &Value, name: &str, path: &str) -> Problem {
    let known = schema["properties"].as_object().into_iter().flat_map(Map::keys);
    let message = match closest(name, known.map(String::as_str)) {
        Some(close) => format!("unknown field; did you mean `{close}`?"),
        None => "unknown field; remove it".to_owned(),
    };
    Problem::new(join(path, name), UNKNOWN_FIELD, message)
}

/// The word that was probably meant: one or two letters away, in a word that is longer than that.
pub fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .map(|k| (distance(&lower, &k.to_lowercase()), k))
        .filter(|(d, k)| *d <= 2 && *d < k.len().min(word.len()))
        .min()
        .map(|(_, k)| k)
}

/// How many letters must be added, removed or replaced.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

fn walk(schema: &Value, value: &Value, path: &str, problems: &mut Vec<Problem>) {
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

fn types(schema: &Value) -> Vec<&str> {
    if schema["x-kubernetes-int-or-string"] == true {
        vec!["integer", "string"]
    } else {
        schema["type"].as_str().into_iter().collect()
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "integer" => {
            value.is_i64() || value.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0)
        }
        "number" => value.is_number(),
        _ => kind == name(value),
    }
}

fn name(value: &Value) -> &'static str {
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

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn list(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_closest_word_is_found_and_nothing_far_away() {
        let known = ["database", "gateway", "image", "env"];
        assert_eq!(closest("databse", known.into_iter()), Some("database"));
        assert_eq!(closest("Gateway", known.into_iter()), Some("gateway"));
        assert_eq!(closest("imag", known.into_iter()), Some("image"));
        assert_eq!(closest("volumes", known.into_iter()), None);
        assert_eq!(closest("databs", known.into_iter()), Some("database"));
        assert_eq!(closest("datab", known.into_iter()), None, "three letters are too many");
        assert_eq!(closest("ab", known.into_iter()), None);
    }
}
