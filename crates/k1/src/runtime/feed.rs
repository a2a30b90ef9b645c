//! The thread that brings frames from the renderer to one light.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::thread::Thread;
use std::time::Duration;

use super::{Finished, Frames, Shared, realtime};
use crate::sink::{Frame, Open, Stop};

/// Real-time priority, below that of the two halves (70 and 80).
const PRIORITY: u8 = 50;
/// Longest time between two looks for work.
const LOOK: Duration = Duration::from_millis(20);
/// Interval between readings of the other lights' delays, in µs.
const DELAY_LOOK_US: u64 = 200_000;
/// Number of times that a frame is sent without a pause, because packets may be lost.
const TIMES: u32 = 3;

/// Shows frames on one light until the program stops or the light is taken away, and ends as its settings say.
pub fn feed(
    mut to: Open,
    mut frames: Frames,
    wakes: &OnceLock<Thread>,
    shared: &Shared,
    is_away: &AtomicBool,
) {
    if to.sink.is_urgent() {
        // Real-time scheduling lets it run before ordinary threads. If the system refuses, it runs without.
        realtime::hurry(PRIORITY);
    }
    let _ = wakes.set(std::thread::current());
    let mut late = Late::default();
    let mut keep_alive = KeepAlive::default();
    let mut look_at_us = 0;
    while !shared.stop.load(Relaxed) && !is_away.load(Relaxed) {
        if shared.clock.now_us() >= look_at_us {
            // Other lights come and go.
            late.delay_us = delay_us(&to, shared);
            look_at_us = shared.clock.now_us() + DELAY_LOOK_US;
        }
        if let Some(frame) = frames.take() {
            if late.delay_us == 0 && late.waiting.is_empty() {
                show(&mut to, frame, &mut keep_alive, shared.clock.now_us());
                continue;
            }
            late.push(frame);
        }
        let now_us = shared.clock.now_us();
        if let Some(frame) = late.due(now_us) {
            show(&mut to, &frame, &mut keep_alive, now_us);
            late.spare.push(frame);
        } else {
            to.sink.tend();
            std::thread::park_timeout(late.pause(now_us).min(LOOK));
        }
    }
    let stop = to.light.settings.stop;
    let last = if stop == Stop::Dark { to.fit.dark() } else { to.fit.last() };
    if let Err(e) = to.sink.end(stop, last) {
        k1_host::say(format_args!("k1: the light {} could not be switched off: {e}", to.light.name));
    }
    shared.lit.fetch_sub(1, Release);
}

/// Delay of a light behind the earliest one, which has none.
fn delay_us(to: &Open, shared: &Shared) -> u64 {
    let own = to.light.settings.delay_ms;
    let earliest = shared.lights().iter().map(|light| light.settings.delay_ms).min().unwrap_or(0).min(0);
    u64::from(own.abs_diff(earliest)) * 1_000
}

fn show(to: &mut Open, frame: &Finished, keep_alive: &mut KeepAlive, now_us: u64) {
    let is_new = to.fit.fit(&frame.light, frame.is_dithered);
    let every_us = u64::from(to.light.settings.keep_alive_ms) * 1_000;
    if !keep_alive.is_needed(is_new, every_us, now_us) {
        // The light shows this frame already.
        to.light.took(true);
        return;
    }
    // An error is not fatal: the light may be off for a moment, and the next frame may reach it.
    let shown = to.sink.show(&Frame { light: &frame.light, channels: to.fit.last() });
    keep_alive.sent(shown.is_ok(), now_us);
    to.light.took(shown.is_ok());
}

/// Frames that are shown later.
#[derive(Default)]
struct Late {
    delay_us: u64,
    waiting: VecDeque<Finished>,
    /// Frames whose memory is used again.
    spare: Vec<Finished>,
}

impl Late {
    fn push(&mut self, frame: &Finished) {
        let mut kept = self.spare.pop().unwrap_or_else(|| frame.clone());
        kept.light.clone_from(&frame.light);
        (kept.at_us, kept.is_dithered) = (frame.at_us, frame.is_dithered);
        self.waiting.push_back(kept);
    }

    /// Takes the frame that is due.
    fn due(&mut self, now_us: u64) -> Option<Finished> {
        self.waiting.pop_front_if(|frame| frame.at_us + self.delay_us <= now_us)
    }

    /// Time until the next frame is due.
    fn pause(&self, now_us: u64) -> Duration {
        let due_us = self.waiting.front().map_or(u64::MAX, |frame| frame.at_us + self.delay_us);
        Duration::from_micros(due_us.saturating_sub(now_us))
    }
}

/// Decides whether an unchanged frame is sent.
#[derive(Debug, Default)]
struct KeepAlive {
    sent_us: u64,
    /// Number of times that the frame was sent.
    times: u32,
}

impl KeepAlive {
    fn is_needed(&mut self, is_new: bool, every_us: u64, now_us: u64) -> bool {
        if is_new {
            self.times = 0;
        }
        self.times < TIMES || now_us >= self.sent_us + every_us
    }

    fn sent(&mut self, is_sent: bool, now_us: u64) {
        if is_sent {
            (self.sent_us, self.times) = (now_us, self.times + 1);
        } else {
            self.times = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use k1_engine::light::Rgb;

    use super::*;

    #[test]
    fn an_unchanged_frame_is_sent_three_times_and_then_rarely() {
        let mut keep_alive = KeepAlive::default();
        let mut sends = |is_new, now_ms: u64, is_sent| {
            let is_needed = keep_alive.is_needed(is_new, 1_000_000, now_ms * 1_000);
            if is_needed {
                keep_alive.sent(is_sent, now_ms * 1_000);
            }
            is_needed
        };
        assert!(sends(true, 0, true) && sends(false, 10, true) && sends(false, 20, true));
        assert!(!sends(false, 30, true) && !sends(false, 1_010, true));
        assert!(sends(false, 1_020, true) && !sends(false, 1_030, true));
        assert!(sends(true, 1_040, true), "a change is sent at once");
        assert!(sends(true, 1_050, false) && sends(false, 1_060, true), "an error does not count");
    }

    #[test]
    fn late_frames_come_in_their_order_when_they_are_due() {
        let frame = |at_us| Finished {
            at_us,
            light: vec![Rgb::WHITE * at_us as f32],
            zones: Vec::new(),
            is_dithered: false,
        };
        let mut late = Late { delay_us: 50_000, ..Late::default() };
        assert_eq!(late.pause(0), Duration::from_micros(u64::MAX));
        late.push(&frame(10_000));
        late.push(&frame(20_000));
        assert_eq!((late.due(59_999).map(|f| f.at_us), late.pause(59_000)), (None, Duration::from_millis(1)));
        let first = late.due(60_000).unwrap();
        assert_eq!((first.at_us, first.light[0]), (10_000, Rgb::WHITE * 10_000.0));
        late.spare.push(first);
        late.push(&frame(30_000));
        assert!(late.spare.is_empty(), "its memory is used again");
        assert_eq!(late.due(90_000).map(|f| f.at_us), Some(20_000));
        assert_eq!(late.due(90_000).map(|f| (f.at_us, f.light[0].r)), Some((30_000, 30_000.0)));
    }
}
