//! Other trackers, scored like the ear, from what `xtask/peers/beats.py` recorded over a corpus.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use super::excerpt::{Class, Entry, Excerpt, Outcome, ids};
use super::listen::{Beat, Heard, Tempo};
use super::parallel::parallel_map;
use super::running::median;
use super::score::Score;
use super::table::{COLUMNS, Summary, mean, number};

/// A tool without tempi gets the tempo of this many beats: the last announced ones or, if it hears the whole file
/// first, half of them before and half after.
const TEMPO_BEATS: usize = 6;
/// With fewer beats than this there is no tempo.
const TEMPO_BEATS_LEAST: usize = 3;

/// A line of `ID.jsonl`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    /// A beat at `t` s, announced when `at` s had been heard.
    Beat { t: f64, at: Option<f64> },
    /// A tempo from `t` on; 0 = none.
    Tempo { t: f64, bpm: f64 },
    #[serde(other)]
    Another,
}

/// The content of `cost.json`.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Cost {
    processor_s: f64,
    sound_s: f64,
}

/// The results of a tool for one excerpt.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    heard: Heard,
    /// Whether each beat states when it was announced.
    is_causal: bool,
}

/// The scores of one tool over all excerpts.
#[derive(Default)]
struct Row {
    gold: Vec<Score>,
    kinds: BTreeMap<String, Vec<f64>>,
    beatless: Vec<f64>,
    is_causal: bool,
}

/// Scores every tool that has a folder in `folder`. Prints a row for each, and the F-measures by kind of music.
///
/// # Errors
///
/// Fails if a tool has not heard the whole corpus, because missing results would count as not found.
pub fn run(corpus: &Path, folder: &Path) -> Result<(), String> {
    let ids = ids(corpus)?;
    let tools = tools(folder)?;
    let results = parallel_map(&ids, |id| {
        let excerpt = Excerpt::read(corpus, id)?;
        let judge = |tool: &String| {
            let told = told(&folder.join(tool).join(format!("{id}.jsonl")))?;
            Ok((told.is_causal, excerpt.judge(&told.heard).beats))
        };
        let outcomes: Vec<_> = tools.iter().map(judge).collect::<Result<_, String>>()?;
        Ok::<_, String>((excerpt.entry, outcomes))
    });
    let mut rows: Vec<Row> = tools.iter().map(|_| Row { is_causal: true, ..Row::default() }).collect();
    for result in results {
        let (entry, outcomes) = result?;
        for (row, (is_causal, outcome)) in rows.iter_mut().zip(outcomes) {
            row.take(&entry, is_causal, outcome);
        }
    }
    println!("{:<15}causal {COLUMNS}  beats/min without a beat  CPU s per s", "");
    for (tool, row) in tools.iter().zip(&rows) {
        println!("{tool:<15}{}", row.line(cost(folder, tool)?));
    }
    print!("\n{}", kinds_table(&tools, &rows));
    Ok(())
}

/// Names of the folders in `folder`, sorted.
fn tools(folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let folders = entries.filter_map(Result::ok).filter(|e| e.path().is_dir());
    let names: BTreeSet<String> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
    if names.is_empty() {
        return Err(format!(
            "{}: it contains no folder of a tool; xtask/peers/beats.py makes them",
            folder.display()
        ));
    }
    Ok(names.into_iter().collect())
}

fn told(path: &Path) -> Result<Told, String> {
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            format!("{} is missing: the tool has not heard all of the corpus", path.display())
        }
        _ => format!("{}: {e}", path.display()),
    })?;
    understood(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn understood(text: &str) -> Result<Told, String> {
    let mut told = Told { is_causal: true, ..Told::default() };
    for (k, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line).map_err(|e| format!("line {}: {e}", k + 1))? {
            Line::Beat { t, at } => {
                told.is_causal &= at.is_some();
                told.heard.beats.push(Beat {
                    t,
                    at: at.unwrap_or(t),
                    confidence: None,
                    position: None,
                    bar: None,
                });
            }
            Line::Tempo { t, bpm } if bpm > 0.0 => told.heard.tempi.push(Tempo { at: t, bpm }),
            Line::Tempo { .. } | Line::Another => {}
        }
    }
    told.heard.tempi.sort_by(|a, b| a.at.total_cmp(&b.at));
    if told.heard.tempi.is_empty() {
        told.heard.tempi = tempi_of(&told.heard.beats, told.is_causal);
    }
    Ok(told)
}

/// For each beat, the tempo of the beats around it or, if causal, of those before it.
fn tempi_of(beats: &[Beat], is_causal: bool) -> Vec<Tempo> {
    let mut beats = beats.to_vec();
    beats.sort_by(|a, b| a.t.total_cmp(&b.t));
    let ahead = if is_causal { 0 } else { TEMPO_BEATS / 2 };
    let of = |k: usize| {
        let end = k + 1 + ahead;
        let near = &beats[end.saturating_sub(TEMPO_BEATS)..end.min(beats.len())];
        let seconds = (near.len() >= TEMPO_BEATS_LEAST)
            .then(|| median(near.windows(2).map(|pair| pair[1].t - pair[0].t).collect()))??;
        (seconds > 0.0).then(|| Tempo { at: beats[k].at, bpm: 60.0 / seconds })
    };
    (0..beats.len()).filter_map(of).collect()
}

