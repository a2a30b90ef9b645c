//! What is answered, as types. Lists are written straight from the engine's tables.

mod operator;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use k1_engine::audio::Snapshot;
use k1_engine::light::{PALETTES, srgb_byte};
use k1_engine::params::{PARAMS, Param, Params};
use k1_engine::patterns::PATTERNS;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::firmware::{Rollback, Short};
use crate::requests::ParamsPatch;
use crate::settings::ColorOrder;

pub use operator::{BootLine, BootLog, SelfTest, TestState};

/// A list that is computed while it is written.
#[derive(Clone, Copy, Debug)]
pub struct Rows<T> {
    len: usize,
    row: fn(usize) -> T,
}

impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(self.len))?;
        (0..self.len).try_for_each(|i| seq.serialize_element(&(self.row)(i)))?;
        seq.end()
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Rows<T> {
    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }
    fn json_schema(g: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<T>::json_schema(g)
    }
}

/// A pattern in a list.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatternEntry {
    index: usize,
    id: &'static str,
    name: &'static str,
    description: &'static str,
    is_audio_reactive: bool,
    /// What it listens to.
    listens: &'static str,
    /// What the three custom parameters do in it.
    knobs: [&'static str; 3],
    /// Number of the palette that it brings; null if it shows the user's.
    own_palette: Option<usize>,
}

/// `GET /api/patterns`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Patterns {
    patterns: Rows<PatternEntry>,
    /// Index of the pattern that is shown.
    current_pattern: usize,
}

impl Patterns {
    /// Every pattern, and which is shown.
    pub fn new(current_pattern: usize) -> Self {
        let row = |index: usize| {
            let p = &PATTERNS[index];
            PatternEntry {
                index,
                id: p.id,
                name: p.name,
                description: p.description,
                is_audio_reactive: p.is_audio_reactive,
                listens: p.listens,
                knobs: p.knobs,
                own_palette: p.own_palette,
            }
        };
        Self { patterns: Rows { len: PATTERNS.len(), row }, current_pattern }
    }
}

/// Every parameter with its value; after a change also which values were brought into their range.
#[derive(Clone, Copy, Debug)]
pub struct ParamValues<'a> {
    /// The values.
    pub params: Params,
    /// The change that led to them.
    pub patch: Option<&'a ParamsPatch>,
}

struct Clamped<'a>(&'a ParamsPatch);

impl Serialize for Clamped<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(Param::ALL.iter().filter(|p| self.0.was_clamped(**p)).map(|p| p.spec().id))
    }
}

impl Serialize for ParamValues<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        for p in Param::ALL {
            match p {
                Param::PaletteId => map.serialize_entry(p.spec().id, &self.params.palette_id())?,
                _ => map.serialize_entry(p.spec().id, &self.params.get(*p))?,
            }
        }
        if let Some(patch) = self.patch {
            if Param::ALL.iter().any(|p| patch.was_clamped(*p)) {
                map.serialize_entry("clamped", &Clamped(patch))?;
            }
            if patch.unknown > 0 {
                map.serialize_entry("unknown_fields", &patch.unknown)?;
            }
        }
        map.end()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ParamValues<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Parameters".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut properties = param_properties();
        let required: Vec<_> = PARAMS.iter().map(|p| p.id).collect();
        let clamped = schemars::json_schema!({
            "type": "array", "items": { "type": "string" },
            "description": "After a change only: parameters that were brought into their range."
        });
        let unknown = schemars::json_schema!({
            "type": "integer", "minimum": 1, "description": "After a change only: fields that are no parameters."
        });
        properties.insert("clamped".into(), clamped.to_value());
        properties.insert("unknown_fields".into(), unknown.to_value());
        schemars::json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}

/// Every parameter as a property of a schema.
#[cfg(feature = "schema")]
pub(crate) fn param_properties() -> serde_json::Map<String, serde_json::Value> {
    let property = |p: &k1_engine::params::ParamSpec| {
        let kind = if p.id == Param::PaletteId.spec().id { "integer" } else { "number" };
        let schema = schemars::json_schema!({
            "type": kind, "minimum": p.min, "maximum": p.max, "default": p.default, "description": p.help
        });
        (p.id.to_owned(), schema.to_value())
    };
    PARAMS.iter().map(property).collect()
}

/// One row of the parameter table.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParamEntry {
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    min: f32,
    max: f32,
    default: f32,
    step: f32,
    help: &'static str,
}

/// `GET /api/v1/params`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParamTable {
    params: Rows<ParamEntry>,
}

impl Default for ParamTable {
    fn default() -> Self {
        let row = |i: usize| {
            let p = &PARAMS[i];
            ParamEntry {
                id: p.id,
                name: p.name,
                unit: p.unit,
                min: p.min,
                max: p.max,
                default: p.default,
                step: p.step,
                help: p.help,
            }
        };
        Self { params: Rows { len: PARAMS.len(), row } }
    }
}

/// A colour as a screen shows it.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Swatch {
    r: u8,
    g: u8,
    b: u8,
}

