//! Owns the terminal while the strip is drawn on it, so that printed lines appear above the strip and nothing is torn.
//!
//! The strip is the bottom line, and the hidden cursor waits at its beginning. Clearing from there downwards removes
//! the whole strip, even if the terminal has wrapped it because its width has changed. All writes to the terminal go
//! through [`above`].

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Clears the line and everything below.
const CLEAR: &[u8] = b"\r\x1b[0m\x1b[J";
const HIDE_CURSOR: &[u8] = b"\x1b[?25l";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
/// Cuts lines that are too wide instead of wrapping them.
const NO_WRAP: &[u8] = b"\x1b[?7l";
const WRAP: &[u8] = b"\x1b[?7h";

/// Time that the end waits for a thread that is writing.
const PATIENCE: Duration = Duration::from_millis(300);

/// A strip on a terminal.
struct Strip<W> {
    out: W,
    /// The drawn strip, to be drawn again below a new line.
    line: Vec<u8>,
    /// Columns of the terminal when it was drawn.
    width: usize,
}

impl<W: Write> Strip<W> {
    fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(HIDE_CURSOR)?;
        out.flush()?;
        Ok(Self { out, line: Vec::new(), width: 0 })
    }

    fn draw(&mut self, screen: &[[u8; 3]], width: usize) -> io::Result<()> {
        self.line.clear();
        if self.width != width {
            self.line.extend_from_slice(CLEAR);
        }
        self.line.extend_from_slice(NO_WRAP);
        cells(screen, width.saturating_sub(1), &mut self.line);
        self.line.extend_from_slice(b"\x1b[K\r");
        self.line.extend_from_slice(WRAP);
        self.width = width;
        self.out.write_all(&self.line)?;
        self.out.flush()
    }

    fn above<R>(&mut self, write: impl FnOnce() -> R) -> R {
        // If the terminal fails, the strip's next frame will report it.
        let _ = self.out.write_all(CLEAR).and_then(|()| self.out.flush());
        let result = write();
        let _ = self.out.write_all(&self.line).and_then(|()| self.out.flush());
        result
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(CLEAR)?;
        self.out.write_all(SHOW_CURSOR)?;
        self.out.flush()
    }
}

/// Draws `screen` into `width` columns: every column shows the mean of two neighbouring pixels of the strip, left
/// half and right half of a block.
pub fn cells(screen: &[[u8; 3]], width: usize, out: &mut Vec<u8>) {
    let half_columns = width.max(1) * 2;
    let pixel = |column: usize| {
        let from = column * screen.len() / half_columns;
        let to = ((column + 1) * screen.len() / half_columns).max(from + 1).min(screen.len());
        let mut sum = [0_u32; 3];
        for p in &screen[from.min(to)..to] {
            for (s, c) in sum.iter_mut().zip(p) {
                *s += u32::from(*c);
            }
        }
        sum.map(|s| s / (to - from.min(to)).max(1) as u32)
    };
    out.push(b'\r');
    for column in 0..width {
        let ([r, g, b], [r2, g2, b2]) = (pixel(column * 2), pixel(column * 2 + 1));
        // Writing to a vector cannot fail.
        let _ = write!(out, "\x1b[38;2;{r};{g};{b};48;2;{r2};{g2};{b2}m▌");
    }
    out.extend_from_slice(b"\x1b[0m");
}

static STRIP: Mutex<Option<Strip<io::Stdout>>> = Mutex::new(None);

thread_local! {
    /// True while this thread is writing above the strip.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn strip() -> MutexGuard<'static, Option<Strip<io::Stdout>>> {
    STRIP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to the terminal, above the strip if one is drawn: `write` writes whole lines to standard output or standard
/// error and flushes them.
pub fn above<R>(write: impl FnOnce() -> R) -> R {
    if INSIDE.get() {
        return write();
    }
    /// Draws the strip again even if `write` panics.
    struct Outside;
    impl Drop for Outside {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }
    let mut strip = strip();
    INSIDE.set(true);
    let _outside = Outside;
    match &mut *strip {
        Some(strip) => strip.above(write),
        None => write(),
    }
}

/// Takes the terminal for a strip. Panics are printed above it.
pub fn begin() -> io::Result<()> {
    *strip() = Some(Strip::begin(io::stdout())?);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| above(|| before(panic))));
    Ok(())
}

