//! Scores of onsets: how well and how soon they are found.

use super::listen::Onset;
use super::matching::{f_measure, pairs};
use super::running::{median, middle_and_spread};
use super::score::SKIP_S;
use super::table::{mean, number};

/// Tolerance of an onset in seconds, as in MIREX Audio Onset Detection. A second report of the same onset is wrong.
const NEAR_S: f64 = 0.05;
/// Stricter tolerance of S. Böck, F. Krebs & M. Schedl, "Evaluating the online capabilities of onset detection
/// methods" (ISMIR 2012), in seconds.
const STRICT_S: f64 = 0.025;
/// Notes within this time of the first of them are one onset, in seconds (same paper).
const TOGETHER_S: f64 = 0.03;
/// With fewer onsets than this, a piece is not scored.
const LEAST: usize = 4;
/// A delay is stated if there are more hits than this.
const HITS_LEAST: usize = 3;

/// Names of the columns that [`row`] fills.
pub const COLUMNS: &str = "  n      F  ±25 ms  precis.  recall  announced ms     ±   placed ms     ±";

/// The figures of a piece's onsets; shares are 0 … 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnsetScore {
    /// F-measure of the reported positions, within 50 ms.
    pub f: f64,
    /// The same within 25 ms.
    pub strict: f64,
    /// Share of the reports that are onsets.
    pub precision: f64,
    /// Share of the onsets that were reported.
    pub recall: f64,
    /// Delay of the reports in ms: median, and 1.4826 times the median absolute deviation.
    pub announced_ms: (Option<f64>, Option<f64>),
    /// Error of the reported positions in ms: the same two figures.
    pub placed_ms: (Option<f64>, Option<f64>),
}

/// Scores the reports of a piece whose onsets are known and rise; `None` if there are too few. The beginning is not
/// scored, as for beats.
pub fn score_onsets(truth: &[f64], heard: &[Onset]) -> Option<OnsetScore> {
    let truth: Vec<f64> = truth.iter().copied().filter(|t| *t >= SKIP_S).collect();
    if truth.len() < LEAST {
        return None;
    }
    let mut heard: Vec<Onset> = heard.iter().copied().filter(|o| o.t >= SKIP_S).collect();
    heard.sort_by(|a, b| a.t.total_cmp(&b.t));
    let placed: Vec<f64> = heard.iter().map(|o| o.t).collect();
    let hits = pairs(&truth, &placed, NEAR_S);
    let share = |all: usize| if all == 0 { 0.0 } else { hits.len() as f64 / all as f64 };
    let after = |time: &dyn Fn(&Onset) -> f64| {
        let ms: Vec<f64> = hits.iter().map(|(t, h)| 1e3 * (time(&heard[*h]) - truth[*t])).collect();
        if ms.len() > HITS_LEAST { middle_and_spread(ms) } else { (None, None) }
    };
    Some(OnsetScore {
        f: f_measure(&truth, &placed, NEAR_S),
        strict: f_measure(&truth, &placed, STRICT_S),
        precision: share(placed.len()),
        recall: share(truth.len()),
        announced_ms: after(&|o| o.at),
        placed_ms: after(&|o| o.t),
    })
}

/// The figures of some pieces as a row under [`COLUMNS`]: means of shares, medians of times.
pub fn row(scores: &[&OnsetScore]) -> String {
    let share = |figure: fn(&OnsetScore) -> f64| mean(&scores.iter().map(|s| figure(s)).collect::<Vec<_>>());
    let time = |figure: fn(&OnsetScore) -> Option<f64>| {
        median(scores.iter().filter_map(|s| figure(s)).collect::<Vec<_>>())
    };
    format!(
        "{:>3} {} {} {} {} {} {} {} {}",
        scores.len(),
        number(share(|s| s.f), 6, 3),
        number(share(|s| s.strict), 7, 3),
        number(share(|s| s.precision), 8, 3),
        number(share(|s| s.recall), 7, 3),
        number(time(|s| s.announced_ms.0), 13, 1),
        number(time(|s| s.announced_ms.1), 5, 1),
        number(time(|s| s.placed_ms.0), 11, 1),
        number(time(|s| s.placed_ms.1), 5, 1),
    )
}

