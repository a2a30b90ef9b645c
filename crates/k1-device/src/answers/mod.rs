//! Types of the answers.

mod inputs;
mod lights;
mod operator;
mod plan;
mod scenes;
mod state;
mod tables;
mod zones;

use alloc::borrow::Cow;

use k1_engine::patterns::PATTERNS;
use serde::{Serialize, Serializer};

use crate::settings::ColorOrder;

pub use self::inputs::{Input, InputSet, Inputs};
pub use self::lights::{FoundLight, FoundLights, LightTested, ShowLight, ShowLights};
pub use self::operator::{BootLine, BootLog, SelfTest, TestState};
pub use self::plan::{Piece, Place as PlanPlace, Plan, PlanLight, PlanZone};
pub use self::scenes::{
    Deleted, NextTimer, Playlist, Power, Recalled, Scene, SceneLook, Scenes, Timer, Timers,
};
pub use self::state::{
    Check, Device, Heap, Heard, Light, LightState, LiveSound, Performance, Stack, Status, Vitals,
};
pub use self::tables::{
    PaletteEntry, Palettes, ParamEntry, ParamTable, ParamValues, PatternEntry, Patterns, Rows, Swatch,
};
pub use self::zones::{ShowFile, ShowWritten, Zone, Zones};

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
    /// IP address.
    pub ip: Cow<'a, str>,
    /// Hardware (MAC) address; null for the program, which does not have its own.
    pub mac: Option<Cow<'a, str>>,
    /// Permanent identifier that no other K1 has, of letters and digits; null if it is not known.
    #[cfg_attr(feature = "read", serde(default))]
    pub id: Option<Cow<'a, str>>,
    /// The board, or "program".
    pub board: Cow<'a, str>,
    /// Number of LEDs.
    pub leds: usize,
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
    /// Always true; a failure is answered with an error.
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
    /// Version of this format, "1.0".
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
    /// Origin of the backup.
    pub device_info: BackupOrigin<'a>,
}

/// Origin of a backup.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupOrigin<'a> {
    /// IP address.
    pub ip: &'a str,
    /// Hardware (MAC) address; null for the program, which does not have its own.
    pub mac: Option<&'a str>,
    /// Version of K1.
    pub firmware: &'a str,
}

/// `POST /api/config/restore`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restored {
    /// Always true; a failure is answered with an error.
    pub success: bool,
    /// False if a value had to be brought into its range.
    pub parameters_restored: bool,
    /// True if the backup named an existing pattern, which is now shown.
    pub pattern_restored: bool,
    /// Milliseconds since the start.
    pub timestamp: u64,
    /// What was not restored exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<&'static str>,
}

/// `GET /api/v1/setup`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setup<'a> {
    /// Number of LEDs.
    pub leds: usize,
    /// Largest possible number of LEDs.
    pub most_leds: usize,
    /// How the LEDs are arranged; null if each zone has a shape of its own.
    pub shape: Option<Arranged>,
    /// Order of the colours on the wire.
    pub color_order: Option<Wired>,
    /// How the white LEDs are used: none, accurate or brighter; null if there are none.
    pub white: Option<&'static str>,
    /// Pause between two frames on the wire, in µs.
    pub reset_us: Option<u16>,
    /// Current limit in mA; 0 = none.
    pub current_limit_ma: Option<u16>,
    /// Fixed noise floor in dBFS; null = learned.
    pub noise_floor_db: Option<f32>,
    /// Name of this K1.
    pub name: &'a str,
    /// Address and port of a network light that shows the same frames by DDP.
    pub mirror: Option<Place>,
    /// Name of the Wi-Fi network; null if no network is known or there is no Wi-Fi.
    pub wifi_ssid: Option<&'a str>,
}

impl<'a> Setup<'a> {
    /// The setup of a K1 that has no hardware of its own: only the number of LEDs, the largest possible one, and its name.
    pub fn without_hardware(leds: usize, most_leds: usize, name: &'a str) -> Self {
        Self {
            leds,
            most_leds,
            shape: None,
            color_order: None,
            white: None,
            reset_us: None,
            current_limit_ma: None,
            noise_floor_db: None,
            name,
            mirror: None,
            wifi_ssid: None,
        }
    }
}

/// The order of the colours on the wire, with a W at its end if there are white LEDs.
#[derive(Clone, Copy, Debug)]
pub struct Wired {
    /// Order of red, green and blue.
    pub order: ColorOrder,
    /// Whether white follows them.
    pub has_white: bool,
}

impl Serialize for Wired {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{}{}", self.order.name(), if self.has_white { "W" } else { "" }))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Wired {
    fn schema_name() -> Cow<'static, str> {
        "ColorOrder".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = ColorOrder::ALL.iter().flat_map(|(name, _)| [name.to_string(), std::format!("{name}W")]);
        let names: Vec<_> = names.collect();
        schemars::json_schema!({ "type": "string", "enum": names, "description": "Order of the colours on the wire." })
    }
}

/// A shape, as text.
#[derive(Clone, Copy, Debug)]
pub struct Arranged(pub k1_engine::light::Shape<'static>);

impl Serialize for Arranged {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Arranged {
    fn schema_name() -> Cow<'static, str> {
        "Shape".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "mirrored, line, line-reversed, both-ends, ring or matrix:COLUMNSxROWS" })
    }
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
    /// All thirteen parameters.
    pub parameters: ParamValues<'a>,
    /// Index of the pattern.
    pub current_pattern: usize,
}
