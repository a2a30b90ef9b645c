//! Lists of the engine's tables: patterns, parameters, palettes.

use k1_engine::light::{PALETTES, Palette, srgb_byte};
use k1_engine::params::{PARAMS, Param, Params};
use k1_engine::patterns::PATTERNS;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::requests::ParamsPatch;

/// A list whose rows are computed while it is written.
#[derive(Clone, Copy, Debug)]
pub struct Rows<T> {
    len: usize,
    row: fn(usize) -> T,
}

impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(self.len))?;
        (0..self.len).try_for_each(|i| seq.serialize_element(&(self.row)(i)))?;
        seq.end()
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Rows<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Vec::<T>::schema_name()
    }
    fn json_schema(g: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<T>::json_schema(g)
    }
}

/// A pattern in a list.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatternEntry {
    index: usize,
    id: &'static str,
    name: &'static str,
    description: &'static str,
    is_audio_reactive: bool,
    /// What the pattern listens to.
    listens: &'static str,
    /// What the three custom parameters do in the pattern.
    knobs: [&'static str; 3],
    /// Number of the pattern's own palette; null if it shows the user's palette.
    own_palette: Option<usize>,
}

/// `GET /api/patterns`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Patterns {
    patterns: Rows<PatternEntry>,
    /// Index of the pattern that is shown.
    current_pattern: usize,
}

impl Patterns {
    /// Every pattern, and the index of the current one.
    pub fn new(current_pattern: usize) -> Self {
        let row = |index: usize| {
            let p = &PATTERNS[index];
            PatternEntry {
                index,
                id: p.id,
                name: p.name,
                description: p.description,
                is_audio_reactive: p.is_audio_reactive,
                listens: p.listens,
                knobs: p.knobs,
                own_palette: p.own_palette,
            }
        };
        Self { patterns: Rows { len: PATTERNS.len(), row }, current_pattern }
    }
}

/// Every parameter with its value; after a change also the parameters that were brought into their range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamValues<'a> {
    /// The values.
    pub params: Params,
    /// The change that led to these values.
    pub patch: Option<&'a ParamsPatch>,
}

struct Clamped<'a>(&'a ParamsPatch);

impl Serialize for Clamped<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(Param::ALL.iter().filter(|p| self.0.was_clamped(**p)).map(|p| p.spec().id))
    }
}

impl Serialize for ParamValues<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        for p in Param::ALL {
            match p {
                Param::PaletteId => map.serialize_entry(p.spec().id, &self.params.palette_id())?,
                _ => map.serialize_entry(p.spec().id, &self.params.get(*p))?,
            }
        }
        if let Some(patch) = self.patch {
            if Param::ALL.iter().any(|p| patch.was_clamped(*p)) {
                map.serialize_entry("clamped", &Clamped(patch))?;
            }
            if patch.unknown > 0 {
                map.serialize_entry("unknown_fields", &patch.unknown)?;
            }
        }
        map.end()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ParamValues<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameters".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut properties = crate::requests::param_properties();
        let required: Vec<_> = PARAMS.iter().map(|p| p.id).collect();
        let clamped = schemars::json_schema!({
            "type": "array", "items": { "type": "string" },
            "description": "After a change only: parameters that were brought into their range."
        });
        let unknown = schemars::json_schema!({
            "type": "integer", "minimum": 1, "description": "After a change only: number of fields that are not parameters."
        });
        properties.insert("clamped".into(), clamped.to_value());
        properties.insert("unknown_fields".into(), unknown.to_value());
        schemars::json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}

/// One row of the parameter table.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParamEntry {
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    min: f32,
    max: f32,
    default: f32,
    step: f32,
    help: &'static str,
}

/// `GET /api/v1/params`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParamTable {
    params: Rows<ParamEntry>,
}

impl Default for ParamTable {
    fn default() -> Self {
        let row = |i: usize| {
            let p = &PARAMS[i];
            ParamEntry {
                id: p.id,
                name: p.name,
                unit: p.unit,
                min: p.min,
                max: p.max,
                default: p.default,
                step: p.step,
                help: p.help,
            }
        };
        Self { params: Rows { len: PARAMS.len(), row } }
    }
}

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Swatch {
    r: u8,
    g: u8,
    b: u8,
}

/// A palette in a list.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaletteEntry {
    id: usize,
    name: &'static str,
    /// Five colours from its start to its end, sRGB.
    colors: [Swatch; 5],
    num_keyframes: usize,
    /// What the palette is for.
    about: &'static str,
}

/// Every palette, with those of the user's own.
#[derive(Clone, Copy, Debug)]
struct AllPalettes(&'static [Palette]);

impl Serialize for AllPalettes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let all = PALETTES.iter().chain(self.0).enumerate();
        s.collect_seq(all.map(|(id, palette)| PaletteEntry::new(id, palette)))
    }
}

impl PaletteEntry {
    fn new(id: usize, palette: &Palette) -> Self {
        let swatch = |k: usize| {
            let c = palette.at(k as f32 / 4.0).to_rgb();
            Swatch { r: srgb_byte(c.r), g: srgb_byte(c.g), b: srgb_byte(c.b) }
        };
        Self {
            id,
            name: palette.name,
            colors: core::array::from_fn(swatch),
            num_keyframes: palette.stops.len(),
            about: palette.about,
        }
    }
}

/// `GET /api/palettes`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Palettes {
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PaletteEntry>"))]
    palettes: AllPalettes,
    count: usize,
}

impl Palettes {
    /// Every palette; those of the user's `own` are the last.
    pub fn new(own: &'static [Palette]) -> Self {
        Self { palettes: AllPalettes(own), count: PALETTES.len() + own.len() }
    }
}
