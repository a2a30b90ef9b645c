//! The record of an examination: what was measured, and the verdict on each criterion.

use k1_device::answers::SelfTest;
use k1_host::console::Text;
use serde::Serialize;

use super::light;
use super::presence::HostSecond;
use super::verdict::{Row, Verdict};

/// The record of an examination, for the archive.
#[derive(Debug, Serialize)]
pub struct Record {
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
    text.line(if record.passed { "All criteria hold." } else { "Not all criteria hold." });
    text
}
