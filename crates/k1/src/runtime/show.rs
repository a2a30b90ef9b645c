//! The half that shows: takes the newest snapshot, renders, hands frames to the sinks. It waits for nothing but its
//! own clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::Thread;

use k1_device::exchange::Outcome;
use k1_device::meter::Count;
use k1_engine::params::Param;
use k1_handoff::{FrameSwap, SwapReader, SwapWriter};

use super::{Owner, SEAT_SHOWS, Shared, SoundReader};
use crate::Show;
use crate::sink::Light;

/// A finished frame on its way to a sink.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The moment that the frame shows, in µs.
    pub at_us: u64,
    /// What the wire carries.
    pub wire: Vec<[u8; 3]>,
    /// What a screen should show.
    pub screen: Vec<[u8; 3]>,
}

/// A sink's end of its own frame hand-off.
pub type Frames = SwapReader<Arc<FrameSwap<Finished>>>;

/// The renderer's end.
pub struct Outlet {
    /// Frames, latest wins.
    pub frames: SwapWriter<Arc<FrameSwap<Finished>>>,
    /// The thread to be woken; empty until it runs.
    pub wakes: Arc<std::sync::OnceLock<Thread>>,
    /// Counts what it is offered; `None` for the page, which is no light and may miss frames.
    pub light: Option<Arc<Light>>,
}

/// Makes the hand-off of one sink, or of the page.
pub fn outlet(leds: usize, light: Option<Arc<Light>>) -> (Outlet, Frames, Arc<std::sync::OnceLock<Thread>>) {
    let empty = || Finished { at_us: 0, wire: vec![[0; 3]; leds], screen: vec![[0; 3]; leds] };
    let (frames, reader) = FrameSwap::channel(empty(), empty(), empty());
    let wakes = Arc::new(std::sync::OnceLock::new());
    (Outlet { frames, wakes: wakes.clone(), light }, reader, wakes)
}

/// What the render thread owns.
pub struct Showing {
    pub shared: Arc<Shared>,
    pub show: Box<Show>,
    pub sound: SoundReader,
    pub owner: Owner,
    pub outlets: Vec<Outlet>,
    pub fps: u32,
}

/// Runs until the program stops.
pub fn run(mut s: Showing) {
    let shared = s.shared.clone();
    shared.show_seat.take(SEAT_SHOWS, 80);
    let clock = shared.clock;
    let period_ns = 1_000_000_000 / u64::from(s.fps);
    let first = clock.now_us();
    let mut frame = 0_u64;
    let mut before: Option<u64> = None;
    let mut origin = first;
    while !shared.stop.load(Relaxed) {
        // Due times are counted from the origin, so that rounding never adds up.
        let due = origin + frame * period_ns / 1000;
        clock.sleep_until(due);
        let now = clock.now_us();
        let m = &shared.meters;
        if let Some(before) = before {
            m.frame_began(now - before, period_ns / 1000);
        }
        before = Some(now);
        frame += 1;
        if now > due + period_ns / 1000 {
            // Too late to catch up: frames that were not shown are not shown in a burst either.
            origin = now;
            frame = 1;
        }
        let violations = assert_no_alloc::violation_count();
        assert_no_alloc::assert_no_alloc(|| s.frame(now));
        let new = assert_no_alloc::violation_count().wrapping_sub(violations);
        m.count(Count::Allocations, new);
    }
}

impl Showing {
    fn frame(&mut self, now: u64) {
        let m = &self.shared.meters;
        let began = std::time::Instant::now();
        if self.owner.update() {
            let settings = *self.owner.settings();
            self.show.set_params(settings.params);
            self.show.select(settings.pattern);
        }
        match self.sound.read() {
            Outcome::Read(retries) => m.count(Count::Retries, retries.into()),
            Outcome::Contended => m.count(Count::Contended, 1),
            Outcome::Torn => m.count(Count::Torn, 1),
            Outcome::Empty => {}
        }
        let sound = self.sound.snapshot();
        if sound.sequence > 0 && !self.shared.hearing_ended.load(Relaxed) {
            m.age.add(now.saturating_sub(sound.captured_us));
        }
        self.show.render(now, sound);
        let dithering = self.show.params().get(Param::Dithering) >= 0.5;
        for outlet in &mut self.outlets {
            let frame = outlet.frames.back();
            frame.at_us = now;
            self.show.output.wire(dithering, &mut frame.wire);
            self.show.output.screen(&mut frame.screen);
            let replaced = outlet.frames.publish();
            if let Some(light) = &outlet.light {
                light.offer(replaced);
                m.count(Count::Dropped, replaced.into());
            }
            if let Some(thread) = outlet.wakes.get() {
                thread.unpark();
            }
        }
        m.count(Count::RenderTenths, (began.elapsed().as_nanos() / 100) as u32);
        m.count(Count::Frames, 1);
    }
}
