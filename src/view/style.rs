//! What the place of output can show.

use anstyle::AnsiColor;

/// Colour and width of what is written to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    pub colour: bool,
    /// Characters in a line; None: as many as it takes.
    pub width: Option<usize>,
}

/// What a piece of text is to feel like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Busy,
    Bad,
    Soft,
    Strong,
}

impl Style {
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Busy => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Soft => anstyle::Style::new().dimmed(),
            Tone::Strong => anstyle::Style::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }

    /// The text in lines that leave `indent` characters free. Words longer than a line stand out of it.
    pub fn wrap(&self, text: &str, indent: usize) -> Vec<String> {
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let line = lines
                .last_mut()
                .filter(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= room);
            match line {
                Some(line) if line.is_empty() => line.push_str(word),
                Some(line) => line.extend([" ", word]),
                None => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

/// The text, cut to so many characters, with a sign that it was cut.
pub fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        let style = Style { colour: false, width: Some(30) };
        assert_eq!(
            style.wrap("database: StatefulSet shop-database 0/1 pods ready", 4),
            ["database: StatefulSet", "shop-database 0/1 pods", "ready"]
        );
        assert_eq!(Style::default().wrap("as long as it takes", 4), ["as long as it takes"]);
    }

    #[test]
    fn cut_text_says_so() {
        assert_eq!(cut("/api/orders", 11), "/api/orders");
        assert_eq!(cut("/api/orders", 6), "/api/…");
    }
}
