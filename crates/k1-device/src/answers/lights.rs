//! Lights of a show, and lights that were found.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::Light;

/// A light of the show.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShowLight {
    /// Its name.
    pub name: String,
    /// Its address, in the form of `k1 run --to`.
    pub to: String,
    /// Number of LEDs.
    pub leds: usize,
    /// Order of its colours, such as `rgb`.
    pub order: String,
    /// Names of the zones that have a piece of it.
    pub zones: Vec<String>,
    /// Its state and figures; null if it could not be opened.
    pub state: Option<Light>,
}

/// `GET /api/v1/lights`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShowLights {
    /// The lights, in the order of the show file.
    pub lights: Vec<ShowLight>,
}

/// `POST /api/v1/lights/test`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LightTested {
    /// Name of the light.
    pub light: String,
    /// The end of the picture, in milliseconds since the start.
    pub until_ms: u64,
}

/// A light on the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundLight {
    /// Its kind: `wled`, `artnet` for an Art-Net node, or `k1` for a lamp, which hears by itself.
    pub kind: &'static str,
    /// The name that it tells.
    pub name: String,
    /// Its address and settings for a show, in the form of `k1 run --to`; null for a lamp.
    pub to: Option<String>,
    /// Number of LEDs; null if it does not tell.
    pub leds: Option<usize>,
    /// True if its LEDs have a white channel.
    pub white: bool,
    /// Columns and rows of a matrix; null if it is not one.
    pub matrix: Option<[usize; 2]>,
    /// Universes that an Art-Net node puts out; empty for other lights.
    pub universes: Vec<u16>,
    /// Why it could not be asked; null if it was.
    pub trouble: Option<String>,
}

/// `GET /api/v1/lights/find`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundLights {
    /// True while the search goes on.
    pub searching: bool,
    /// What the last search has found.
    pub found: Vec<FoundLight>,
    /// Why the last search has failed or is incomplete; null if it is neither.
    pub trouble: Option<String>,
}
