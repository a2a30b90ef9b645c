//! The record of an examination: what was measured, and the verdict on each criterion.

use std::collections::BTreeMap;

use k1_device::answers::{BootLine, BootLog, SelfTest};
use k1_host::console::Text;
use serde::Serialize;

use super::light;
use super::presence::HostSecond;
use super::transcript::Second;
use super::verdict::{Row, Verdict};
use crate::lamps::figures::{FIGURES, Reading};

/// The program that made a record.
#[derive(Debug, Serialize)]
pub struct Program {
    /// Version of `k1`.
    pub version: &'static str,
    /// Operating system, such as `linux`.
    pub system: &'static str,
    /// Architecture, such as `x86_64`.
    pub architecture: &'static str,
}

impl Program {
    /// This program.
    pub const fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
        }
    }
}

/// Smallest, mean and largest value of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Smallest value.
    pub least: f64,
    /// Mean value.
    pub mean: f64,
    /// Largest value.
    pub most: f64,
}

/// The spread of every figure that was measured.
pub fn spreads<'a>(readings: impl Iterator<Item = &'a Reading> + Clone) -> BTreeMap<&'static str, Spread> {
    let spread = |id| {
        let all: Vec<f64> = readings.clone().filter_map(|r| r.get(id)).collect();
        let least = all.iter().copied().reduce(f64::min)?;
        let most = all.iter().copied().reduce(f64::max)?;
        Some((id, Spread { least, mean: all.iter().sum::<f64>() / all.len() as f64, most }))
    };
    FIGURES.iter().filter_map(|figure| spread(figure.id)).collect()
}

/// The chip on a cable.
#[derive(Debug, Serialize)]
pub struct ChipFacts {
    /// Kind of chip, such as `esp32s3`.
    pub kind: String,
    /// Revision, such as `0.2`; `None` if it cannot be read.
    pub revision: Option<String>,
    /// Size of its flash in bytes; `None` if it does not report it.
    pub flash_bytes: Option<u32>,
}

/// The record of an examination by cable, to be attached to a report.
#[derive(Debug, Serialize)]
pub struct CableRecord {
    /// The program that made it.
    pub program: Program,
    /// The chip.
    pub chip: ChipFacts,
    /// What the chip's flash holds: board, slot, version, hash, state of the image, trusted keys.
    pub flash: serde_json::Value,
    /// Time of the beginning, in seconds since 1970.
    pub began: u64,
    /// Duration in seconds.
    pub length_s: f64,
    /// True if every criterion holds.
    pub passed: bool,
    /// The criteria with their verdicts.
    pub rows: Vec<Row>,
    /// Number of starts of the firmware.
    pub starts: usize,
    /// Smallest, mean and largest value of every figure.
    pub figures: BTreeMap<&'static str, Spread>,
    /// All lines of the console except figures. Token, password and name of the network are left out.
    pub console: Vec<BootLine>,
    /// Number of further lines that were not kept.
    pub console_left_out: usize,
    /// The figures of each second.
    pub seconds: Vec<Second>,
}

/// The record of an examination, for the archive.
#[derive(Debug, Serialize)]
pub struct Record {
    /// The program that made it.
    pub program: Program,
    /// Name of the lamp.
    pub lamp: String,
    /// Address of its page.
    pub address: String,
    /// Board of the lamp.
    pub board: String,
    /// Version of its firmware.
    pub version: String,
    /// First bytes of the firmware's SHA-256, in hex.
    pub hash: Option<String>,
    /// The running slot.
    pub slot: Option<String>,
    /// Time of the beginning, in seconds since 1970.
    pub began: u64,
    /// Duration in seconds; by the lamp's own clock if the lamp is steady.
    pub length_s: f64,
    /// True for a virtual lamp whose clock counts instructions and does not follow this machine's clock.
    pub steady: bool,
    /// True if every criterion holds.
    pub passed: bool,
    /// The criteria with their verdicts.
    pub rows: Vec<Row>,
    /// The first lines of the lamp's console, and its errors.
    pub boot_log: BootLog,
    /// Smallest, mean and largest value of every figure.
    pub figures: BTreeMap<&'static str, Spread>,
    /// What this machine did in each second; only for a lamp that it emulates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Vec<HostSecond>>,
    /// Light with music and in silence.
    pub light: Option<Vec<light::Answer>>,
    /// The self-tests.
    pub reads: Vec<SelfTest>,
    /// Result of the rollback, if one was asked for.
    pub rolled_back: Option<String>,
}

/// The record as text.
pub fn table(record: &Record) -> Text {
    let mut text = Text::default();
    let Record { lamp, board, version, length_s, .. } = record;
    text.line(format_args!("{lamp} ({board}, {version}, {length_s:.0} s)"));
    text.line("");
    if record.steady {
        text.line("Its clock counts its instructions and does not follow this machine's.");
        text.line("");
    }
    lines(&mut text, &record.rows, record.passed);
    text
}

/// The record of an examination by cable as text.
pub fn cable_table(record: &CableRecord) -> Text {
    let mut text = Text::default();
    let CableRecord { chip, length_s, .. } = record;
    let revision = chip.revision.as_deref().unwrap_or("unknown");
    text.line(format_args!("{} (revision {revision}, {length_s:.0} s by cable)", chip.kind));
    text.line("");
    lines(&mut text, &record.rows, record.passed);
    text
}

fn lines(text: &mut Text, rows: &[Row], passed: bool) {
    for r in rows {
        let mark = match r.verdict {
            Verdict::Passed => "ok     ",
            Verdict::Failed => "FAILED ",
            Verdict::NotMeasured => "UNKNOWN",
        };
        text.line(format_args!("{mark}  {}", r.criterion));
        text.line(format_args!("         {}", r.measured));
    }
    text.line("");
    text.line(if passed { "All criteria hold." } else { "Not all criteria hold." });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_figures_that_were_measured() {
        let reading = |fps: f64| {
            let mut reading = Reading::default();
            reading.take([("fps", fps), ("unheard_of", 1.0)]);
            reading
        };
        let all = [reading(3.0), reading(1.0), reading(5.0), Reading::default()];
        let spreads = spreads(all.iter());
        assert_eq!(spreads.len(), 1);
        assert_eq!(spreads["fps"], Spread { least: 1.0, mean: 3.0, most: 5.0 });
    }
}