/// A palette in a list.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaletteEntry {
    id: usize,
    name: &'static str,
    /// Five colours from its start to its end, sRGB.
    colors: [Swatch; 5],
    num_keyframes: usize,
    /// What it is for.
    about: &'static str,
}

/// `GET /api/palettes`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Palettes {
    palettes: Rows<PaletteEntry>,
    count: usize,
}

impl Default for Palettes {
    fn default() -> Self {
        let row = |id: usize| {
            let p = &PALETTES[id];
            let swatch = |k: usize| {
                let c = p.at(k as f32 / 4.0).to_rgb();
                Swatch { r: srgb_byte(c.r), g: srgb_byte(c.g), b: srgb_byte(c.b) }
            };
            PaletteEntry {
                id,
                name: p.name,
                colors: core::array::from_fn(swatch),
                num_keyframes: p.stops.len(),
                about: p.about,
            }
        };
        Self { palettes: Rows { len: PALETTES.len(), row }, count: PALETTES.len() }
    }
}

/// `POST /api/select`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Selected {
    current_pattern: usize,
    id: &'static str,
    name: &'static str,
}

impl Selected {
    /// The answer for a pattern that exists.
    pub fn new(index: usize) -> Self {
        let p = &PATTERNS[index.min(PATTERNS.len() - 1)];
        Self { current_pattern: index, id: p.id, name: p.name }
    }
}

/// The microphone gain.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AudioConfig {
    /// Factor, 0.5 … 2.
    pub microphone_gain: f32,
}

/// `GET /api/device/info`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceInfo<'a> {
    /// Always "K1.reinvented", by which scripts in the field know a K1.
    pub device: Cow<'a, str>,
    /// Version of K1.
    pub firmware: Cow<'a, str>,
    /// Seconds since the start.
    pub uptime: u64,
    /// Address.
    pub ip: Cow<'a, str>,
    /// Hardware address; null where there is none of its own.
    pub mac: Option<Cow<'a, str>>,
    /// The board, or "program".
    pub board: Cow<'a, str>,
    /// Number of LEDs.
    pub leds: usize,
}

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

/// `GET /api/test-connection`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestConnection {
    /// Always "ok".
    pub status: &'static str,
    /// Milliseconds since the start.
    pub timestamp: u64,
}

/// Wi-Fi work-arounds in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkOptions {
    /// 802.11b/g only.
    pub force_bg_only: bool,
    /// 20 MHz channels only.
    pub force_ht20: bool,
}

/// `POST /api/wifi/link-options`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkOptionsSet {
    /// Always true; otherwise there is an error.
    pub success: bool,
    /// 802.11b/g only.
    pub force_bg_only: bool,
    /// 20 MHz channels only.
    pub force_ht20: bool,
}

/// `GET /api/config/backup`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Backup<'a> {
    /// Version of this form, "1.0".
    pub version: &'static str,
    /// Always "K1.reinvented".
    pub device: &'static str,
    /// Milliseconds since the start.
    pub timestamp: u64,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Every parameter.
    pub parameters: ParamValues<'a>,
    /// Index of the pattern.
    pub current_pattern: usize,
    /// Factor, 0.5 … 2.
    pub microphone_gain: f32,
    /// Where the backup comes from.
    pub device_info: BackupOrigin<'a>,
}

/// Where a backup comes from.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupOrigin<'a> {
    /// Address.
    pub ip: &'a str,
    /// Hardware address; null where there is none of its own.
    pub mac: Option<&'a str>,
    /// Version of K1.
    pub firmware: &'a str,
}

/// `POST /api/config/restore`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restored {
    /// Always true; otherwise there is an error.
    pub success: bool,
    /// False if a value had to be brought into its range.
    pub parameters_restored: bool,
    /// True if the backup named a pattern and it is shown.
    pub pattern_restored: bool,
    /// Milliseconds since the start.
    pub timestamp: u64,
    /// What was not restored as it stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<&'static str>,
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
            ..self
        }
    }
}

/// `GET /api/v1/setup`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setup<'a> {
    /// Number of LEDs.
    pub leds: usize,
    /// Most LEDs that are possible here.
    pub most_leds: usize,
    /// Order of the colours on the wire.
    pub color_order: Option<ColorOrder>,
    /// Pause between two frames on the wire, in µs.
    pub reset_us: Option<u16>,
    /// Current limit in mA; 0 = none.
    pub current_limit_ma: Option<u16>,
    /// Fixed noise floor in dBFS; null = learned.
    pub noise_floor_db: Option<f32>,
    /// Name.
    pub name: &'a str,
    /// Network light that shows the same frames by DDP.
    pub mirror: Option<Place>,
    /// Name of the Wi-Fi network; null = none is known, or there is no Wi-Fi.
    pub wifi_ssid: Option<&'a str>,
}

/// An address with a port, as text.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub core::net::SocketAddrV4);

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "ADDRESS:PORT" })
    }
}

/// `realtime` on the WebSocket `/ws`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Realtime<'a> {
    /// Always "realtime".
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Milliseconds since the start.
    pub timestamp: u64,
    /// Measured speed and memory.
    pub performance: Performance,
    /// All thirteen.
    pub parameters: ParamValues<'a>,
    /// Index of the pattern.
    pub current_pattern: usize,
}
