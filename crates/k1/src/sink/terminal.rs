//! The strip in the terminal, in 24-bit colour.

use std::io;
use std::time::{Duration, Instant};

use k1_device::answers::LightState;

use super::light::{Light, LightStatus};
use super::{Frame, Sink, Stop};
use k1_engine::light::srgb_byte;
use k1_host::strip_line;

/// Shortest time between two drawings; terminals redraw slowly.
const REDRAW: Duration = Duration::from_millis(33);

/// One line of coloured half blocks, redrawn in place.
pub struct TerminalSink {
    last: Option<Instant>,
    screen: Vec<[u8; 3]>,
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
        Ok(Self { last: None, screen: Vec::new() })
    }
}

impl Sink for TerminalSink {
    fn show(&mut self, frame: &Frame) -> io::Result<()> {
        if self.last.is_some_and(|t| t.elapsed() < REDRAW) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let width = terminal_size::terminal_size().map_or(80, |(w, _)| usize::from(w.0));
        self.screen.clear();
        self.screen.extend(frame.light.iter().map(|c| [c.r, c.g, c.b].map(srgb_byte)));
        strip_line::draw(&self.screen, width)
    }

    fn end(&mut self, _: Stop, _: &[u8]) -> io::Result<()> {
        strip_line::end();
        Ok(())
    }
}
