//! How output is fitted to where it goes: colour and width on a terminal, neither in a pipe.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

use anstream::{AutoStream, ColorChoice, stream::RawStream};

use crate::view::Style;

/// What standard output can show.
pub fn style() -> Style {
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() {
        terminal_size::terminal_size_of(stdout.as_fd()).map(|(width, _)| usize::from(width.0))
    } else {
        None
    };
    Style { colour: is_coloured(&stdout), width }
}

/// Colour is for terminals that know it, unless somebody does not want it: <https://no-color.org>.
pub fn is_coloured(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Writes data to standard output. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// When it cannot be written for another reason.
pub fn print(text: &str) -> std::io::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A file as messages call it.
pub fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
}
