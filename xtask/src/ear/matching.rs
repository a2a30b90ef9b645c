//! Matches found times with true times.

/// Tolerance of a beat in seconds (S. Dixon, "Evaluation of the audio beat tracking system BeatRoot", J. New Music
/// Research 36, 2007).
pub const BEAT_NEAR_S: f64 = 0.07;

/// The largest set of pairs of indices of two rising lists whose times are within `near_s`; each index is used once.
///
/// All windows are equally wide, so taking the first match each time is optimal.
pub fn pairs(truth: &[f64], found: &[f64], near_s: f64) -> Vec<(usize, usize)> {
    let (mut t, mut f) = (0, 0);
    let mut pairs = Vec::new();
    while t < truth.len() && f < found.len() {
        let apart = found[f] - truth[t];
        if apart.abs() <= near_s {
            pairs.push((t, f));
            t += 1;
            f += 1;
        } else if apart < 0.0 {
            f += 1;
        } else {
            t += 1;
        }
    }
    pairs
}

/// F-measure of two rising lists of times, 0 … 1: the harmonic mean of recall and precision. 0 if either list is
/// empty.
pub fn f_measure(truth: &[f64], found: &[f64], near_s: f64) -> f64 {
    let hits = pairs(truth, found, near_s).len();
    if hits == 0 { 0.0 } else { 2.0 * hits as f64 / (truth.len() + found.len()) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_beat_is_hit_once_and_the_most_are_paired() {
        let pairs = |truth: &[f64], found: &[f64]| pairs(truth, found, BEAT_NEAR_S);
        // Two near one beat: one of them is wrong.
        assert_eq!(pairs(&[1.0, 2.0], &[0.95, 1.05, 2.06]), [(0, 0), (1, 2)]);
        // Taking the nearest first would pair 1.06 with 1.05 and leave 1.0 and 1.11 alone.
        assert_eq!(pairs(&[1.0, 1.05], &[1.06, 1.11]), [(0, 0), (1, 1)]);
        assert_eq!(pairs(&[1.0], &[1.071]), []);
    }

    #[test]
    fn how_near_is_near_is_the_askers() {
        // At 50 ms the first three are found; at 25 ms only the second is.
        let (truth, found) = ([1.0, 2.0, 3.0, 4.0], [1.04, 2.0, 2.97, 4.06]);
        assert_eq!(pairs(&truth, &found, 0.05), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(pairs(&truth, &found, 0.025), [(1, 1)]);
    }

    #[test]
    fn f_is_the_harmonic_mean() {
        let f_measure = |truth: &[f64], found: &[f64]| f_measure(truth, found, BEAT_NEAR_S);
        let truth = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(f_measure(&truth, &truth), 1.0);
        // Three of four found, one of four wrong.
        assert!((f_measure(&truth, &[1.01, 2.5, 3.0, 4.0]) - 0.75).abs() < 1e-12);
        // At twice the tempo everything is found and half of it is wrong: 2·1·½ / 1½.
        let twice = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
        assert!((f_measure(&truth, &twice) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(f_measure(&truth, &[]), 0.0);
    }
}
