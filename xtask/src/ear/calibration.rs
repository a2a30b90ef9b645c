//! Calibration: whether the share of right beats equals the confidence with which they were announced.

use super::listen::Beat;
use super::matching::{BEAT_NEAR_S, pairs};

/// Edges between the ranges of true tempo, in beats per minute.
const TEMPO_EDGES: [f64; 5] = [70.0, 90.0, 110.0, 130.0, 160.0];
/// Edges between the ranges of confidence.
const CONFIDENCE_EDGES: [f64; 3] = [0.7, 0.8, 0.85];

/// Number of announced beats, number of right ones, and sum of confidences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    beats: u32,
    right: u32,
    confidence: f64,
}

impl Cell {
    fn add(&mut self, other: Cell) {
        self.beats += other.beats;
        self.right += other.right;
        self.confidence += other.confidence;
    }

    /// Share of right beats, mean confidence and number of beats: `0.91 for 0.88 (1234)`.
    fn text(&self) -> String {
        if self.beats == 0 {
            return "-".into();
        }
        let of = |x: f64| x / f64::from(self.beats);
        format!("{:.2} for {:.2} ({})", of(f64::from(self.right)), of(self.confidence), self.beats)
    }
}

/// Announced beats of many pieces, by true tempo and confidence.
#[derive(Clone, Debug, Default)]
pub struct Calibration([[Cell; CONFIDENCE_EDGES.len() + 1]; TEMPO_EDGES.len() + 1]);

fn band(edges: &[f64], x: f64) -> usize {
    edges.iter().take_while(|edge| x >= **edge).count()
}

impl Calibration {
    /// Counts the beats announced from `from` s on. Both lists rise in time. A beat is right within 70 ms of a true
    /// one; the true tempo is that of the neighbouring beats.
    pub fn count(&mut self, truth: &[f64], announced: &[Beat], from: f64) {
        let (Some(first), Some(last)) = (truth.first(), truth.last()) else { return };
        let judged: Vec<&Beat> = announced
            .iter()
            .filter(|b| b.t >= from.max(first - BEAT_NEAR_S) && b.t <= last + BEAT_NEAR_S)
            .collect();
        let times: Vec<f64> = judged.iter().map(|b| b.t).collect();
        let mut is_right = vec![false; times.len()];
        pairs(truth, &times, BEAT_NEAR_S).into_iter().for_each(|(_, found)| is_right[found] = true);
        for (beat, is_right) in judged.iter().zip(is_right) {
            let Some(confidence) = beat.confidence else { continue };
            let next = truth.partition_point(|t| *t < beat.t).clamp(1, truth.len() - 1);
            let bpm = 60.0 / (truth[next] - truth[next - 1]);
            let cell = &mut self.0[band(&TEMPO_EDGES, bpm)][band(&CONFIDENCE_EDGES, confidence)];
            cell.add(Cell { beats: 1, right: is_right.into(), confidence });
        }
    }

    /// Adds the counts of another calibration.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().flatten().zip(other.0.iter().flatten()).for_each(|(cell, more)| cell.add(*more));
    }

    /// Share of right beats and mean confidence of those announced with at least `least`, for each range of tempo
    /// that has any.
    #[cfg(test)]
    fn right_from(&self, least: f64) -> Vec<(usize, f64, f64)> {
        let rows = self.0.iter().enumerate().map(|(tempo, row)| {
            let mut all = Cell::default();
            row[band(&CONFIDENCE_EDGES, least)..].iter().for_each(|cell| all.add(*cell));
            (tempo, all)
        });
        rows.filter(|(_, all)| all.beats > 0)
            .map(|(tempo, all)| {
                (tempo, f64::from(all.right) / f64::from(all.beats), all.confidence / f64::from(all.beats))
            })
            .collect()
    }

    /// A table with ranges of tempo as rows and of confidence as columns: share of right beats, mean confidence,
    /// number.
    pub fn table(&self) -> String {
        let name = |edges: &[f64], i: usize, digits: usize| match i {
            0 => format!("below {:.digits$}", edges[0]),
            _ if i == edges.len() => format!("from {:.digits$}", edges[i - 1]),
            _ => format!("{:.digits$} to {:.digits$}", edges[i - 1], edges[i]),
        };
        let mut out = format!("{:<12}", "true BPM");
        for i in 0..=CONFIDENCE_EDGES.len() {
            out.push_str(&format!("{:>24}", name(&CONFIDENCE_EDGES, i, 2)));
        }
        out.push_str(&format!("{:>24}\n", "all"));
        let mut sums = [Cell::default(); CONFIDENCE_EDGES.len() + 2];
        for (tempo, row) in self.0.iter().enumerate() {
            let mut all = Cell::default();
            row.iter().for_each(|cell| all.add(*cell));
            out.push_str(&format!("{:<12}", name(&TEMPO_EDGES, tempo, 0)));
            for (cell, sum) in row.iter().chain([&all]).zip(&mut sums) {
                sum.add(*cell);
                out.push_str(&format!("{:>24}", cell.text()));
            }
            out.push('\n');
        }
        out.push_str(&format!("{:<12}", "all"));
        sums.iter().for_each(|sum| out.push_str(&format!("{:>24}", sum.text())));
        out.push('\n');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_half_right_and_counts_for_its_true_tempo() {
        let truth: Vec<f64> = (0..40).map(f64::from).collect();
        let announced: Vec<Beat> = (0..78)
            .map(|n| Beat {
                t: 0.5 * f64::from(n),
                at: 0.0,
                confidence: Some(if n < 40 { 0.88 } else { 0.6 }),
                position: None,
                bar: None,
            })
            .collect();
        let mut calibration = Calibration::default();
        calibration.count(&truth, &announced, 5.0);
        let of_all = calibration.right_from(0.0);
        assert_eq!(of_all.len(), 1, "all at 60 BPM: {of_all:?}");
        assert!((of_all[0].1 - 0.5).abs() < 0.02, "{of_all:?}");
        let sure = calibration.right_from(0.88);
        assert!((sure[0].1 - 0.5).abs() < 0.02 && (sure[0].2 - 0.88).abs() < 1e-9, "{sure:?}");
        assert!(calibration.table().contains("0.50 for 0.88 (30)"), "{}", calibration.table());
    }

    #[test]
    fn beats_without_a_confidence_are_not_calibrated() {
        let mut calibration = Calibration::default();
        let truth: Vec<f64> = (0..40).map(f64::from).collect();
        let silent = truth
            .iter()
            .map(|t| Beat { t: *t, at: *t, confidence: None, position: None, bar: None })
            .collect::<Vec<_>>();
        calibration.count(&truth, &silent, 0.0);
        assert_eq!(calibration.right_from(0.0), []);
    }
}
