//! Elements of XML, quoted as they must be.

use std::fmt::{Display, Formatter, Result};

pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Vec<Content>,
}

enum Content {
    Text(String),
    Child(Element),
}

impl Element {
    pub fn new(name: &'static str) -> Self {
        Self { name, attributes: vec![], content: vec![] }
    }

    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// Numbers of pixels need no more than a tenth.
    pub fn at(mut self, numbers: &[(&'static str, f64)]) -> Self {
        self.attributes.extend(numbers.iter().map(|(name, number)| (*name, short(*number))));
        self
    }

    pub fn text(mut self, text: impl Display) -> Self {
        self.content.push(Content::Text(text.to_string()));
        self
    }

    pub fn add(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.content.extend(children.into_iter().map(Content::Child));
        self
    }
}

/// A number with at most one decimal.
pub fn short(number: f64) -> String {
    let rounded = (number * 10.0).round() / 10.0;
    // Not "-0".
    (rounded + 0.0).to_string()
}

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"{}\"", quoted(value))?;
        }
        if self.content.is_empty() {
            return write!(f, "/>");
        }
        write!(f, ">")?;
        for content in &self.content {
            match content {
                Content::Text(text) => write!(f, "{}", quoted(text))?,
                Content::Child(child) => write!(f, "{child}")?,
            }
        }
        write!(f, "</{}>", self.name)
    }
}

/// Text that cannot be taken for markup. Control characters have no place in XML at all.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn text_is_no_markup() {
        let element = Element::new("text").with("title", "a\"b").text("<script>&\u{7}");
        assert_eq!(element.to_string(), "<text title=\"a&quot;b\">&lt;script&gt;&amp;</text>");
    }
}
