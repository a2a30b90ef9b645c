//! The scores of one piece.

use serde::Serialize;

use super::continuity::cmlt_amlt;
use super::levels::levels;
use super::listen::{Beat, Heard};
use super::lock::lock;
use super::matching::{BEAT_NEAR_S, f_measure, pairs};
use super::running::{middle_and_spread, running};

/// The first seconds are not scored, except for the lock: a listener does not know the beat either.
pub const SKIP_S: f64 = 5.0;
/// Seconds for which beats must stay right to count as locked, from the start and after a change.
const HOLD_S: f64 = 5.0;
const HOLD_AFTER_CHANGE_S: f64 = 4.0;
/// Fewest downbeats that are scored.
const DOWNBEATS_LEAST: usize = 3;
/// A beat announced again within this time counts once.
const TWICE_S: f64 = 1e-4;

/// The truth about a piece.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// All beats in seconds, rising.
    pub beats: Vec<f64>,
    /// The downbeats among them; empty if the bar is unknown.
    pub downbeats: Vec<f64>,
    /// Tempo changes and returns after a pause, in seconds, rising.
    pub changes: Vec<f64>,
    /// Whether the tempo is constant.
    pub steady: bool,
    /// Duration in seconds.
    pub seconds: f64,
}

/// The scores of a piece with a beat; shares are 0 … 1.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    /// F-measure of the times of the beats.
    pub f: f64,
    /// F-measure of the downbeats, where the bar is known.
    pub downbeats: Option<f64>,
    /// F-measure of the times at which they were announced, which is what a viewer sees.
    pub announced: f64,
    /// Share of beats right in time and tempo, at the annotated level.
    pub cmlt: f64,
    /// The same at the best allowed level.
    pub amlt: f64,
    /// Share of time with the right tempo.
    pub tempo: f64,
    /// The same, accepting twice, three times, half and a third of it.
    pub tempo_any: f64,
    /// Whether the median tempo is right, and right at any level; only for pieces with a constant tempo.
    pub acc: Option<(bool, bool)>,
    /// Seconds until the beats are right and stay right.
    pub lock_s: Option<f64>,
    /// The same from each change on.
    pub relock_s: Vec<Option<f64>>,
    /// Median delay in ms from a true beat to its announcement.
    pub latency_ms: Option<f64>,
    /// Its spread: see [`middle_and_spread`].
    pub jitter_ms: Option<f64>,
    /// Metrical levels at which the beats were heard, with their share of the time.
    pub heard_as: Vec<(&'static str, f64)>,
}

/// Scores what was heard of a piece with a beat.
pub fn score(truth: &Truth, heard: &Heard) -> Score {
    let mut beats = heard.beats.clone();
    beats.sort_by(|a, b| a.t.total_cmp(&b.t));
    let all: Vec<f64> = beats.iter().map(|b| b.t).collect();
    let scored: Vec<f64> = truth.beats.iter().copied().filter(|t| *t >= SKIP_S).collect();
    let mut own: Vec<f64> = all.iter().copied().filter(|t| *t >= SKIP_S).collect();
    own.dedup_by(|later, earlier| *later - *earlier <= TWICE_S);
    let mut announced: Vec<f64> = beats.iter().map(|b| b.at).filter(|t| *t >= SKIP_S).collect();
    announced.sort_by(f64::total_cmp);
    announced.dedup_by(|later, earlier| *later - *earlier <= TWICE_S);
    let (cmlt, amlt) = cmlt_amlt(&scored, &own);
    let tempo = running(&truth.beats, &heard.tempi, SKIP_S, truth.seconds);
    let (latency_ms, jitter_ms) = latency(&scored, heard);
    let end = truth.beats.last().copied().unwrap_or(0.0);
    let until = truth.changes.first().copied().unwrap_or(truth.seconds).min(end);
    Score {
        f: f_measure(&scored, &own, BEAT_NEAR_S),
        downbeats: downbeats(truth, &beats),
        announced: f_measure(&scored, &announced, BEAT_NEAR_S),
        cmlt,
        amlt,
        tempo: tempo.right,
        tempo_any: tempo.right_any,
        acc: truth.steady.then_some(tempo.median),
        lock_s: lock(&truth.beats, &all, 0.0, until, HOLD_S),
        relock_s: (0..truth.changes.len()).map(|k| relock(truth, &all, k)).collect(),
        latency_ms,
        jitter_ms,
        heard_as: levels(&truth.beats, &own, SKIP_S),
    }
}

/// F-measure of the downbeats.
fn downbeats(truth: &Truth, beats: &[Beat]) -> Option<f64> {
    let scored: Vec<f64> = truth.downbeats.iter().copied().filter(|t| *t >= SKIP_S).collect();
    let first = beats.iter().filter(|b| b.position == Some(1) && b.t >= SKIP_S);
    let mut own: Vec<f64> = first.map(|b| b.t).collect();
    own.dedup_by(|later, earlier| *later - *earlier <= TWICE_S);
    (scored.len() >= DOWNBEATS_LEAST).then(|| f_measure(&scored, &own, BEAT_NEAR_S))
}

