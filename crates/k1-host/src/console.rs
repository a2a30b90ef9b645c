//! The one door for text: what the program says and prints goes through here and nowhere else.
//!
//! Much of it quotes others: a lamp's name, a file's, an argument, what an emulator writes. The door cleans every line
//! ([`harmless`](k1_device::harmless)), so that no place that prints can forget it. Of newlines only K1's own pass: what is printed as one line is one
//! line. Text of several lines is put together with [`Text`], line by line.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use k1_device::harmless::{harmless_json, harmless_line, harmless_lines};

/// Characters of a line; a longer one is cut. Whole paths fit, and JSON is not a line.
const LONGEST_LINE: usize = 8_000;
/// Bytes of many lines that are collected before they are written.
const COLLECTED: usize = 8_192;

/// Where text goes.
#[derive(Clone, Copy)]
enum To {
    Out,
    Err,
}

/// Everything leaves here: whoever draws on the same terminal can make room for it at this one place.
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

/// A reader that has closed the pipe has heard enough; that is no error.
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

/// Writes a line to standard error. Where nobody reads it any more (`k1 … 2>&1 | head`), it is not said; that is no
/// reason to end, let alone to panic.
pub fn say(line: impl Display) {
    let _ = write(To::Err, line_of(line).as_bytes());
}

/// The same for several lines.
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

/// Writes a line to standard output; a reader that has closed the pipe is no error.
///
/// # Errors
///
/// Those of the system.
pub fn line(line: impl Display) -> io::Result<()> {
    unless_closed(write(To::Out, line_of(line).as_bytes()))
}

/// Writes several lines to standard output. What comes from outside must have been cleaned when it came in: its
/// newlines would pass. [`Text`] sees to that by itself.
///
/// # Errors
///
/// Those of the system; a reader that has closed the pipe is none.
pub fn text(text: &str) -> io::Result<()> {
    unless_closed(write(To::Out, with_end(harmless_lines(text)).as_bytes()))
}

/// Writes what is K1's own and nobody else's as it stands: completions, manual, colours.
///
/// # Errors
///
/// Those of the system; a reader that has closed the pipe is none.
pub fn verbatim(own: &[u8]) -> io::Result<()> {
    unless_closed(write(To::Out, own))
}

/// Writes a value as JSON, over several lines; what is not harmless in its strings is escaped.
///
/// # Errors
///
/// Those of the system; a reader that has closed the pipe is none.
pub fn json(value: &impl serde::Serialize) -> io::Result<()> {
    text(&json_text(&serde_json::to_string_pretty(value)?))
}

/// The same on one line.
///
/// # Errors
///
/// Those of the system; a reader that has closed the pipe is none.
pub fn json_line(value: &impl serde::Serialize) -> io::Result<()> {
    text(&json_text(&serde_json::to_string(value)?))
}

fn json_text(text: &str) -> Cow<'_, str> {
    harmless_json(text)
}

/// Empties the terminal, for a list that is shown again and again.
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

    /// Adds a line with a coloured piece of K1's own in it.
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
    /// Those of the system; a reader that has closed the pipe is none.
    pub fn print(&self) -> io::Result<()> {
        verbatim(self.0.as_bytes())
    }
}

/// Lines for standard output that come one after the other, collected on their way.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    /// Writes a line, now or with the next.
    ///
    /// # Errors
    ///
    /// Those of the system; a reader that has closed the pipe is one.
    pub fn line(&mut self, line: impl Display) -> io::Result<()> {
        self.0.push_str(&line_of(line));
        if self.0.len() < COLLECTED { Ok(()) } else { self.flush() }
    }

    /// Writes what was collected.
    ///
    /// # Errors
    ///
    /// Those of the system; a reader that has closed the pipe is one.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.0);
        write(To::Out, waiting.as_bytes())
    }
}

/// Has panics said through the door, too: what they quote may come from anywhere.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        say(format_args!(
            "k1: a fault in the program, please report it: thread {} panicked at {place}: {}",
            thread.name().unwrap_or("without a name"),
            info.payload_as_str().unwrap_or("it did not say why")
        ));
        // For whoever asks for it in the way of the language.
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
