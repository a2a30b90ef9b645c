//! Measures without disturbing the real-time loops: the halves count in atomic words without waiting, and the reporter
//! computes differences.
//!
//! Words have 32 bits because lamps have no wider atomics, and histograms 16 bits because lamps have little RAM. A
//! [`Ledger`] widens them. It must look at least once a minute (it normally looks every second); then no count is lost.

use core::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

use crate::answers::Vitals;

/// Width of a histogram's bin in µs.
const BIN_US: u64 = 50;

/// A histogram of durations up to `B` · 50 µs; longer ones go into the last bin. Only one task may count in it.
#[derive(Debug)]
pub struct Histogram<const B: usize>([AtomicU16; B]);

impl<const B: usize> Histogram<B> {
    const fn new() -> Self {
        Self([const { AtomicU16::new(0) }; B])
    }

    /// Counts one duration.
    pub fn add(&self, us: u64) {
        let bin = ((us / BIN_US) as usize).min(B - 1);
        // Only one task counts, so no other count can happen between the load and the store.
        self.0[bin].store(self.0[bin].load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Adds the counts since `last` to `into`, and updates `last`.
    fn take(&self, last: &mut [u16; B], into: &mut [u16; B]) {
        for ((bin, last), into) in self.0.iter().zip(last).zip(into) {
            let now = bin.load(Relaxed);
            *into = now.wrapping_sub(core::mem::replace(last, now));
        }
    }
}

/// The quantile `q` of the counted durations, in µs; 0 if nothing was counted.
fn quantile(counts: &[u16], q: f64) -> f32 {
    let total: u64 = counts.iter().map(|c| u64::from(*c)).sum();
    if total == 0 {
        return 0.0;
    }
    let rank = (libm::ceil(total as f64 * q) as u64).max(1);
    let mut seen = 0;
    for (i, c) in counts.iter().enumerate() {
        let before = seen;
        seen += u64::from(*c);
        if seen >= rank {
            // Assumes that durations are evenly spread within a bin.
            let inside = (rank - before) as f32 / *c as f32;
            return (i as f32 + inside) * BIN_US as f32;
        }
    }
    counts.len() as f32 * BIN_US as f32
}

/// A count since the start. It means the same in the program and in the lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Frames that were rendered and handed to the lights.
    Frames,
    /// Sum of the times from a frame's beginning until it was handed to the lights, in µs.
    RenderUs,
    /// Frames that began more than two periods after the beginning of the previous frame. A period is 1 / `--fps` in
    /// the program and the time of a frame on the wire in a lamp.
    Late,
    /// Frames that a newer one replaced before a light took them, for all lights together. A frame that a light took
    /// but could not show is an error of that light instead, and a frame that a page missed is not counted. A lamp's
    /// strip takes every frame.
    Dropped,
    /// Reads of the snapshot hand-off by the renderer that needed a second try.
    Retries,
    /// Reads by the renderer that kept the previous snapshot, because the ear wrote during both tries.
    Contended,
    /// Reads by the renderer that found a wrong checksum.
    Torn,
    /// Hops analysed, including hops of silence in place of sound.
    Hops,
    /// Sum of the times from the beginning of a hop's analysis until its snapshot was published, in µs.
    HearUs,
    /// Pieces of sound that were dropped because they arrived faster than the ear could analyse them, or too late to be
    /// shown.
    Overruns,
    /// Gaps in the sound after its first hop: the next hop was missing when it was due, or silence took the place of
    /// live sound. A gap counts once, however long it lasts. Live sound has [`GAP_US`](crate::pace::GAP_US) of grace.
    Underruns,
    /// Allocations in the two real-time loops, if the platform can count them.
    Allocations,
}

const COUNTS: usize = Count::Allocations as usize + 1;

/// Everything that the two halves count; histograms reach to `B` · 50 µs.
#[derive(Debug)]
pub struct Meters<const B: usize> {
    /// Time between the beginnings of two frames.
    pub interval: Histogram<B>,
    /// Difference between that time and the period.
    pub jitter: Histogram<B>,
    /// Age of the snapshot when a frame used it.
    pub age: Histogram<B>,
    longest_us: AtomicU32,
    counts: [AtomicU32; COUNTS],
}

impl<const B: usize> Default for Meters<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const B: usize> Meters<B> {
    /// Meters on which all counts are 0.
    pub const fn new() -> Self {
        Self {
            interval: Histogram::new(),
            jitter: Histogram::new(),
            age: Histogram::new(),
            longest_us: AtomicU32::new(0),
            counts: [const { AtomicU32::new(0) }; COUNTS],
        }
    }

    /// Notes that a frame began `interval_us` after the previous one, where `period_us` were due.
    pub fn frame_began(&self, interval_us: u64, period_us: u64) {
        self.interval.add(interval_us);
        self.jitter.add(interval_us.abs_diff(period_us));
        self.count(Count::Late, (interval_us > 2 * period_us).into());
        self.longest_us.fetch_max(u32::try_from(interval_us).unwrap_or(u32::MAX), Relaxed);
    }

    /// Adds `n` to a count.
    pub fn count(&self, what: Count, n: u32) {
        self.counts[what as usize].fetch_add(n, Relaxed);
    }