/// Rising times, with those that nobody can hear apart merged into the first of them.
pub fn together(times: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut apart: Vec<f64> = Vec::new();
    for t in times {
        if apart.last().is_none_or(|last| t - last > TOGETHER_S) {
            apart.push(t);
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(times: &[(f64, f64)]) -> Vec<Onset> {
        times.iter().map(|&(t, at)| Onset { t, at }).collect()
    }

    fn is(got: Option<f64>, want: f64) {
        assert!(got.is_some_and(|got| (got - want).abs() < 1e-6), "{got:?} not {want}");
    }

    #[test]
    fn duplicates_and_false_onsets_lower_the_precision() {
        let truth = [6.0, 7.0, 8.0, 9.0, 10.0, 11.0];
        let heard = heard(&[
            (6.01, 6.03),
            // Two reports: the first is the hit.
            (7.0, 7.02),
            (7.04, 7.06),
            (8.03, 8.05),
            // No onset here.
            (8.5, 8.52),
            (8.99, 9.01),
            (10.02, 10.06),
            // 60 ms: not found.
            (11.06, 11.08),
        ]);
        let s = score_onsets(&truth, &heard).unwrap();
        assert_eq!((s.precision, s.recall), (5.0 / 8.0, 5.0 / 6.0));
        // 2·(5/8)·(5/6) / (5/8 + 5/6), which is 2·5 / (6 + 8).
        is(Some(s.f), 10.0 / 14.0);
        // 30 ms is too far here: four hits.
        is(Some(s.strict), 8.0 / 14.0);
        // Announced 30, 20, 50, 10 and 60 ms after: 30; 10, 20 and 20 from it in the middle.
        is(s.announced_ms.0, 30.0);
        is(s.announced_ms.1, 1.4826 * 20.0);
        // Placed 10, 0, 30, −10 and 20 ms after: 10; 0, 10, 10, 20, 20 from it.
        is(s.placed_ms.0, 10.0);
        is(s.placed_ms.1, 1.4826 * 10.0);
    }

    #[test]
    fn the_beginning_does_not_count_and_the_order_of_reports_does_not_matter() {
        let truth = [1.0, 2.0, 6.0, 7.0, 8.0, 9.0];
        let all = heard(&[(9.0, 9.02), (8.0, 8.02), (7.0, 7.02), (6.0, 6.02), (3.0, 3.02)]);
        let s = score_onsets(&truth, &all).unwrap();
        assert_eq!((s.f, s.precision, s.recall), (1.0, 1.0, 1.0));
        is(s.announced_ms.0, 20.0);
        assert_eq!(score_onsets(&truth[..5], &all), None);
    }

    #[test]
    fn without_reports_everything_is_missed() {
        let truth = [6.0, 7.0, 8.0, 9.0];
        assert_eq!(
            score_onsets(&truth, &[]),
            Some(OnsetScore { announced_ms: (None, None), placed_ms: (None, None), ..OnsetScore::default() })
        );
        // Three hits are too few for a delay.
        let s = score_onsets(&truth, &heard(&[(6.0, 6.0), (7.0, 7.0), (8.0, 8.0)])).unwrap();
        assert_eq!((s.recall, s.announced_ms), (0.75, (None, None)));
    }

    #[test]
    fn notes_that_begin_together_are_one() {
        // Each within 30 ms of the one before, but the third not of the first.
        assert_eq!(together([1.0, 1.02, 1.04, 1.05, 2.0]), [1.0, 1.04, 2.0]);
    }

    #[test]
    fn a_row_has_means_of_shares_and_medians_of_times() {
        let one = OnsetScore { f: 0.5, announced_ms: (Some(10.0), None), ..OnsetScore::default() };
        let two = OnsetScore { f: 1.0, announced_ms: (Some(20.0), None), ..OnsetScore::default() };
        let row = row(&[&one, &two]);
        assert!(row.contains("0.750") && row.contains("15.0") && row.ends_with('-'), "{row}");
    }
}
