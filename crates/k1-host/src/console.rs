//! Prints all text of the program.
//!
//! Much of the text quotes others: names of lamps and files, arguments, an emulator's output. This module makes terminal
//! escapes in every line visible ([`harmless`](k1_device::harmless)), so that no caller can forget it. It also escapes
//! newlines within a line. Text of several lines is built with [`Text`], line by line.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use k1_device::harmless::{harmless_json, harmless_line, harmless_lines};

/// Longest line in characters; longer ones are cut. Whole paths fit, and JSON is not limited.
const LONGEST_LINE: usize = 8_000;
/// Size of the buffer of [`Lines`], in bytes.
const COLLECTED: usize = 8_192;

/// Destination of text.
#[derive(Clone, Copy)]
enum To {
    Out,
    Err,
}

/// Writes all text. The strip in the terminal makes room here.
fn write(to: To, bytes: &[u8]) -> io::Result<()> {
    crate::strip_line::above(|| match to {
        To::Out => {
            let mut out = io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()
        }
        To::Err => io::stderr().lock().write_all(bytes),
    })
}

/// Ignores a pipe that its reader has closed.
fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// One line, with its end.
fn line_of(line: impl Display) -> String {
    let text = line.to_string();
    let mut clean = match text.char_indices().nth(LONGEST_LINE) {
        None => harmless_line(&text).into_owned(),
        Some((end, _)) => format!("{}…", harmless_line(&text[..end])),
    };
    clean.push('\n');
    clean
}

/// Writes a line to standard error. Ignores errors, because a closed pipe (`k1 … 2>&1 | head`) should not end the program.
pub fn say(line: impl Display) {
    let _ = write(To::Err, line_of(line).as_bytes());
}

/// Writes several lines to standard error.
pub fn say_text(text: &str) {
    let _ = write(To::Err, with_end(harmless_lines(text)).as_bytes());
}

fn with_end(text: Cow<'_, str>) -> String {
    let mut text = text.into_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Writes a line to standard output. A closed pipe is not an error.
///
/// # Errors
///
/// Those of the system.
pub fn line(line: impl Display) -> io::Result<()> {
    unless_closed(write(To::Out, line_of(line).as_bytes()))
}

/// Writes several lines to standard output. The caller must have cleaned quoted text, because its newlines would pass;
/// [`Text`] does so by itself.
///
/// # Errors
///
/// Those of the system; a closed pipe is not an error.
pub fn text(text: &str) -> io::Result<()> {
    unless_closed(write(To::Out, with_end(harmless_lines(text)).as_bytes()))
}

/// Writes K1's own bytes unchanged: completions, manual, colours.
///
/// # Errors
///
/// Those of the system; a closed pipe is not an error.
pub fn verbatim(own: &[u8]) -> io::Result<()> {
    unless_closed(write(To::Out, own))
}

/// Writes a value as JSON on several lines, and escapes terminal controls in its strings.
///
/// # Errors
///
/// Those of the system; a closed pipe is not an error.
pub fn json(value: &impl serde::Serialize) -> io::Result<()> {
    text(&json_text(&serde_json::to_string_pretty(value)?))
}

/// Writes a value as JSON on one line, as [`json`] does.
///
/// # Errors
///
/// Those of the system; a closed pipe is not an error.
pub fn json_line(value: &impl serde::Serialize) -> io::Result<()> {
    text(&json_text(&serde_json::to_string(value)?))
}

fn json_text(text: &str) -> Cow<'_, str> {
    harmless_json(text)
}

/// Clears the terminal, for a list that is updated.
///
/// # Errors
///
/// Those of the system.
pub fn clear() -> io::Result<()> {
    verbatim(b"\x1b[H\x1b[2J")
}

/// True if standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// True if standard error is a terminal.
pub fn errors_reach_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Several lines that are printed together.
#[derive(Clone, Debug, Default)]
pub struct Text(String);

impl Text {
    /// Adds a line.
    pub fn line(&mut self, line: impl Display) {
        self.0.push_str(&line_of(line));
    }

    /// Adds a line with coloured text of K1's own in the middle.
    pub fn line_with_colours(&mut self, before: impl Display, own: &str, behind: impl Display) {
        let before = line_of(before);
        self.0.push_str(before.trim_end_matches('\n'));
        self.0.push_str(own);
        self.line(behind);
    }

    /// The lines.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Prints them.
    ///
    /// # Errors
    ///
    /// Those of the system; a closed pipe is not an error.
    pub fn print(&self) -> io::Result<()> {
        verbatim(self.0.as_bytes())
    }
}

/// A buffer for lines on their way to standard output.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    /// Adds a line and writes the buffer if it is full.
    ///
    /// # Errors
    ///
    /// Those of the system, including a closed pipe.
    pub fn line(&mut self, line: impl Display) -> io::Result<()> {
        self.0.push_str(&line_of(line));
        if self.0.len() < COLLECTED { Ok(()) } else { self.flush() }
    }

    /// Writes the buffer.
    ///
    /// # Errors
    ///
    /// Those of the system, including a closed pipe.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.0);
        write(To::Out, waiting.as_bytes())
    }
}

/// Prints panics through this module, too, because they may quote foreign text.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        say(format_args!(
            "k1: this is a bug, please report it: thread {} panicked at {place}: {}",
            thread.name().unwrap_or("without a name"),
            info.payload_as_str().unwrap_or("without a message")
        ));
        // Only with RUST_BACKTRACE.
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            say_text(&trace.to_string());
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_it_quotes() {
        assert_eq!(line_of("a\nk1: forged\r\x1b[2J"), "a\\u{a}k1: forged\\u{d}\\u{1b}[2J\n");
        let long = line_of("x".repeat(1 << 20));
        assert!(long.len() < LONGEST_LINE + 8 && long.ends_with("x…\n"));
        let mut text = Text::default();
        text.line(format_args!("{:<4} {}", "a", "b\nc"));
        text.line_with_colours("d\x1b ", "\x1b[0m", " e\n");
        assert_eq!(text.as_str(), "a    b\\u{a}c\nd\\u{1b} \x1b[0m e\\u{a}\n");
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({"name": "a\u{9b}\n\u{202e}\x7f"});
        let text = json_text(&serde_json::to_string(&value).unwrap()).into_owned();
        assert!(text.is_ascii() && !text.contains(|c: char| c.is_control()), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
