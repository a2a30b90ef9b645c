//! An excerpt of an annotated corpus: `audio16/ID.wav` (mono, 16 kHz), `gt/ID.beats` (one beat per line, seconds
//! first), `gt/ID.json` (the kind of music) and, where onsets are known, `gt/ID.onsets` (one per line).

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use k1_engine::SAMPLE_RATE;
use serde::Deserialize;

use super::calibration::Calibration;
use super::listen::Heard;
use super::onsets::{OnsetScore, score_onsets};
use super::score::{SKIP_S, Score, Truth, false_beats, score};
use super::wav;

/// With fewer beats than this, an excerpt counts as not annotated.
const BEATS_LEAST: usize = 8;

/// The content of `gt/ID.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Kind of music.
    pub group: String,
    /// Origin of the beats.
    pub cls: Class,
    /// Duration in seconds.
    pub dur: f64,
    /// Times of tempo changes in seconds, with a description.
    #[serde(default)]
    pub tempo_changes: Vec<(f64, String)>,
}

/// Origin of an excerpt's beats.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// From the score from which the sound was made.
    Gold,
    /// Several trackers agree.
    Silver,
    /// No beats, or unknown beats.
    None,
}

/// An excerpt and the truth about it.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// Its entry in the corpus.
    pub entry: Entry,
    /// Beats in seconds, rising; empty if there are none or they are unknown.
    beats: Vec<f64>,
    /// The downbeats among them; empty if the bar is unknown.
    downbeats: Vec<f64>,
    /// Onsets in seconds, rising, if they are known.
    onsets: Option<Vec<f64>>,
    /// Samples at 16 kHz, −1 … 1.
    pub samples: Vec<f32>,
}

/// Scores of an excerpt.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Scores of the beats.
    pub beats: Outcome,
    /// Scores of the onsets, if they are known.
    pub onsets: Option<OnsetScore>,
}

/// Result for the beats of an excerpt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The scores, where the beats are known.
    Scored(Score),
    /// Beats announced per minute, where there are none.
    Beatless(f64),
    /// The beats are unknown.
    Unknown,
}

impl Outcome {
    /// The scores, where the beats are known.
    pub fn score(&self) -> Option<&Score> {
        match self {
            Self::Scored(score) => Some(score),
            Self::Beatless(_) | Self::Unknown => None,
        }
    }
}

impl Excerpt {
    /// Reads an excerpt. Errors name the file and, if possible, the line.
    pub fn read(corpus: &Path, id: &str) -> Result<Self, String> {
        let path = |ending: &str| corpus.join("gt").join(format!("{id}.{ending}"));
        let read = |ending: &str| {
            std::fs::read_to_string(path(ending)).map_err(|e| format!("{}: {e}", path(ending).display()))
        };
        let entry = serde_json::from_str(&read("json")?).map_err(|e| format!("gt/{id}.json: {e}"))?;
        let text = read("beats")?;
        let beats = times(&text).map_err(|e| format!("gt/{id}.beats: {e}"))?;
        let downbeats = downbeats(&text, &beats);
        let onsets = match std::fs::read_to_string(path("onsets")) {
            Ok(text) => Some(times(&text).map_err(|e| format!("gt/{id}.onsets: {e}"))?),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(format!("{}: {e}", path("onsets").display())),
        };
        let samples = wav::read(&corpus.join("audio16").join(format!("{id}.wav")))?;
        Ok(Self { entry, beats, downbeats, onsets, samples })
    }

    /// Counts the announced beats towards a calibration.
    pub fn calibrate(&self, heard: &Heard, into: &mut Calibration) {
        if self.beats.len() >= BEATS_LEAST {
            let mut beats = heard.beats.clone();
            beats.sort_by(|a, b| a.t.total_cmp(&b.t));
            into.count(&self.beats, &beats, SKIP_S);
        }
    }

