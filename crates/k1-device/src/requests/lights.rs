//! Lights to find, test and add.

use alloc::string::String;

use serde::Deserialize;

use crate::error::Refusal;

/// A picture for a light.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LightTest {
    /// Name of the light.
    pub light: String,
    /// The picture: `blink`, `first` (only the first LED), `red`, `green` or `blue`.
    pub picture: String,
    /// Its duration in seconds, 0.1 to 60.
    pub seconds: f32,
}

impl LightTest {
    /// Its duration in µs.
    pub fn duration_us(&self) -> Result<u64, Refusal> {
        match (0.1..=60.0).contains(&self.seconds) {
            true => Ok((self.seconds * 1e6) as u64),
            false => Err(Refusal::InvalidValue { field: "seconds", expected: "a number from 0.1 to 60" }),
        }
    }
}

/// A change of a light of the show: any of these fields.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LightChange {
    /// Name of the light.
    pub light: String,
    /// Its new name; a zone with the name of the light is renamed, too.
    #[serde(default)]
    pub name: Option<String>,
    /// Order of its colours, such as `grb`; with a `w`, the light has white LEDs.
    #[serde(default)]
    pub order: Option<String>,
    /// True to turn it round, so that its zone begins at its other end.
    #[serde(default)]
    pub turn: bool,
    /// True to remove it, its pieces, and every zone that has no other piece.
    #[serde(default)]
    pub remove: bool,
}

/// A light for the show.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewLight {
    /// Its name, which no other light of the show has.
    pub name: String,
    /// Its address, in the form of `k1 run --to`.
    pub to: String,
    /// Number of LEDs.
    pub leds: usize,
    /// True if its zone begins at its last LED.
    #[serde(default)]
    pub reversed: bool,
    /// Columns and rows, if it is a matrix; a new zone gets this shape.
    #[serde(default)]
    pub matrix: Option<[usize; 2]>,
    /// Zone that it continues; without it, a new one with the name of the light.
    #[serde(default)]
    pub zone: Option<String>,
    /// Identifier of the zone's pattern.
    #[serde(default)]
    pub pattern: Option<String>,
}
