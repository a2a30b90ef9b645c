//! Where sound comes from.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

/// A source of sound that this K1 may hear.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Input {
    /// Its name for `PUT /api/v1/input`, in the form of the command line.
    pub source: String,
    /// Its name for people.
    pub name: String,
    /// Its kind: `demo`, `mic`, `monitor` (what the computer plays), `stream`, `file` or `stdin`.
    pub kind: &'static str,
    /// True if the system uses it unless a name is given.
    pub default: bool,
    /// True if K1 hears it.
    pub current: bool,
    /// True if it can be chosen again after another one.
    pub again: bool,
    /// Its level in dBFS (RMS): of the current one now, of others while K1 listens to them; null if it is not known.
    pub level_dbfs: Option<f32>,
    /// Its loudest level while K1 listened to it last; null if it was not heard.
    pub loudest_dbfs: Option<f32>,
    /// Why it cannot be heard; null if it can, or if K1 has not listened to it.
    pub trouble: Option<String>,
}

/// `GET /api/v1/inputs`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Inputs {
    /// The sources, the current one among them.
    pub inputs: Vec<Input>,
    /// True while K1 listens to all of them.
    pub listening: bool,
    /// Why no live sources are listed; null if they are.
    pub trouble: Option<String>,
}

/// `PUT /api/v1/input`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InputSet {
    /// True if K1 hears the new source; false if it goes on with the one before.
    pub changed: bool,
    /// The source that K1 hears, in the form of the command line.
    pub source: String,
    /// True if the show file has it, so that K1 hears it after a restart, too.
    pub remembered: bool,
    /// Why it was not changed or not remembered; null if it was both.
    pub trouble: Option<String>,
}
