//! The API server's verdict on the form of a resource, without an API server: unknown fields, schema, rules. Paths,
//! reasons and the texts of rules are the server's own; `tests/rejected.rs` holds both against each other.

use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Map, Value, json};

use super::schema_form::{join, walk};
use super::{crd, paths};
use crate::kit::{problem::Problem, reason::Reason};

pub const UNKNOWN_FIELD: Reason = Reason::of_api_server("UnknownField");
pub(super) const REQUIRED: Reason = Reason::of_api_server("FieldValueRequired");
pub(super) const NOT_SUPPORTED: Reason = Reason::of_api_server("FieldValueNotSupported");
pub const TYPE_INVALID: Reason = Reason::of_api_server("FieldValueTypeInvalid");
pub(super) const TOO_LONG: Reason = Reason::of_api_server("FieldValueTooLong");
pub(super) const TOO_MANY: Reason = Reason::of_api_server("FieldValueTooMany");
pub(super) const DUPLICATE: Reason = Reason::of_api_server("FieldValueDuplicate");
pub(super) const INVALID: Reason = Reason::of_api_server("FieldValueInvalid");
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

    /// The same for a change of what was there before: rules may compare both, and old mistakes in what was not changed
    /// are tolerated.
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
            "name": name, "generateName": text, "namespace": text, "labels": texts, "annotations": texts,
                "finalizers": open, "ownerReferences": open,
            "managedFields": open, "uid": text, "resourceVersion": text, "selfLink": text,
                "creationTimestamp": text, "deletionTimestamp": text,
            "generation": { "type": "integer" }, "deletionGracePeriodSeconds": { "type": "integer" },
        },
    })
}

/// Removes what the server removes before it looks closer: unknown fields, which are mistakes, and nulls, which mean
/// "absent".
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
pub(super) fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema["properties"].get(name).or_else(|| schema.get("additionalProperties"))
}

/// Whether anything goes below a node: it is marked so, or it is of another type than the schema, which is a mistake of
/// its own.
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
        .map(|k| (strsim::levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(d, k)| *d <= 2 && *d < k.len().min(word.len()))
        .min()
        .map(|(_, k)| k)
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
