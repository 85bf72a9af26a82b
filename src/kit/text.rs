//! Texts that others wrote: shortened, and fit for one line.

/// At most `bytes` bytes of a text, cut between characters; what is cut off shows as `…`.
pub fn cut(text: &str, bytes: usize) -> String {
    const MORE: &str = "…";
    if text.len() <= bytes {
        return text.to_owned();
    }
    let room = bytes.saturating_sub(MORE.len());
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last().unwrap_or_default();
    format!("{}{}", &text[..end], if room > 0 { MORE } else { "" })
}

/// A text without control characters, which would draw on the terminals of those who read it.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_format(c) { ' ' } else { c }).collect()
}

/// Characters that turn around what stands beside them.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{cut, plain};

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("too long", 7), "too …");
        assert_eq!(cut("ééé", 5), "é…");
        assert_eq!(cut("ééé", 2), "");
        assert!((0..20).all(|n| cut("ééééééééé", n).len() <= n));
    }

    #[test]
    fn a_text_draws_nothing() {
        assert_eq!(plain("a\u{1b}[31m\r\nb\u{202e}é"), "a [31m  b é");
    }
}
