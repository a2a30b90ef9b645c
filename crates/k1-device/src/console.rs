//! The lines of a lamp's console: the lamp writes them, and a program that has only a cable to the lamp reads them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::answers::{BootLine, BootLog, Device, Heard, Vitals};

/// The beginnings of the lines that a start prints, in their order. A line is printed only when it has become true.
pub const BOOT_ORDER: [&str; 6] = [
    "[BOOT] K1 ",
    "[AUDIO SYNC] Initialized successfully",
    "[GPU TASK] Running on Core ",
    "[AUDIO TASK] Running on Core ",
    "[FPS] ",
    "[LATENCY] ",
];
/// Prefix of the line that reports the lowest bit that changes in the microphone's words.
pub const LOWEST_BIT: &str = "[AUDIO] the microphone's words change from bit 31 to bit ";
/// Prefix of a line that reports an error.
pub const ERROR: &str = "[ERROR] ";
/// Number of lines that a boot log keeps.
const MOST_LINES: usize = 20;
/// Number of bytes of a line that a boot log keeps.
const LONGEST_LINE: usize = 200;

impl BootLog {
    /// A log without lines.
    pub const fn new() -> Self {
        Self { lines: Vec::new(), error_lines: Some(0), last_error: None }
    }

    /// Keeps a line if it is one of the first, and counts it if it reports an error.
    pub fn note(&mut self, at_ms: u32, line: &str) {
        let end = (0..=LONGEST_LINE.min(line.len())).rev().find(|i| line.is_char_boundary(*i)).unwrap_or(0);
        let text = &line[..end];
        if let Some(said) = text.strip_prefix(ERROR) {
            self.error_lines = Some(self.error_lines.unwrap_or(0).saturating_add(1));
            self.last_error = Some(said.into());
        }
        if self.lines.len() < MOST_LINES {
            self.lines.push(BootLine { at_ms, text: text.into() });
        }
    }
}

/// `[FPS]`: the light of the last second.
#[derive(Clone, Copy, Debug)]
pub struct FpsLine<'a>(pub &'a Vitals);

impl fmt::Display for FpsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "[FPS] {:.1} mean of {:.1}, {:.1} p1, jitter {:.2} ms p99, longest {:.1} ms, render {:.0} us, {} late",
            v.fps, v.fps_target, v.fps_p1, v.jitter_ms, v.longest_gap_ms, v.render_us, v.late_frames
        )
    }
}

/// `[LATENCY]`: the sound of the last second, and its hand-off to the renderer.
#[derive(Clone, Copy, Debug)]
pub struct LatencyLine<'a>(pub &'a Vitals, pub &'a Heard);

impl fmt::Display for LatencyLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self(v, heard) = self;
        write!(
            f,
            "[LATENCY] snapshot age {:.1} ms median, {:.1} p99; hop {:.0} us, {:.1}/s; {} retries, {} torn, {} overruns; \
             {:.0} dBFS, {:.1} BPM, {} beats to the bar",
            v.age_ms,
            v.age_p99_ms,
            v.hop_us,
            v.hop_rate,
            v.handoff_retries,
            v.torn,
            v.overruns,
            heard.rms_db,
            heard.bpm,
            heard.beats_per_bar
        )
    }
}

/// `[MEMORY]`: heap, stacks, and the temperature and signal strength that the chip can measure.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLine<'a>(pub &'a Device<'a>);

impl fmt::Display for MemoryLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let d = self.0;
        f.write_str("[MEMORY]")?;
        if let Some(h) = d.heap {
            write!(f, " heap {} B free, {} least", h.free, h.least_free)?;
        }
        for (name, stack) in [("render", d.render_stack), ("audio", d.audio_stack)] {
            if let Some(s) = stack {
                write!(f, "; {name} stack {} B untouched", s.headroom)?;
            }
        }
        if let Some(t) = d.temperature_c {
            write!(f, "; {t:.1} C")?;
        }
        match d.rssi_dbm {
            Some(dbm) => write!(f, "; {dbm} dBm"),
            None => Ok(()),
        }
    }
}

