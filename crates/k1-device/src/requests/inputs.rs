//! Where sound is to come from.

use alloc::string::String;

use serde::Deserialize;

use super::loose::Loose;
use crate::error::Refusal;

/// A source to hear.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewInput {
    /// The source, in the form of the command line: `demo`, `mic`, `monitor`, `mic:NAME`, `monitor:NAME`, the address of a
    /// stream, or a file, a folder or a playlist beside the show file.
    pub source: String,
}

/// How long K1 listens to all sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Listen {
    /// Duration in seconds, 1 to 30; 5 without it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f32>"))]
    seconds: Option<Loose>,
}

impl Listen {
    /// Duration in seconds.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidValue`] outside 1 to 30.
    pub fn seconds(&self) -> Result<f32, Refusal> {
        match self.seconds {
            None => Ok(5.0),
            Some(Loose::Number(n)) if (1.0..=30.0).contains(&n) => Ok(n as f32),
            Some(_) => Err(Refusal::InvalidValue { field: "seconds", expected: "a number from 1 to 30" }),
        }
    }
}
