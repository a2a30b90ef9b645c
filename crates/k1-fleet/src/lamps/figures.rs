//! The table of a lamp's figures: name, unit, and limit of the success criteria.

use std::collections::BTreeMap;

use k1_device::answers::{Device, Status};
use serde::Serialize;

/// Limit of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Any value is allowed.
    None,
    /// This value or more.
    AtLeast(f64),
    /// Less than this value.
    Below(f64),
    /// Exactly this value.
    Exactly(f64),
}

impl Limit {
    /// True if a value is within the limit.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::None => true,
            Self::AtLeast(least) => value >= least,
            Self::Below(limit) => value < limit,
            Self::Exactly(wanted) => value == wanted,
        }
    }

    /// The limit as text for people; empty without a limit.
    pub fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(x) => format!("≥ {x}"),
            Self::Below(x) => format!("< {x}"),
            Self::Exactly(x) => format!("= {x}"),
        }
    }
}

/// A figure that lamps report.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Identifier, as in answers and on the console.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Unit; empty for a number.
    pub unit: &'static str,
    /// Number of decimals to show.
    pub decimals: usize,
    /// Limit of its value.
    pub limit: Limit,
}

const fn figure(
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    decimals: usize,
    limit: Limit,
) -> Figure {
    Figure { id, name, unit, decimals, limit }
}

/// Lowest frame rate, per second.
pub const LEAST_FPS: f64 = 100.0;
/// Sound must be younger than this when it is shown, in ms.
pub const FRESH_MS: f64 = 20.0;
/// Stack that must stay unused, in bytes.
pub const STACK_HEADROOM: f64 = 4_096.0;

/// Every figure, in the order in which the figures are shown.
pub static FIGURES: &[Figure] = &[
    figure("fps", "frames", "/s", 1, Limit::AtLeast(LEAST_FPS)),
    figure("fps_p1", "frames, slowest 1 %", "/s", 1, Limit::None),
    figure("jitter_ms", "jitter p99", "ms", 2, Limit::None),
    figure("longest_gap_ms", "longest gap", "ms", 1, Limit::None),
    figure("render_us", "time of a frame", "µs", 0, Limit::None),
    figure("late_frames", "late frames", "", 0, Limit::None),
    figure("age_ms", "age of the sound", "ms", 1, Limit::Below(FRESH_MS)),
    figure("age_p99_ms", "age p99", "ms", 1, Limit::Below(FRESH_MS)),
    figure("hop_rate", "hops", "/s", 1, Limit::None),
    figure("hop_us", "time of a hop", "µs", 0, Limit::None),
    figure("handoff_retries", "retries", "", 0, Limit::None),
    figure("torn", "torn", "", 0, Limit::Exactly(0.0)),
    figure("overruns", "overruns", "", 0, Limit::None),
    figure("heap_free", "heap free", "B", 0, Limit::None),
    figure("heap_least_free", "heap, least free", "B", 0, Limit::None),
    figure("render_stack", "render stack untouched", "B", 0, Limit::AtLeast(STACK_HEADROOM)),
    figure("audio_stack", "audio stack untouched", "B", 0, Limit::AtLeast(STACK_HEADROOM)),
    figure("core0_busy", "core 0 busy", "%", 0, Limit::None),
    figure("core1_busy", "core 1 busy", "%", 0, Limit::None),
    figure("temperature_c", "temperature", "°C", 1, Limit::Below(85.0)),
    figure("rssi_dbm", "Wi-Fi signal", "dBm", 0, Limit::AtLeast(-75.0)),
    figure("rms_db", "loudness", "dBFS", 0, Limit::None),
    figure("bpm", "tempo", "BPM", 1, Limit::None),
    figure("beats_per_bar", "beats in a bar", "", 0, Limit::None),
];

/// An f32 as the shortest decimal number that gives it: 9.2 instead of 9.199999809265137.
fn wide(x: f32) -> f64 {
    x.to_string().parse().unwrap_or_else(|_| x.into())
}

/// The figures of one moment; figures that cannot be measured are missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Reading(BTreeMap<&'static str, f64>);

