//! What people wrote, read as `kubectl` reads it: its encodings, its separators, its lists, and YAML 1.1, in which a
//! plain `yes` is a boolean.

mod node;
mod scalar;
mod yaml;

use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use node::{Content, Node};
use serde_json::Value;
use yaml::short;

/// As much as an API server takes.
const LIMIT: u64 = 3 * 1024 * 1024;
/// Resources of one file.
const DOCUMENTS: usize = 1000;
/// Surprises that are told of one document.
const SURPRISES: usize = 100;

/// One resource of a file.
pub struct Document {
    /// What `kubectl` would send.
    pub value: Value,
    node: Rc<Node>,
}

impl Document {
    fn new(node: Rc<Node>) -> Self {
        Self { value: node.value(), node }
    }

    /// The line of a field, or of the closest field around it when it is missing.
    pub fn line(&self, path: &str) -> Option<u64> {
        let (mut node, mut line, mut rest) = (&self.node, self.node.line, path);
        while let Some((next, at, after)) = step(node, rest.trim_start_matches('.')) {
            (node, line, rest) = (next, at, after);
        }
        Some(line)
    }

    /// Plain scalars that are sent as a boolean or a number while most people see a text: path, what is sent, the text.
    pub fn surprises(&self) -> Vec<(String, Value, String)> {
        let mut found = vec![];
        surprises(&self.node, &mut String::new(), &mut found);
        found
    }
}

/// One step along a path: the node there, the line of its key, and what is left of the path. Names may have dots in
/// them.
fn step<'a, 'p>(node: &'a Node, path: &'p str) -> Option<(&'a Rc<Node>, u64, &'p str)> {
    match &node.content {
        Content::Scalar(..) => None,
        Content::List(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            Some((item, item.line, rest))
        }
        Content::Fields(fields) if path.starts_with('[') => {
            let end = path.rfind(']').filter(|end| *end > 0)?;
            fields.get(&path[1..end]).map(|field| (&field.node, field.line, &path[end + 1..]))
        }
        Content::Fields(fields) => {
            let ends = [path.len()].into_iter().chain(path.rmatch_indices(['.', '[']).map(|(at, _)| at));
            ends.filter(|end| *end > 0)
                .find_map(|end| fields.get(&path[..end]).map(|field| (&field.node, field.line, &path[end..])))
        }
    }
}

fn surprises(node: &Node, path: &mut String, found: &mut Vec<(String, Value, String)>) {
    let begin = path.len();
    match &node.content {
        _ if found.len() >= SURPRISES => {}
        Content::Scalar(value, Some(text)) => found.push((path.clone(), value.clone(), short(text))),
        Content::Scalar(..) => {}
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                surprises(item, path, found);
                path.truncate(begin);
            }
        }
        Content::Fields(fields) => {
            for (name, field) in fields {
                path.push_str(if begin == 0 { "" } else { "." });
                path.push_str(name);
                surprises(&field.node, path, found);
                path.truncate(begin);
            }
        }
    }
}

/// All resources of a file, or of standard input when its name is `-`.
///
/// # Errors
/// A sentence, with the line where there is one, when it cannot be read or `kubectl` would not read it.
pub fn read(file: &Path) -> Result<Vec<Document>, String> {
    let bytes = if file == Path::new("-") {
        bytes(std::io::stdin())
    } else {
        std::fs::File::open(file).map_err(|e| e.to_string()).and_then(bytes)
    };
    documents(&bytes?)
}

fn bytes(source: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = vec![];
    source.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LIMIT {
        Err("the file is larger than 3 MiB, which no API server takes".to_owned())
    } else {
        Ok(bytes)
    }
}

/// All resources of what was read: it ends on every input, in time and memory that its size bounds.
///
/// # Errors
/// As [`read`].
pub fn documents(bytes: &[u8]) -> Result<Vec<Document>, String> {
    let text = text(bytes)?;
    let strange = |c: &char| {
        !matches!(c,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fffd}' | '\u{10000}'..)
    };
    if let Some((at, c)) = text.char_indices().find(|(_, c)| strange(c)) {
        return Err(format!(
            "line {}: the character {} cannot stand in YAML as it is; remove it, or escape it in double quotes",
            line_of(&text, at),
            format_args!("U+{:04X}", u32::from(c))
        ));
    }
    let mut documents = vec![];
    let (objects, rest, first) = json(&text)?;
    for (document, first) in objects.into_iter().chain(chunks(rest, first)?) {
        flatten(yaml::parse(document, first)?, &mut documents);
        if documents.len() > DOCUMENTS {
            return Err(format!("more than {DOCUMENTS} documents; give some of them a file of their own"));
        }
    }
    Ok(documents)
}

