//! State of a lamp or of the program: its measurements, the analysis of the sound, and its hardware.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "read")]
use k1_engine::audio::Section;
use k1_engine::audio::Snapshot;
use serde::Serialize;

use crate::firmware::{Rollback, Short};

/// `GET /api/device/performance`. Figures that cannot be measured here are null.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Performance {
    /// Completed frames per second over the last second.
    pub fps: f32,
    /// Mean time to render a frame, in µs.
    pub frame_time_us: f32,
    /// Processor use of K1, in percent of one core.
    pub cpu_percent: Option<f32>,
    /// Memory in use, in percent of the total.
    pub memory_percent: Option<f32>,
    /// Free memory, in KiB.
    pub memory_free_kb: Option<u64>,
    /// Total memory, in KiB.
    pub memory_total_kb: Option<u64>,
    /// Frame rate of the last 16 seconds, oldest first.
    pub fps_history: [f32; 16],
}

/// Measured figures over the last second, unless noted otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Vitals {
    /// Completed frames per second.
    pub fps: f32,
    /// Rate that 99 % of the frames reach: 1 over the 99th percentile of the frame interval.
    pub fps_p1: f32,
    /// Target frame rate in frames per second.
    pub fps_target: f32,
    /// 99th percentile of the deviation of a frame interval from its target, in ms.
    pub jitter_ms: f32,
    /// Longest time between two frames, in ms.
    #[cfg_attr(feature = "read", serde(default))]
    pub longest_gap_ms: f32,
    /// Mean time to render a frame, in µs.
    pub render_us: f32,
    /// Median age of the snapshot when a frame used it, in ms.
    pub age_ms: f32,
    /// 99th percentile of that age, in ms.
    pub age_p99_ms: f32,
    /// Hops analysed per second.
    pub hop_rate: f32,
    /// Mean time to analyse a hop, in µs.
    pub hop_us: f32,
    /// Frames since the start.
    pub frames: u64,
    /// Frames since the start that a newer one replaced before a light took them, for all lights together. The page
    /// does not count as a light. 0 on a lamp, because its strip takes every frame (`strip_underruns` counts the frames
    /// that it got late or not at all).
    pub dropped_frames: u64,
    /// Frames since the start that began more than two periods after the beginning of the previous frame.
    pub late_frames: u64,
    /// Reads of the hand-off that needed a second try, since the start.
    pub handoff_retries: u64,
    /// Reads that kept the previous copy, since the start.
    pub handoff_contended: u64,
    /// Copies whose checksum was wrong, since the start.
    pub torn: u64,
    /// Pieces of sound that were dropped since the start, because they arrived faster than the ear could analyse them,
    /// or too late to be shown.
    pub overruns: u64,
    /// Gaps in the sound since the start: it was missing when it was due, or silence took its place. A gap counts once,
    /// however long it lasts; live sound has 60 ms of grace.
    pub underruns: u64,
    /// Allocations in the two real-time loops, since the start.
    pub allocations: u64,
}

/// The newest results of the analysis.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heard {
    /// Number of the snapshot.
    pub sequence: u64,
    /// RMS in dBFS.
    pub rms_db: f32,
    /// Peak in dBFS.
    pub peak_db: f32,
    /// Learned noise floor in dBFS.
    pub floor_db: f32,
    /// Loudness after gain control, 0 … 1.
    pub level: f32,
    /// Tempo in beats per minute; 0 while K1 is not sure of one.
    pub bpm: f32,
    /// Probability that announced beats are right, 0 … 1.
    pub confidence: f32,
    /// Beats since the start.
    pub beats: u32,
    /// Onsets since the start.
    pub onsets: u32,
    /// Number of the beat that is nearest, in its bar: 1 for the downbeat; 0 while K1 is not sure of the bar.
    #[cfg_attr(feature = "read", serde(default))]
    pub beat_of_bar: u32,
    /// Beats in a bar; 0 while K1 is not sure of the bar.
    #[cfg_attr(feature = "read", serde(default))]
    pub beats_per_bar: u32,
    /// Probability that announced downbeats are right, 0 … 1; 0 while K1 is not sure of the bar.
    #[cfg_attr(feature = "read", serde(default))]
    pub bar_confidence: f32,
    /// Downbeats since the start.
    #[cfg_attr(feature = "read", serde(default))]
    pub bars: u32,
    /// "unknown", "steady", "build" (the energy rises), "drop" (it has come at once) or "break" (the drums or the bass
    /// pause).
    #[cfg_attr(feature = "read", serde(default = "unknown_section"))]
    pub section: Cow<'static, str>,
    /// Sections begun since the start.
    #[cfg_attr(feature = "read", serde(default))]
    pub sections: u32,
    /// How strongly the energy builds, 0 … 1.
    #[cfg_attr(feature = "read", serde(default))]
    pub build: f32,
    /// True while nothing exceeds the noise floor.
    pub silent: bool,
    /// "fine", "clipping" or "dead".
    pub input: Cow<'static, str>,
}