/// Content of a line of the console.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Figures, under the names that the answers use.
    Figures(Vec<(&'static str, f64)>),
    /// An error.
    Error(String),
}

/// A figure in a line: its name, the text before it and the text after it.
type Mark = (&'static str, &'static str, &'static str);

const FPS_MARKS: [Mark; 7] = [
    ("fps", "[FPS] ", " mean"),
    ("fps_target", "mean of ", ","),
    ("fps_p1", ", ", " p1"),
    ("jitter_ms", "jitter ", " ms"),
    ("longest_gap_ms", "longest ", " ms"),
    ("render_us", "render ", " us"),
    ("late_frames", "us, ", " late"),
];
const LATENCY_MARKS: [Mark; 10] = [
    ("age_ms", "age ", " ms"),
    ("age_p99_ms", "median, ", " p99"),
    ("hop_us", "hop ", " us"),
    ("hop_rate", "us, ", "/s"),
    ("handoff_retries", "; ", " retries"),
    ("torn", "retries, ", " torn"),
    ("overruns", "torn, ", " overruns"),
    ("rms_db", "; ", " dBFS"),
    ("bpm", "dBFS, ", " BPM"),
    ("beats_per_bar", "BPM, ", " beats to the bar"),
];
const MEMORY_MARKS: [Mark; 6] = [
    ("heap_free", "heap ", " B free"),
    ("heap_least_free", "free, ", " least"),
    ("render_stack", "render stack ", " B"),
    ("audio_stack", "audio stack ", " B"),
    ("temperature_c", "; ", " C"),
    ("rssi_dbm", "; ", " dBm"),
];

/// Reads a line; `None` if it has no figures.
pub fn read(line: &str) -> Option<Said> {
    let line = line.trim_end();
    if let Some(said) = line.strip_prefix(ERROR) {
        return Some(Said::Error(said.to_string()));
    }
    let marks: &[Mark] = match line.split_once(']')?.0 {
        "[FPS" => &FPS_MARKS,
        "[LATENCY" => &LATENCY_MARKS,
        "[MEMORY" => &MEMORY_MARKS,
        _ => return None,
    };
    let number = |(name, before, behind): &Mark| {
        // The text after a figure is unique in its line; the text before it is not.
        let end = line.match_indices(behind).find_map(|(end, _)| {
            let (_, figure) = line[..end].rsplit_once(before)?;
            figure.parse::<f64>().ok()
        })?;
        Some((*name, end))
    };
    Some(Said::Figures(marks.iter().filter_map(number).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::{Heap, Stack};
    use k1_engine::audio::Snapshot;
    use proptest::prelude::*;

    fn figures(line: &str) -> Vec<(&'static str, f64)> {
        match read(line) {
            Some(Said::Figures(figures)) => figures,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_the_lamp_writes_is_read() {
        let v = Vitals {
            fps: 175.9,
            fps_target: 175.4,
            fps_p1: 160.25,
            jitter_ms: 0.12,
            longest_gap_ms: 6.25,
            render_us: 800.0,
            late_frames: 3,
            age_ms: 8.5,
            age_p99_ms: 12.0,
            hop_us: 410.0,
            hop_rate: 125.0,
            handoff_retries: 7,
            torn: 1,
            overruns: 2,
            ..Vitals::default()
        };
        let heard = Heard::from(&Snapshot {
            rms_db: -32.0,
            bpm: 120.5,
            confidence: 0.8,
            beats_per_bar: 3,
            ..Snapshot::EMPTY
        });
        let fps = figures(&FpsLine(&v).to_string());
        let of = |list: &[(&str, f64)], name: &str| list.iter().find(|(n, _)| *n == name).map(|(_, x)| *x);
        for (name, x) in [
            ("fps", 175.9),
            ("fps_target", 175.4),
            ("fps_p1", 160.2),
            ("jitter_ms", 0.12),
            ("longest_gap_ms", 6.2),
            ("render_us", 800.0),
            ("late_frames", 3.0),
        ] {
            assert_eq!(of(&fps, name), Some(x), "{name}");
        }
        let latency = figures(&alloc::format!("{}\r\n", LatencyLine(&v, &heard)));
        for (name, x) in [
            ("age_ms", 8.5),
            ("age_p99_ms", 12.0),
            ("hop_us", 410.0),
            ("hop_rate", 125.0),
            ("handoff_retries", 7.0),
            ("torn", 1.0),
            ("overruns", 2.0),
            ("rms_db", -32.0),
            ("bpm", 120.5),
            ("beats_per_bar", 3.0),
        ] {
            assert_eq!(of(&latency, name), Some(x), "{name}");
        }
        let device = Device {
            heap: Some(Heap { size: 9, free: 5_000, least_free: 4_000 }),
            render_stack: Some(Stack { size: 1, headroom: 6_112 }),
            audio_stack: Some(Stack { size: 1, headroom: 7_852 }),
            temperature_c: Some(41.5),
            rssi_dbm: Some(-61),
            ..Device::default()
        };
        let memory = figures(&MemoryLine(&device).to_string());
        let all = [5_000.0, 4_000.0, 6_112.0, 7_852.0, 41.5, -61.0];
        assert_eq!(memory.iter().map(|(_, x)| *x).collect::<Vec<_>>(), all);
        assert_eq!(figures(&MemoryLine(&Device::default()).to_string()), []);
        assert_eq!(read("[ERROR] torn"), Some(Said::Error("torn".into())));
        assert_eq!(read("[NET] address 10.0.2.15"), None);
    }

    #[test]
    fn a_boot_log_keeps_the_first_lines_and_counts_every_error() {
        let mut log = BootLog::new();
        for i in 0..100 {
            log.note(i, &alloc::format!("{ERROR}number {i} {}", "é".repeat(200)));
        }
        assert_eq!((log.lines.len(), log.error_lines), (MOST_LINES, Some(100)));
        assert!(log.last_error.unwrap().starts_with("number 99"));
        assert!(log.lines.iter().all(|l| l.text.len() <= LONGEST_LINE));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_not(line in "(\\[(FPS|LATENCY|MEMORY|ERROR)\\] )?.{0,80}") {
            let _ = read(&line);
        }
    }
}