    /// The low 32 bits of a count.
    pub fn get(&self, what: Count) -> u32 {
        self.counts[what as usize].load(Relaxed)
    }
}

/// The counts up to the last report, widened to 64 bits; the reporter owns it.
#[derive(Clone, Debug)]
pub struct Ledger<const B: usize> {
    at_us: u64,
    interval: [u16; B],
    jitter: [u16; B],
    age: [u16; B],
    seen: [u32; COUNTS],
    totals: [u64; COUNTS],
    before: [u64; COUNTS],
}

impl<const B: usize> Default for Ledger<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const B: usize> Ledger<B> {
    /// A ledger that begins at the start of K1.
    pub const fn new() -> Self {
        Self {
            at_us: 0,
            interval: [0; B],
            jitter: [0; B],
            age: [0; B],
            seen: [0; COUNTS],
            totals: [0; COUNTS],
            before: [0; COUNTS],
        }
    }

    /// Reads the counts, so that none of them can wrap unnoticed.
    pub fn observe(&mut self, meters: &Meters<B>) {
        for ((word, seen), total) in meters.counts.iter().zip(&mut self.seen).zip(&mut self.totals) {
            let now = word.load(Relaxed);
            *total += u64::from(now.wrapping_sub(core::mem::replace(seen, now)));
        }
    }

    /// The figures since the last call of this function, and totals since the start.
    pub fn vitals(&mut self, meters: &Meters<B>, now_us: u64, fps_target: f32) -> Vitals {
        self.observe(meters);
        let seconds = now_us.saturating_sub(self.at_us).max(1) as f32 * 1e-6;
        self.at_us = now_us;
        let since = |what: Count| self.totals[what as usize] - self.before[what as usize];
        let (frames, hops) = (since(Count::Frames), since(Count::Hops));
        let (render, hear) = (since(Count::RenderUs), since(Count::HearUs));
        self.before = self.totals;
        let total = |what: Count| self.totals[what as usize];
        let per = |us: u64, n: u64| if n == 0 { 0.0 } else { us as f32 / n as f32 };
        let mut counts = [0; B];
        meters.interval.take(&mut self.interval, &mut counts);
        let slow = quantile(&counts, 0.99);
        meters.jitter.take(&mut self.jitter, &mut counts);
        let jitter = quantile(&counts, 0.99);
        meters.age.take(&mut self.age, &mut counts);
        Vitals {
            fps: frames as f32 / seconds,
            fps_p1: if slow > 0.0 { 1e6 / slow } else { 0.0 },
            fps_target,
            jitter_ms: jitter / 1000.0,
            longest_gap_ms: meters.longest_us.swap(0, Relaxed) as f32 / 1000.0,
            render_us: per(render, frames),
            age_ms: quantile(&counts, 0.5) / 1000.0,
            age_p99_ms: quantile(&counts, 0.99) / 1000.0,
            hop_rate: hops as f32 / seconds,
            hop_us: per(hear, hops),
            frames: total(Count::Frames),
            dropped_frames: total(Count::Dropped),
            late_frames: total(Count::Late),
            handoff_retries: total(Count::Retries),
            handoff_contended: total(Count::Contended),
            torn: total(Count::Torn),
            overruns: total(Count::Overruns),
            underruns: total(Count::Underruns),
            allocations: total(Count::Allocations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_durations() {
        let h = Histogram::<2_048>::new();
        (1..=1000).for_each(|ms| h.add(ms * 100));
        let (mut last, mut counts) = ([0; 2_048], [0; 2_048]);
        h.take(&mut last, &mut counts);
        assert!((quantile(&counts, 0.5) - 50_000.0).abs() < 200.0);
        assert!((quantile(&counts, 0.99) - 99_000.0).abs() < 200.0);
        h.take(&mut last, &mut counts);
        assert_eq!(quantile(&counts, 0.5), 0.0, "what was taken is not taken again");
        h.add(u64::MAX);
        h.take(&mut last, &mut counts);
        assert_eq!(counts[2_047], 1);
    }

    #[test]
    fn a_frame_is_late_after_two_periods_and_not_before() {
        let m = Meters::<2_048>::new();
        for interval in [8_333, 12_000, 16_666, 16_667, 500_000] {
            m.frame_began(interval, 8_333);
        }
        assert_eq!(m.get(Count::Late), 2);
    }

    #[test]
    fn figures_are_differences_and_not_totals() {
        let m = Meters::<2_048>::new();
        m.count(Count::Frames, 500);
        m.frame_began(90_000, 8_333);
        let mut ledger = Ledger::new();
        ledger.vitals(&m, 1_000_000, 120.0);
        for _ in 0..120 {
            m.frame_began(8_334, 8_333);
        }
        m.count(Count::Frames, 120);
        let v = ledger.vitals(&m, 2_000_000, 120.0);
        assert_eq!((v.fps, v.frames), (120.0, 620));
        assert_eq!(v.longest_gap_ms, 8.334);
        assert!((v.fps_p1 - 120.0).abs() < 1.0, "the slow frame of before is not in it: {}", v.fps_p1);
    }

    #[test]
    fn a_wrapped_word_loses_nothing() {
        let m = Meters::<16>::new();
        let mut ledger = Ledger::new();
        for _ in 0..3 {
            m.count(Count::RenderUs, u32::MAX);
            ledger.observe(&m);
        }
        m.count(Count::Frames, 3);
        let v = ledger.vitals(&m, 1, 0.0);
        assert_eq!(v.render_us, u32::MAX as f32);
    }
}