impl Reading {
    /// The figures in a lamp's answers.
    pub fn of(status: &Status, device: &Device) -> Self {
        let v = &status.vitals;
        let always = [
            ("fps", wide(v.fps)),
            ("fps_p1", wide(v.fps_p1)),
            ("jitter_ms", wide(v.jitter_ms)),
            ("longest_gap_ms", wide(v.longest_gap_ms)),
            ("render_us", wide(v.render_us)),
            ("late_frames", v.late_frames as f64),
            ("age_ms", wide(v.age_ms)),
            ("age_p99_ms", wide(v.age_p99_ms)),
            ("hop_rate", wide(v.hop_rate)),
            ("hop_us", wide(v.hop_us)),
            ("handoff_retries", v.handoff_retries as f64),
            ("torn", v.torn as f64),
            ("overruns", v.overruns as f64),
            ("rms_db", wide(status.heard.rms_db)),
            ("bpm", wide(status.heard.bpm)),
            ("beats_per_bar", status.heard.beats_per_bar.into()),
        ];
        let perhaps = [
            ("heap_free", device.heap.map(|h| h.free.into())),
            ("heap_least_free", device.heap.map(|h| h.least_free.into())),
            ("render_stack", device.render_stack.map(|s| s.headroom.into())),
            ("audio_stack", device.audio_stack.map(|s| s.headroom.into())),
            ("core0_busy", device.core_busy.map(|b| 100.0 * wide(b[0]))),
            ("core1_busy", device.core_busy.map(|b| 100.0 * wide(b[1]))),
            ("temperature_c", device.temperature_c.map(wide)),
            ("rssi_dbm", device.rssi_dbm.map(f64::from)),
        ];
        let there = perhaps.into_iter().filter_map(|(id, x)| Some((id, x?)));
        Self(always.into_iter().chain(there).collect())
    }

    /// Takes the figures of a console line.
    pub fn take(&mut self, figures: impl IntoIterator<Item = (&'static str, f64)>) {
        self.0.extend(figures);
    }

    /// A figure, if it was measured.
    pub fn get(&self, id: &str) -> Option<f64> {
        self.0.get(id).copied()
    }

    /// Identifiers of the figures beyond their limits.
    pub fn over(&self) -> Vec<&'static str> {
        let is_over = |f: &&Figure| self.get(f.id).is_some_and(|x| !f.limit.holds(x));
        FIGURES.iter().filter(is_over).map(|f| f.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_device::answers::{Heard, Vitals};
    use k1_device::console::{self, FpsLine, LatencyLine, MemoryLine, Said};
    use k1_engine::audio::Snapshot;

    #[test]
    fn a_lamp_that_does_not_know_bars_is_understood() {
        let old = r#"{"sequence":7,"rms_db":-30.0,"peak_db":-20.0,"floor_db":-60.0,"level":0.5,"bpm":120.0,
            "confidence":0.9,"beats":3,"onsets":9,"silent":false,"input":"fine"}"#;
        let heard: Heard = serde_json::from_str(old).unwrap();
        assert_eq!((heard.beats, heard.beats_per_bar, heard.bars), (3, 0, 0));
        assert_eq!((&*heard.section, heard.sections), ("unknown", 0));
    }

    #[test]
    fn cable_and_network_give_the_same_figures() {
        let vitals = Vitals { fps: 90.0, age_ms: 8.0, torn: 1, ..Vitals::default() };
        let heard = Heard::from(&Snapshot { rms_db: -30.0, beats_per_bar: 3, ..Snapshot::EMPTY });
        let device = Device {
            heap: Some(k1_device::answers::Heap { size: 9, free: 8, least_free: 7 }),
            render_stack: Some(k1_device::answers::Stack { size: 9, headroom: 100 }),
            ..Device::default()
        };
        let status = Status {
            version: "".into(),
            uptime_s: 0.0,
            source: "".into(),
            pattern: "".into(),
            vitals,
            heard: heard.clone(),
            lights: None,
            live_sound: None,
        };
        let network = Reading::of(&status, &device);
        let mut cable = Reading::default();
        let lines = [
            FpsLine(&vitals).to_string(),
            LatencyLine(&vitals, &heard).to_string(),
            MemoryLine(&device).to_string(),
        ];
        for line in lines {
            match console::read(&line) {
                Some(Said::Figures(figures)) => cable.take(figures),
                other => panic!("{line}: {other:?}"),
            }
        }
        // The line also contains the wanted frame rate, which is not a figure of its own.
        cable.0.remove("fps_target");
        assert_eq!(network, cable);
        assert_eq!(network.over(), ["fps", "torn", "render_stack"]);
        assert!(network.0.keys().all(|id| FIGURES.iter().any(|f| f.id == *id)));
    }
}
