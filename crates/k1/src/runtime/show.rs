//! The thread that shows: renders a frame whenever one is due, and hands it to the lights. It waits for nothing but its
//! own clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use k1_device::dimmer::Dimmer;
use k1_device::frame::Showing;
use k1_device::pace::FrameClock;

use super::clock::Time;
use super::stage::Stage;
use super::{Shared, SoundReader};

/// Everything that the renderer's thread owns.
pub struct ShowThread {
    pub shared: Arc<Shared>,
    pub stage: Stage,
    pub sound: SoundReader,
    /// Stages that take the place of the present one.
    pub next: rtrb::Consumer<Stage>,
    /// Stages that were replaced. Another thread frees them.
    pub replaced: rtrb::Producer<Stage>,
    pub fps: u32,
}

impl ShowThread {
    /// Runs until the program stops.
    pub fn run(self, time: &impl Time) {
        let Self { shared, stage, sound, mut next, mut replaced, fps } = self;
        let mut pace = FrameClock::starting_at(time.now_us(), fps);
        let mut showing = Showing::new(stage, sound, pace.period_us());
        let mut dimmer = Dimmer::new(&shared.dim);
        while !shared.stop.load(Relaxed) {
            time.sleep_until(pace.due_us());
            let now = time.now_us();
            pace.begins(now);
            shared.without_allocating(|| {
                // A stage comes only if there is room for the one that it replaces.
                if replaced.slots() > 0
                    && let Ok(mut stage) = next.pop()
                {
                    stage.take_over(showing.zones());
                    std::mem::swap(showing.zones(), &mut stage);
                    let _ = replaced.push(stage);
                }
                let has_ended = shared.hearing_ended.load(Relaxed);
                let dim = dimmer.factor(&shared.dim, now);
                let deliver = |stage: &mut Stage| stage.deliver(now, dim);
                showing.frame(now, has_ended, &shared.meters, || time.now_us(), deliver);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use k1_device::exchange::{Settings, SettingsRing, SoundRing};
    use k1_device::meter::Count;
    use k1_engine::light::{OutputSettings, Shape};
    use k1_handoff::Mailbox;
    use k1_show::map::Cell;

    use super::super::Owner;
    use super::super::clock::script::Script;
    use super::super::outlet::outlet;
    use super::super::stage::{Lit, Part};
    use super::*;
    use crate::sink::Light;

    const LEDS: usize = 16;
    const START: u64 = 1_000_000;

    /// Runs a renderer of 100 frames a second until its tenth sleep; the fifth sleep is `late` µs too long. The light
    /// takes a frame after each sleep for which `takes` is true; the page takes none.
    fn run(late: u64, takes: impl Fn(usize) -> bool, allocates: bool) -> (Arc<Shared>, Vec<u64>) {
        let light = Arc::new(Light::new("x".into()));
        let shared = Arc::new(Shared::new(vec![light.clone()], None));
        let (_mailbox, owner) = Mailbox::channel();
        let (published, _settings) = SettingsRing::channel();
        let (_writer, sound) = SoundRing::channel();
        let (lit, mut frames, _) = outlet(LEDS, Some(light));
        let (page, _page_frames, _) = outlet(LEDS, None);
        let (_stages, next) = rtrb::RingBuffer::new(1);
        let (replaced, _old) = rtrb::RingBuffer::new(1);
        let owner = Owner::new(owner, published, Settings::default());
        let part = Part::new(LEDS, Shape::Mirrored, OutputSettings { limit_ma: None }, owner);
        let cells = (0..LEDS).map(|pixel| Cell::new(0, pixel)).collect();
        let thread = ShowThread {
            shared: shared.clone(),
            stage: Stage::new(vec![part], vec![Lit::new(lit, cells)], Some(page)),
            sound: SoundReader::new(sound),
            next,
            replaced,
            fps: 100,
        };
        let mut sleeps = 0;
        let time = Script::from(START, |wakes| {
            sleeps += 1;
            if takes(sleeps) {
                let _ = frames.take();
            }
            shared.stop.store(sleeps == 10, Relaxed);
            wakes + if sleeps == 5 { late } else { 0 }
        });
        time.look_us.set(2);
        time.allocates.set(allocates);
        thread.run(&time);
        let sleeps = time.sleeps().iter().map(|us| us - START).collect();
        drop(time);
        (shared, sleeps)
    }

    fn counts(shared: &Shared) -> [u32; 4] {
        [Count::Frames, Count::Late, Count::Dropped, Count::Allocations].map(|c| shared.meters.get(c))
    }

    #[test]
    fn frames_begin_when_they_are_due() {
        let (shared, sleeps) = run(0, |_| true, false);
        assert_eq!(sleeps, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90].map(|ms| ms * 1000));
        assert_eq!(counts(&shared), [10, 0, 0, 0]);
        assert_eq!(shared.meters.get(Count::RenderUs), 20, "from the first look to the second");
    }

    #[test]
    fn a_late_frame_is_counted_and_those_that_were_missed_are_not_shown_in_a_burst() {
        let (shared, sleeps) = run(35_000, |_| true, false);
        assert_eq!(sleeps, [0, 10, 20, 30, 40, 85, 95, 105, 115, 125].map(|ms| ms * 1000));
        assert_eq!(counts(&shared), [10, 1, 0, 0]);
        // A frame that is less than a period late is made up for and does not count as late.
        let (shared, sleeps) = run(9_000, |_| true, false);
        assert_eq!(sleeps[5], 50_000);
        assert_eq!(counts(&shared), [10, 0, 0, 0]);
    }

    #[test]
    fn frames_that_a_light_does_not_take_are_dropped_and_those_of_the_page_are_not_counted() {
        let (shared, _) = run(0, |_| false, false);
        assert_eq!(counts(&shared), [10, 0, 9, 0]);
        let report = shared.lights()[0].report();
        assert_eq!((report.frames, report.dropped), (10, 9));
        let (shared, _) = run(0, |sleep| sleep % 2 == 0, false);
        assert_eq!(counts(&shared), [10, 0, 4, 0]);
    }

    #[test]
    fn allocations_of_a_frame_are_counted() {
        let (shared, _) = run(0, |_| true, true);
        assert_eq!(counts(&shared)[3], 20, "a look at the clock in each, taken and given back");
    }
}
