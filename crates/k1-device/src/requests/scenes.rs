//! Changes of scenes, and of the light as a whole.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use k1_engine::light::{PALETTES, Palette, palette_by_name};
use k1_engine::params::{Param, Params};
use k1_engine::patterns::FIRST_PATTERN;
use k1_engine::show::Look;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::loose::{Loose, flag};
use super::{ParamsPatch, named_pattern};
use crate::error::Refusal;
use crate::exchange::LONGEST_FADE_S;

/// Reads a value as the duration of a fade in seconds.
pub(super) fn fade(value: Option<Loose>) -> Result<Option<f32>, Refusal> {
    let wrong = Refusal::InvalidValue { field: "fade_s", expected: "a number of seconds from 0 to 3600" };
    number(value, 0.0, LONGEST_FADE_S, wrong)
}

/// Reads a value as a brightness.
fn brightness(value: Option<Loose>) -> Result<Option<f32>, Refusal> {
    number(value, 0.0, 1.0, Refusal::InvalidValue { field: "brightness", expected: "a number from 0 to 1" })
}

fn number(value: Option<Loose>, least: f32, most: f32, wrong: Refusal) -> Result<Option<f32>, Refusal> {
    match value {
        None => Ok(None),
        Some(Loose::Number(n)) if (f64::from(least)..=f64::from(most)).contains(&n) => Ok(Some(n as f32)),
        Some(_) => Err(wrong),
    }
}

/// A look for a zone in a scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewLook {
    /// Identifier of the pattern.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    pattern: Option<Loose>,
    /// Name or number of the palette.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    palette: Option<Loose>,
    /// Values of parameters; the others have their defaults.
    #[serde(default)]
    params: ParamsPatch,
}

impl NewLook {
    /// The look, for a K1 with the user's `own` palettes.
    pub fn look(&self, own: &[Palette]) -> Result<Look, Refusal> {
        let pattern = self.pattern.map(|id| named_pattern(id, "pattern")).transpose()?;
        let mut params = Params::default();
        let _ = self.params.changes()?;
        self.params.with_own_palettes(own.len()).apply(&mut params);
        let by_name = |name: &str| {
            let own = || own.iter().position(|palette| palette.name == name);
            palette_by_name(name).or_else(|| Some(PALETTES.len() + own()?))
        };
        let count = PALETTES.len() + own.len();
        let expected = "the name or the number of a palette; GET /api/palettes lists them";
        let wrong = Refusal::InvalidValue { field: "palette", expected };
        let palette = match self.palette {
            None => None,
            Some(Loose::Text(name)) => Some(by_name(name.as_str()).ok_or(wrong)?),
            Some(Loose::Number(n)) if n >= 0.0 && n < count as f64 => Some(n as usize),
            Some(_) => return Err(wrong),
        };
        if let Some(palette) = palette {
            params.set(Param::PaletteId, palette as f32);
        }
        Ok(Look { pattern: pattern.unwrap_or(FIRST_PATTERN), params })
    }
}

/// A scene to make or to replace.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewScene {
    /// Duration of the fade to it in seconds, 0 to 3600.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<f32>"))]
    fade_s: Option<Loose>,
    /// Brightness of all zones, 0 to 1, on top of their looks.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<f32>"))]
    brightness: Option<Loose>,
    /// The look of each zone by the zone's name. Without it, a new scene has what is shown now, and an existing one keeps
    /// its looks; an empty body always takes what is shown now.
    #[cfg_attr(
        feature = "schema",
        schemars(default, with = "Option<std::collections::BTreeMap<String, NewLook>>")
    )]
    looks: Option<NewLooks>,
}

/// The fields of all requests below. One function reads them, because three would take 3 KiB more of a lamp's flash.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    on: Option<Loose>,
    #[serde(default)]
    fade_s: Option<Loose>,
    #[serde(default)]
    brightness: Option<Loose>,
    #[serde(default)]
    looks: Option<NewLooks>,
}

impl<'de> Deserialize<'de> for NewScene {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Fields { fade_s, brightness, looks, .. } = Fields::deserialize(d)?;
        Ok(Self { fade_s, brightness, looks })
    }
}

impl<'de> Deserialize<'de> for Recall {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self { fade_s: Fields::deserialize(d)?.fade_s })
    }
}

impl<'de> Deserialize<'de> for PowerPatch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Fields { on, fade_s, brightness, .. } = Fields::deserialize(d)?;
        Ok(Self { on, fade_s, brightness })
    }
}

/// Names of zones and their looks. A map of the standard library would take 4 KiB of a lamp's flash.
#[derive(Clone, Debug, Default, PartialEq)]
struct NewLooks(Vec<(String, NewLook)>);

impl<'de> Deserialize<'de> for NewLooks {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Looks;
        impl<'de> Visitor<'de> for Looks {
            type Value = NewLooks;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of looks")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NewLooks, A::Error> {
                let mut looks: Vec<(String, NewLook)> = Vec::new();
                while let Some((zone, look)) = map.next_entry()? {
                    // Of two looks for a zone the last one counts, as everywhere in JSON.
                    looks.retain(|(known, _)| *known != zone);
                    looks.push((zone, look));
                }
                Ok(NewLooks(looks))
            }
        }
        d.deserialize_map(Looks)
    }
}

impl NewScene {
    /// Duration of the fade in seconds.
    pub fn fade_s(&self) -> Result<Option<f32>, Refusal> {
        fade(self.fade_s)
    }

    /// Brightness of all zones.
    pub fn brightness(&self) -> Result<Option<f32>, Refusal> {
        brightness(self.brightness)
    }

    /// Names of zones and their looks.
    pub fn looks(&self) -> Option<&[(String, NewLook)]> {
        self.looks.as_ref().map(|looks| &*looks.0)
    }

    /// True if the scene becomes what is shown now; `exists` is true if there is a scene of its name.
    pub fn is_picture(&self, exists: bool) -> bool {
        *self == Self::default() || self.looks.is_none() && !exists
    }
}

/// How a scene is recalled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recall {
    /// Duration of the fade in seconds, 0 to 3600; without it, that of the scene.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<f32>"))]
    fade_s: Option<Loose>,
}

impl Recall {
    /// Duration of the fade in seconds.
    pub fn fade_s(&self) -> Result<Option<f32>, Refusal> {
        fade(self.fade_s)
    }
}

/// On, off, and the brightness of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PowerPatch {
    /// True turns the light on.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<bool>"))]
    on: Option<Loose>,
    /// Duration of the fade in seconds, 0 to 3600; 1 without it.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<f32>"))]
    fade_s: Option<Loose>,
    /// Brightness of everything, 0 to 1.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<f32>"))]
    brightness: Option<Loose>,
}

impl PowerPatch {
    /// On or off.
    pub fn on(&self) -> Result<Option<bool>, Refusal> {
        flag(self.on, "on")
    }

    /// Duration of the fade in seconds.
    pub fn fade_s(&self) -> Result<Option<f32>, Refusal> {
        fade(self.fade_s)
    }

    /// Brightness of everything.
    pub fn brightness(&self) -> Result<Option<f32>, Refusal> {
        brightness(self.brightness)
    }
}
