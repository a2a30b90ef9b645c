//! Changes of zones and of the file that holds them.

use alloc::string::String;

use serde::Deserialize;

use super::loose::Loose;
use super::{ParamsPatch, named_pattern};
use crate::error::Refusal;
use crate::exchange::Change;

/// Another look for a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ZonePatch {
    /// Name of the zone.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    zone: Option<Loose>,
    /// Identifier of the pattern.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    pattern: Option<Loose>,
    /// Parameters to change.
    #[serde(default)]
    params: ParamsPatch,
}

impl ZonePatch {
    /// Name of the zone.
    pub fn zone(&self) -> Result<&str, Refusal> {
        match &self.zone {
            Some(Loose::Text(name)) => Ok(name.as_str()),
            Some(_) => Err(Refusal::InvalidValue { field: "zone", expected: "the name of a zone" }),
            None => Err(Refusal::MissingField("zone")),
        }
    }

    /// The same for a K1 with a number of palettes of the user's own.
    #[must_use]
    pub fn with_own_palettes(self, own: usize) -> Self {
        Self { params: self.params.with_own_palettes(own), ..self }
    }

    /// The changes. Refused as a whole if one of them is not valid.
    pub fn changes(&self) -> Result<impl Iterator<Item = Change> + '_, Refusal> {
        let pattern = self.pattern.map(|id| named_pattern(id, "pattern")).transpose()?;
        let params = self.params.changes()?.map(|(param, value)| Change::Param(param, value));
        Ok(params.chain(pattern.map(Change::Pattern)))
    }
}

/// Another text for the show file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShowText {
    /// The whole text (TOML).
    pub text: String,
    /// Mark of the text that it replaces, from `GET /api/v1/show`.
    pub mark: String,
}
