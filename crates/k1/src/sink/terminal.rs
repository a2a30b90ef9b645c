//! The strip in the terminal, in 24-bit colour.

use std::io;
use std::time::{Duration, Instant};

use k1_device::answers::LightState;

use super::Sink;
use super::light::{Light, LightStatus};
use k1_host::strip_line;

/// Shortest time between two drawings; terminals redraw slowly.
const REDRAW: Duration = Duration::from_millis(33);

/// One line of coloured half blocks, redrawn in place.
pub struct TerminalSink {
    last: Option<Instant>,
}

impl TerminalSink {
    /// Takes standard output, which must be a terminal.
    ///
    /// # Errors
    ///
    /// A sentence if it is not a terminal.
    pub fn new(light: &Light) -> Result<Self, String> {
        if !k1_host::console::is_terminal() {
            return Err("--to terminal needs a terminal, but standard output is not one".into());
        }
        strip_line::begin().map_err(|e| format!("the strip cannot be drawn on this terminal: {e}"))?;
        light.stands(LightStatus { state: LightState::Shining, reason: None, address: None });
        Ok(Self { last: None })
    }
}

impl Sink for TerminalSink {
    fn show(&mut self, _: &[[u8; 3]], screen: &[[u8; 3]]) -> io::Result<()> {
        if self.last.is_some_and(|t| t.elapsed() < REDRAW) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let width = terminal_size::terminal_size().map_or(80, |(w, _)| usize::from(w.0));
        strip_line::draw(screen, width)
    }

    fn is_screen(&self) -> bool {
        true
    }

    fn dark(&mut self, _: usize) -> io::Result<()> {
        strip_line::end();
        Ok(())
    }
}
