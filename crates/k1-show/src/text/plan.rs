//! Changes of zones: their pieces, and where they hang.

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::edit::replace;
use super::{Text, f64_of, inline, named, pad, write_run};
use crate::model::{Piece, Place};

impl Text {
    /// Replaces the pieces of a zone, which is made with the default look if it does not exist. `lights` has the names of
    /// the lights that the pieces refer to. As long as their number stays, so do comments and layout.
    pub fn set_pieces(&mut self, zone: &str, pieces: &[Piece], lights: &[&str]) {
        let Some(table) = named(&mut self.0, "zone", zone) else {
            self.add_pieces(zone, pieces, lights);
            return;
        };
        match table.get_mut("pieces") {
            Some(Item::Value(Value::Array(array))) if array.len() == pieces.len() => {
                for (value, piece) in array.iter_mut().zip(pieces) {
                    if let Some(table) = value.as_inline_table_mut() {
                        rewrite(table, piece, lights);
                        pad(table);
                    }
                }
            }
            Some(Item::ArrayOfTables(tables)) if tables.len() == pieces.len() => {
                for (table, piece) in tables.iter_mut().zip(pieces) {
                    rewrite(table, piece, lights);
                }
            }
            _ => {
                let array: Array = pieces.iter().map(|piece| inline(piece, lights)).collect();
                table.insert("pieces", toml_edit::value(array));
            }
        }
    }

    /// Hangs a zone at a place of the plan; `false` if there is no such zone.
    pub fn set_place(&mut self, zone: &str, place: &Place) -> bool {
        let Some(table) = named(&mut self.0, "zone", zone) else { return false };
        let mut made = InlineTable::new();
        for (key, value) in [("x", place.x), ("y", place.y), ("angle", place.angle)] {
            if key != "angle" || value != 0.0 {
                made.insert(key, f64_of(value).into());
            }
        }
        pad(&mut made);
        replace(table, "place", made.into());
        true
    }

    /// Removes a zone; its lights stay. `false` if there is no such zone.
    pub fn remove_zone(&mut self, zone: &str) -> bool {
        let was_there = named(&mut self.0, "zone", zone).is_some();
        self.keep("zone", |table| table.get("name").and_then(Item::as_str) != Some(zone));
        was_there
    }
}

/// Makes a piece of the file say what `piece` says. A value that is said already keeps its form.
fn rewrite(table: &mut dyn TableLike, piece: &Piece, lights: &[&str]) {
    let mut wanted = InlineTable::new();
    match piece {
        Piece::Gap(pixels) => _ = wanted.insert("gap", (*pixels as i64).into()),
        Piece::Run(run) => write_run(run, lights, &mut wanted),
    }
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys.iter().filter(|key| !wanted.contains_key(key)) {
        table.remove(key);
    }
    let bare = |value: &Value| value.clone().decorated("", "").to_string();
    for (key, value) in wanted {
        let is_same = table.get(&key).and_then(Item::as_value).is_some_and(|old| bare(old) == bare(&value));
        if !is_same {
            replace(table, &key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Run;

    const TEXT: &str = "version = 1\n\n[[light]]\nname = \"A\"\nto = \"ddp://10.0.0.1\"\nleds = 30\n\n\
                        [[zone]]\nname = \"Z\" # mine\npieces = [\n  { light = \"A\", from = 0, to = 9 }, # left\n  { gap = 2 },\n]\n";

    fn changed(change: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::parse(TEXT).unwrap();
        change(&mut text);
        text.to_string()
    }

    fn run(from: usize, to: usize, reversed: bool) -> Piece {
        Piece::Run(Run { light: 0, from, to, reversed, group: 1, repeat: 1 })
    }

    #[test]
    fn pieces_change_where_they_stand() {
        let text = changed(|text| text.set_pieces("Z", &[run(5, 9, true), Piece::Gap(2)], &["A"]));
        let line = "  { light = \"A\", from = 5, to = 9, reversed = true }, # left\n  { gap = 2 },\n";
        assert!(text.contains(line) && text.contains("# mine"), "{text}");
        let text = changed(|text| text.set_pieces("Z", &[run(5, 9, false)], &["A"]));
        assert!(text.contains("pieces = [{ light = \"A\", from = 5, to = 9 }]"), "{text}");
        let text = changed(|text| text.set_pieces("New", &[run(20, 29, false)], &["A"]));
        assert!(text.contains("[[zone]]\nname = \"New\"") && text.contains("from = 20, to = 29"), "{text}");
    }

    #[test]
    fn a_zone_is_hung_moved_and_removed() {
        let hang = |text: &mut Text, x, angle| text.set_place("Z", &Place { x, y: 0.25, angle });
        let text = changed(|text| assert!(hang(text, 0.5, 0.0)));
        assert!(text.contains("place = { x = 0.5, y = 0.25 }"), "{text}");
        let text = changed(|text| assert!(hang(text, 0.5, 0.0) && hang(text, 0.1, 90.0)));
        assert!(text.contains("place = { x = 0.1, y = 0.25, angle = 90.0 }"), "{text}");
        assert!(!Text::parse(TEXT).unwrap().set_place("None", &Place::default()));
        let text = changed(|text| assert!(text.remove_zone("Z")));
        assert!(!text.contains("zone") && text.contains("[[light]]"), "{text}");
    }
}
