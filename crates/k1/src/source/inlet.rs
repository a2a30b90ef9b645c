//! Passes live sound from the thread that receives it to its reader. It skips sound that is too old, and delivers
//! silence at the pace of real time while no sound arrives, so that the ear and the light continue.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_engine::{HOP, HOP_US, SAMPLE_RATE};

/// Largest burst of sound in samples (200 ms), for a server that collects or a machine that was suspended briefly. If
/// there is more, it has waited somewhere, and its oldest part is skipped.
const SLACK: f64 = 0.2 * SAMPLE_RATE as f64;
/// The same after inserted silence, in samples (40 ms).
const SLACK_AFTER_SILENCE: f64 = 0.04 * SAMPLE_RATE as f64;
/// Growth of the allowance, in samples per second: more than real time, so that a device's fast clock does not exceed
/// it.
const GROWTH: f64 = 1.1 * SAMPLE_RATE as f64;
/// Time without sound after which silence begins.
const QUIET: Duration = Duration::from_millis(300);
const HOP_TIME: Duration = Duration::from_micros(HOP_US);
/// A reader that is later than this skips the missed silence.
const LATE: Duration = Duration::from_millis(100);

/// A queue for live sound.
#[derive(Debug)]
pub struct Inlet {
    flow: Mutex<Flow>,
    changed: Condvar,
}

#[derive(Debug)]
struct Flow {
    waiting: VecDeque<f32>,
    /// Number of samples that may still pass.
    allowance: f64,
    counted: Instant,
    /// Time up to which there was sound, or silence in its place.
    covered: Instant,
    /// Additional time until silence is due, if no sound arrives.
    patience: Duration,
    skips: u32,
    /// Number of samples for which the reader waits.
    wanted: usize,
    /// True if the last samples taken were silence in place of sound.
    is_silent: bool,
    /// True once the reader has begun. Earlier sound is dropped, because the rest of the program may still be starting.
    is_read: bool,
}

impl Default for Inlet {
    fn default() -> Self {
        Self::starting(Instant::now())
    }
}