    /// Scores what the ear heard of this excerpt or of a degraded copy.
    pub fn judge(&self, heard: &Heard) -> Judged {
        let beats = if self.beats.len() >= BEATS_LEAST {
            let mut changes: Vec<f64> = self.entry.tempo_changes.iter().map(|(t, _)| *t).collect();
            changes.sort_by(f64::total_cmp);
            let steady = self.entry.group != "tempo";
            let truth = Truth {
                beats: self.beats.clone(),
                downbeats: self.downbeats.clone(),
                changes,
                steady,
                seconds: self.entry.dur,
            };
            Outcome::Scored(score(&truth, heard))
        } else if self.entry.group == "nobeat" {
            let seconds = self.entry.dur.min(self.samples.len() as f64 / f64::from(SAMPLE_RATE));
            Outcome::Beatless(false_beats(heard, seconds))
        } else {
            Outcome::Unknown
        };
        let onsets = self.onsets.as_ref().and_then(|truth| score_onsets(truth, &heard.onsets));
        Judged { beats, onsets }
    }
}

/// Names of a corpus's excerpts: its WAV files without their extension, sorted.
pub fn ids(corpus: &Path) -> Result<Vec<String>, String> {
    let folder = corpus.join("audio16");
    let entries = std::fs::read_dir(&folder).map_err(|e| {
        format!(
            "{}: {e}; a corpus has the folders audio16 (ID.wav) and gt (ID.beats, ID.json)",
            folder.display()
        )
    })?;
    let mut ids = BTreeSet::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        if path.extension().is_some_and(|e| e == "wav") {
            let stem = path.file_stem().and_then(|s| s.to_str());
            ids.insert(stem.ok_or_else(|| format!("{}: this name is not UTF-8", path.display()))?.to_owned());
        }
    }
    if ids.is_empty() {
        Err(format!("{}: there is no .wav in it", folder.display()))
    } else {
        Ok(ids.into_iter().collect())
    }
}

/// The beats of which the second number is 1. Empty unless the bar is known: every beat has a position, and some are not 1.
fn downbeats(text: &str, beats: &[f64]) -> Vec<f64> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let positions: Vec<u32> = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
    let is_known =
        positions.len() == beats.len() && !positions.contains(&0) && positions.iter().any(|p| *p > 1);
    let firsts = beats.iter().zip(&positions).filter(|(_, position)| is_known && **position == 1);
    firsts.map(|(t, _)| *t).collect()
}

/// The first number of each line; the numbers must rise.
fn times(text: &str) -> Result<Vec<f64>, String> {
    let mut times: Vec<f64> = Vec::new();
    for (k, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = line.split_whitespace().next().and_then(|word| word.parse().ok());
        let t = number
            .filter(|t: &f64| t.is_finite())
            .ok_or_else(|| format!("line {}: \"{line}\" is not a time", k + 1))?;
        if times.last().is_some_and(|last| t <= *last) {
            return Err(format!("line {}: {t} s is not after the line before", k + 1));
        }
        times.push(t);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::super::listen::Onset;
    use super::*;

    #[test]
    fn times_are_the_first_column_and_errors_name_the_line() {
        assert_eq!(times("0.5\t1\n\n1.0 2\n"), Ok(vec![0.5, 1.0]));
        assert!(times("0.5\nhalf\n").unwrap_err().contains("line 2"));
        assert!(times("0.5\n0.5\n").unwrap_err().contains("not after"));
        assert!(times("nan\n").unwrap_err().contains("line 1"));
    }

    #[test]
    fn a_folder_without_a_corpus_is_refused() {
        let nowhere = Path::new("src/nowhere");
        assert!(ids(nowhere).unwrap_err().contains("audio16"));
    }

    #[test]
    fn onsets_are_judged_where_they_are_known_and_beats_where_there_are_enough() {
        let entry = Entry { group: "nobeat".into(), cls: Class::None, dur: 20.0, tempo_changes: Vec::new() };
        let known = Excerpt {
            entry,
            beats: Vec::new(),
            downbeats: Vec::new(),
            onsets: Some(vec![6.0, 7.0, 8.0, 9.0]),
            samples: vec![0.0; 320_000],
        };
        let onsets = [6.0, 7.0].map(|t| Onset { t, at: t }).to_vec();
        let judged = known.judge(&Heard { onsets, ..Heard::default() });
        assert!(judged.onsets.is_some_and(|s| (s.precision, s.recall) == (1.0, 0.5)));
        assert!(matches!(judged.beats, Outcome::Beatless(n) if n == 0.0));
        let unknown = Excerpt { onsets: None, ..known };
        assert!(unknown.judge(&Heard::default()).onsets.is_none());
    }
}