/// Draws the strip on a terminal of `width` columns; nothing once it has ended.
pub fn draw(screen: &[[u8; 3]], width: usize) -> io::Result<()> {
    match &mut *strip() {
        Some(strip) => strip.draw(screen, width),
        None => Ok(()),
    }
}

/// Restores the terminal's cursor and colours. May be called twice.
pub fn end() {
    // A stopped terminal (Ctrl-S) blocks its writer; do not wait for it.
    let until = Instant::now() + PATIENCE;
    let mut strip = loop {
        match STRIP.try_lock() {
            Ok(strip) => break strip,
            Err(TryLockError::Poisoned(strip)) => break strip.into_inner(),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return,
        }
    };
    if let Some(mut strip) = strip.take() {
        // If the terminal is gone, there is nothing to restore.
        let _ = strip.end();
    }
}

/// Restores the terminal when dropped, even by a panic.
pub struct Tidy;

impl Drop for Tidy {
    fn drop(&mut self) {
        end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strip_fits_any_width() {
        for leds in [1, 2, 7, 180, 1000] {
            for width in [1, 3, 80, 400] {
                let mut out = Vec::new();
                cells(&vec![[10, 20, 30]; leds], width, &mut out);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.matches('▌').count(), width, "{leds} LEDs on {width}");
                assert!(text.contains("10;20;30"));
            }
        }
    }

    /// The screen of a terminal with 40 columns after some bytes.
    fn shown(bytes: &[u8]) -> vt100::Parser {
        let mut terminal = vt100::Parser::new(6, 40, 0);
        terminal.process(bytes);
        terminal
    }

    #[test]
    fn lines_go_above_the_strip_and_the_terminal_is_given_back() {
        let mut strip = Strip::begin(Vec::new()).unwrap();
        let strip_of = |width: usize| "▌".repeat(width - 1);
        strip.draw(&[[200; 3]; 30], 40).unwrap();
        strip.above(|| ());
        // A printed line goes to the same terminal, between the two frames.
        let at = strip.out.windows(CLEAR.len()).rposition(|w| w == CLEAR).unwrap() + CLEAR.len();
        strip.out.splice(at..at, b"k1: one line\r\nand another\r\n".iter().copied());
        let terminal = shown(&strip.out);
        let rows: Vec<String> = terminal.screen().rows(0, 40).collect();
        assert_eq!(rows[..4], ["k1: one line".to_owned(), "and another".into(), strip_of(40), String::new()]);
        assert!(terminal.screen().hide_cursor() && terminal.screen().cursor_position() == (2, 0));
        // The window has become narrower: nothing is left of the wider strip.
        strip.draw(&[[200; 3]; 30], 20).unwrap();
        let rows: Vec<String> = shown(&strip.out).screen().rows(0, 40).collect();
        assert_eq!(rows[2..4], [strip_of(20), String::new()]);
        strip.end().unwrap();
        let terminal = shown(&strip.out);
        assert!(!terminal.screen().hide_cursor() && !terminal.screen().contents().contains('▌'));
    }

    #[test]
    fn a_strip_is_cut_and_never_wrapped() {
        let mut strip = Strip::begin(Vec::new()).unwrap();
        strip.draw(&[[1; 3]; 30], 80).unwrap();
        let place = |what: &[u8]| strip.out.windows(what.len()).position(|w| w == what).unwrap();
        let block = place("▌".as_bytes());
        assert!(place(NO_WRAP) < block && block < place(WRAP));
    }

    #[test]
    fn what_is_said_while_something_is_being_said_is_said() {
        assert_eq!(above(|| above(|| 7)), 7);
        assert!(std::panic::catch_unwind(|| above(|| panic!("inside"))).is_err());
        assert_eq!(above(|| 8), 8);
    }
}
