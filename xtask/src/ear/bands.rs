//! How well low, middle and high sound are told apart, on pieces whose instruments are known.
//!
//! The ear reports no onsets per band: it gives each band a strength, to which patterns respond. A band counts as
//! reporting in the hop in which its strength rises past [`LIT`].

use k1_engine::{HOP, SAMPLE_RATE};
use k1_sim::music::{Drum, Instrument, Note};

use super::listen::Heard;
use super::matching::pairs;
use super::onsets::{self, OnsetScore, score_onsets, together};
use super::running::median;
use super::score::SKIP_S;
use super::table::{mean, number};

/// Names of the bands: below 190 Hz, to 2.2 kHz, above.
const NAMES: [&str; 3] = ["low", "middle", "high"];
/// A band reports when its strength rises past this, and again after it has fallen below half of it.
const LIT: f32 = 0.3;
/// Tolerance in seconds, as for onsets of the whole sound.
const NEAR_S: f64 = 0.05;
/// With fewer notes than this, a band is not scored.
const LEAST: usize = 4;

/// The part of an instrument in a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It sounds mainly there.
    Must,
    /// It also sounds there.
    May,
    /// It does not sound there.
    No,
}

/// The part of an instrument in the low, middle and high band, as `k1-sim` synthesises it.
fn parts(instrument: Instrument) -> [Part; 3] {
    use Part::{May, Must, No};
    match instrument {
        // The beater is broadband noise for 6 ms, and the skin starts above 200 Hz.
        Instrument::Drum(Drum::Kick) => [Must, May, May],
        Instrument::Drum(Drum::Snare) => [May, Must, Must],
        Instrument::Drum(Drum::Hat | Drum::OpenHat | Drum::Ride) => [No, May, Must],
        Instrument::Bass => [May, May, No],
        Instrument::Chord | Instrument::Pluck => [No, May, No],
    }
}

/// Scores of the onsets of one piece.
#[derive(Clone, Debug)]
pub struct Onsets {
    /// All notes together.
    whole: Option<OnsetScore>,
    /// Each band.
    bands: [Option<BandScore>; 3],
}

/// Figures of a band; shares are 0 … 1.
#[derive(Clone, Debug, Default, PartialEq)]
struct BandScore {
    /// Share of the reports at which something sounds in this band.
    precision: f64,
    /// Share of this band's notes that were reported.
    recall: f64,
    /// Median delay of the reports in ms.
    late_ms: Option<f64>,
}

impl Onsets {
    /// Scores a piece with these notes, rising in time.
    pub fn of(notes: &[Note], heard: &Heard) -> Self {
        let whole = score_onsets(&together(notes.iter().map(|n| n.at)), &heard.onsets);
        Self { whole, bands: std::array::from_fn(|band| score_band(notes, &heard.bands, band)) }
    }
}

fn score_band(notes: &[Note], strengths: &[[f32; 3]], band: usize) -> Option<BandScore> {
    let that = |is: &dyn Fn(Part) -> bool| {
        let chosen = notes.iter().filter(|n| n.at >= SKIP_S && is(parts(n.instrument)[band]));
        together(chosen.map(|n| n.at))
    };
    let (must, sounds) = (that(&|part| part == Part::Must), that(&|part| part != Part::No));
    if must.len() < LEAST {
        return None;
    }
    let mut reported = reports(strengths.iter().map(|s| s[band]));
    reported.retain(|t| *t >= SKIP_S);
    let hits = pairs(&must, &reported, NEAR_S);
    let right = pairs(&sounds, &reported, NEAR_S).len();
    Some(BandScore {
        precision: if reported.is_empty() { 0.0 } else { right as f64 / reported.len() as f64 },
        recall: hits.len() as f64 / must.len() as f64,
        late_ms: median(hits.iter().map(|(m, r)| 1e3 * (reported[*r] - must[*m])).collect()),
    })
}

/// Ends of the hops in which a strength rises past [`LIT`], in seconds.
fn reports(strengths: impl Iterator<Item = f32>) -> Vec<f64> {
    let mut armed = true;
    let mut times = Vec::new();
    for (hop, strength) in strengths.enumerate() {
        if armed && strength >= LIT {
            armed = false;
            times.push(((hop + 1) * HOP) as f64 / f64::from(SAMPLE_RATE));
        } else if strength < 0.5 * LIT {
            armed = true;
        }
    }
    times
}