impl Inlet {
    fn starting(now: Instant) -> Self {
        let flow = Flow {
            waiting: VecDeque::new(),
            allowance: SLACK,
            counted: now,
            covered: now,
            patience: HOP_TIME,
            skips: 0,
            wanted: HOP,
            is_silent: false,
            is_read: false,
        };
        Self { flow: Mutex::new(flow), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins silence at once, because no sound is expected for now.
    pub fn lost(&self) {
        self.lock().patience = HOP_TIME;
        self.changed.notify_one();
    }

    /// Adds sound that has just arrived.
    pub fn push(&self, samples: &[f32]) {
        let mut flow = self.lock();
        flow.push(samples, Instant::now());
        if flow.waiting.len() >= flow.wanted {
            self.changed.notify_one();
        }
    }

    /// Fills `out` from its start and returns the number of samples; waits for them, at most until silence is due. It waits
    /// for a whole hop, because the ear cannot use less.
    pub fn read(&self, out: &mut [f32]) -> usize {
        let mut flow = self.lock();
        flow.wanted = out.len().min(HOP);
        if !flow.is_read {
            flow.is_read = true;
            flow.covered = Instant::now();
        }
        loop {
            let now = Instant::now();
            let is_part = !flow.waiting.is_empty() && flow.waiting.len() < flow.wanted;
            match if is_part && now < flow.silence_due() { 0 } else { flow.take(out, now) } {
                0 => {
                    let pause = flow.silence_due().saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(flow, pause);
                    flow = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                n => return n,
            }
        }
    }

    /// True if the last samples read were silence in place of sound.
    pub fn is_silent(&self) -> bool {
        self.lock().is_silent
    }

    /// Number of times that sound was skipped because it was too old.
    pub fn skips(&self) -> u32 {
        self.lock().skips
    }
}

impl Flow {
    fn push(&mut self, samples: &[f32], now: Instant) {
        if samples.is_empty() || !self.is_read {
            return;
        }
        self.covered = now;
        self.patience = QUIET;
        self.count(now);
        let room = self.allowance as usize;
        let newest = &samples[samples.len().saturating_sub(room)..];
        self.skips = self.skips.wrapping_add(u32::from(newest.len() < samples.len()));
        self.allowance -= newest.len() as f64;
        self.waiting.extend(newest);
    }

    fn silence_due(&self) -> Instant {
        self.covered + self.patience
    }

    /// Takes waiting sound, or silence that is due.
    fn take(&mut self, out: &mut [f32], now: Instant) -> usize {
        if !self.waiting.is_empty() {
            let n = out.len().min(self.waiting.len());
            out.iter_mut().zip(self.waiting.drain(..n)).for_each(|(to, x)| *to = x);
            self.is_silent = false;
            return n;
        }
        if now < self.silence_due() {
            return 0;
        }
        let n = out.len().min(HOP);
        out[..n].fill(0.0);
        self.is_silent = true;
        self.count(now);
        self.allowance = (self.allowance - n as f64).clamp(0.0, SLACK_AFTER_SILENCE);
        let step = HOP_TIME.mul_f64(n as f64 / HOP as f64);
        // Also deliver the silence during which sound was still expected, so that the ear stays in time with the light.
        let oldest = now.checked_sub(QUIET + LATE).unwrap_or(now);
        self.covered = self.covered.max(oldest) + step;
        self.patience = HOP_TIME;
        n
    }

    fn count(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.counted).as_secs_f64() * GROWTH;
        self.allowance = (self.allowance + grown).min(SLACK);
        self.counted = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u32 = SAMPLE_RATE / 1000;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Samples that name the millisecond of their birth.
    fn sound(from_ms: u32, to_ms: u32) -> Vec<f32> {
        (from_ms * MS..to_ms * MS).map(|i| (i / MS) as f32).collect()
    }

    fn drain(flow: &mut Flow, now: Instant) -> Vec<f32> {
        let mut out = vec![0.0; 100_000];
        let n = flow.take(&mut out, now);
        out.truncate(n);
        out
    }

    #[test]
    fn what_comes_in_time_passes_whole_whatever_its_pieces() {
        for piece in [1, 4, 21, 100, 180] {
            let start = Instant::now();
            let inlet = Inlet::starting(start);
            let mut flow = inlet.lock();
            flow.is_read = true;
            let mut passed = 0;
            for n in 0..(3_000 / piece) {
                // Up to a millisecond of jitter.
                let now =
                    start + ms(u64::from((n + 1) * piece)) + Duration::from_micros(u64::from(n % 7) * 150);
                flow.push(&sound(n * piece, (n + 1) * piece), now);
                passed += drain(&mut flow, now).len();
            }
            assert_eq!((passed as u32, flow.skips), (3_000 / piece * piece * MS, 0), "pieces of {piece} ms");
        }
    }

    #[test]
    fn what_has_waited_is_skipped_and_the_newest_stays() {
        // A burst in one piece, and the same in many.
        for piece in [5_000, 250, 4] {
            let start = Instant::now();
            let inlet = Inlet::starting(start);
            let mut flow = inlet.lock();
            flow.is_read = true;
            let back = start + ms(5_000);
            let mut heard = Vec::new();
            for n in 0..5_000 / piece {
                flow.push(&sound(n * piece, (n + 1) * piece), back);
                heard.extend(drain(&mut flow, back));
            }
            assert!(heard.len() as f64 <= SLACK, "{piece}: {} samples", heard.len());
            assert!(flow.skips > 0);
            // A second later nothing is missing any more.
            for n in 0..1_500 {
                let now = back + ms(n + 1);
                let before = flow.skips;
                flow.push(&sound(n as u32, n as u32 + 1), now);
                heard = drain(&mut flow, now);
                assert!(
                    n < 1_000 || (flow.skips == before && heard.len() as u32 == MS),
                    "{piece}: at {n} ms"
                );
            }
        }
    }

    #[test]
    fn silence_keeps_the_pace_without_a_connection_and_after_a_while_with_one() {
        for is_lost in [true, false] {
            let start = Instant::now();
            let inlet = Inlet::starting(start);
            let mut flow = inlet.lock();
            flow.is_read = true;
            if !is_lost {
                flow.push(&[1.0], start);
            }
            let (mut samples, mut out) = (0, [1.0; HOP]);
            for n in 0..2_000 {
                let now = start + ms(n);
                while let got @ 1.. = flow.take(&mut out, now) {
                    samples += got as u64;
                }
                // The silence also covers the time in which sound was still expected.
                let due = if is_lost || n >= 300 { n } else { 0 } * u64::from(MS);
                assert!(samples.abs_diff(due) <= 2 * HOP as u64, "{is_lost}: {samples} of {due} at {n} ms");
            }
            // Sound that arrives late, after silence took its place, is not added to the silence.
            flow.push(&sound(0, 2_000), start + ms(2_000));
            let heard = drain(&mut flow, start + ms(2_000));
            assert!(heard.len() as f64 <= SLACK_AFTER_SILENCE + 2.0 * HOP as f64, "{}", heard.len());
            assert!(heard.last().is_none_or(|x| *x == 1_999.0), "the newest");
        }
    }

    #[test]
    fn a_reader_that_was_stopped_does_not_make_up_for_the_silence_it_missed() {
        let start = Instant::now();
        let inlet = Inlet::starting(start);
        let mut flow = inlet.lock();
        flow.is_read = true;
        let (mut samples, mut out) = (0, [1.0; HOP]);
        let back = start + ms(10_000);
        while let got @ 1.. = flow.take(&mut out, back) {
            samples += got;
        }
        assert!(samples <= 52 * HOP, "{samples}");
    }

    #[test]
    fn a_reader_waits_no_longer_than_for_the_next_piece_of_silence() {
        let inlet = Inlet::default();
        let mut out = [1.0; HOP];
        let began = Instant::now();
        assert_eq!(inlet.read(&mut out), HOP);
        let samples: usize = (1..50).map(|_| inlet.read(&mut out)).sum();
        assert_eq!(samples, 49 * HOP);
        let took = began.elapsed();
        assert!((ms(300)..ms(5_000)).contains(&took), "50 hops are 400 ms: {took:?}");
    }

    #[test]
    fn a_reader_gets_whole_hops_and_the_rest_once_no_more_comes() {
        let inlet = Inlet::default();
        let mut out = [0.0; HOP];
        assert_eq!(inlet.read(&mut out), HOP, "silence");
        inlet.push(&[0.5; HOP / 2]);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| (inlet.read(&mut [0.0; HOP]), Instant::now()));
            std::thread::sleep(ms(20));
            let whole = Instant::now();
            inlet.push(&[0.5; HOP]);
            let (samples, at) = reader.join().unwrap();
            assert!(samples == HOP && at >= whole, "{samples}");
        });
        assert_eq!((inlet.read(&mut out), inlet.is_silent()), (HOP / 2, false));
    }

    #[test]
    fn nothing_is_kept_before_the_reader_has_begun() {
        let inlet = Inlet::default();
        inlet.push(&sound(0, 100));
        let mut out = [9.0; 4 * HOP];
        assert_eq!((inlet.read(&mut out), out[0]), (HOP, 0.0), "silence, once it is due");
        assert!(inlet.is_silent());
        inlet.push(&sound(1, 2));
        assert_eq!((inlet.read(&mut out), out[0], inlet.skips()), (MS as usize, 1.0, 0));
        assert!(!inlet.is_silent());
    }
}
