//! Changes of the playlist and of timers.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use super::loose::{Loose, flag};
use super::scenes::fade;
use crate::error::Refusal;

/// Reads a value as a list of texts.
fn texts(
    value: Option<&Value>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<Vec<String>>, Refusal> {
    let texts = |list: &Vec<Value>| -> Option<Vec<String>> {
        list.iter().map(|text| Some(text.as_str()?.into())).collect()
    };
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => texts(list).map(Some).ok_or(Refusal::InvalidValue { field, expected }),
        Some(_) => Err(Refusal::InvalidValue { field, expected }),
    }
}

/// Reads a value as a text that must be there.
fn text<'v>(
    value: Option<&'v Value>,
    field: &'static str,
    expected: &'static str,
) -> Result<&'v str, Refusal> {
    let value = value.ok_or(Refusal::MissingField(field))?;
    value.as_str().ok_or(Refusal::InvalidValue { field, expected })
}

/// Changes of the playlist.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlaylistPatch {
    /// True starts it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    on: Option<Loose>,
    /// Names of its scenes, in order; empty: all scenes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<std::string::String>>"))]
    scenes: Option<Value>,
    /// When the next scene comes: `8 bars`, `16 beats`, `90 s`, `5 min` or `section`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    every: Option<Value>,
    /// True for a random order.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    shuffle: Option<Loose>,
}

impl PlaylistPatch {
    /// On or off.
    pub fn on(&self) -> Result<Option<bool>, Refusal> {
        flag(self.on, "on")
    }

    /// Names of the scenes.
    pub fn scenes(&self) -> Result<Option<Vec<String>>, Refusal> {
        texts(self.scenes.as_ref(), "scenes", "a list of names of scenes; GET /api/v1/scenes lists them")
    }

    /// The period; `expected` says what it may be.
    pub fn every(&self, expected: &'static str) -> Result<Option<&str>, Refusal> {
        self.every.as_ref().map(|every| text(Some(every), "every", expected)).transpose()
    }

    /// Whether the order is random.
    pub fn shuffle(&self) -> Result<Option<bool>, Refusal> {
        flag(self.shuffle, "shuffle")
    }
}

/// A timer. What each text may be is given by the caller.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewTimer {
    /// Local time of day, such as `18:30`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    at: Option<Value>,
    /// Days of the week, such as `mon`; without it, every day.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<std::string::String>>"))]
    days: Option<Value>,
    /// What it does: `on`, `off`, `scene NAME`, `playlist` or `stop playlist`.
    #[serde(default, rename = "do")]
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    task: Option<Value>,
    /// Duration of its fade in seconds, 0 to 3600.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f32>"))]
    fade_s: Option<Loose>,
}

impl NewTimer {
    /// The time of day.
    pub fn at(&self, expected: &'static str) -> Result<&str, Refusal> {
        text(self.at.as_ref(), "at", expected)
    }

    /// Names of the days.
    pub fn days(&self, expected: &'static str) -> Result<Option<Vec<String>>, Refusal> {
        texts(self.days.as_ref(), "days", expected)
    }

    /// What it does.
    pub fn task(&self, expected: &'static str) -> Result<&str, Refusal> {
        text(self.task.as_ref(), "do", expected)
    }

    /// Duration of its fade in seconds.
    pub fn fade_s(&self) -> Result<Option<f32>, Refusal> {
        match self.fade_s {
            Some(Loose::Other) | None => Ok(None),
            some => fade(some),
        }
    }
}

/// All timers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewTimers {
    /// The timers, which take the place of those that were there.
    pub timers: Vec<NewTimer>,
}
