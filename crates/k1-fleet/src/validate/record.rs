//! The record of an examination: what was measured, and what became of each criterion.

use k1_device::answers::SelfTest;
use k1_host::console::Text;
use serde::Serialize;

use super::light;
use super::presence::HostSecond;
use super::verdict::{Row, Verdict};

/// What was measured and what became of it, for the archive.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Its name.
    pub lamp: String,
    /// Where it is.
    pub address: String,
    /// Its board.
    pub board: String,
    /// Version of its firmware.
    pub version: String,
    /// First bytes of the firmware's SHA-256, in hex.
    pub hash: Option<String>,
    /// The slot that runs.
    pub slot: Option<String>,
    /// Seconds since 1970.
    pub began: u64,
    /// Seconds, of the lamp's own clock if that is steady.
    pub length_s: f64,
    /// True of a virtual lamp whose clock counts instructions and does not follow that of this machine.
    pub steady: bool,
    /// True if every criterion holds.
    pub passed: bool,
    /// The criteria.
    pub rows: Vec<Row>,
    /// What this machine did in each second; only of a lamp that it emulates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Vec<HostSecond>>,
    /// Light under music and in silence.
    pub light: Option<Vec<light::Answer>>,
    /// The self-tests.
    pub reads: Vec<SelfTest>,
    /// What became of the way back, if it was asked for.
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
    for r in &record.rows {
        let mark = match r.verdict {
            Verdict::Passed => "ok     ",
            Verdict::Failed => "FAILED ",
            Verdict::NotMeasured => "UNKNOWN",
        };
        text.line(format_args!("{mark}  {}", r.criterion));
        text.line(format_args!("         {}", r.measured));
    }
    text.line("");
    text.line(if record.passed { "It holds." } else { "It does not hold." });
    text
}
