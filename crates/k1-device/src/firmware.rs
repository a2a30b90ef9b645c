//! The firmware of a lamp as its owner sees it, and what became of the last update.

use alloc::borrow::Cow;
use core::fmt;

use heapless::String;
use serde::{Deserialize, Serialize, Serializer};

/// Every board with its chip, as manifests name them.
pub const BOARDS: [(&str, &str); 5] = [
    ("virt", "riscv32imafc"),
    ("esp32s3", "esp32s3"),
    ("esp32s31", "esp32s31"),
    ("esp32p4", "esp32p4"),
    ("esp32c6", "esp32c6"),
];

/// The chip of a board.
pub fn chip(board: &str) -> &'static str {
    BOARDS.iter().find(|(name, _)| *name == board).map_or("unknown", |(_, chip)| chip)
}

/// First 8 bytes of a hash or of a key's hash; hexadecimal in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Short(pub [u8; 8]);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(feature = "read")]
impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <Cow<str>>::deserialize(d)?;
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(&text, 16) {
            Ok(number) if digits => Ok(Self(number.to_be_bytes())),
            _ => Err(serde::de::Error::custom("16 hexadecimal digits are expected")),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Short {
    fn schema_name() -> Cow<'static, str> {
        "Short".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "First 8 bytes of a SHA-256, hexadecimal." })
    }
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It runs and is being judged.
    OnTrial,
    /// It was found good.
    Confirmed,
    /// It was found bad, or fell over, and the image before came back.
    RolledBack,
}

/// The last trial, as it is remembered in flash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Hash of the image that was tried.
    pub hash: [u8; 8],
    /// Its version.
    pub version: String<24>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, if it went back.
    pub reason: String<96>,
}

/// The last trial, as it is told.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LastTrial {
    /// Version of the image that was tried.
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    pub version: String<24>,
    /// Its hash.
    pub hash: Short,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, if it went back.
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    pub reason: String<96>,
}

impl From<&Journal> for LastTrial {
    fn from(j: &Journal) -> Self {
        let Journal { hash, version, outcome, reason } = j.clone();
        Self { version, hash: Short(hash), outcome, reason }
    }
}

/// An image in a slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Image {
    /// Version.
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    pub version: String<24>,
    /// Hash.
    pub hash: Short,
    /// Anti-downgrade counter.
    pub counter: u32,
}

/// How the running image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Being judged.
    OnTrial,
    /// Found good.
    Confirmed,
    /// It never was on trial: it came by cable.
    NotTried,
}

/// Whether a bad image goes back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Rollback {
    /// The bootloader in place was seen to put an image on trial.
    #[serde(rename = "armed")]
    Armed,
    /// It was not, or not yet.
    #[serde(rename = "not armed")]
    NotArmed,
}

/// An update on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receiving {
    /// Bytes that have come.
    pub received: u32,
    /// Bytes in all.
    pub size: u32,
}

/// `GET /api/v1/firmware`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Firmware {
    /// Board, as manifests name it.
    pub board: Cow<'static, str>,
    /// Chip, as manifests name it.
    pub chip: Cow<'static, str>,
    /// Slot that runs.
    pub slot: Cow<'static, str>,
    /// What runs; null if it came by cable without a manifest.
    pub running: Option<Image>,
    /// How it stands.
    pub state: Standing,
    /// Whether a bad image goes back by itself.
    pub rollback: Rollback,
    /// What the other slot holds, whole and not found bad: what the lamp can go back to; null if nothing.
    pub other: Option<Image>,
    /// Names of the keys whose signatures count; empty = no update is taken.
    #[cfg_attr(feature = "schema", schemars(with = "std::vec::Vec<Short>"))]
    pub keys: heapless::Vec<Short, 2>,
    /// Generation of the set of keys; a new set needs a higher one.
    pub key_generation: u32,
    /// Images with a lower counter are refused.
    pub counter_floor: u32,
    /// An update on its way in.
    pub receiving: Option<Receiving>,
    /// Why the last update since the start was not let in.
    pub refused: Option<alloc::string::String>,
    /// The last trial.
    pub last: Option<LastTrial>,
}

/// Answer to `PUT /api/v1/firmware`: it is whole, and is tried after the restart that follows.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Installed {
    /// Slot that it is in.
    pub slot: Cow<'static, str>,
    /// What it is.
    pub image: Image,
}

/// Answer to `POST /api/v1/rollback`: the lamp restarts with this.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GoingBack {
    /// What the lamp goes back to; null if only this image is left, whose trial ends.
    pub to: Option<Image>,
}
