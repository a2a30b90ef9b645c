//! The thread that brings frames from the renderer to one light.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::thread::Thread;
use std::time::Duration;

use super::{Frames, Shared, realtime};
use crate::sink::Open;

/// Real-time priority, below that of the two halves (70 and 80).
const PRIORITY: u8 = 50;

/// Shows frames on one light until the program stops or the light is taken away, and leaves it dark.
pub fn feed(
    mut to: Open,
    mut frames: Frames,
    wakes: &OnceLock<Thread>,
    shared: &Shared,
    leds: usize,
    is_away: &AtomicBool,
) {
    if to.sink.is_urgent() {
        // Real-time scheduling lets it run before ordinary threads. If the system refuses, it runs without.
        realtime::hurry(PRIORITY);
    }
    let _ = wakes.set(std::thread::current());
    while !shared.stop.load(Relaxed) && !is_away.load(Relaxed) {
        match frames.take() {
            // An error is not fatal: the light may be off for a moment, and the next frame may reach it.
            Some(frame) => to.light.took(to.sink.show(&frame.wire, &frame.screen).is_ok()),
            None => {
                to.sink.tend();
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    }
    if let Err(e) = to.sink.dark(leds) {
        k1_host::say(format_args!("k1: the light {} could not be switched off: {e}", to.light.name));
    }
    shared.lit.fetch_sub(1, Release);
}
