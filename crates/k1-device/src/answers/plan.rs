//! The plan of a show: what its zones are made of, and where they hang.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

/// A part of a zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Piece {
    /// Name of the light; null for a gap.
    pub light: Option<String>,
    /// First LED, counted from 0.
    pub from: usize,
    /// Last LED.
    pub to: usize,
    /// True if the zone begins at the last LED.
    pub reversed: bool,
    /// Number of neighbours that show the same.
    pub group: usize,
    /// Number of times that the piece shows its pixels.
    pub repeat: usize,
    /// Number of pixels that no LED shows; null for a piece of a light.
    pub gap: Option<usize>,
}

/// Where a zone hangs on the plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Place {
    /// Its middle from the left (0) to the right edge (1).
    pub x: f32,
    /// Its middle from the upper (0) to the lower edge (1).
    pub y: f32,
    /// How far it is turned clockwise, in degrees.
    pub angle: f32,
}

/// A zone of the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanZone {
    /// Its name.
    pub name: String,
    /// Number of pixels.
    pub pixels: usize,
    /// True if a shape or a map fixes its number of pixels.
    pub fixed: bool,
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
    /// Where it hangs; null if nobody has hung it.
    pub place: Option<Place>,
}

/// A light of the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanLight {
    /// Its name.
    pub name: String,
    /// Number of LEDs.
    pub leds: usize,
}

/// `GET /api/v1/plan`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The lights, in the order of the show file.
    pub lights: Vec<PlanLight>,
    /// The zones, in the order of the show file.
    pub zones: Vec<PlanZone>,
}