/// The section of a K1 that does not tell it, because its firmware is older.
#[cfg(feature = "read")]
fn unknown_section() -> Cow<'static, str> {
    Section::Unknown.name().into()
}

impl From<&Snapshot> for Heard {
    fn from(s: &Snapshot) -> Self {
        Self {
            sequence: s.sequence,
            rms_db: s.rms_db,
            peak_db: s.peak_db,
            floor_db: s.floor_db,
            level: s.level,
            bpm: s.tempo().unwrap_or(0.0),
            confidence: s.confidence,
            beats: s.beats,
            onsets: s.onsets,
            beat_of_bar: s.beat_of_bar_after(0.0).unwrap_or(0),
            beats_per_bar: s.beats_per_bar,
            bar_confidence: s.bar_confidence,
            bars: s.bars,
            section: s.section.name().into(),
            sections: s.sections,
            build: s.build,
            silent: s.silent,
            input: s.input.name().into(),
        }
    }
}

/// State of a light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LightState {
    /// Frames are sent to the light, and no error was reported.
    Shining,
    /// The address of the light's name is not known yet.
    #[default]
    Looking,
    /// Frames cannot be sent now; K1 tries again.
    Unreachable,
    /// Frames can no longer be written, and K1 does not try again, for example a file on a full disk.
    Failed,
}

impl LightState {
    /// Name of the state, as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shining => "shining",
            Self::Looking => "looking",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }
}

/// A light. Each frame that is offered to it is shown, dropped or an error, except the one that is being sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Light {
    /// Name of the light, as the user gave it.
    pub name: String,
    /// State of the light.
    pub state: LightState,
    /// Why the light does not work; null while it works.
    pub reason: Option<String>,
    /// Address and port to which frames are sent; null if there is none.
    pub address: Option<String>,
    /// Beginning of this state, in seconds since the start.
    pub since_s: f64,
    /// Frames that were offered to the light, since the start.
    pub frames: u64,
    /// Frames that the light took and showed, since the start.
    pub shown: u64,
    /// Frames that a newer one replaced before the light took them, since the start.
    pub dropped: u64,
    /// Frames that the light took but could not show, since the start: it was not reachable, or writing failed.
    pub errors: u64,
    /// Frames shown in the last second.
    #[cfg_attr(feature = "read", serde(default))]
    pub frames_per_s: f64,
    /// Packets that were sent to the light, since the start; 0 for a light that takes none.
    #[cfg_attr(feature = "read", serde(default))]
    pub packets: u64,
    /// Packets sent in the last second.
    #[cfg_attr(feature = "read", serde(default))]
    pub packets_per_s: f64,
    /// The last reason why the light did not work; null if it always did.
    #[cfg_attr(feature = "read", serde(default))]
    pub last_error: Option<String>,
}

/// `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status<'a> {
    /// Version of K1.
    pub version: Cow<'a, str>,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Name of the source of sound.
    pub source: Cow<'a, str>,
    /// Identifier of the pattern.
    pub pattern: Cow<'a, str>,
    /// Measured figures.
    pub vitals: Vitals,
    /// The newest results of the analysis.
    pub heard: Heard,
    /// The lights besides the page; absent on a lamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "read", serde(default))]
    pub lights: Option<Vec<Light>>,
    /// Whether live sound arrives; absent if the sound is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_sound: Option<LiveSound<'a>>,
}

