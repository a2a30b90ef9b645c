//! The time until the beats are right and stay right.

use super::continuity::{TOLERANCE, doubled, every, nearest, off_beats};

/// The first time from `from` s on from which the beats are right for `hold` s, or to the end at `to` s, all at one
/// metrical level: the beat, the off-beat, two or three per beat, or every second or third beat. `None` if never.
///
/// A beat is right if a found beat is near it, at about the distance of the beats before it (both within
/// [`TOLERANCE`] of a beat). Both lists rise.
pub fn lock(truth: &[f64], found: &[f64], from: f64, to: f64, hold: f64) -> Option<f64> {
    if truth.len() < 4 {
        return None;
    }
    let readings = [
        truth.to_vec(),
        off_beats(truth),
        doubled(truth),
        every(truth, 2, 0),
        every(truth, 2, 1),
        tripled(truth),
        every(truth, 3, 0),
        every(truth, 3, 1),
        every(truth, 3, 2),
    ];
    readings.iter().filter_map(|beats| lock_at(beats, found, from, to, hold)).min_by(f64::total_cmp)
}

/// The same at one level.
fn lock_at(beats: &[f64], found: &[f64], from: f64, to: f64, hold: f64) -> Option<f64> {
    let judged: Vec<(f64, bool)> = (0..beats.len()).map(|k| (beats[k], is_right(beats, found, k))).collect();
    let judged: Vec<_> = judged.into_iter().filter(|(t, _)| (from..=to).contains(t)).collect();
    if judged.len() < 3 {
        return None;
    }
    let wrong_after = |k: usize| judged[k..].iter().find(|(_, right)| !right).map(|(t, _)| *t);
    let holds = |k: &usize| judged[*k].1 && wrong_after(*k).is_none_or(|t| t - judged[*k].0 >= hold);
    (0..judged.len()).find(holds).map(|k| judged[k].0)
}

fn is_right(beats: &[f64], found: &[f64], k: usize) -> bool {
    if beats.len() < 2 || found.len() < 2 {
        return false;
    }
    let Some(near) = nearest(found, beats[k]) else { return false };
    let distance = |times: &[f64], k: usize| times[k.max(1)] - times[k.max(1) - 1];
    let beat_s = distance(beats, k);
    (found[near] - beats[k]).abs() <= TOLERANCE * beat_s
        && (distance(found, near) / beat_s - 1.0).abs() <= TOLERANCE
}

/// Three beats for each beat.
fn tripled(beats: &[f64]) -> Vec<f64> {
    let thirds = beats.windows(2).flat_map(|w| (0..3).map(|k| w[0] + (w[1] - w[0]) * f64::from(k) / 3.0));
    thirds.chain(beats.last().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(from: f64, by: f64, n: usize) -> Vec<f64> {
        (0..n).map(|k| from + by * k as f64).collect()
    }

    #[test]
    fn right_at_once_and_right_after_a_while() {
        let truth = beats(0.5, 0.5, 60);
        assert_eq!(lock(&truth, &truth, 0.0, 30.0, 5.0), Some(0.5));
        // Nothing before 4 s; the first found beat is judged by the distance to the next.
        let late: Vec<f64> = truth.iter().copied().filter(|t| *t >= 4.0).collect();
        assert_eq!(lock(&truth, &late, 0.0, 30.0, 5.0), Some(4.0));
        assert_eq!(lock(&truth, &[], 0.0, 30.0, 5.0), None);
    }

    #[test]
    fn a_lock_must_hold_and_may_be_at_any_level() {
        let truth = beats(0.0, 0.5, 60);
        // Right for 3 s, then completely wrong until 10 s, then right.
        let mut found = beats(0.0, 0.5, 7);
        found.extend(beats(3.3, 0.37, 17));
        found.extend(truth.iter().copied().filter(|t| *t >= 10.0));
        let got = lock(&truth, &found, 0.0, 29.5, 5.0).expect("it locks in the end");
        assert!((10.0..=10.5).contains(&got), "{got}");
        assert_eq!(lock(&truth, &found, 0.0, 29.5, 2.0), Some(0.0));
        // Every third beat.
        assert_eq!(lock(&truth, &beats(1.0, 1.5, 19), 0.0, 29.5, 5.0), Some(1.0));
    }
}
