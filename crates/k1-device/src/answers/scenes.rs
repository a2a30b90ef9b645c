//! Scenes, and the light as a whole: on, off, brightness.

use alloc::string::String;
use alloc::vec::Vec;

use k1_engine::light::{PALETTES, Palette};
use k1_engine::patterns::PATTERNS;
use k1_engine::show::Look;
use serde::{Serialize, Serializer};

use super::ParamValues;

/// The look of a zone in a scene.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SceneLook {
    /// Identifier of the pattern.
    pattern: &'static str,
    /// Name of the palette.
    palette: &'static str,
    /// The parameters.
    params: ParamValues<'static>,
}

impl SceneLook {
    /// A look with a pattern and a palette that exist, on a K1 with the user's `own` palettes.
    pub fn new(Look { pattern, params }: Look, own: &'static [Palette]) -> Self {
        let id = params.palette_id();
        let own = id.checked_sub(PALETTES.len()).and_then(|id| own.get(id));
        Self {
            pattern: PATTERNS[pattern.min(PATTERNS.len() - 1)].id,
            palette: own.map_or_else(|| PALETTES[id.min(PALETTES.len() - 1)].name, |palette| palette.name),
            params: ParamValues { params, patch: None },
        }
    }
}

/// A scene: looks under a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scene {
    /// Its name.
    pub name: String,
    /// Duration of the fade to it in seconds.
    pub fade_s: f32,
    /// Brightness of all zones, 0 to 1, on top of their looks; null for full brightness.
    pub brightness: Option<f32>,
    /// The look of each zone by the zone's name. A zone that is not listed keeps its look.
    #[serde(serialize_with = "as_map")]
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, SceneLook>"))]
    pub looks: Vec<(String, SceneLook)>,
}

fn as_map<S: Serializer>(looks: &[(String, SceneLook)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(looks.iter().map(|(zone, look)| (zone, look)))
}

/// `GET /api/v1/scenes`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scenes {
    /// The scenes, in the order of the show file, or of a lamp's memory.
    pub scenes: Vec<Scene>,
    /// Name of the scene that is shown; null if there was none, or if a look was changed since.
    pub current: Option<String>,
}

/// `POST /api/v1/scenes/{name}/recall`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recalled {
    /// Name of the scene.
    pub scene: String,
    /// Duration of the fade in seconds.
    pub fade_s: f32,
    /// Zones of the scene that do not exist any more.
    pub missing: Vec<String>,
    /// A sentence about the missing zones; null if there are none.
    pub message: Option<String>,
}

/// `DELETE /api/v1/scenes/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deleted {
    /// Name of the scene.
    pub deleted: String,
}

/// `GET /api/v1/power`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Power {
    /// True while the light is on. K1 hears in either case.
    pub on: bool,
    /// Duration of the last fade in seconds.
    pub fade_s: f32,
    /// Brightness of everything, 0 to 1, on top of the looks and of the scene.
    pub brightness: f32,
}

/// `GET /api/v1/playlist`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Playlist {
    /// True while it runs.
    pub on: bool,
    /// Names of its scenes, in order; empty: all scenes, in the order of the show file.
    pub scenes: Vec<String>,
    /// When the next scene comes, such as `8 bars`, `16 beats`, `90 s`, `5 min` or `section`.
    pub every: String,
    /// True for a random order.
    pub shuffle: bool,
    /// What is left until the next scene, such as `3 bars`; null while it does not run.
    pub left: Option<String>,
    /// Name of the next scene; null if there is no other.
    pub next: Option<String>,
}

/// A timer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timer {
    /// Local time of day, such as `18:30`.
    pub at: String,
    /// The days of the week: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    pub days: Vec<&'static str>,
    /// What it does: `on`, `off`, `scene NAME`, `playlist` or `stop playlist`.
    #[serde(rename = "do")]
    pub task: String,
    /// Duration of its fade in seconds; null for the usual one.
    pub fade_s: Option<f32>,
}

/// The timer that comes next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NextTimer {
    /// Local time of day and day of the week, such as `18:30 Mon`.
    pub at: String,
    /// What it does.
    #[serde(rename = "do")]
    pub task: String,
    /// Seconds until then.
    pub in_s: u64,
}

/// `GET /api/v1/timers`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timers {
    /// The timers, in the order of the show file.
    pub timers: Vec<Timer>,
    /// Local time of day and day of the week, such as `18:29 Mon`.
    pub now: String,
    /// Name of the time zone; null if it has none.
    pub zone: Option<String>,
    /// The timer that comes next; null without timers.
    pub next: Option<NextTimer>,
}
