//! What a document is read into: values that know where they stand.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

/// A value that knows where it stands.
pub struct Node {
    pub line: u64,
    pub content: Content,
    pub(super) size: Size,
    pub(super) depth: usize,
}

pub enum Content {
    /// A scalar, and its text if most people see a text in it.
    Scalar(Value, Option<String>),
    List(Vec<Rc<Node>>),
    Fields(BTreeMap<String, Field>),
}

/// A field of a mapping and the line of its key.
#[derive(Clone)]
pub struct Field {
    pub line: u64,
    pub node: Rc<Node>,
    /// It came by a merge key `<<`, so the mapping's own may replace it.
    pub(super) merged: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    pub nodes: usize,
    pub bytes: usize,
}

impl Size {
    pub fn add(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Node {
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value, _) => value.clone(),
            Content::List(items) => items.iter().map(|item| item.value()).collect(),
            Content::Fields(fields) => {
                Value::Object(fields.iter().map(|(name, field)| (name.clone(), field.node.value())).collect())
            }
        }
    }
}

/// What a node is as the name of a field: `kubectl` makes `true` of a plain `on` here as well.
pub(super) fn name(node: &Node) -> Result<String, String> {
    match &node.content {
        Content::Scalar(Value::String(text), _) => Ok(text.clone()),
        Content::Scalar(value @ (Value::Bool(_) | Value::Number(_)), _) => Ok(value.to_string()),
        _ => Err("a key must be a text".to_owned()),
    }
}

/// Adds the fields of `<<`, in the order of the file, as `kubectl` does: what stands after them replaces them. Answers
/// what that is worth.
pub(super) fn merge(fields: &mut BTreeMap<String, Field>, from: &Rc<Node>) -> Result<Size, String> {
    let mut size = Size::default();
    let sources = match &from.content {
        Content::List(items) => items.iter().rev().collect(),
        _ => vec![from],
    };
    for source in sources {
        let Content::Fields(added) = &source.content else {
            return Err("`<<` must name a mapping, or a list of mappings".to_owned());
        };
        size.add(source.size);
        fields.extend(added.iter().map(|(name, field)| (name.clone(), Field { merged: true, ..field.clone() })));
    }
    Ok(size)
}
