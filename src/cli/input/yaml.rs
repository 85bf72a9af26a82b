//! One document as a tree whose nodes know their lines. What it costs in time and memory is bounded by the size of the
//! text: aliases share what they name, and what they would become in full is counted beforehand.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};
use serde_json::Value;

use super::{
    node::{Content, Field, Node, Size, merge, name},
    scalar,
};

/// Nodes of a document, aliases taken apart. The largest application has a tenth of them.
const NODES: usize = 200_000;
/// Bytes of all its texts, aliases taken apart.
const BYTES: usize = 4 * 1024 * 1024;
/// As deep as anything may be nested.
const DEPTH: usize = 64;

/// The first document of a text whose first line has the number `first`; None when it is empty.
///
/// # Errors
/// A sentence with the line.
pub fn parse(text: &str, first: u64) -> Result<Option<Rc<Node>>, String> {
    let mut options =
        granit_parser::options! { disallow_directives: true, flow_nesting_limit: DEPTH, block_nesting_limit: DEPTH };
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    let (mut root, mut ended) = (None, false);
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|e| format!("line {}: {}", first + e.marker().line() as u64 - 1, e.info()))?;
        let line = first + (span.start.line() as u64).saturating_sub(1);
        let tab = builder.in_block() && span.start.byte_offset().is_some_and(|at| tabbed(text, at));
        match event {
            Event::Scalar(..) | Event::Alias(..) if tab => {
                return Err(format!("line {line}: a tab in the indentation; write spaces"));
            }
            Event::DocumentStart(..) if ended => {
                return Err(format!(
                    "line {line}: text after the end of the document; begin another one by a line `---`"
                ));
            }
            Event::DocumentEnd => ended = true,
            event => root = builder.take(event, line).map_err(|e| format!("line {line}: {e}"))?.or(root),
        }
    }
    Ok(root)
}

/// Whether a tab stands between the begin of a line and its first token.
fn tabbed(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let indentation = before.iter().rev().take_while(|b| [b' ', b'\t'].contains(b));
    let (tabs, length) = indentation.fold((false, 0), |(tabs, length), b| (tabs || *b == b'\t', length + 1));
    tabs && (length == at || before[at - length - 1] == b'\n')
}

/// What is open while a document is read.
#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    spent: Size,
}

struct Frame {
    line: u64,
    anchor: usize,
    flow: bool,
    kind: Kind,
}

enum Kind {
    List(Vec<Rc<Node>>),
    Fields(BTreeMap<String, Field>, Key),
}

/// What a mapping waits for.
enum Key {
    None,
    Name(String, u64),
    Merge,
}

impl Builder {
    /// Whether lines and indentation say what belongs where.
    fn in_block(&self) -> bool {
        self.open.last().is_none_or(|frame| !frame.flow)
    }

