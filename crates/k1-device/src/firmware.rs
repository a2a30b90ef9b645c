//! The firmware of a lamp as its owner sees it, and the result of the last update.

use alloc::borrow::Cow;
use core::fmt;

use heapless::String;
use serde::{Deserialize, Serialize, Serializer};

/// Every board and its chip, as manifests name them.
pub const BOARDS: [(&str, &str); 5] = [
    ("virt", "riscv32imafc"),
    ("esp32s3", "esp32s3"),
    ("esp32s31", "esp32s31"),
    ("esp32p4", "esp32p4"),
    ("esp32c6", "esp32c6"),
];

/// The chip of a board; "unknown" for an unknown board.
pub fn chip(board: &str) -> &'static str {
    BOARDS.iter().find(|(name, _)| *name == board).map_or("unknown", |(_, chip)| chip)
}

/// First 8 bytes of the SHA-256 of an image or a key; hexadecimal in answers.
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

/// Result of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The image runs and its trial is not over.
    OnTrial,
    /// The trial ended well and the image stays.
    Confirmed,
    /// The image failed its trial or crashed, and the previous image came back.
    RolledBack,
}

/// The last trial, as flash stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Hash of the image that was tried.
    pub hash: [u8; 8],
    /// Version of the image.
    pub version: String<24>,
    /// Result of the trial.
    pub outcome: Outcome,
    /// Reason, if the image was rolled back.
    pub reason: String<96>,
}

/// The last trial, as answers show it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LastTrial {
    /// Version of the image that was tried.
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    pub version: String<24>,
    /// Hash of the image.
    pub hash: Short,
    /// Result of the trial.
    pub outcome: Outcome,
    /// Reason, if the image was rolled back.
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
    /// Version of the firmware.
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    pub version: String<24>,
    /// Hash of the image.
    pub hash: Short,
    /// Anti-downgrade counter.
    pub counter: u32,
}

/// State of the running image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The trial is not over.
    OnTrial,
    /// The trial ended well.
    Confirmed,
    /// The image was never on trial, because it came by cable.
    NotTried,
}

/// Whether a bad image is rolled back automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Rollback {
    /// The installed bootloader was seen to put an image on trial.
    #[serde(rename = "armed")]
    Armed,
    /// The bootloader was not seen to do so yet.
    #[serde(rename = "not armed")]
    NotArmed,
}

/// An update that is arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receiving {
    /// Bytes received.
    pub received: u32,
    /// Size of the update in bytes.
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
    /// The running image; null if it came by cable without a manifest.
    pub running: Option<Image>,
    /// State of the running image.
    pub state: Standing,
    /// Whether a bad image is rolled back automatically.
    pub rollback: Rollback,
    /// The image in the other slot, to which the lamp can roll back; null if that slot has no whole image or a bad one.
    pub other: Option<Image>,
    /// Names of the keys whose signatures count; empty = updates are refused.
    #[cfg_attr(feature = "schema", schemars(with = "std::vec::Vec<Short>"))]
    pub keys: heapless::Vec<Short, 2>,
    /// Generation of the set of keys; a new set needs a higher number.
    pub key_generation: u32,
    /// Images with a lower counter are refused.
    pub counter_floor: u32,
    /// The update that is arriving.
    pub receiving: Option<Receiving>,
    /// Why the last update since the start was refused.
    pub refused: Option<alloc::string::String>,
    /// The last trial.
    pub last: Option<LastTrial>,
}

/// Answer to `PUT /api/v1/firmware`: the image is whole, and its trial begins after the restart that follows.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Installed {
    /// Slot that holds the new image.
    pub slot: Cow<'static, str>,
    /// The new image.
    pub image: Image,
}

/// Answer to `POST /api/v1/rollback`: the lamp restarts with this image.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "read", derive(Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GoingBack {
    /// The image to which the lamp rolls back; null if only this image is left, whose trial ends.
    pub to: Option<Image>,
}
