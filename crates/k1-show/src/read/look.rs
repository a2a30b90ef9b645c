//! The look of a zone.

use k1_engine::light::PALETTES;
use k1_engine::params::Param;
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use toml_edit::Item;

use super::fields::{Fields, number};
use super::{Fault, Reader};
use crate::Look;
use crate::palette::{OwnPalette, number_of};

impl Reader<'_> {
    /// The look in a table; what is missing or wrong has its default.
    pub(super) fn look(&mut self, fields: &Fields) -> Look {
        let mut look = Look::default();
        if let Some(id) = self.optional(fields.text("pattern")) {
            match pattern_by_id(&id) {
                Some(index) => look.pattern = index,
                None => {
                    let ids: Vec<_> = PATTERNS.iter().map(|p| p.id).collect();
                    let sentence = format!("there is no pattern “{id}”; use one of {}", ids.join(", "));
                    self.fault(fields.line("pattern"), sentence);
                }
            }
        }
        if let Some(item) = fields.item("palette") {
            match palette(item, &self.palettes) {
                Some(index) => _ = look.params.set(Param::PaletteId, index as f32),
                None => {
                    let own = self.palettes.iter().map(|p| p.name.as_str());
                    let names: Vec<_> = PALETTES.iter().map(|p| p.name).chain(own).collect();
                    let sentence = format!(
                        "there is no such palette; use 0 to {} or one of {}",
                        PALETTES.len() - 1,
                        names.join(", ")
                    );
                    self.fault(fields.line("palette"), sentence);
                }
            }
        }
        for (key, item) in fields.others() {
            match param(key, item) {
                Ok((param, value)) => _ = look.params.set(param, value),
                Err(sentence) => self.faults.push(Fault { line: fields.line(key), sentence }),
            }
        }
        look
    }
}

fn palette(item: &Item, own: &[OwnPalette]) -> Option<usize> {
    match (item.as_str(), item.as_integer()) {
        (Some(name), _) => number_of(name, own.iter().map(|palette| palette.name.as_str())),
        (_, Some(index)) => usize::try_from(index).ok().filter(|index| *index < PALETTES.len()),
        _ => None,
    }
}

fn param(key: &str, item: &Item) -> Result<(Param, f32), String> {
    let param = Param::from_id(key).filter(|param| *param != Param::PaletteId).ok_or_else(|| {
        let ids = Param::ALL.iter().filter(|p| **p != Param::PaletteId).map(|p| p.spec().id);
        let ids: Vec<_> = ids.collect();
        format!("K1 does not know `{key}` here; a look takes pattern, palette, {}", ids.join(", "))
    })?;
    let spec = param.spec();
    match number(item).filter(|value| (spec.min..=spec.max).contains(value)) {
        Some(value) => Ok((param, value)),
        None => Err(format!("`{key}` is a number from {} to {}", spec.min, spec.max)),
    }
}
