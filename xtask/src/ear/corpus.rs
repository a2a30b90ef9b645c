//! The tables of an annotated corpus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::calibration::Calibration;
use super::excerpt::{Class, Entry, Excerpt, Judged, Outcome, ids};
use super::listen::{Heard, listen};
use super::onsets::{self, OnsetScore};
use super::parallel::parallel_map;
use super::score::{SKIP_S, Score};
use super::table::{COLUMNS, Summary, mean, number};

/// Number of worst files that are named.
const WORST: usize = 10;

/// A file of the corpus: its name, its entry and its scores.
type File<'a> = (&'a str, Entry, Judged);

/// Scores every file of a corpus and prints the tables. With `events`, the raw results are written to that folder:
/// `ID.jsonl` in the form of `k1 analyze --json`; `ID.chroma`, per line the seconds heard and twelve pitch classes
/// from C on; `ID.confidence`, the features of each announced beat's confidence, as little-endian 16-bit words; and the figures of each file
/// as `scores.json`.
pub fn run(corpus: &Path, events: Option<&Path>) -> Result<(), String> {
    let ids = ids(corpus)?;
    if let Some(folder) = events {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let results = parallel_map(&ids, |id| one(corpus, id, events));
    let mut files = Vec::with_capacity(ids.len());
    let mut calibration = Calibration::default();
    for (id, result) in ids.iter().zip(results) {
        let (entry, judged, of_it) = result?;
        calibration.merge(&of_it);
        files.push((id.as_str(), entry, judged));
    }
    if let Some(folder) = events {
        let scores: BTreeMap<&str, &Score> =
            files.iter().filter_map(|(id, _, judged)| Some((*id, judged.beats.score()?))).collect();
        let text = serde_json::to_string_pretty(&scores).map_err(|e| format!("scores.json: {e}"))?;
        write(folder, "scores.json", text)?;
    }
    print!("{}\n{}", beat_tables(&files), onset_table(&files));
    print!("\nright for announced, in beats, from {SKIP_S} s on\n{}", calibration.table());
    Ok(())
}

fn one(corpus: &Path, id: &str, events: Option<&Path>) -> Result<(Entry, Judged, Calibration), String> {
    let excerpt = Excerpt::read(corpus, id)?;
    let heard = listen(&excerpt.samples);
    if let Some(folder) = events {
        write(folder, &format!("{id}.jsonl"), lines(&heard))?;
        write(folder, &format!("{id}.chroma"), chroma_lines(&heard))?;
        let confidence: Vec<u8> =
            heard.confidence_features.iter().flatten().flat_map(|feature| feature.to_le_bytes()).collect();
        write(folder, &format!("{id}.confidence"), confidence)?;
        let seconds: Vec<u8> =
            heard.seconds.iter().flatten().flat_map(|feature| feature.to_le_bytes()).collect();
        write(folder, &format!("{id}.seconds"), seconds)?;
    }
    let judged = excerpt.judge(&heard);
    let mut calibration = Calibration::default();
    excerpt.calibrate(&heard, &mut calibration);
    Ok((excerpt.entry, judged, calibration))
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> Result<(), String> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The form of `k1 analyze --json`.
fn lines(heard: &Heard) -> String {
    let mut out = String::new();
    for b in &heard.beats {
        let _ = writeln!(
            out,
            "{{\"t\":{:.4},\"at\":{:.4},\"kind\":\"beat\",\"confidence\":{:.3},\"position\":{},\"bar\":{:.3}}}",
            b.t,
            b.at,
            b.confidence.unwrap_or(0.0),
            b.position.unwrap_or(0),
            b.bar.unwrap_or(0.0)
        );
    }
    for o in &heard.onsets {
        let _ = writeln!(out, "{{\"t\":{:.4},\"at\":{:.4},\"kind\":\"onset\"}}", o.t, o.at);
    }
    for t in &heard.tempi {
        let _ =
            writeln!(out, "{{\"t\":{:.4},\"at\":{:.4},\"kind\":\"tempo\",\"bpm\":{:.2}}}", t.at, t.at, t.bpm);
    }
    out
}

fn chroma_lines(heard: &Heard) -> String {
    let mut out = String::new();
    for m in &heard.moments {
        let _ = write!(out, "{:.3}", m.at);
        m.chroma.iter().for_each(|c| {
            let _ = write!(out, " {c:.4}");
        });
        out.push('\n');
    }
    out
}

/// Beats: all files with exact beats, each kind of music, and the worst files.
fn beat_tables(files: &[File]) -> String {
    let mut out = String::new();
    let mut kinds: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
    let (mut gold, mut named, mut beatless, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (id, entry, judged) in files {
        match &judged.beats {
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
    let _ = writeln!(out, "{:<12}{COLUMNS}", "beats");
    let _ = writeln!(out, "{:<12}{}", "all", Summary::of(&gold).row());
    for (kind, scores) in &kinds {
        let _ = writeln!(out, "{kind:<12}{}", Summary::of(scores).row());
    }
    out.push_str("\"all\" are those with exact beats; the beats of real recordings are those on which several trackers agree.\n");
    if unknown > 0 {
        let _ = writeln!(out, "{unknown} files have unknown beats and were not scored.");
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

/// Onsets: all files with known onsets, each kind of music, and the worst files.
fn onset_table(files: &[File]) -> String {
    let mut named: Vec<(&str, &str, &OnsetScore)> = files
        .iter()
        .filter_map(|(id, entry, judged)| Some((*id, entry.group.as_str(), judged.onsets.as_ref()?)))
        .collect();
    let mut kinds: BTreeMap<&str, Vec<&OnsetScore>> = BTreeMap::new();
    named.iter().for_each(|(_, kind, score)| kinds.entry(kind).or_default().push(score));
    let all: Vec<&OnsetScore> = named.iter().map(|(_, _, score)| *score).collect();
    let mut out = format!("{:<12}{}\n", "onsets", onsets::COLUMNS);
    let _ = writeln!(out, "{:<12}{}", "all", onsets::row(&all));
    for (kind, scores) in &kinds {
        let _ = writeln!(out, "{kind:<12}{}", onsets::row(scores));
    }
    named.sort_by(|a, b| a.2.f.total_cmp(&b.2.f));
    out.push_str("\nthe worst                            F  precis.  recall\n");
    for (id, _, s) in named.iter().take(WORST) {
        let _ = writeln!(out, "  {id:<32} {:.3}    {:.3}   {:.3}", s.f, s.precision, s.recall);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::listen::{Moment, Onset};
    use super::*;

    fn entry(group: &str, cls: Class) -> Entry {
        Entry { group: group.into(), cls, dur: 30.0, tempo_changes: Vec::new() }
    }

    fn row(out: &str, name: &str) -> String {
        out.lines().find(|l| l.starts_with(name)).unwrap().to_owned()
    }

    #[test]
    fn silver_counts_for_its_kind_only() {
        let judged = |beats| Judged { beats, onsets: None };
        let scored = |f| judged(Outcome::Scored(Score { f, ..Score::default() }));
        let files = [
            ("a", entry("drums", Class::Gold), scored(0.9)),
            ("b", entry("real", Class::Silver), scored(0.1)),
            ("c", entry("nobeat", Class::None), judged(Outcome::Beatless(4.0))),
            ("d", entry("unannot", Class::None), judged(Outcome::Unknown)),
        ];
        let out = beat_tables(&files);
        assert!(row(&out, "all").contains(" 1  0.900") && row(&out, "real").contains(" 1  0.100"), "{out}");
        assert!(out.contains("without a beat: 4.0") && out.contains("1 files have unknown beats"), "{out}");
        let worst = out.split("the worst").nth(1).unwrap();
        assert!(worst.find("  b ") < worst.find("  a "), "{out}");
    }

    #[test]
    fn onsets_count_where_they_are_known_whatever_is_known_of_the_beats() {
        let judged =
            |f| Judged { beats: Outcome::Unknown, onsets: Some(OnsetScore { f, ..OnsetScore::default() }) };
        let files = [
            ("a", entry("drums", Class::Gold), judged(0.9)),
            ("b", entry("synth", Class::None), judged(0.5)),
            ("c", entry("synth", Class::Gold), Judged { beats: Outcome::Unknown, onsets: None }),
        ];
        let out = onset_table(&files);
        assert!(row(&out, "all").contains(" 2  0.700") && row(&out, "synth").contains(" 1  0.500"), "{out}");
        let worst = out.split("the worst").nth(1).unwrap();
        assert!(worst.find("  b ") < worst.find("  a ") && !worst.contains("  c "), "{out}");
    }

    #[test]
    fn results_are_written_in_the_documented_forms() {
        let mut chroma = [0.0; 12];
        chroma[9] = 0.75;
        let (level, spectrum, silent) = (0.5, [0.0; k1_engine::audio::BINS], false);
        let heard = Heard {
            onsets: vec![Onset { t: 1.004, at: 1.024 }],
            moments: vec![Moment { at: 0.096, silent, level, spectrum, chroma }],
            ..Heard::default()
        };
        assert_eq!(lines(&heard), "{\"t\":1.0040,\"at\":1.0240,\"kind\":\"onset\"}\n");
        let line = chroma_lines(&heard);
        let numbers: Vec<f32> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[10]), (13, 0.096, 0.75));
    }
}