    /// Takes one event; answers the root when it is complete.
    fn take(&mut self, event: Event<'_>, line: u64) -> Result<Option<Rc<Node>>, String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, (anchor, line), tag.as_deref()),
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned().ok_or("an alias may not stand inside of what it names")?;
                self.spend(node.size)?;
                self.add(node, line)
            }
            Event::SequenceStart(style, anchor, _) => self.push((line, anchor), style, Kind::List(vec![])),
            Event::MappingStart(style, anchor, _) => {
                self.push((line, anchor), style, Kind::Fields(BTreeMap::new(), Key::None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(None),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        (anchor, line): (usize, u64),
        tag: Option<&Tag>,
    ) -> Result<Option<Rc<Node>>, String> {
        let waiting = matches!(self.open.last(), Some(Frame { kind: Kind::Fields(_, Key::None), .. }));
        if waiting && text == "<<" && style == ScalarStyle::Plain && tag.is_none() {
            if let Some(Frame { kind: Kind::Fields(_, key), .. }) = self.open.last_mut() {
                *key = Key::Merge;
            }
            return Ok(None);
        }
        let plain = style == ScalarStyle::Plain;
        if plain && !self.in_block() && text.contains('?') {
            return Err(format!(
                "`kubectl` reads no '?' in '{}' between braces or brackets; put it in quotes",
                short(text)
            ));
        }
        let value = value_of(text, plain, tag)?;
        let surprise = (plain && tag.is_none() && scalar::surprising(text)).then(|| text.to_owned());
        let size = Size { nodes: 1, bytes: text.len() };
        self.spend(size)?;
        let node = Rc::new(Node { line, content: Content::Scalar(value, surprise), size, depth: 0 });
        self.remember(anchor, &node);
        self.add(node, line)
    }

    fn push(
        &mut self,
        (line, anchor): (u64, usize),
        style: StructureStyle,
        kind: Kind,
    ) -> Result<Option<Rc<Node>>, String> {
        if self.open.len() >= DEPTH {
            return Err(format!("nested deeper than {DEPTH} levels"));
        }
        if matches!(self.open.last(), Some(Frame { kind: Kind::Fields(_, Key::None), .. })) {
            return Err("a key must be a text".to_owned());
        }
        self.spend(Size { nodes: 1, bytes: 0 })?;
        self.open.push(Frame { line, anchor, flow: style == StructureStyle::Flow, kind });
        Ok(None)
    }

    fn close(&mut self) -> Result<Option<Rc<Node>>, String> {
        let Some(Frame { line, anchor, kind, .. }) = self.open.pop() else { return Ok(None) };
        let mut node = Node { line, size: Size { nodes: 1, bytes: 0 }, depth: 1, content: Content::List(vec![]) };
        let mut count = |child: &Node| {
            node.size.add(child.size);
            node.depth = node.depth.max(child.depth + 1);
        };
        node.content = match kind {
            Kind::List(items) => {
                items.iter().for_each(|item| count(item));
                Content::List(items)
            }
            Kind::Fields(fields, _) => {
                fields.values().for_each(|field| count(&field.node));
                fields.keys().for_each(|name| node.size.bytes += name.len());
                Content::Fields(fields)
            }
        };
        let node = Rc::new(node);
        self.remember(anchor, &node);
        self.add(node, line)
    }

    fn remember(&mut self, anchor: usize, node: &Rc<Node>) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn spend(&mut self, size: Size) -> Result<(), String> {
        self.spent.add(size);
        match (self.spent.nodes > NODES, self.spent.bytes > BYTES) {
            (false, false) => Ok(()),
            (true, _) => Err(format!(
                "more than {NODES} values up to here, those that aliases repeat counted; no API server takes as many"
            )),
            (_, true) => Err(format!(
                "more than {BYTES} bytes up to here, those that aliases repeat counted; no API server takes as many"
            )),
        }
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Rc<Node>, line: u64) -> Result<Option<Rc<Node>>, String> {
        if self.open.len() + node.depth > DEPTH {
            return Err(format!("nested deeper than {DEPTH} levels"));
        }
        let Some(frame) = self.open.last_mut() else { return Ok(Some(node)) };
        let (fields, key) = match &mut frame.kind {
            Kind::List(items) => {
                items.push(node);
                return Ok(None);
            }
            Kind::Fields(fields, key) => (fields, key),
        };
        match std::mem::replace(key, Key::None) {
            Key::None => *key = Key::Name(name(&node)?, line),
            Key::Name(name, line) => {
                if let Some(first) = fields.get(&name).filter(|there| !there.merged).map(|there| there.line) {
                    *key = Key::Name(name, line);
                    return Err(format!("`{}` is set twice, first in line {first}; remove one of them", self.path()));
                }
                fields.insert(name, Field { line, node, merged: false });
            }
            Key::Merge => {
                let merged = merge(fields, &node)?;
                self.spend(merged)?;
            }
        }
        Ok(None)
    }

    /// Where the reader is.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.open {
            match &frame.kind {
                Kind::List(items) => path.push_str(&format!("[{}]", items.len())),
                Kind::Fields(_, Key::Name(name, _)) => {
                    path.push_str(&format!("{}{}", if path.is_empty() { "" } else { "." }, short(name)))
                }
                Kind::Fields(..) => {}
            }
        }
        path
    }
}

/// As much of a text as belongs into a message.
pub fn short(text: &str) -> String {
    let begin: String = text.chars().take(60).collect();
    if begin.len() < text.len() { format!("{begin}…") } else { begin }
}

/// The value of a scalar, as its tag or its form says.
fn value_of(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    let kind = tag.map(|tag| tag.core_suffix().ok_or_else(|| tag.suffix_in_namespace("tag:yaml.org,2002:").is_some()));
    match kind {
        Some(Ok(kind)) => {
            scalar::tagged(kind, text).ok_or_else(|| format!("'{}' is not of the type `!!{kind}`", short(text)))
        }
        Some(Err(true)) => {
            Err("of YAML's types only str, int, float, bool and null can be sent; write a text in quotes".to_owned())
        }
        None if plain => scalar::plain(text)
            .ok_or_else(|| format!("`{text}` is no number that can be sent; put it in quotes if the text is meant")),
        _ => Ok(text.into()),
    }
}
