//! How a lamp or the program is: what it measures, what it hears, what its hardware says.

use alloc::borrow::Cow;
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
    /// Frames that a sink did not take, since the start.
    pub dropped_frames: u64,
    /// Frames that began later than one period after they were due, since the start.
    pub late_frames: u64,
    /// Reads of the hand-off that took a second try, since the start.
    pub handoff_retries: u64,
    /// Reads that kept the previous copy, since the start.
    pub handoff_contended: u64,
    /// Copies whose checksum was wrong, since the start.
    pub torn: u64,
    /// Times that sound had to be dropped because the ear was late, since the start.
    pub overruns: u64,
    /// Times that the ear had to wait for a source that should have been ahead, since the start.
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
    /// Tempo in beats per minute, 0 when there is none.
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
            bpm: s.bpm,
            confidence: s.confidence,
            beats: s.beats,
            onsets: s.onsets,
            silent: s.silent,
            input: s.input.name().into(),
        }
    }
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
    /// "present", "absent", "dead" (it answers and nothing moves) or "wrong slot" (it speaks in the one that is not heard).
    pub microphone: Cow<'a, str>,
    /// Reads of the microphone that failed, since the start.
    pub microphone_failures: u32,
    /// Whether live sound arrives; absent where the sound is not live, and in a lamp, whose microphone is above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_sound: Option<LiveSound<'a>>,
    /// Frames whose transmission failed or was late, since the start.
    pub strip_underruns: u32,
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
            microphone: own(self.microphone),
            live_sound: self.live_sound.map(|l| LiveSound {
                name: own(l.name),
                reason: l.reason.map(own),
                ..l
            }),
            ..self
        }
    }
}
