//! Parameters to change.

use core::fmt;

use k1_engine::params::{LAST_PALETTE, Param, Params};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::loose::Loose;
use crate::error::Refusal;

/// Some parameters to change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ParamsPatch {
    values: [Option<f32>; Param::ALL.len()],
    clamped: u32,
    wrong: Option<Param>,
    /// Number of fields that are not parameters. They are ignored, as the lamps in the field do.
    pub unknown: u32,
}

impl ParamsPatch {
    /// The changes, each with its nearest valid value. Refused as a whole if a value is not a number.
    pub fn changes(&self) -> Result<impl Iterator<Item = (Param, f32)> + '_, Refusal> {
        match self.wrong {
            Some(param) => Err(Refusal::NotANumber(param)),
            None => Ok(Param::ALL.iter().filter_map(|p| self.values[*p as usize].map(|v| (*p, v)))),
        }
    }

    /// The same for a K1 with a number of palettes of the user's own: a higher number of a palette becomes the last one.
    #[must_use]
    pub fn with_own_palettes(mut self, own: usize) -> Self {
        let last = (LAST_PALETTE + own) as f32;
        if let Some(id) = self.values[Param::PaletteId as usize].as_mut().filter(|id| **id > last) {
            *id = last;
            self.clamped |= 1 << Param::PaletteId as u32;
        }
        self
    }

    /// True if the value of this parameter was brought into its range.
    pub fn was_clamped(&self, param: Param) -> bool {
        self.clamped >> param as u32 & 1 != 0
    }

    /// Applies the changes to a set.
    pub fn apply(&self, params: &mut Params) {
        for (param, value) in Param::ALL.iter().zip(self.values) {
            if let Some(value) = value {
                params.set(*param, value);
            }
        }
    }
}

/// Every parameter as a property of a schema.
#[cfg(feature = "schema")]
pub(crate) fn param_properties() -> serde_json::Map<String, serde_json::Value> {
    let property = |p: &k1_engine::params::ParamSpec| {
        let is_palette = p.id == Param::PaletteId.spec().id;
        let kind = if is_palette { "integer" } else { "number" };
        // Numbers above the table's are the user's own palettes.
        let most = if is_palette { p.max + k1_engine::params::MOST_OWN_PALETTES as f32 } else { p.max };
        let schema = schemars::json_schema!({
            "type": kind, "minimum": p.min, "maximum": most, "default": p.default, "description": p.help
        });
        (p.id.to_owned(), schema.to_value())
    };
    k1_engine::params::PARAMS.iter().map(property).collect()
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ParamsPatch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParametersToChange".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "properties": param_properties() })
    }
}

impl<'de> Deserialize<'de> for ParamsPatch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = ParamsPatch;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of parameters")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParamsPatch, A::Error> {
                let mut patch = ParamsPatch::default();
                while let Some(Key(param)) = map.next_key()? {
                    let Some(param) = param else {
                        map.next_value::<IgnoredAny>()?;
                        patch.unknown += 1;
                        continue;
                    };
                    match map.next_value()? {
                        Loose::Number(value) => {
                            let value = value as f32;
                            let nearest = param.nearest(value);
                            patch.values[param as usize] = Some(nearest);
                            if nearest != value {
                                patch.clamped |= 1 << param as u32;
                            }
                        }
                        _ => patch.wrong = Some(param),
                    }
                }
                Ok(patch)
            }
        }
        d.deserialize_map(Fields)
    }
}

/// The name of a field; `None` if no parameter has this name.
struct Key(Option<Param>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, v: &str) -> Result<Key, E> {
                Ok(Key(Param::from_id(v)))
            }
        }
        d.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(json: &str) -> Result<ParamsPatch, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn out_of_range_is_clamped_unknown_is_ignored_and_text_is_refused() {
        let p =
            patch(r#"{"brightness":0.4,"speed":7,"palette_id":99,"sparkle":{"a":[1]},"custom_param_2":0}"#)
                .unwrap()
                .with_own_palettes(0);
        let changes: Vec<_> = p.changes().unwrap().collect();
        assert_eq!(
            changes,
            [(Param::Brightness, 0.4), (Param::Speed, 1.0), (Param::PaletteId, 32.0), (Param::Custom2, 0.0)]
        );
        assert!(p.was_clamped(Param::Speed) && !p.was_clamped(Param::Brightness));
        assert!(p.was_clamped(Param::PaletteId));
        let own = patch(r#"{"palette_id":35}"#).unwrap();
        let last = |own: ParamsPatch| own.changes().unwrap().last().map(|(_, value)| value);
        assert_eq!(
            (last(own.with_own_palettes(3)), last(own.with_own_palettes(2))),
            (Some(35.0), Some(34.0))
        );
        assert!(!own.with_own_palettes(3).was_clamped(Param::PaletteId));
        assert_eq!(p.unknown, 1);
        let wrong = patch(r#"{"brightness":0.4,"warmth":"hot"}"#).unwrap();
        assert_eq!(wrong.changes().err(), Some(Refusal::NotANumber(Param::Warmth)));
        for no in ["[]", "3", "", "{", "\"x\"", "null"] {
            assert!(patch(no).is_err(), "{no}");
        }
        assert_eq!(patch("{}").unwrap().changes().unwrap().count(), 0);
    }
}