/// The text of a file. `kubectl` goes by a byte order mark, too.
fn text(bytes: &[u8]) -> Result<String, String> {
    let wide = |rest: &[u8], number: fn([u8; 2]) -> u16| {
        let units = rest.chunks(2).map(|pair| pair.try_into().map_or(0xd800, number));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| "it begins as UTF-16 and is not; save it as UTF-8".to_owned())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => std::str::from_utf8(rest).map(str::to_owned).map_err(|e| {
            let line = 1 + rest[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
            format!("line {line}: it is not UTF-8; save it as UTF-8")
        }),
    }
}

fn line_of(text: &str, at: usize) -> u64 {
    1 + text[..at].bytes().filter(|b| *b == b'\n').count() as u64
}

type Placed<'a> = (&'a str, u64);

/// JSON objects one after the other, if it begins with one, each with its first line; and what is left. With one at
/// most before something else, `kubectl` goes on as if all were YAML.
fn json(text: &str) -> Result<(Vec<Placed<'_>>, &str, u64), String> {
    if !text.trim_start().starts_with('{') {
        return Ok((vec![], text, 1));
    }
    let mut objects = vec![];
    let (mut begin, mut line) = (0, 1);
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    while let Some(object) = stream.next() {
        match object {
            Ok(_) => {
                let (object, end) = (&text[begin..stream.byte_offset()], stream.byte_offset());
                objects.push((object, line));
                line += object.bytes().filter(|b| *b == b'\n').count() as u64;
                begin = end;
            }
            Err(_) if objects.len() < 2 => {
                let spaces = text[begin..].len() - text[begin..].trim_start().len();
                let skipped = text[begin..begin + spaces].find('\n').map_or(spaces, |at| at + 1);
                return Ok((
                    objects,
                    &text[begin + skipped..],
                    line + u64::from(text[begin..begin + skipped].ends_with('\n')),
                ));
            }
            Err(error) => return Err(format!("line {}: {error}", error.line())),
        }
    }
    Ok((objects, "", line))
}

/// The documents between lines `---`, each with its first line.
fn chunks(text: &str, first: u64) -> Result<Vec<Placed<'_>>, String> {
    let mut chunks = vec![];
    let (mut begin, mut at, mut from) = (0, 0, first);
    for (line, number) in text.split_inclusive('\n').zip(first..) {
        if let Some(rest) = line.strip_prefix("---") {
            if !rest.trim().is_empty() && !rest.trim().starts_with('#') {
                return Err(format!("line {number}: nothing but a comment may stand after `---`; begin a new line"));
            }
            chunks.push((&text[begin..at], from));
            (begin, from) = (at + line.len(), number + 1);
        } else if line.starts_with('%') && text[begin..at].lines().all(|l| l.trim().is_empty() || l.starts_with('#')) {
            return Err(format!("line {number}: `kubectl` reads no directives; remove the line"));
        } else if line.trim_end() == "..." && text[begin..at].trim().is_empty() {
            return Err(format!("line {number}: there is no document that `...` could end; remove the line"));
        }
        at += line.len();
    }
    chunks.push((&text[begin..], from));
    Ok(chunks)
}

/// What a document is to `kubectl`: nothing, a resource, or a list of resources, which may leave out the kind of its
/// items.
fn flatten(document: Option<Rc<Node>>, documents: &mut Vec<Document>) {
    let Some(node) = document.filter(|node| !matches!(node.content, Content::Scalar(Value::Null, _))) else { return };
    let text = |name: &str| match &node.content {
        Content::Fields(fields) => match &fields.get(name)?.node.content {
            Content::Scalar(Value::String(text), _) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    let items = match &node.content {
        Content::Fields(fields) => fields.get("items"),
        _ => None,
    };
    match (items.map(|items| &items.node.content), text("kind").as_deref().and_then(|kind| kind.strip_suffix("List"))) {
        (Some(Content::List(items)), Some(kind)) => {
            let before = documents.len();
            items.iter().for_each(|item| flatten(Some(item.clone()), documents));
            for document in &mut documents[before..] {
                let Value::Object(fields) = &mut document.value else { continue };
                if !kind.is_empty() && !fields.contains_key("kind") && !fields.contains_key("apiVersion") {
                    fields.insert("kind".into(), kind.into());
                    fields.insert("apiVersion".into(), text("apiVersion").into());
                }
            }
        }
        _ => documents.push(Document::new(node)),
    }
}

#[cfg(test)]
mod tests;
