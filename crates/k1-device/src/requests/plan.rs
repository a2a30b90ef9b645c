//! Changes of zones: their pieces, and where they hang.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

/// A part of a zone: a part of a light, or a gap.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewPiece {
    /// Name of the light.
    #[serde(default)]
    pub light: Option<String>,
    /// First LED, counted from 0; 0 without it.
    #[serde(default)]
    pub from: Option<usize>,
    /// Last LED; that of the light without it.
    #[serde(default)]
    pub to: Option<usize>,
    /// True if the zone begins at the last LED.
    #[serde(default)]
    pub reversed: bool,
    /// Number of neighbours that show the same; 1 without it.
    #[serde(default)]
    pub group: Option<usize>,
    /// Number of times that the piece shows its pixels; 1 without it.
    #[serde(default)]
    pub repeat: Option<usize>,
    /// Instead of a light: number of pixels that no LED shows.
    #[serde(default)]
    pub gap: Option<usize>,
}

/// Where a zone is to hang on the plan.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewPlace {
    /// Its middle from the left (0) to the right edge (1).
    pub x: f32,
    /// Its middle from the upper (0) to the lower edge (1).
    pub y: f32,
    /// How far it is turned clockwise, in degrees, 0 to below 360.
    #[serde(default)]
    pub angle: f32,
}

/// A change of a zone: any of these fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ZoneChange {
    /// Its pieces, in order. A zone that does not exist is made of them.
    #[serde(default)]
    pub pieces: Option<Vec<NewPiece>>,
    /// Where it hangs.
    #[serde(default)]
    pub place: Option<NewPlace>,
    /// True to remove it; its lights stay, and their LEDs are dark.
    #[serde(default)]
    pub remove: bool,
}
