//! Scores of the running tempo.

use super::listen::Tempo;

/// Tolerance of a tempo as a share (F. Gouyon et al., "An experimental comparison of audio tempo induction
/// algorithms", IEEE Trans. Audio, Speech and Language Processing 14, 2006).
const NEAR: f64 = 0.04;
/// Interval in seconds at which the tempo is checked.
const EVERY_S: f64 = 0.5;
/// Below this tempo, in beats per minute, the distance of two beats is a pause without a tempo.
const PAUSE_BPM: f64 = 20.0;
/// Accepted ratios: the tempo itself, then other metrical levels.
const LEVELS: [f64; 5] = [1.0, 2.0, 3.0, 1.0 / 2.0, 1.0 / 3.0];

/// Scores of the tempo.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Running {
    /// Share of the time with the right tempo, 0 … 1.
    pub right: f64,
    /// The same, accepting twice, three times, half and a third of it.
    pub right_any: f64,
    /// Whether the median of all announced tempi is right at the annotated level, and at any level.
    pub median: (bool, bool),
}

/// Scores tempi against `beats` (rising, at least 3) from `from_s` to `to_s`. A tempo holds until the next one.
pub fn running(beats: &[f64], tempi: &[Tempo], from_s: f64, to_s: f64) -> Running {
    let distances: Vec<f64> = beats.windows(2).map(|w| w[1] - w[0]).collect();
    let (Some(first), Some(last)) = (beats.first(), beats.last()) else { return Running::default() };
    if distances.len() < 2 {
        return Running::default();
    }
    let (from, to) = (from_s.max(*first), to_s.min(*last));
    let mut announced = Vec::new();
    let (mut asked, mut right, mut right_any) = (0, 0, 0);
    for k in 0.. {
        let t = from + EVERY_S * f64::from(k);
        if t >= to {
            break;
        }
        let beat = beats.partition_point(|b| *b <= t).clamp(1, distances.len()) - 1;
        // The distance of a single pair of beats varies with the player's hand.
        let near = &distances[beat.saturating_sub(1)..(beat + 2).min(distances.len())];
        let truth = 60.0 / median(near.to_vec()).unwrap_or(f64::INFINITY);
        let now = tempi.iter().take_while(|tempo| tempo.at <= t + 1e-9).last().map(|tempo| tempo.bpm);
        announced.extend(now);
        if truth < PAUSE_BPM {
            continue;
        }
        asked += 1;
        right += u32::from(now.is_some_and(|bpm| is_near(bpm, truth, 1)));
        right_any += u32::from(now.is_some_and(|bpm| is_near(bpm, truth, LEVELS.len())));
    }
    let share = |n: u32| if asked == 0 { 0.0 } else { f64::from(n) / f64::from(asked) };
    let middle = median(announced).zip(median(distances).map(|s| 60.0 / s));
    let median =
        middle.map_or((false, false), |(bpm, truth)| (is_near(bpm, truth, 1), is_near(bpm, truth, 5)));
    Running { right: share(right), right_any: share(right_any), median }
}

fn is_near(bpm: f64, truth: f64, levels: usize) -> bool {
    LEVELS[..levels].iter().any(|level| (bpm / (truth * level) - 1.0).abs() <= NEAR)
}

/// The median; `None` for an empty list.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    Some(0.5 * (values.get(n.checked_sub(1)? / 2)? + values[n / 2]))
}

/// The median, and 1.4826 times the median absolute deviation: for a normal distribution that is the standard
/// deviation, and outliers hardly affect it.
pub fn middle_and_spread(values: Vec<f64>) -> (Option<f64>, Option<f64>) {
    let middle = median(values.clone());
    let off = middle.and_then(|m| median(values.iter().map(|v| (v - m).abs()).collect()));
    (middle, off.map(|d| 1.4826 * d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tempi(of: &[(f64, f64)]) -> Vec<Tempo> {
        of.iter().map(|&(at, bpm)| Tempo { at, bpm }).collect()
    }

    #[test]
    fn a_tempo_counts_for_the_time_that_it_holds() {
        // 120 BPM to 20 s.
        let beats: Vec<f64> = (0..=40).map(|k| 0.5 * f64::from(k)).collect();
        // Asked at 5.0, 5.5 … 19.5: 30 times. Right from 8 s on (24), from 11 s on at half of it (18 times not), and
        // right again from 17 s on (6).
        let heard = tempi(&[(1.0, 100.0), (8.0, 121.0), (11.0, 60.0), (17.0, 118.0)]);
        let got = running(&beats, &heard, 5.0, 25.0);
        assert!((got.right - 12.0 / 30.0).abs() < 1e-9, "{got:?}");
        assert!((got.right_any - 24.0 / 30.0).abs() < 1e-9, "{got:?}");
        // 12 times 60, 6 times 100, 12 times near 120: the median lies between 60 and 121.
        assert_eq!(got.median, (false, false));
        assert_eq!(running(&beats, &tempi(&[(5.2, 180.0 * 2.0)]), 5.0, 25.0).median, (false, true));
        assert_eq!(running(&beats, &[], 5.0, 25.0), Running::default());
    }

    #[test]
    fn four_percent_pass_and_pauses_are_not_asked() {
        let mut beats: Vec<f64> = (0..=20).map(|k| 0.5 * f64::from(k)).collect();
        beats.extend((0..=20).map(|k| 20.0 + 0.5 * f64::from(k)));
        assert_eq!(running(&beats, &tempi(&[(0.0, 124.7)]), 5.0, 40.0).right, 1.0);
        assert_eq!(running(&beats, &tempi(&[(0.0, 125.0)]), 5.0, 40.0).right, 0.0);
    }

    #[test]
    fn the_median_of_two_is_their_mean() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        // 0, 1 and 96 from the 4 in the middle.
        assert_eq!(middle_and_spread(vec![3.0, 100.0, 4.0]), (Some(4.0), Some(1.4826)));
        assert_eq!(middle_and_spread(vec![]), (None, None));
    }
}
