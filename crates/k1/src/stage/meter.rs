//! Measuring without disturbing: each counter has one writer, which never waits; readers take differences.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use k1_device::answers::Vitals;

/// Width of a histogram's bin in µs.
const BIN_US: u64 = 50;
const BINS: usize = 2_048;

/// A histogram of durations up to 102 ms; longer ones count as the longest.
#[derive(Debug)]
pub struct Histogram(Box<[AtomicU32]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BINS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn add(&self, us: u64) {
        let bin = ((us / BIN_US) as usize).min(BINS - 1);
        self.0[bin].fetch_add(1, Relaxed);
    }

    fn counts(&self) -> Vec<u32> {
        self.0.iter().map(|b| b.load(Relaxed)).collect()
    }
}

/// The duration in µs that the share `q` of the counted ones does not exceed; 0 if none were counted.
fn quantile(counts: &[u32], q: f64) -> f32 {
    let total: u64 = counts.iter().map(|c| u64::from(*c)).sum();
    if total == 0 {
        return 0.0;
    }
    let rank = ((total as f64 * q).ceil() as u64).max(1);
    let mut seen = 0;
    for (i, c) in counts.iter().enumerate() {
        let before = seen;
        seen += u64::from(*c);
        if seen >= rank {
            // Within a bin, durations are taken as evenly spread.
            let inside = (rank - before) as f32 / *c as f32;
            return (i as f32 + inside) * BIN_US as f32;
        }
    }
    BINS as f32 * BIN_US as f32
}

/// Everything that the two halves count.
#[derive(Debug, Default)]
pub struct Meters {
    /// Time between the beginnings of two frames.
    pub interval: Histogram,
    /// How far that is off the period.
    pub jitter: Histogram,
    /// Age of the snapshot when a frame used it.
    pub age: Histogram,
    /// Frames finished.
    pub frames: AtomicU64,
    /// Time spent rendering, in ns.
    pub render_ns: AtomicU64,
    /// Frames that began more than a period late.
    pub late: AtomicU64,
    /// Frames that were replaced before their sink took them.
    pub dropped: AtomicU64,
    /// Reads of the hand-off with a second try.
    pub retries: AtomicU64,
    /// Reads that kept the previous copy.
    pub contended: AtomicU64,
    /// Copies with a wrong checksum.
    pub torn: AtomicU64,
    /// Allocations in the render loop.
    pub render_allocations: AtomicU64,
    /// Hops analysed.
    pub hops: AtomicU64,
    /// Time spent analysing, in ns.
    pub hear_ns: AtomicU64,
    /// Pieces of sound that were dropped because the ear was late.
    pub overruns: AtomicU64,
    /// Times the ear had to wait for a source that should have been ahead.
    pub underruns: AtomicU64,
    /// Allocations in the audio loop.
    pub hear_allocations: AtomicU64,
    /// Capture time of the first sample, in µs.
    pub first_sample_us: AtomicU64,
}

/// The state of the meters at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    at_us: u64,
    interval: Vec<u32>,
    jitter: Vec<u32>,
    age: Vec<u32>,
    frames: u64,
    render_ns: u64,
    hops: u64,
    hear_ns: u64,
}

impl Meters {
    /// Reads what rates are made of.
    pub fn read(&self, at_us: u64) -> Reading {
        Reading {
            at_us,
            interval: self.interval.counts(),
            jitter: self.jitter.counts(),
            age: self.age.counts(),
            frames: self.frames.load(Relaxed),
            render_ns: self.render_ns.load(Relaxed),
            hops: self.hops.load(Relaxed),
            hear_ns: self.hear_ns.load(Relaxed),
        }
    }

    /// The figures between two readings; totals since the start.
    pub fn vitals(&self, from: &Reading, to: &Reading, fps_target: f32) -> Vitals {
        let seconds = (to.at_us.saturating_sub(from.at_us)).max(1) as f32 * 1e-6;
        let difference =
            |a: &[u32], b: &[u32]| b.iter().zip(a).map(|(b, a)| b.wrapping_sub(*a)).collect::<Vec<_>>();
        let interval = difference(&from.interval, &to.interval);
        let age = difference(&from.age, &to.age);
        let jitter = difference(&from.jitter, &to.jitter);
        let per = |total: u64, n: u64| if n == 0 { 0.0 } else { total as f32 / n as f32 };
        let slow = quantile(&interval, 0.99);
        let frames = to.frames - from.frames;
        let hops = to.hops - from.hops;
        Vitals {
            fps: frames as f32 / seconds,
            fps_p1: if slow > 0.0 { 1e6 / slow } else { 0.0 },
            fps_target,
            jitter_ms: quantile(&jitter, 0.99) / 1000.0,
            render_us: per(to.render_ns - from.render_ns, frames) / 1000.0,
            age_ms: quantile(&age, 0.5) / 1000.0,
            age_p99_ms: quantile(&age, 0.99) / 1000.0,
            hop_rate: hops as f32 / seconds,
            hop_us: per(to.hear_ns - from.hear_ns, hops) / 1000.0,
            frames: to.frames,
            dropped_frames: self.dropped.load(Relaxed),
            late_frames: self.late.load(Relaxed),
            handoff_retries: self.retries.load(Relaxed),
            handoff_contended: self.contended.load(Relaxed),
            torn: self.torn.load(Relaxed),
            overruns: self.overruns.load(Relaxed),
            underruns: self.underruns.load(Relaxed),
            allocations: self.render_allocations.load(Relaxed) + self.hear_allocations.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_durations() {
        let h = Histogram::default();
        (1..=1000).for_each(|ms| h.add(ms * 100));
        let counts = h.counts();
        assert!((quantile(&counts, 0.5) - 50_000.0).abs() < 200.0);
        assert!((quantile(&counts, 0.99) - 99_000.0).abs() < 200.0);
        assert_eq!(quantile(&Histogram::default().counts(), 0.5), 0.0);
        h.add(u64::MAX);
        assert_eq!(h.counts()[BINS - 1], 1);
    }

    #[test]
    fn figures_are_differences_and_not_totals() {
        let m = Meters::default();
        m.frames.store(500, Relaxed);
        m.interval.add(90_000);
        let from = m.read(1_000_000);
        for _ in 0..120 {
            m.interval.add(8_333);
        }
        m.frames.store(620, Relaxed);
        let v = m.vitals(&from, &m.read(2_000_000), 120.0);
        assert_eq!((v.fps, v.frames), (120.0, 620));
        assert!((v.fps_p1 - 120.0).abs() < 1.0, "the slow frame of before is not in it: {}", v.fps_p1);
    }
}
