//! What people wrote, read as `kubectl` reads it: YAML 1.1, in which a plain `yes` is a boolean and `0777` an octal number.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// As much as an API server takes.
const LIMIT: u64 = 3 * 1024 * 1024;

/// One document of a file.
pub struct Document {
    /// What `kubectl` would send.
    pub value: Value,
    /// What a reader of YAML 1.2 would see, and people mean: there a plain `yes` is a text.
    pub meant: Option<Value>,
    lines: BTreeMap<String, u64>,
}

impl Document {
    /// The line of a field, or of the closest field around it when it is missing.
    pub fn line(&self, path: &str) -> Option<u64> {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// All documents of a file, or of standard input when its name is `-`.
///
/// # Errors
/// A sentence, when it cannot be read or is not YAML.
pub fn read(file: &Path) -> Result<Vec<Document>, String> {
    let text = if file == Path::new("-") { text(std::io::stdin()) } else { std::fs::File::open(file).map_err(|e| e.to_string()).and_then(text) };
    documents(&text?)
}

fn text(source: impl Read) -> Result<String, String> {
    let mut text = String::new();
    source.take(LIMIT + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > LIMIT { Err("the file is larger than 3 MiB, which no API server takes".to_owned()) } else { Ok(text) }
}

fn documents(text: &str) -> Result<Vec<Document>, String> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 200_000, max_depth: 64 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
    };
    let nodes = serde_saphyr::from_multiple_with_options::<Spanned<Node>>(text, options).map_err(|e| e.to_string())?;
    let meant: Vec<_> = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).ok()).collect();
    let mut documents: Vec<Document> = nodes.into_iter().map(Document::from).collect();
    if meant.len() == documents.len() {
        documents.iter_mut().zip(meant).for_each(|(document, meant)| document.meant = meant);
    }
    Ok(documents)
}

impl From<Spanned<Node>> for Document {
    fn from(root: Spanned<Node>) -> Self {
        let mut lines = BTreeMap::from([(String::new(), root.referenced.line())]);
        let value = root.value.place("", &mut lines);
        Self { value, meant: None, lines }
    }
}

/// A value whose parts know where they stand.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Fields(Vec<(String, u64, Node)>),
}

impl Node {
    /// What it is as the key of a field: `kubectl` makes `true` of a plain `on` here as well.
    fn name(self) -> Option<String> {
        match self {
            Self::Scalar(Value::String(text)) => Some(text),
            Self::Scalar(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Takes the lines out of it.
    fn place(self, path: &str, lines: &mut BTreeMap<String, u64>) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::List(items) => {
                let place = |(index, item): (usize, Spanned<Node>)| {
                    let path = format!("{path}[{index}]");
                    lines.insert(path.clone(), item.referenced.line());
                    item.value.place(&path, lines)
                };
                Value::Array(items.into_iter().enumerate().map(place).collect())
            }
            Self::Fields(fields) => {
                let place = |(name, line, node): (String, u64, Node)| {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    lines.insert(path.clone(), line);
                    (name, node.place(&path, lines))
                };
                Value::Object(fields.into_iter().map(place).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    /// JSON has one kind of number: `2.0` is sent as `2`.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        let whole = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
        Ok(Node::Scalar(if whole { (value as i64).into() } else { value.into() }))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = vec![];
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = vec![];
        while let Some((key, value)) = entries.next_entry::<Spanned<Node>, Node>()? {
            let line = key.referenced.line();
            let key = key.value.name().ok_or_else(|| A::Error::custom(format!("line {line}: a key must be a text")))?;
            fields.push((key, line, value));
        }
        Ok(Node::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, documents};
    use serde_json::json;

    fn one(text: &str) -> Document {
        documents(text).ok().and_then(|d| d.into_iter().next()).unwrap_or(Document { value: json!("not read"), meant: None, lines: Default::default() })
    }

    #[test]
    fn plain_scalars_are_read_as_yaml_1_1() {
        assert_eq!(one("{on: 1, 'off': 2, 3: 4}").value, json!({"true": 1, "off": 2, "3": 4}));
        let read = one("{a: yes, b: off, c: 0777, d: 0o17, e: 2.0, f: 'yes', g: 1:30, h: ~, i: 1.5, j: 2026-11-23, k: 0x1F, l: 1e3}");
        let expected =
            json!({"a": true, "b": false, "c": 511, "d": 15, "e": 2, "f": "yes", "g": "1:30", "h": null, "i": 1.5, "j": "2026-11-23", "k": 31, "l": 1000});
        assert_eq!(read.value, expected);
    }

    #[test]
    fn fields_know_their_lines_and_missing_ones_those_around_them() {
        let read = one("spec:\n  services:\n  - name: web\n    routes:\n    - path: /\n  - name: orders\n");
        assert_eq!(read.line("spec.services[0].routes"), Some(4));
        assert_eq!(read.line("spec.services[1].name"), Some(6));
        assert_eq!(read.line("spec.services[1].image"), Some(6));
    }

    #[test]
    fn anchors_work_and_bombs_do_not() {
        assert_eq!(one("{a: &x {b: 1}, c: *x}").value, json!({"a": {"b": 1}, "c": {"b": 1}}));
        let bomb: String = (1..9).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect();
        assert!(documents(&format!("a0: &a0 [x]\n{bomb}")).is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_line() {
        let refused = documents("a: 1\nb: 2\na: 3\n").err().unwrap_or_default();
        assert!(refused.contains("line 3"), "{refused}");
    }
}
