//! Zones, and the file that holds them.

use alloc::string::String;
use alloc::vec::Vec;

use k1_engine::light::Shape;
use k1_engine::params::Params;
use k1_engine::patterns::PATTERNS;
use serde::Serialize;

use super::ParamValues;
use crate::exchange::Change;

/// A zone: a part of the light with a look of its own.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Zone {
    /// Its name; empty if K1 has no show file.
    name: String,
    /// Number of pixels.
    leds: usize,
    /// Identifier of the pattern.
    pattern: &'static str,
    /// The parameters.
    params: ParamValues<'static>,
    /// How its pixels are arranged, as in a show file.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    shape: Shape<'static>,
}

fn as_text<S: serde::Serializer>(shape: &Shape<'static>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(shape)
}

impl Zone {
    /// A zone with a pattern that exists.
    pub fn new(name: String, leds: usize, pattern: usize, params: Params) -> Self {
        let pattern = PATTERNS[pattern.min(PATTERNS.len() - 1)].id;
        Self { name, leds, pattern, params: ParamValues { params, patch: None }, shape: Shape::default() }
    }

    /// The same zone on a shape.
    pub fn on(self, shape: Shape<'static>) -> Self {
        Self { shape, ..self }
    }

    /// Applies a change; the gain and a fade are not part of a zone.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Param(param, value) => _ = self.params.params.set(param, value),
            Change::Pattern(index) => self.pattern = PATTERNS[index.min(PATTERNS.len() - 1)].id,
            Change::Gain(_) | Change::Fade(_) => {}
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `GET /api/v1/zones`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Zones {
    /// The zones, in the order of the show file.
    pub zones: Vec<Zone>,
}

/// `GET /api/v1/show`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShowFile {
    /// Path of the file on the machine that K1 runs on.
    pub path: String,
    /// Its text (TOML).
    pub text: String,
    /// Mark of this text, which a change sends along.
    pub mark: String,
    /// Its faults, each with its line and what to do.
    pub faults: Vec<String>,
}

/// `POST /api/v1/show`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShowWritten {
    /// True if the file was written; false if the text has a fault.
    pub written: bool,
    /// Mark of the text that the file has now.
    pub mark: String,
    /// The faults, each with its line and what to do.
    pub faults: Vec<String>,
}
