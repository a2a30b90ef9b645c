//! Continuity measures of beats, CMLt and AMLt, and other metrical levels.

/// Tolerance of a beat's time and tempo, as a share of the beat.
pub const TOLERANCE: f64 = 0.175;

/// (CMLt, AMLt), each 0 … 1: the share of beats whose time and whose distance from the previous beat are right. CMLt
/// uses the annotated metrical level; AMLt the best of that level, the off-beat, twice the tempo, and both halves of
/// it.
///
/// S. Hainsworth, "Techniques for the automated analysis of musical audio" (PhD thesis, Cambridge 2004), in the form
/// of M. Davies, N. Degara & M. Plumbley, "Evaluation methods for musical audio beat tracking algorithms" (report
/// C4DM-TR-09-06, Queen Mary University of London 2009). Both lists rise. Fewer than three found beats score 0.
pub fn cmlt_amlt(truth: &[f64], found: &[f64]) -> (f64, f64) {
    if truth.len() < 2 || found.len() < 3 {
        return (0.0, 0.0);
    }
    let same = share_right(truth, found);
    let others = [off_beats(truth), doubled(truth), every(truth, 2, 0), every(truth, 2, 1)];
    (same, others.iter().map(|reading| share_right(reading, found)).fold(same, f64::max))
}

/// The points halfway between beats.
pub fn off_beats(beats: &[f64]) -> Vec<f64> {
    beats.windows(2).map(|w| 0.5 * (w[0] + w[1])).collect()
}

/// Beats and off-beats.
pub fn doubled(beats: &[f64]) -> Vec<f64> {
    let mut all = [beats, &off_beats(beats)].concat();
    all.sort_by(f64::total_cmp);
    all
}

/// Every `n`-th beat, starting with number `first`.
pub fn every(beats: &[f64], n: usize, first: usize) -> Vec<f64> {
    beats.iter().skip(first).step_by(n).copied().collect()
}

/// Number of hits divided by the length of the longer list.
fn share_right(truth: &[f64], found: &[f64]) -> f64 {
    let mut taken = vec![false; truth.len()];
    let mut right = 0;
    for (k, t) in found.iter().enumerate() {
        let Some(n) = nearest(truth, *t) else { break };
        // The first beat has no predecessor, so the distance to its successor counts.
        let ahead = k == 0 || n == 0;
        let (Some(true_s), Some(found_s)) = (distance(truth, n, ahead), distance(found, k, ahead)) else {
            continue;
        };
        let in_time = (t - truth[n]).abs() < TOLERANCE * true_s;
        let in_tempo = (found_s / true_s - 1.0).abs() < TOLERANCE;
        if in_time && in_tempo && !taken[n] {
            taken[n] = true;
            right += 1;
        }
    }
    f64::from(right) / truth.len().max(found.len()) as f64
}

/// Index of the entry of a rising list that is nearest to a time; the earlier of two.
pub fn nearest(times: &[f64], t: f64) -> Option<usize> {
    let after = times.partition_point(|x| *x < t);
    let before = after.checked_sub(1);
    match (before, times.get(after)) {
        (Some(b), Some(a)) => Some(if t - times[b] <= a - t { b } else { after }),
        (before, None) => before,
        (None, Some(_)) => Some(after),
    }
}

/// Seconds from the previous entry or, with `ahead`, to the next one if there is one; `None` for a single entry.
fn distance(times: &[f64], k: usize, ahead: bool) -> Option<f64> {
    let to = if k == 0 || (ahead && k + 1 < times.len()) { k + 1 } else { k };
    Some(times.get(to)? - times[to - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(from: f64, by: f64, n: usize) -> Vec<f64> {
        (0..n).map(|k| from + by * k as f64).collect()
    }

    fn is(got: (f64, f64), cmlt: f64, amlt: f64) {
        assert!((got.0 - cmlt).abs() < 1e-9 && (got.1 - amlt).abs() < 1e-9, "{got:?}");
    }

    #[test]
    fn other_levels_count_for_the_second_only() {
        let truth = beats(10.0, 0.5, 20);
        is(cmlt_amlt(&truth, &truth), 1.0, 1.0);
        // Off-beats: 19 between 20 beats, and 20 announced.
        is(cmlt_amlt(&truth, &beats(10.25, 0.5, 20)), 0.0, 19.0 / 20.0);
        // Half the tempo, on either beat of two.
        is(cmlt_amlt(&truth, &beats(10.0, 1.0, 10)), 0.0, 1.0);
        is(cmlt_amlt(&truth, &beats(10.5, 1.0, 10)), 0.0, 1.0);
        // Twice the tempo.
        is(cmlt_amlt(&truth, &beats(10.0, 0.25, 39)), 0.0, 1.0);
        // A third of the tempo is not an allowed level.
        is(cmlt_amlt(&truth, &beats(10.0, 1.5, 7)), 0.0, 0.0);
    }

    #[test]
    fn a_missed_beat_costs_itself_and_the_one_after() {
        let truth = beats(0.0, 0.5, 20);
        let mut found = truth.clone();
        found.remove(10);
        // 19 were found; the eleventh comes one whole beat too late.
        is(cmlt_amlt(&truth, &found), 18.0 / 20.0, 18.0 / 20.0);
    }

    #[test]
    fn a_beat_may_be_late_by_about_a_sixth_of_a_beat() {
        let truth = beats(0.0, 1.0, 10);
        // All are 0.17 s late; with 0.18 s, none would be right.
        is(cmlt_amlt(&truth, &beats(0.17, 1.0, 10)), 1.0, 1.0);
        assert_eq!(cmlt_amlt(&truth, &beats(0.18, 1.0, 10)).0, 0.0);
        // One of them 0.1 s late: its distance is 10 % too long, the next one's 10 % too short.
        let mut found = truth.clone();
        found[5] += 0.1;
        is(cmlt_amlt(&truth, &found), 1.0, 1.0);
        found[5] = truth[5] + 0.18;
        // It is off in time; the next one comes 18 % too early after it.
        is(cmlt_amlt(&truth, &found), 0.8, 0.8);
    }

    #[test]
    fn too_few_beats_score_zero() {
        assert_eq!(cmlt_amlt(&beats(0.0, 1.0, 10), &[0.0, 1.0]), (0.0, 0.0));
        assert_eq!(cmlt_amlt(&[1.0], &beats(0.0, 1.0, 10)), (0.0, 0.0));
        assert_eq!(nearest(&[], 1.0), None);
        assert_eq!(nearest(&[1.0, 2.0], 1.5), Some(0));
    }
}
