//! Paths of values: how the API server writes them, and what stood there before a change. Mistakes where nothing was
//! changed are tolerated, so that a stricter release of the CRD does not bar every change of what an older one took.
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting>

use serde_json::Value;

/// The path of a broken rule as the server writes it: with brackets around the keys of maps, whose values are plain.
pub fn written(schema: &Value, path: &str) -> String {
    let (mut node, mut rest, mut written) = (schema, path.trim_start_matches('.'), String::new());
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            written += &format!("[{}]", index.trim_matches('\''));
            (node, rest) = (&node["items"], after.trim_start_matches('.'));
        } else if node["additionalProperties"].is_object() {
            return format!("{written}[{rest}]");
        } else {
            written = if written.is_empty() { rest[..end].to_owned() } else { format!("{written}.{}", &rest[..end]) };
            (node, rest) = (&node["properties"][&rest[..end]], rest[end..].trim_start_matches('.'));
        }
    }
    written
}

/// Whether what stands at a path is what stood there before. Entries of lists that name their entries are compared by
/// name; within other lists and for what is new, the closest value around that was there before decides.
pub fn unchanged(schema: &Value, (new, old): (&Value, &Value), path: &str) -> bool {
    let (mut schema, mut new, mut old, mut rest) = (schema, new, old, path);
    while !rest.is_empty() {
        let next = if schema["additionalProperties"].is_object() {
            let key = rest.strip_prefix('[').and_then(|key| key.strip_suffix(']')).unwrap_or(rest);
            return new.get(key).is_some() && new.get(key) == old.get(key);
        } else if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let item = index.parse::<usize>().ok().and_then(|index| new.get(index));
            let before =
                keys.zip(item).and_then(|(keys, item)| old.as_array()?.iter().find(|there| same(keys, there, item)));
            item.zip(before).map(|(item, before)| (&schema["items"], item, before, after))
        } else {
            let (name, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            new.get(name).zip(old.get(name)).map(|(new, old)| (&schema["properties"][name], new, old, after))
        };
        let Some(next) = next else { break };
        (schema, new, old, rest) = (next.0, next.1, next.2, next.3.trim_start_matches('.'));
    }
    new == old
}

fn same(keys: &[Value], one: &Value, other: &Value) -> bool {
    keys.iter().filter_map(Value::as_str).all(|key| one.get(key) == other.get(key))
}

/// The path of the value that a rule is about: the path of its mistake may be that of a field below.
pub fn owner<'p>(schema: &Value, path: &'p str, rule: &str) -> &'p str {
    let mut owner = path;
    loop {
        let rules = node(schema, owner).and_then(|node| node["x-kubernetes-validations"].as_array());
        if rules.is_some_and(|rules| rules.iter().any(|there| there["rule"] == rule)) {
            return owner;
        }
        let Some(end) = owner.rfind(['.', '[']) else { return "" };
        owner = &owner[..end];
    }
}

fn node<'s>(schema: &'s Value, path: &str) -> Option<&'s Value> {
    let (mut node, mut rest) = (schema, path);
    while !rest.is_empty() {
        if let Some(values) = node.get("additionalProperties") {
            return Some(values);
        }
        (node, rest) = match rest.strip_prefix('[') {
            Some(index) => (node.get("items")?, index.split_once(']')?.1),
            None => {
                let (name, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
                (node.get("properties")?.get(name)?, after)
            }
        };
        rest = rest.trim_start_matches('.');
    }
    Some(node)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{owner, unchanged};

    #[test]
    fn entries_are_compared_by_name_and_other_lists_as_a_whole() {
        let schema = json!({ "properties": {
            "named": { "x-kubernetes-list-map-keys": ["name"], "items": { "properties": { "name": {}, "a": {} } } },
            "plain": { "items": {} }, "map": { "additionalProperties": {} } } });
        let old = json!({ "named": [{ "name": "x", "a": 1, "b": 1 }, { "name": "y", "a": 2 }], "plain": [1, 2],
            "map": { "k.l": 1, "m": 2 } });
        let new = json!({ "named": [{ "name": "y", "a": 2 }, { "name": "x", "a": 1, "b": 2 }], "plain": [1, 3],
            "map": { "k.l": 1, "m": 3 }, "new": 1 });
        for (path, expected) in [
            ("named[0]", true),
            ("named[1]", false),
            ("named[1].a", true),
            ("plain[0]", false),
            ("map[k.l]", true),
            ("map.k.l", true),
            ("map[m]", false),
            ("new", false),
        ] {
            assert_eq!(unchanged(&schema, (&new, &old), path), expected, "{path}");
        }
    }

    #[test]
    fn a_rule_is_found_at_its_own_value() {
        let rules = |rule: &str| json!([{ "rule": rule }]);
        let schema = json!({ "properties": { "a": { "x-kubernetes-validations": rules("r"), "properties": { "b": {
            "items": { "x-kubernetes-validations": rules("s") } } } } } });
        assert_eq!(
            [owner(&schema, "a.b", "r"), owner(&schema, "a.b[0]", "s"), owner(&schema, "a.c", "t")],
            ["a", "a.b[0]", ""]
        );
    }
}