fn cost(folder: &Path, tool: &str) -> Result<Option<f64>, String> {
    let path = folder.join(tool).join("cost.json");
    match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{}: {e}", path.display())),
        Ok(text) => {
            let cost: Cost = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(Some(cost.processor_s / cost.sound_s))
        }
    }
}

impl Row {
    fn take(&mut self, entry: &Entry, is_causal: bool, outcome: Outcome) {
        self.is_causal &= is_causal;
        match outcome {
            Outcome::Scored(score) => {
                self.kinds.entry(entry.group.clone()).or_default().push(score.f);
                if entry.cls == Class::Gold {
                    self.gold.push(score);
                }
            }
            Outcome::Beatless(a_minute) => self.beatless.push(a_minute),
            Outcome::Unknown => {}
        }
    }

    fn line(&self, cost: Option<f64>) -> String {
        let mut all = Summary::of(&self.gold.iter().collect::<Vec<_>>());
        if !self.is_causal {
            all = all.never_announced();
        }
        let causal = if self.is_causal { "yes" } else { "no" };
        let (beatless, cost) = (number(mean(&self.beatless), 24, 0), number(cost, 11, 4));
        format!("{causal:<6} {}  {beatless}  {cost}", all.row())
    }
}

/// Mean F-measure of each tool for each kind of music.
fn kinds_table(tools: &[String], rows: &[Row]) -> String {
    let kinds: BTreeSet<&String> = rows.iter().flat_map(|row| row.kinds.keys()).collect();
    let mut out = format!("{:<15}", "F");
    kinds.iter().for_each(|kind| {
        let _ = write!(out, "{kind:>8}");
    });
    for (tool, row) in tools.iter().zip(rows) {
        let _ = write!(out, "\n{tool:<15}");
        for kind in &kinds {
            out.push_str(&number(row.kinds.get(*kind).and_then(|f| mean(f)), 8, 3));
        }
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLICKS: [f64; 5] = [6.0, 6.5, 7.0, 7.5, 8.5];

    fn lines(of: impl Fn(f64) -> String) -> String {
        CLICKS.map(of).concat()
    }

    #[test]
    fn tools_without_announcement_times_are_not_causal_and_have_no_latency() {
        let told = understood(&lines(|t| format!("{{\"t\":{t},\"at\":{},\"kind\":\"beat\"}}\n", t + 0.02)));
        let told = told.unwrap();
        assert!(
            told.is_causal
                && told.heard.beats[1]
                    == Beat { t: 6.5, at: 6.52, confidence: None, position: None, bar: None },
            "{told:?}"
        );
        // From the third beat on, from the beats before.
        let tempi = &told.heard.tempi;
        assert_eq!((tempi.len(), tempi[0]), (3, Tempo { at: 7.02, bpm: 120.0 }));
        let told = understood(&lines(|t| format!("{{\"t\":{t},\"kind\":\"beat\"}}\n"))).unwrap();
        assert!(!told.is_causal && told.heard.tempi.len() == 5, "{told:?}");
        let score = Score { f: 0.5, announced: 0.5, latency_ms: Some(0.0), ..Score::default() };
        let row = |is_causal| Row { gold: vec![score.clone()], is_causal, ..Row::default() }.line(None);
        assert!(row(true).starts_with("yes") && row(true).matches("0.500").count() == 2, "{}", row(true));
        assert!(row(false).starts_with("no") && row(false).matches("0.500").count() == 1, "{}", row(false));
    }

    #[test]
    fn a_tools_own_tempo_counts_and_0_means_none() {
        let text = "{\"t\":9,\"kind\":\"tempo\",\"bpm\":90}\n\n{\"t\":3,\"kind\":\"tempo\",\"bpm\":0}\n\
                    {\"t\":3.5,\"at\":3.6,\"kind\":\"onset\"}\n{\"t\":2,\"kind\":\"tempo\",\"bpm\":120}\n";
        let told = understood(text).unwrap();
        assert_eq!(told.heard.tempi, [Tempo { at: 2.0, bpm: 120.0 }, Tempo { at: 9.0, bpm: 90.0 }]);
        assert!(told.heard.beats.is_empty() && told.is_causal);
    }

    #[test]
    fn bad_lines_are_named_and_missing_results_are_errors() {
        assert!(understood("{\"t\":1,\"kind\":\"beat\"}\n1.5\n").unwrap_err().starts_with("line 2"));
        let without_folders = Path::new("src/ear");
        assert!(tools(without_folders).unwrap_err().contains("beats.py"));
        assert!(told(&without_folders.join("a.jsonl")).unwrap_err().contains("has not heard all"));
        assert_eq!(cost(without_folders, "nobody"), Ok(None));
    }
}
