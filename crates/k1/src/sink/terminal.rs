//! The strip in the terminal, in 24-bit colour.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::Sink;

/// Terminals redraw slowly; more than this is wasted.
const REDRAW: Duration = Duration::from_millis(33);

/// One line of coloured half blocks, redrawn in place.
pub struct TerminalSink {
    last: Option<Instant>,
    line: Vec<u8>,
}

impl TerminalSink {
    /// Takes standard output, which must be a terminal.
    pub fn new() -> Result<Self, String> {
        if !io::stdout().is_terminal() {
            return Err("the strip can be drawn on a terminal only, and standard output is none".into());
        }
        Ok(Self { last: None, line: Vec::new() })
    }
}

/// Draws `screen` into `width` columns: every column shows the mean of two neighbouring pixels of the strip, left
/// half and right half of a block.
pub fn draw(screen: &[[u8; 3]], width: usize, out: &mut Vec<u8>) {
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

impl Sink for TerminalSink {
    fn show(&mut self, _: &[[u8; 3]], screen: &[[u8; 3]]) -> io::Result<()> {
        if self.last.is_some_and(|t| t.elapsed() < REDRAW) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let width = terminal_size::terminal_size().map_or(80, |(w, _)| usize::from(w.0));
        self.line.clear();
        draw(screen, width.saturating_sub(1), &mut self.line);
        let mut out = io::stdout().lock();
        out.write_all(&self.line)?;
        out.flush()
    }

    fn dark(&mut self, _: usize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(b"\r\x1b[0m\x1b[K")?;
        out.flush()
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
                draw(&vec![[10, 20, 30]; leds], width, &mut out);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.matches('▌').count(), width, "{leds} LEDs on {width}");
                assert!(text.contains("10;20;30"));
            }
        }
    }
}
