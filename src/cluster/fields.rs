//! Which of our fields belong to somebody else now: what `managedFields` says, against what we want.

use kube::api::{DynamicObject, PartialObjectMeta};
use serde_json::{Map, Value};

use super::MANAGER;

/// Names of those who hold fields that we want, and those fields, as kubectl writes them: `.spec.selector.tier`,
/// `.spec.ports[port=80].name`. Controllers of the cluster only write its status.
pub fn foreign(there: &PartialObjectMeta<DynamicObject>, wanted: &Value) -> (Vec<String>, Vec<String>) {
    let (mut names, mut paths) = (vec![], vec![]);
    for entry in there.metadata.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none()) {
        let Some(name) = entry.manager.as_deref().filter(|name| *name != MANAGER) else { continue };
        let before = paths.len();
        if let Some(Value::Object(fields)) = entry.fields_v1.as_ref().map(|fields| &fields.0) {
            held(fields, wanted, "", &mut paths);
        }
        if paths.len() > before {
            names.push(name.to_owned());
        }
    }
    names.dedup();
    paths.sort();
    paths.dedup();
    (names, paths)
}

fn held(fields: &Map<String, Value>, wanted: &Value, path: &str, paths: &mut Vec<String>) {
    for (key, below) in fields.iter().filter(|(key, _)| *key != ".") {
        let Some((step, there)) = descend(key, wanted) else { continue };
        let path = format!("{path}{step}");
        match below.as_object().filter(|below| below.keys().any(|key| key != ".")) {
            Some(below) => held(below, there, &path, paths),
            None => paths.push(path),
        }
    }
}

/// One step of `FieldsV1`: `f:name` is a field, `k:{…}` the item of a list with those keys.
fn descend<'a>(key: &str, wanted: &'a Value) -> Option<(String, &'a Value)> {
    let (kind, rest) = key.split_once(':')?;
    match kind {
        "f" => Some((format!(".{rest}"), wanted.get(rest)?)),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
            // The API server fills in what is left out, such as a port's protocol.
            let same = |item: &&Value| keys.iter().all(|(key, value)| item.get(key).is_none_or(|there| there == value));
            let step: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            Some((format!("[{}]", step.join(",")), wanted.as_array()?.iter().find(same)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(manager: &str, fields: Value) -> anyhow::Result<PartialObjectMeta<DynamicObject>> {
        let entry = serde_json::json!({ "manager": manager, "operation": "Update", "fieldsType": "FieldsV1",
            "fieldsV1": fields });
        Ok(serde_json::from_value(serde_json::json!({ "metadata": { "name": "a", "managedFields": [entry] } }))?)
    }

    #[test]
    fn only_fields_that_we_want_are_named() -> anyhow::Result<()> {
        let wanted = serde_json::json!({ "spec": { "selector": { "app": "a" }, "ports": [{ "port": 80,
            "name": "http" }], "type": "ClusterIP" } });
        let fields = serde_json::json!({
            "f:metadata": { "f:annotations": { "f:theirs": {} } },
            "f:spec": {
                "f:selector": { ".": {}, "f:app": {}, "f:other": {} },
                "f:ports": { "k:{\"port\":80,\"protocol\":\"TCP\"}": { "f:name": {} },
                    "k:{\"port\":81,\"protocol\":\"TCP\"}": { "f:name": {} } },
                "f:sessionAffinity": {},
            }
        });
        let named = [".spec.ports[port=80,protocol=\"TCP\"].name".to_owned(), ".spec.selector.app".to_owned()];
        assert_eq!(foreign(&there("mallory", fields.clone())?, &wanted), (vec!["mallory".to_owned()], named.to_vec()));
        assert_eq!(foreign(&there(MANAGER, fields)?, &wanted), (vec![], vec![]));
        Ok(())
    }
}