/// Whether live sound arrives. While it does not, K1 hears silence and the light goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveSound<'a> {
    /// True while there is a connection to the source of the sound.
    pub connected: bool,
    /// Name of the source that K1 hears, heard last, or waits for.
    pub name: Cow<'a, str>,
    /// Why no sound arrives; null while sound arrives.
    pub reason: Option<Cow<'a, str>>,
    /// Seconds since `connected` last changed.
    pub for_s: f64,
}

/// One check of the health of a K1.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// The condition that is checked.
    pub name: Cow<'static, str>,
    /// True if the check passes.
    pub ok: bool,
    /// What to do if the check fails.
    pub advice: Cow<'static, str>,
}

/// A stack. It was filled with a pattern at the start, which shows how much was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stack {
    /// Size in bytes.
    pub size: u32,
    /// Bytes that were never used.
    pub headroom: u32,
}

/// Use of the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heap {
    /// Size in bytes.
    pub size: u32,
    /// Free bytes.
    pub free: u32,
    /// Smallest number of free bytes since the start.
    pub least_free: u32,
}

/// `GET /api/v1/device`: state of the hardware. Figures that cannot be measured here are null.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device<'a> {
    /// The board, or "program".
    pub board: Cow<'a, str>,
    /// Slot of the running image.
    pub slot: Option<Cow<'a, str>>,
    /// Hash of the firmware; null if it came by cable without a manifest.
    pub firmware_hash: Option<Short>,
    /// Whether a bad image is rolled back automatically.
    pub rollback: Option<Rollback>,
    /// Number of the core that hears, as the hardware reports it.
    pub hears_on_core: Option<u32>,
    /// Number of the core that shows, as the hardware reports it.
    pub shows_on_core: Option<u32>,
    /// Reason of the last start.
    pub reset_reason: Option<Cow<'a, str>>,
    /// Message of the panic that ended the last run, if there was one.
    pub last_panic: Option<Cow<'a, str>>,
    /// Stack of the half that shows.
    pub render_stack: Option<Stack>,
    /// Stack of the half that hears.
    pub audio_stack: Option<Stack>,
    /// Use of the heap.
    pub heap: Option<Heap>,
    /// Share of the last second in which core 0 and core 1 did not sleep, 0 … 1.
    pub core_busy: Option<[f32; 2]>,
    /// Temperature of the chip in °C.
    pub temperature_c: Option<f32>,
    /// Strength of the Wi-Fi signal in dBm.
    pub rssi_dbm: Option<i8>,
    /// "present", "absent", "dead" (it answers, but its samples do not change) or "wrong slot" (it sends in the slot
    /// that is not heard); null if no microphone is used.
    pub microphone: Option<Cow<'a, str>>,
    /// Reads of the microphone that failed, since the start.
    pub microphone_failures: Option<u32>,
    /// Whether live sound arrives; absent if the sound is not live, and on a lamp, which reports `microphone` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_sound: Option<LiveSound<'a>>,
    /// Frames that the strip's driver did not send, since the start.
    pub strip_underruns: Option<u32>,
    /// Shortest possible time between two frames on the wire, in µs.
    pub wire_us: Option<u32>,
    /// Settings written to flash, since the start.
    pub settings_writes: Option<u32>,
    /// Failed operations of the settings storage, since the start.
    pub settings_errors: Option<u32>,
    /// Requests answered, since the start.
    pub requests: Option<u32>,
    /// Malformed packets and requests from the network that were dropped, since the start.
    pub malformed: Option<u32>,
    /// Size of the running image in flash, in bytes.
    pub image_bytes: Option<u32>,
    /// Statically allocated RAM in bytes: everything except stacks and heap.
    pub static_ram_bytes: Option<u32>,
    /// True if every check passes.
    pub healthy: bool,
    /// The checks of the health of this K1.
    pub checks: Vec<Check>,
    /// The lights besides the page; absent on a lamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "read", serde(default))]
    pub lights: Option<Vec<Light>>,
}

impl Device<'_> {
    /// The same state, without borrowed data.
    pub fn into_owned(self) -> Device<'static> {
        fn own(text: Cow<str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        Device {
            board: own(self.board),
            slot: self.slot.map(own),
            reset_reason: self.reset_reason.map(own),
            last_panic: self.last_panic.map(own),
            microphone: self.microphone.map(own),
            live_sound: self.live_sound.map(|l| LiveSound {
                name: own(l.name),
                reason: l.reason.map(own),
                ..l
            }),
            ..self
        }
    }
}
