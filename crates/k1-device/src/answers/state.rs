//! How a lamp or the program is: what it measures, what it hears, what its hardware says.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use k1_engine::audio::Snapshot;
use serde::Serialize;

use crate::firmware::{Rollback, Short};

/// `GET /api/device/performance`. What cannot be measured here is null.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Performance {
    /// Completed frames per second over the last second.
    pub fps: f32,
    /// Mean time to render a frame, in µs.
    pub frame_time_us: f32,
    /// Processor use of K1 in percent of one core.
    pub cpu_percent: Option<f32>,
    /// Memory in use, in percent of the total.
    pub memory_percent: Option<f32>,
    /// Memory that is free, in KiB.
    pub memory_free_kb: Option<u64>,
    /// All memory, in KiB.
    pub memory_total_kb: Option<u64>,
    /// Frame rate of the last 16 seconds, oldest first.
    pub fps_history: [f32; 16],
}

/// Measured figures, over the last second unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Vitals {
    /// Completed frames per second.
    pub fps: f32,
    /// Rate that 99 % of the frames reach: 1 over the 99th percentile of the frame interval.
    pub fps_p1: f32,
    /// Rate that is asked for.
    pub fps_target: f32,
    /// 99th percentile of how far a frame interval is off its target, in ms.
    pub jitter_ms: f32,
    /// Longest time between two frames, in ms.
    #[cfg_attr(feature = "read", serde(default))]
    pub longest_gap_ms: f32,
    /// Mean time to render a frame, in µs.
    pub render_us: f32,
    /// Median age of the snapshot when a frame used it, in ms.
    pub age_ms: f32,
    /// 99th percentile of that age.
    pub age_p99_ms: f32,
    /// Hops analysed per second.
    pub hop_rate: f32,
    /// Mean time to analyse a hop, in µs.
    pub hop_us: f32,
    /// Frames since the start.
    pub frames: u64,
    /// Frames that a light did not take before a newer one replaced them, since the start, all lights together. The page is no
    /// light. 0 on a lamp: its strip takes every frame (`strip_underruns` counts those that it got late or not at all).
    pub dropped_frames: u64,
    /// Frames that began more than two periods after the one before had begun, since the start.
    pub late_frames: u64,
    /// Reads of the hand-off that took a second try, since the start.
    pub handoff_retries: u64,
    /// Reads that kept the previous copy, since the start.
    pub handoff_contended: u64,
    /// Copies whose checksum was wrong, since the start.
    pub torn: u64,
    /// Pieces of sound that were dropped, since the start: they came faster than the ear could take them, or too late to be
    /// shown.
    pub overruns: u64,
    /// Gaps in the sound, since the start: it was not there when it was due, or silence took its place. However long it
    /// lasts, a gap counts once; live sound has 60 ms of grace.
    pub underruns: u64,
    /// Allocations in the two real-time loops, since the start.
    pub allocations: u64,
}

/// What is heard now.
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
    /// Tempo in beats per minute; 0 until one is believed.
    pub bpm: f32,
    /// Trust in the beat, 0 … 1.
    pub confidence: f32,
    /// Beats since the start.
    pub beats: u32,
    /// Onsets since the start.
    pub onsets: u32,
    /// True while nothing rises above the noise floor.
    pub silent: bool,
    /// "fine", "clipping" or "dead".
    pub input: Cow<'static, str>,
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
            silent: s.silent,
            input: s.input.name().into(),
        }
    }
}

/// Whether a light shines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LightState {
    /// Its frames are sent, and nothing has been heard against it.
    Shining,
    /// Its name has no address yet.
    #[default]
    Looking,
    /// No frame can be sent to it now; it is tried again.
    Unreachable,
    /// It cannot be written any more, and is not tried again: a file on a full disk.
    Failed,
}

impl LightState {
    /// Its name, as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shining => "shining",
            Self::Looking => "looking",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }
}

/// A place where light goes. Each frame that is offered is shown, dropped or an error, but for the one on its way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Light {
    /// Its name, as it was given.
    pub name: String,
    /// Whether it shines.
    pub state: LightState,
    /// Why it does not shine; null while it does.
    pub reason: Option<String>,
    /// Address and port that its frames go to; null where there is none.
    pub address: Option<String>,
    /// When it came into this state, in seconds since the start.
    pub since_s: f64,
    /// Frames that were offered to it, since the start.
    pub frames: u64,
    /// Frames that it took and showed, since the start.
    pub shown: u64,
    /// Frames that were replaced by a newer one before it took them, since the start.
    pub dropped: u64,
    /// Frames that it took and could not show, since the start: it was not reached, or writing failed.
    pub errors: u64,
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
    /// Name of the source.
    pub source: Cow<'a, str>,
    /// Identifier of the pattern.
    pub pattern: Cow<'a, str>,
    /// Measured figures.
    pub vitals: Vitals,
    /// What is heard now.
    pub heard: Heard,
    /// Where light goes besides the page; absent on a lamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "read", serde(default))]
    pub lights: Option<Vec<Light>>,
    /// Whether live sound arrives; absent where the sound is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_sound: Option<LiveSound<'a>>,
}