/// Seconds from a change until the beats are right again.
fn relock(truth: &Truth, found: &[f64], change: usize) -> Option<f64> {
    let from = truth.changes[change];
    let end = truth.seconds.min(truth.beats.last().copied().unwrap_or(0.0));
    let to = truth.changes.get(change + 1).copied().unwrap_or(end);
    let since = |times: &[f64], t: f64| times.iter().copied().filter(|x| *x >= t).collect::<Vec<_>>();
    let (beats, found) = (since(&truth.beats, from - 0.05), since(found, from - 0.3));
    lock(&beats, &found, from, to, HOLD_AFTER_CHANGE_S).map(|t| t - from)
}

/// Median and spread of the delay of hit beats in ms, if there are more than three.
fn latency(truth: &[f64], heard: &Heard) -> (Option<f64>, Option<f64>) {
    let mut beats: Vec<_> = heard.beats.iter().filter(|b| b.t >= SKIP_S).collect();
    beats.sort_by(|a, b| a.t.total_cmp(&b.t));
    let own: Vec<f64> = beats.iter().map(|b| b.t).collect();
    let late: Vec<f64> =
        pairs(truth, &own, BEAT_NEAR_S).into_iter().map(|(t, f)| 1e3 * (beats[f].at - truth[t])).collect();
    if late.len() <= 3 {
        return (None, None);
    }
    middle_and_spread(late)
}

/// Beats announced per minute, in `seconds` of sound without a beat.
pub fn false_beats(heard: &Heard, seconds: f64) -> f64 {
    let n = heard.beats.iter().filter(|b| (SKIP_S..seconds).contains(&b.at)).count();
    60.0 * n as f64 / (seconds - SKIP_S).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::super::listen::Tempo;
    use super::*;

    fn truth() -> Truth {
        let beats = (0..60).map(|k| 0.25 + 0.5 * f64::from(k)).collect();
        Truth { beats, downbeats: Vec::new(), changes: Vec::new(), steady: true, seconds: 30.0 }
    }

    fn heard(delay: f64) -> Heard {
        let beats = truth()
            .beats
            .iter()
            .map(|t| Beat { t: *t, at: t + delay, confidence: None, position: None, bar: None })
            .collect();
        Heard { beats, tempi: vec![Tempo { at: 1.0, bpm: 120.4 }], ..Heard::default() }
    }

    #[test]
    fn a_perfect_ear_and_one_that_tells_late() {
        let s = score(&truth(), &heard(0.004));
        assert_eq!(
            (s.f, s.announced, s.cmlt, s.amlt, s.tempo, s.acc),
            (1.0, 1.0, 1.0, 1.0, 1.0, Some((true, true)))
        );
        assert_eq!(s.lock_s, Some(0.25));
        let (latency, jitter) = (s.latency_ms.unwrap(), s.jitter_ms.unwrap());
        assert!((latency - 4.0).abs() < 1e-6 && jitter < 1e-6, "{latency} {jitter}");
        let s = score(&truth(), &heard(0.1));
        assert_eq!((s.f, s.announced), (1.0, 0.0));
        assert!((s.latency_ms.unwrap() - 100.0).abs() < 1e-6);
    }

    #[test]
    fn the_first_five_seconds_do_not_count_and_twice_is_once() {
        let mut heard = heard(0.0);
        heard.beats.retain(|b| b.t >= 5.0);
        heard.beats.push(Beat { t: 3.1, at: 3.1, confidence: None, position: None, bar: None });
        let again = heard.beats[7];
        heard.beats.push(again);
        let s = score(&truth(), &heard);
        assert_eq!((s.f, s.cmlt), (1.0, 1.0));
        // The beat at 5.25 s was found, long after the previous one.
        assert_eq!(s.lock_s, Some(5.75));
    }

    #[test]
    fn after_a_change_the_clock_starts_anew() {
        let mut truth = truth();
        truth.changes = vec![15.25];
        truth.steady = false;
        let mut heard = heard(0.0);
        heard.beats.retain(|b| b.t < 15.0 || b.t >= 18.0);
        let s = score(&truth, &heard);
        assert_eq!((s.lock_s, s.acc), (Some(0.25), None));
        assert_eq!(s.relock_s, [Some(3.0)]);
    }

    #[test]
    fn false_beats_are_counted_per_minute() {
        let beats = [4.0, 6.0, 12.0, 20.0, 35.0].map(|t| Beat {
            t,
            at: t,
            confidence: None,
            position: None,
            bar: None,
        });
        let heard = Heard { beats: beats.to_vec(), ..Heard::default() };
        assert_eq!(false_beats(&heard, 35.0), 6.0);
        assert_eq!(false_beats(&Heard::default(), 35.0), 0.0);
    }
}
