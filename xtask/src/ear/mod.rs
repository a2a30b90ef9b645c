//! Scores the ear: on the synthetic pieces of `k1-sim`, against recorded figures, and on annotated corpora.

mod bands;
mod calibration;
mod continuity;
mod corpus;
mod degraded;
mod excerpt;
mod guard;
mod inputs;
mod levels;
mod likeness;
mod listen;
mod lock;
mod matching;
mod onsets;
mod parallel;
mod peers;
mod running;
mod score;
mod table;
mod wav;

use std::path::Path;

use k1_engine::SAMPLE_RATE;
use k1_sim::music::{BEATLESS, PIECES};

pub use guard::Recorded;
use guard::{Figures, Measured};
use score::{Truth, false_beats};
use table::{COLUMNS, Summary, number};

/// Scores the synthetic pieces. Fails if one has become worse than recorded in `budgets.toml`; with `record`, records the
/// present figures there instead.
pub fn pieces(record: bool) -> Result<(), String> {
    let heard_of = parallel::parallel_map(&PIECES, |(name, play)| {
        let piece = play();
        let seconds = piece.samples.len() as f64 / f64::from(SAMPLE_RATE);
        let heard = listen::listen(&piece.samples);
        let onsets = bands::Onsets::of(&piece.notes, &heard);
        let truth = Truth {
            beats: piece.beats,
            downbeats: Vec::new(),
            changes: piece.changes,
            steady: piece.steady,
            seconds,
        };
        ((*name, score::score(&truth, &heard)), onsets)
    });
    let (scored, onsets): (Vec<_>, Vec<_>) = heard_of.into_iter().unzip();
    let beatless = parallel::parallel_map(&BEATLESS, |(name, play)| {
        let samples = play().samples;
        let a_minute = false_beats(&listen::listen(&samples), samples.len() as f64 / f64::from(SAMPLE_RATE));
        (*name, (10.0 * a_minute).round() / 10.0)
    });
    println!("{:<18}{COLUMNS}", "");
    for (name, score) in &scored {
        println!("{name:<18}{}", Summary::of(&[score]).row());
    }
    println!("{:<18}{}", "together", Summary::of(&scored.iter().map(|(_, s)| s).collect::<Vec<_>>()).row());
    println!("\nbeats a minute without a beat");
    for (name, a_minute) in &beatless {
        println!("  {name:<16}{}", number(Some(*a_minute), 6, 1));
    }
    println!("\n{}", bands::table(&onsets));

    let measured =
        Measured { pieces: scored.iter().map(|(name, s)| (*name, Figures::from(s))).collect(), beatless };
    let path = crate::root().join("budgets.toml");
    if record {
        let text = std::fs::read_to_string(&path).map_err(|e| format!("budgets.toml: {e}"))?;
        let text = guard::recorded_anew(&text, &measured)?;
        return std::fs::write(&path, text).map_err(|e| format!("budgets.toml: {e}"));
    }
    let worse = guard::worse(&crate::read_budgets()?.ear, &measured);
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the ear is worse than recorded:\n  {}\nIf this is intended, `cargo xtask ear --record` records it.",
        worse.join("\n  ")
    ))
}

/// Scores a corpus: see [`corpus::run`].
pub fn corpus(folder: &str, events: Option<&str>) -> Result<(), String> {
    corpus::run(Path::new(folder), events.map(Path::new))
}

/// Scores other trackers over a corpus: see [`peers::run`].
pub fn peers(folder: &str, told: &str) -> Result<(), String> {
    peers::run(Path::new(folder), Path::new(told))
}

/// Scores a corpus with microphone faults: see [`degraded::run`].
pub fn degraded(folder: &str) -> Result<(), String> {
    degraded::run(Path::new(folder))
}

/// Writes the network's input of every file of a corpus: see [`inputs::run`].
pub fn inputs(folder: &str, out: &str) -> Result<(), String> {
    inputs::run(Path::new(folder), Path::new(out))
}
