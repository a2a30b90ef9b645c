//! The hand-off of finished frames from the renderer to a light or to the page.

use std::sync::Arc;
use std::thread::Thread;

use k1_handoff::{FrameSwap, SwapReader, SwapWriter};

use crate::sink::Light;

/// A finished frame on its way to a sink.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The moment that the frame shows, in µs since the start.
    pub at_us: u64,
    /// Pixels for a wire: linear, dithered.
    pub wire: Vec<[u8; 3]>,
    /// Pixels for a screen: sRGB.
    pub screen: Vec<[u8; 3]>,
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
}

/// Makes the frame hand-off for a sink of `leds` LEDs or for the page.
pub fn outlet(leds: usize, light: Option<Arc<Light>>) -> (Outlet, Frames, Arc<std::sync::OnceLock<Thread>>) {
    let empty = || Finished { at_us: 0, wire: vec![[0; 3]; leds], screen: vec![[0; 3]; leds] };
    let (frames, reader) = FrameSwap::channel(empty(), empty(), empty());
    let wakes = Arc::new(std::sync::OnceLock::new());
    (Outlet { frames, wakes: wakes.clone(), light }, reader, wakes)
}

impl Outlet {
    /// Hands a frame over that `fill` completes. True if a light has not taken the previous frame.
    pub fn offer(&mut self, at_us: u64, fill: impl FnOnce(&mut Finished)) -> bool {
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
