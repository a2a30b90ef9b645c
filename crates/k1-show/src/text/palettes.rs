//! Changes of the user's own palettes.

use toml_edit::{Array, Item, Table, TableLike, Value};

use super::{Text, f64_of, named};
use crate::palette::{OwnPalette, hex};

impl Text {
    /// Writes a palette, in place of the one with its name if there is one.
    pub fn set_palette(&mut self, palette: &OwnPalette) {
        let stop = |(at, rgb): &(f32, [u8; 3])| {
            // 0 and 1 are written without a point.
            let at = if at.fract() == 0.0 { Value::from(*at as i64) } else { f64_of(*at).into() };
            Value::Array([at, hex(*rgb).into()].into_iter().collect::<Array>())
        };
        let stops: Array = palette.stops.iter().map(stop).collect();
        if let Some(table) = named(&mut self.0, "palette", &palette.name) {
            table.insert("stops", toml_edit::value(stops));
            return;
        }
        let mut table = Table::new();
        table.insert("name", toml_edit::value(&palette.name));
        table.insert("stops", toml_edit::value(stops));
        self.push("palette", table);
    }

    /// Deletes a palette; `false` if there is no such palette.
    pub fn remove_palette(&mut self, name: &str) -> bool {
        let was_there = named(&mut self.0, "palette", name).is_some();
        self.keep("palette", |table| name_of(table) != Some(name));
        was_there
    }

    /// Names of the file's own palettes, in order.
    pub(super) fn palette_names(&self) -> Vec<String> {
        let name = |table: &dyn TableLike| name_of(table).unwrap_or_default().to_owned();
        match self.0.get("palette") {
            Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| name(table)).collect(),
            Some(Item::Value(Value::Array(array))) => {
                array.iter().filter_map(Value::as_inline_table).map(|table| name(table)).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn name_of(table: &dyn TableLike) -> Option<&str> {
    table.get("name").and_then(Item::as_str)
}
