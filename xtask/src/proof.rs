//! Asks an emulated machine about the engine, and compares what it counted with the budget.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::said;

/// Frames per second of every question.
pub const FPS: u32 = 120;

/// A question to a program that uses `k1_emulated::proof`.
pub struct Question<'a> {
    /// Its number.
    pub number: u32,
    /// The music, at 16 kHz.
    pub music: &'a [f32],
    /// The pattern, for questions about one.
    pub pattern: u32,
    /// The addresses of the question and of the music.
    pub at: [usize; 2],
}

impl Question<'_> {
    /// Runs the emulator with this question; returns the lines of the answer. `folder` holds the question's files, and
    /// the emulator runs in it.
    ///
    /// # Errors
    /// A sentence, if a file cannot be written, the emulator cannot be run, or the program fails.
    pub fn ask<T: DeserializeOwned>(&self, emulator: &mut Command, folder: &Path) -> Result<Vec<T>, String> {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut load = |name: &str, bytes: Vec<u8>, at: usize| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
            emulator.args(["-device", &format!("loader,file={name},addr={at:#x},force-raw=on")]);
            Ok::<_, String>(())
        };
        let words =
            [self.number, self.music.len() as u32, FPS, self.pattern, k1_emulated::proof::LEDS as u32];
        load("question", words.iter().flat_map(|w| w.to_le_bytes()).collect(), self.at[0])?;
        load("music", self.music.iter().flat_map(|s| s.to_le_bytes()).collect(), self.at[1])?;
        emulator.args(["-m", "64M", "-display", "none", "-monitor", "none"]).current_dir(folder);
        let answer = said(emulator)?;
        answer.lines().map(|line| serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))).collect()
    }
}

/// The cost of a kind of work.
#[derive(Debug, Deserialize)]
pub struct Line {
    name: String,
    mean: u64,
    worst: u64,
    stack: u64,
    rounds: u64,
}

/// Prints the answer, and compares it with limits and recorded values.
///
/// # Errors
/// A sentence, if something is over its limit, costs too much more than was recorded, or is not there.
pub fn hold(answer: &[Line], table: &BTreeMap<String, u64>, tolerance_percent: f64) -> Result<(), String> {
    let mut wrong = Vec::new();
    for Line { name, mean, worst, stack, rounds } in answer {
        let kind = name.rsplit('/').next().filter(|k| ["hop", "fade"].contains(k)).unwrap_or("frame");
        let most = |what: &str| table.get(what).copied();
        let max = most(&format!("{kind}_max")).ok_or_else(|| format!("budgets.toml has no {kind}_max"))?;
        let stack_max = most(if kind == "hop" { "hear_stack_max" } else { "show_stack_max" });
        let recorded = most(name);
        let of_record =
            recorded.map_or("not recorded".into(), |r| format!("recorded {r} ({:+.1} %)", change(*worst, r)));
        let of_stack = stack_max.map_or(String::new(), |m| format!(" (at most {m})"));
        println!(
            "{name:<20} {mean:>8} mean, {worst:>8} worst instructions (at most {max}), {of_record}; {stack} B of \
             stack{of_stack}; {rounds} times"
        );
        if *rounds == 0 {
            wrong.push(format!("{name} did not run"));
        }
        if *worst > max {
            wrong.push(format!("{name} costs {worst} instructions of {max}"));
        }
        if recorded.is_none_or(|r| change(*worst, r) > tolerance_percent) {
            wrong.push(format!("{name} costs {worst} instructions: {of_record}"));
        }
        if stack_max.is_some_and(|m| *stack > m) {
            wrong.push(format!("{name} needs {stack} B of stack"));
        }
    }
    wrong.extend(
        table
            .keys()
            .filter(|k| !k.ends_with("_max") && answer.iter().all(|l| l.name != **k))
            .map(|k| format!("{k} is recorded, and was not counted")),
    );
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn change(now: u64, recorded: u64) -> f64 {
    100.0 * (now as f64 / recorded as f64 - 1.0)
}

/// Ten seconds of simple music, the same every time: a beat at 120 BPM over a chord, with noise.
pub fn simple_music() -> Vec<f32> {
    (0..160_000_u32)
        .map(|i| {
            let t = f64::from(i) / 16_000.0;
            let beat = (t * 2.0).fract() / 2.0;
            let x = i.wrapping_mul(2_654_435_761);
            let noise = f64::from(x ^ (x >> 15)) / 2_147_483_648.0 - 1.0;
            let kick = 0.5 * (t * 345.0).sin() * (-beat * 20.0).exp();
            let chord = 0.1 * ((t * 1_382.0).sin() + (t * 1_742.0).sin() + (t * 2_073.0).sin());
            (kick + chord + 0.2 * noise * (-beat * 40.0).exp()) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, worst: u64, stack: u64) -> Line {
        Line { name: name.into(), mean: worst, worst, stack, rounds: 1 }
    }

    fn table(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
        let limits = [("hop_max", 1_000), ("frame_max", 500), ("fade_max", 900), ("show_stack_max", 64)];
        limits.iter().chain(entries).map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn each_excess_is_an_error() {
        let recorded = table(&[("hop", 900), ("frame/lava", 400), ("music/fade", 800)]);
        let within = || vec![line("hop", 910, 99), line("frame/lava", 390, 64), line("music/fade", 800, 9)];
        assert_eq!(hold(&within(), &recorded, 5.0), Ok(()));
        let with = |i: usize, line: Line| {
            let mut lines = within();
            lines[i] = line;
            hold(&lines, &recorded, 5.0).unwrap_err()
        };
        assert_eq!(with(0, line("hop", 950, 9)), "hop costs 950 instructions: recorded 900 (+5.6 %)");
        assert!(with(1, line("frame/lava", 501, 9)).starts_with("frame/lava costs 501 instructions of 500"));
        assert_eq!(with(1, line("frame/lava", 400, 68)), "frame/lava needs 68 B of stack");
        assert!(with(2, line("music/fade", 901, 9)).starts_with("music/fade costs 901 instructions of 900"));
        assert!(with(2, line("other", 1, 9)).contains("other costs 1 instructions: not recorded"));
        assert!(with(2, line("other", 1, 9)).ends_with("music/fade is recorded, and was not counted"));
        let idle = Line { rounds: 0, ..line("hop", 0, 0) };
        assert_eq!(with(0, idle), "hop did not run");
    }
}
