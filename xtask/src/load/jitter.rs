//! How regularly frames arrive.

use std::time::Duration;

use super::room::FPS;

/// Deviations of the time between two frames from the period of the frames, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jitter {
    /// Half of the deviations are smaller.
    pub median: f64,
    /// 95 of 100 are smaller.
    pub p95: f64,
    /// 99 of 100 are smaller.
    pub p99: f64,
    /// The greatest one.
    pub max: f64,
    /// Frames a second.
    pub fps: f64,
}

/// The jitter of frames that arrived at these times, in ns.
pub fn jitter(times: &[u64], over: Duration) -> Jitter {
    let period = 1_000_000_000 / i64::from(FPS);
    let mut deviations: Vec<f64> = times
        .windows(2)
        .map(|pair| ((pair[1] as i64 - pair[0] as i64) - period).unsigned_abs() as f64 / 1e6)
        .collect();
    deviations.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = deviations.len().saturating_sub(1) as f64;
        deviations.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
    };
    Jitter {
        median: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        max: at(1.0),
        fps: times.len() as f64 / over.as_secs_f64(),
    }
}

/// The median of a figure; the greater of two in the middle.
pub fn median<T>(all: &[T], get: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(get).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of each figure over several lights.
pub fn middle(all: &[Jitter]) -> Jitter {
    let of = |get: fn(&Jitter) -> f64| median(all, get);
    Jitter {
        median: of(|j| j.median),
        p95: of(|j| j.p95),
        p99: of(|j| j.p99),
        max: of(|j| j.max),
        fps: of(|j| j.fps),
    }
}

/// The worst of each figure over several lights.
pub fn worst(all: &[Jitter]) -> Jitter {
    let of = |get: fn(&Jitter) -> f64| all.iter().map(get).fold(0.0, f64::max);
    let fps = all.iter().map(|j| j.fps).fold(f64::INFINITY, f64::min);
    Jitter { median: of(|j| j.median), p95: of(|j| j.p95), p99: of(|j| j.p99), max: of(|j| j.max), fps }
}

impl std::fmt::Display for Jitter {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { median, p95, p99, max, fps } = self;
        write!(f, "{fps:6.2} {median:8.3} {p95:8.3} {p99:8.3} {max:8.3}")
    }
}

/// The names of the columns.
pub const COLUMNS: &str = "   FPS   median      p95      p99      max";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_is_that_of_the_interval_from_the_period() {
        let ms = |n: f64| (n * 1e6) as u64;
        let second = Duration::from_secs(1);
        let regular: Vec<u64> = (0..60).map(|n| n * 16_666_666).collect();
        let j = jitter(&regular, second);
        assert!(j.max < 0.001 && j.fps == 60.0, "{j:?}");
        // One frame is 3 ms late: two intervals deviate.
        let mut late = regular.clone();
        late[30] += ms(3.0);
        let j = jitter(&late, second);
        assert!(j.median < 0.001 && (j.max - 3.0).abs() < 0.001 && j.p95 < 0.001, "{j:?}");
        // A frame is missing: its interval is a period too long.
        late.remove(30);
        assert!((jitter(&late, second).max - 16.667).abs() < 0.001);
        assert!(jitter(&[7], second).median.is_nan());
    }

    #[test]
    fn lights_are_summed_up_by_their_median_and_their_worst() {
        let of = |p99: f64, fps| Jitter { p99, fps, ..Jitter::default() };
        let all = [of(1.0, 60.0), of(9.0, 60.0), of(2.0, 55.0)];
        assert_eq!((middle(&all).p99, middle(&all).fps), (2.0, 60.0));
        assert_eq!((worst(&all).p99, worst(&all).fps), (9.0, 55.0));
    }
}
