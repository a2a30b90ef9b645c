//! The hand-off of finished frames from the renderer to a light or to the page.

use std::sync::Arc;
use std::thread::Thread;

use k1_engine::light::Rgb;
use k1_handoff::{FrameSwap, SwapReader, SwapWriter};

use crate::sink::Light;

/// Largest number of zones that the page gets pixels of.
const MOST_ZONES: usize = 64;

/// A finished frame on its way to a sink.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The moment that the frame shows, in µs since the start.
    pub at_us: u64,
    /// Linear light of each pixel.
    pub light: Vec<Rgb>,
    /// For the page: numbers of pixels of the zones, whose pixels lie one after the other.
    pub zones: Vec<usize>,
    /// True if wires are to be dithered.
    pub is_dithered: bool,
}

/// A sink's end of its own frame hand-off.
pub type Frames = SwapReader<Arc<FrameSwap<Finished>>>;

/// The renderer's end of a frame hand-off.
pub struct Outlet {
    /// Takes frames; the latest one wins.
    pub frames: SwapWriter<Arc<FrameSwap<Finished>>>,
    /// The thread to wake; empty until it runs.
    pub wakes: Arc<std::sync::OnceLock<Thread>>,
    /// The light, which counts the frames that it is offered; `None` for the page, which may miss frames.
    pub light: Option<Arc<Light>>,
    /// When the light's next frame is due, in µs.
    due_us: u64,
}

/// Makes the frame hand-off for a sink of `leds` LEDs or for the page.
pub fn outlet(leds: usize, light: Option<Arc<Light>>) -> (Outlet, Frames, Arc<std::sync::OnceLock<Thread>>) {
    let zones = || Vec::with_capacity(if light.is_none() { MOST_ZONES } else { 0 });
    let empty = || Finished { at_us: 0, light: vec![Rgb::BLACK; leds], zones: zones(), is_dithered: false };
    let (frames, reader) = FrameSwap::channel(empty(), empty(), empty());
    let wakes = Arc::new(std::sync::OnceLock::new());
    (Outlet { frames, wakes: wakes.clone(), light, due_us: 0 }, reader, wakes)
}

impl Outlet {
    /// True if the light takes a frame now; false if its next one is due later.
    fn is_due(&mut self, at_us: u64) -> bool {
        let Some(fps) = self.light.as_ref().and_then(|light| light.settings.fps) else { return true };
        if at_us < self.due_us {
            return false;
        }
        // A light that missed its turn does not catch up.
        let period = 1_000_000 / u64::from(fps);
        self.due_us = if self.due_us + period > at_us { self.due_us + period } else { at_us + period };
        true
    }

    /// Hands a frame over that `fill` completes. True if a light has not taken the previous frame.
    pub fn offer(&mut self, at_us: u64, fill: impl FnOnce(&mut Finished)) -> bool {
        if !self.is_due(at_us) {
            return false;
        }
        let frame = self.frames.back();
        frame.at_us = at_us;
        fill(frame);
        let is_replaced = self.frames.publish();
        if let Some(thread) = self.wakes.get() {
            thread.unpark();
        }
        // The page has no light here, so it never counts as late.
        self.light.as_ref().is_some_and(|light| {
            light.offer(is_replaced);
            is_replaced
        })
    }
}