/// Whether live sound arrives. While it does not, silence is heard and the light goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveSound<'a> {
    /// True while there is a connection to the source of the sound.
    pub connected: bool,
    /// Name of what is heard, was heard last, or is waited for.
    pub name: Cow<'a, str>,
    /// Why there is no sound; null while there is.
    pub reason: Option<Cow<'a, str>>,
    /// Seconds since it became so.
    pub for_s: f64,
}

/// One condition of being well.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What is looked at.
    pub name: Cow<'static, str>,
    /// True if it is as it should be.
    pub ok: bool,
    /// What to do if it is not.
    pub advice: Cow<'static, str>,
}

/// A stack, measured by painting it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stack {
    /// Bytes.
    pub size: u32,
    /// Bytes that were never touched.
    pub headroom: u32,
}

/// A heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heap {
    /// Bytes.
    pub size: u32,
    /// Bytes that are free.
    pub free: u32,
    /// Fewest bytes that were ever free.
    pub least_free: u32,
}

/// `GET /api/v1/device`: state of the hardware. What cannot be measured here is null.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device<'a> {
    /// The board, or "program".
    pub board: Cow<'a, str>,
    /// Slot that runs.
    pub slot: Option<Cow<'a, str>>,
    /// Hash of the firmware; null if it came by cable without a manifest.
    pub firmware_hash: Option<Short>,
    /// Whether a bad image goes back by itself.
    pub rollback: Option<Rollback>,
    /// Core that hears, as the hardware says.
    pub hears_on_core: Option<u32>,
    /// Core that shows, as the hardware says.
    pub shows_on_core: Option<u32>,
    /// Why it started.
    pub reset_reason: Option<Cow<'a, str>>,
    /// What the last panic said, if the last run ended with one.
    pub last_panic: Option<Cow<'a, str>>,
    /// Stack of the half that shows.
    pub render_stack: Option<Stack>,
    /// Stack of the half that hears.
    pub audio_stack: Option<Stack>,
    /// Heap.
    pub heap: Option<Heap>,
    /// Share of the last second in which core 0 and core 1 did not sleep, 0 … 1.
    pub core_busy: Option<[f32; 2]>,
    /// Temperature of the chip in °C.
    pub temperature_c: Option<f32>,
    /// Strength of the Wi-Fi signal in dBm.
    pub rssi_dbm: Option<i8>,
    /// "present", "absent", "dead" (it answers and nothing moves) or "wrong slot" (it speaks in the one that is not heard);
    /// null where no microphone is heard.
    pub microphone: Option<Cow<'a, str>>,
    /// Reads of the microphone that failed, since the start.
    pub microphone_failures: Option<u32>,
    /// Whether live sound arrives; absent where the sound is not live, and in a lamp, whose microphone is above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_sound: Option<LiveSound<'a>>,
    /// Frames that the strip's driver did not send, since the start.
    pub strip_underruns: Option<u32>,
    /// Shortest possible time between two frames on the wire, in µs.
    pub wire_us: Option<u32>,
    /// Settings written to flash, since the start.
    pub settings_writes: Option<u32>,
    /// Operations of the storage that failed, since the start.
    pub settings_errors: Option<u32>,
    /// Requests answered, since the start.
    pub requests: Option<u32>,
    /// Bytes from the network that made no sense and were dropped, since the start.
    pub malformed: Option<u32>,
    /// Bytes of flash that the running image takes.
    pub image_bytes: Option<u32>,
    /// Bytes of RAM that are taken from the start on: everything but stacks and heap.
    pub static_ram_bytes: Option<u32>,
    /// True if every check is.
    pub healthy: bool,
    /// What health is made of.
    pub checks: Vec<Check>,
    /// Where light goes besides the page; absent on a lamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "read", serde(default))]
    pub lights: Option<Vec<Light>>,
}

impl Device<'_> {
    /// The same, free of whom it was asked of.
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
