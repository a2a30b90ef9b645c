//! Palettes of the user's own.

use k1_engine::light::palette_by_name;
use toml_edit::{Array, Value};

use super::Reader;
use super::fields::{Fields, number};
use crate::palette::{MOST_OWN_PALETTES, MOST_STOPS, OwnPalette, colour};

/// What `stops` may be.
const STOPS_EXPECTED: &str = "`stops` is a list of positions from 0 to 1, in order, with colours, as in stops = [[0, \"#102040\"], [1, \"#ff8800\"]]";

impl Reader<'_> {
    /// The palettes, which looks name.
    pub(super) fn own_palettes(&mut self, fields: &mut Fields) {
        let line = fields.line("palette");
        for table in self.parts(fields, "palette") {
            if self.palettes.len() == MOST_OWN_PALETTES {
                self.fault(line, format!("at most {MOST_OWN_PALETTES} palettes fit; delete one"));
                return;
            }
            if let Some(palette) = self.own_palette(table) {
                self.palettes.push(palette);
            }
        }
    }

    fn own_palette(&mut self, fields: Fields) -> Option<OwnPalette> {
        let name = self.required(fields.name());
        let (name_line, stops_line) = (fields.line("name"), fields.line("stops"));
        let stops = fields.item("stops").and_then(|item| item.as_array()).and_then(stops_of);
        self.rest(fields);
        if stops.is_none() {
            self.fault(stops_line, format!("{STOPS_EXPECTED}; there are 2 to {MOST_STOPS}"));
        }
        let palette = OwnPalette { name: name?, stops: stops? };
        let is_taken = palette_by_name(&palette.name).is_some()
            || self.palettes.iter().any(|other| other.name == palette.name);
        if is_taken {
            self.fault(name_line, format!("another palette has the name “{}”; choose another", palette.name));
            return None;
        }
        Some(palette)
    }
}

fn stops_of(array: &Array) -> Option<Vec<(f32, [u8; 3])>> {
    let stop = |value: &Value| {
        let [at, rgb] = value.as_array()?.iter().collect::<Vec<_>>().try_into().ok()?;
        let at = number(&at.clone().into()).filter(|at| (0.0..=1.0).contains(at))?;
        Some((at, colour(rgb.as_str()?)?))
    };
    let stops: Vec<_> = array.iter().map(stop).collect::<Option<_>>()?;
    let is_ordered = stops.windows(2).all(|pair| pair[0].0 <= pair[1].0);
    ((2..=MOST_STOPS).contains(&stops.len()) && is_ordered).then_some(stops)
}