/// The figures of all pieces: means of shares, medians of times.
pub fn table(pieces: &[Onsets]) -> String {
    let whole: Vec<&OnsetScore> = pieces.iter().filter_map(|p| p.whole.as_ref()).collect();
    let mut out =
        format!("{:<18}{}\n{:<18}{}\n\n", "onsets", onsets::COLUMNS, "together", onsets::row(&whole));
    out += &format!("{:<18}  n      F  precis.  recall  announced ms", "by band");
    for (band, name) in NAMES.iter().enumerate() {
        let scores: Vec<&BandScore> = pieces.iter().filter_map(|p| p.bands[band].as_ref()).collect();
        let share =
            |figure: fn(&BandScore) -> f64| mean(&scores.iter().map(|s| figure(s)).collect::<Vec<_>>());
        out += &format!(
            "\n{name:<18}{:>3} {} {} {} {}",
            scores.len(),
            number(share(f), 6, 3),
            number(share(|s| s.precision), 8, 3),
            number(share(|s| s.recall), 7, 3),
            number(median(scores.iter().filter_map(|s| s.late_ms).collect()), 13, 1),
        );
    }
    out
}

/// The harmonic mean of precision and recall.
fn f(score: &BandScore) -> f64 {
    let sum = score.precision + score.recall;
    if sum > 0.0 { 2.0 * score.precision * score.recall / sum } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strengths over 10 s: 1 for six hops from each of these times on, each in its band.
    fn strengths(pulses: &[(usize, f64)]) -> Vec<[f32; 3]> {
        let mut strengths = vec![[0.0; 3]; 1_250];
        for (band, at) in pulses {
            let from = (at * 125.0) as usize;
            strengths[from..from + 6].iter_mut().for_each(|s| s[*band] = 1.0);
        }
        strengths
    }

    fn note(at: f64, drum: Drum) -> Note {
        Note { at, instrument: Instrument::Drum(drum) }
    }

    #[test]
    fn a_band_reports_once_until_it_has_fallen() {
        let one = [0.0, 0.29, 0.31, 0.2, 0.9, 0.14, 0.3, 0.0];
        let hop = HOP as f64 / f64::from(SAMPLE_RATE);
        assert_eq!(reports(one.into_iter()), [3.0 * hop, 7.0 * hop]);
    }

    #[test]
    fn a_kick_must_be_low_and_may_be_high_and_a_hat_must_not_be_low() {
        let notes: Vec<Note> = (0..4)
            .flat_map(|k| {
                let t = 6.0 + f64::from(k);
                [note(t, Drum::Kick), note(t + 0.5, Drum::Hat)]
            })
            .collect();
        // Low band: three of four kicks, and one hat by mistake. High band: all hats and one kick.
        let played = strengths(&[
            (0, 6.0),
            (0, 7.0),
            (0, 7.5),
            (0, 8.0),
            (2, 6.5),
            (2, 7.5),
            (2, 8.5),
            (2, 9.5),
            (2, 9.0),
        ]);
        let onsets = Onsets::of(&notes, &Heard { bands: played, ..Heard::default() });
        let [low, middle, high] = onsets.bands.clone();
        let low = low.unwrap();
        assert_eq!((low.precision, low.recall), (0.75, 0.75));
        // Each in the first hop that could contain it.
        assert!(low.late_ms.is_some_and(|ms| (ms - 8.0).abs() < 1e-6), "{low:?}");
        assert!((f(&low) - 0.75).abs() < 1e-12);
        assert_eq!(middle, None);
        assert!(high.is_some_and(|high| (high.precision, high.recall) == (1.0, 1.0)));
        let table = table(&[onsets]);
        assert!(table.contains("low                 1  0.750    0.750   0.750           8.0"), "{table}");
    }

    #[test]
    fn without_reports_everything_is_missed() {
        let notes: Vec<Note> = (0..4).map(|k| note(6.0 + f64::from(k), Drum::Kick)).collect();
        let score = score_band(&notes, &strengths(&[]), 0).unwrap();
        assert_eq!((score.precision, score.recall, f(&score)), (0.0, 0.0, 0.0));
        assert_eq!(score_band(&notes[..3], &strengths(&[]), 0), None);
    }
}
