//! A folder of annotated sound: `audio16/ID.wav` (mono, 16 kHz), `gt/ID.beats` (a beat per line, seconds first) and
//! `gt/ID.json` (what kind of music it is).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use k1_engine::SAMPLE_RATE;
use serde::Deserialize;

use super::abreast::abreast;
use super::listen::{Heard, listen};
use super::score::{Score, Truth, false_beats, score};
use super::table::{COLUMNS, Summary, mean, number};
use super::wav;

/// So many of the worst are named.
const WORST: usize = 10;
/// Fewer beats than these are no annotation.
const BEATS_LEAST: usize = 8;

/// `gt/ID.json`.
#[derive(Clone, Debug, Deserialize)]
struct Entry {
    /// The kind of music.
    group: String,
    /// How the beats are known.
    cls: Class,
    /// Seconds.
    dur: f64,
    /// When the tempo changes, and how.
    #[serde(default)]
    tempo_changes: Vec<(f64, String)>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Class {
    /// From the score the sound was made of.
    Gold,
    /// Several trackers agree.
    Silver,
    /// There are none, or nobody knows them.
    None,
}

/// What came of a file.
enum Outcome {
    Scored(Score),
    /// There is no beat; so many were announced in a minute.
    Beatless(f64),
    /// Nobody knows where its beats are.
    Unknown,
}

impl Outcome {
    fn score(&self) -> Option<&Score> {
        match self {
            Self::Scored(score) => Some(score),
            Self::Beatless(_) | Self::Unknown => None,
        }
    }
}

/// Scores every file of a corpus and prints the tables. With `events`, what was scored is written to that folder as
/// `ID.jsonl`, in the form of `k1 analyze --json`, for whoever wants to score it otherwise, and the figures of each file
/// as `scores.json`.
pub fn run(corpus: &Path, events: Option<&Path>) -> Result<(), String> {
    let ids = ids(&corpus.join("audio16"))?;
    if let Some(folder) = events {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let results = abreast(&ids, |id| one(corpus, id, events));
    let mut files = Vec::with_capacity(ids.len());
    for (id, result) in ids.iter().zip(results) {
        let (entry, outcome) = result?;
        files.push((id.as_str(), entry, outcome));
    }
    if let Some(folder) = events {
        let scores: BTreeMap<&str, &Score> =
            files.iter().filter_map(|(id, _, o)| Some((*id, o.score()?))).collect();
        let text = serde_json::to_string_pretty(&scores).map_err(|e| format!("scores.json: {e}"))?;
        let path = folder.join("scores.json");
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    print!("{}", tables(&files));
    Ok(())
}

/// Names of the WAV files in a folder, without their ending.
fn ids(folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| {
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

fn one(corpus: &Path, id: &str, events: Option<&Path>) -> Result<(Entry, Outcome), String> {
    let read = |ending: &str| {
        let path = corpus.join("gt").join(format!("{id}.{ending}"));
        std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let entry: Entry = serde_json::from_str(&read("json")?).map_err(|e| format!("gt/{id}.json: {e}"))?;
    let beats = beats(&read("beats")?).map_err(|e| format!("gt/{id}.beats: {e}"))?;
    let samples = wav::read(&corpus.join("audio16").join(format!("{id}.wav")))?;
    let heard = listen(&samples);
    if let Some(folder) = events {
        let path = folder.join(format!("{id}.jsonl"));
        std::fs::write(&path, lines(&heard)).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let outcome = if beats.len() >= BEATS_LEAST {
        let mut changes: Vec<f64> = entry.tempo_changes.iter().map(|(t, _)| *t).collect();
        changes.sort_by(f64::total_cmp);
        let steady = entry.group != "tempo";
        Outcome::Scored(score(&Truth { beats, changes, steady, seconds: entry.dur }, &heard))
    } else if entry.group == "nobeat" {
        let seconds = entry.dur.min(samples.len() as f64 / f64::from(SAMPLE_RATE));
        Outcome::Beatless(false_beats(&heard, seconds))
    } else {
        Outcome::Unknown
    };
    Ok((entry, outcome))
}

/// The first number of each line; they must rise.
fn beats(text: &str) -> Result<Vec<f64>, String> {
    let mut beats: Vec<f64> = Vec::new();
    for (k, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = line.split_whitespace().next().and_then(|word| word.parse().ok());
        let t = number
            .filter(|t: &f64| t.is_finite())
            .ok_or_else(|| format!("line {}: \"{line}\" is no time", k + 1))?;
        if beats.last().is_some_and(|last| t <= *last) {
            return Err(format!("line {}: {t} s is not after the line before", k + 1));
        }
        beats.push(t);
    }
    Ok(beats)
}

/// As `k1 analyze --json` prints it.
fn lines(heard: &Heard) -> String {
    let mut out = String::new();
    for b in &heard.beats {
        let _ = writeln!(out, "{{\"t\":{:.4},\"at\":{:.4},\"kind\":\"beat\"}}", b.t, b.at);
    }
    for t in &heard.tempi {
        let _ =
            writeln!(out, "{{\"t\":{:.4},\"at\":{:.4},\"kind\":\"tempo\",\"bpm\":{:.2}}}", t.at, t.at, t.bpm);
    }
    out
}

/// All files of exact beats, each kind, and the worst.
fn tables(files: &[(&str, Entry, Outcome)]) -> String {
    let mut out = String::new();
    let mut kinds: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
    let (mut gold, mut named, mut beatless, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (id, entry, outcome) in files {
        match outcome {
            Outcome::Scored(score) => {
                kinds.entry(&entry.group).or_default().push(score);
                named.push((*id, score));
                if entry.cls == Class::Gold {
                    gold.push(score);
                }
            }
            Outcome::Beatless(a_minute) => beatless.push((*id, *a_minute)),
            Outcome::Unknown => unknown += 1,
        }
    }
    let _ = writeln!(out, "{:<12}{COLUMNS}", "");
    let _ = writeln!(out, "{:<12}{}", "all", Summary::of(&gold).row());
    for (kind, scores) in &kinds {
        let _ = writeln!(out, "{kind:<12}{}", Summary::of(scores).row());
    }
    out.push_str("\"all\" are those with exact beats; of real recordings several trackers agree on them.\n");
    if unknown > 0 {
        let _ = writeln!(out, "{unknown} files have beats that nobody knows; they were not scored.");
    }
    let a_minute: Vec<f64> = beatless.iter().map(|(_, n)| *n).collect();
    let _ = writeln!(out, "\nbeats a minute without a beat: {}", number(mean(&a_minute), 0, 1));
    for (id, n) in beatless {
        let _ = writeln!(out, "  {id:<32} {n:5.1}");
    }
    named.sort_by(|a, b| a.1.f.total_cmp(&b.1.f));
    let _ = writeln!(out, "\nthe worst                            F   CMLt   AMLt    tt1    tt2  heard as");
    for (id, s) in named.iter().take(WORST) {
        let heard = s.heard_as.iter().map(|(name, share)| format!("{name} {:.0} %", 100.0 * share));
        let _ = writeln!(
            out,
            "  {id:<32} {:.3}  {:.3}  {:.3}  {:.3}  {:.3}  {}",
            s.f,
            s.cmlt,
            s.amlt,
            s.tempo,
            s.tempo_any,
            heard.collect::<Vec<_>>().join(", ")
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_the_first_column_and_what_is_wrong_is_named_by_line() {
        assert_eq!(beats("0.5\t1\n\n1.0 2\n"), Ok(vec![0.5, 1.0]));
        assert!(beats("0.5\nhalf\n").unwrap_err().contains("line 2"));
        assert!(beats("0.5\n0.5\n").unwrap_err().contains("not after"));
        assert!(beats("nan\n").unwrap_err().contains("line 1"));
    }

    #[test]
    fn silver_counts_for_its_kind_only() {
        let entry =
            |group: &str, cls| Entry { group: group.into(), cls, dur: 30.0, tempo_changes: Vec::new() };
        let scored = |f| Outcome::Scored(Score { f, ..Score::default() });
        let files = [
            ("a", entry("drums", Class::Gold), scored(0.9)),
            ("b", entry("real", Class::Silver), scored(0.1)),
            ("c", entry("nobeat", Class::None), Outcome::Beatless(4.0)),
            ("d", entry("unannot", Class::None), Outcome::Unknown),
        ];
        let out = tables(&files);
        let row = |name: &str| out.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
        assert!(row("all").contains(" 1  0.900") && row("real").contains(" 1  0.100"), "{out}");
        assert!(
            out.contains("without a beat: 4.0") && out.contains("1 files have beats that nobody"),
            "{out}"
        );
        let worst = out.split("the worst").nth(1).unwrap();
        assert!(worst.find("  b ") < worst.find("  a "), "{out}");
    }

    #[test]
    fn a_folder_that_is_no_corpus_is_told_apart() {
        let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nowhere");
        assert!(run(&nowhere, None).unwrap_err().contains("audio16"));
    }
}
