//! Changes of the lights that a show has.

use toml_edit::{Item, Key, TableLike, Value};

use super::{Text, named, plain};

impl Text {
    /// Sets a setting of a light; `false` if there is no such light.
    pub fn set_light(&mut self, light: &str, key: &str, value: &str) -> bool {
        let Some(table) = named(&mut self.0, "light", light) else { return false };
        replace(table, key, plain(value));
        true
    }

    /// Renames a light, and the zone that has the same name, also in scenes; `false` if there is no such light.
    pub fn rename_light(&mut self, light: &str, name: &str) -> bool {
        let Some(table) = named(&mut self.0, "light", light) else { return false };
        replace(table, "name", name.into());
        if let Some(zone) = named(&mut self.0, "zone", light) {
            replace(zone, "name", name.into());
            self.each_of("scene", |scene| {
                if let Some(looks) = scene.get_mut("looks") {
                    rename_key(looks, light, name);
                }
            });
        }
        self.each_piece(|piece| {
            if is_of(piece, light) {
                replace(piece, "light", name.into());
            }
            true
        });
        true
    }

    /// Turns every piece of a light round, so that its zone begins at the other end.
    pub fn turn_light(&mut self, light: &str) {
        self.each_piece(|piece| {
            if is_of(piece, light) {
                let is_reversed = piece.get("reversed").and_then(Item::as_bool).unwrap_or(false);
                replace(piece, "reversed", (!is_reversed).into());
            }
            true
        });
    }

    /// Removes a light, its pieces, and every zone that has no piece left; `false` if there is no such light.
    pub fn remove_light(&mut self, light: &str) -> bool {
        if named(&mut self.0, "light", light).is_none() {
            return false;
        }
        self.each_piece(|piece| !is_of(piece, light));
        self.keep("zone", |zone| match zone.get("pieces") {
            Some(Item::Value(Value::Array(pieces))) => !pieces.is_empty(),
            Some(Item::ArrayOfTables(pieces)) => !pieces.is_empty(),
            _ => true,
        });
        self.keep("light", |table| table.get("name").and_then(Item::as_str) != Some(light));
        true
    }

    /// Keeps the tables of a kind for which `is_kept` is true.
    pub(super) fn keep(&mut self, kind: &str, is_kept: impl Fn(&dyn TableLike) -> bool) {
        match self.0.get_mut(kind) {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|table| is_kept(table)),
            Some(Item::Value(Value::Array(array))) => {
                array.retain(|value| value.as_inline_table().is_none_or(|table| is_kept(table)));
            }
            _ => {}
        }
    }

    /// Shows every piece of every zone to `change`, and removes those for which it returns false.
    fn each_piece(&mut self, mut change: impl FnMut(&mut dyn TableLike) -> bool) {
        let mut of_zone = |zone: &mut dyn TableLike| match zone.get_mut("pieces") {
            Some(Item::Value(Value::Array(pieces))) => {
                let mut index = 0;
                while let Some(piece) = pieces.get_mut(index) {
                    match piece.as_inline_table_mut().is_none_or(|piece| change(piece)) {
                        true => index += 1,
                        false => _ = pieces.remove(index),
                    }
                }
            }
            Some(Item::ArrayOfTables(pieces)) => {
                let mut index = 0;
                while let Some(piece) = pieces.get_mut(index) {
                    match change(piece) {
                        true => index += 1,
                        false => _ = pieces.remove(index),
                    }
                }
            }
            _ => {}
        };
        self.each_of("zone", |zone| of_zone(zone));
    }

    /// Shows every table of a kind to `change`.
    fn each_of(&mut self, kind: &str, mut change: impl FnMut(&mut dyn TableLike)) {
        match self.0.get_mut(kind) {
            Some(Item::ArrayOfTables(tables)) => tables.iter_mut().for_each(|table| change(table)),
            Some(Item::Value(Value::Array(array))) => {
                array.iter_mut().filter_map(Value::as_inline_table_mut).for_each(|table| change(table));
            }
            _ => {}
        }
    }
}

/// Gives a field another name, unless there is a field of that name. Its place and what stands around it stay.
fn rename_key(item: &mut Item, from: &str, to: &str) {
    let renamed = |key: Key| match key.get() == from {
        true => Key::new(to).with_leaf_decor(key.leaf_decor().clone()),
        false => key,
    };
    let Some(names) = item.as_table_like().map(|table| table.iter().map(|(name, _)| name.to_owned())) else {
        return;
    };
    let names: Vec<_> = names.collect();
    if !names.iter().any(|name| name == from) || names.iter().any(|name| name == to) {
        return;
    }
    match item {
        Item::Table(table) => names.iter().for_each(|name| {
            if let Some((key, value)) = table.remove_entry(name) {
                table.insert_formatted(&renamed(key), value);
            }
        }),
        Item::Value(Value::InlineTable(table)) => names.iter().for_each(|name| {
            if let Some((key, value)) = table.remove_entry(name) {
                table.insert_formatted(&renamed(key), value);
            }
        }),
        _ => {}
    }
}

fn is_of(piece: &dyn TableLike, light: &str) -> bool {
    piece.get("light").and_then(Item::as_str) == Some(light)
}

/// Sets a field; what stands around the old value stays.
pub(super) fn replace(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => _ = table.insert(key, Item::Value(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version = 1\n\n[[light]]\nname = \"A\" # one\nto = \"ddp://10.0.0.1\"\nleds = 3\n\n[[light]]\nname = \"B\"\n\
                        to = \"ddp://10.0.0.2\"\nleds = 4\n\n[[zone]]\nname = \"A\"\npieces = [{ light = \"A\" }] # whole\n\n\
                        [[zone]]\nname = \"Both\"\npieces = [{ light = \"B\", from = 0, to = 1 }, { gap = 2 }]\n";

    fn changed(change: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::parse(TEXT).unwrap();
        change(&mut text);
        text.to_string()
    }

    #[test]
    fn a_light_is_renamed_with_its_zone_and_its_pieces() {
        let text = changed(|text| assert!(text.rename_light("A", "Shelf")));
        assert!(
            text.contains("name = \"Shelf\" # one") && text.contains("{ light = \"Shelf\" }] # whole"),
            "{text}"
        );
        assert!(text.contains("[[zone]]\nname = \"Shelf\"") && !text.contains("\"A\""), "{text}");
        assert!(!Text::parse(TEXT).unwrap().rename_light("C", "D"));
    }

    #[test]
    fn a_zone_that_is_renamed_is_renamed_in_scenes_too() {
        let scenes = "\n[[scene]]\nname = \"One\"\nlooks = { Both = { pattern = \"lava\" }, A = { pattern = \"bloom\" } } # two\n\n\
                      [[scene]]\nname = \"Two\"\n[scene.looks.A] # here\npattern = \"lava\"\n[scene.looks.Both]\npattern = \"bloom\"\n";
        let mut text = Text::parse(&format!("{TEXT}{scenes}")).unwrap();
        assert!(text.rename_light("A", "Long shelf"));
        let text = text.to_string();
        let expected = scenes.replace("A =", "\"Long shelf\" =").replace("looks.A", "looks.\"Long shelf\"");
        assert!(text.ends_with(&expected), "{text}");
        // A scene that has a look for the new name already keeps both, and `k1 show check` names the one without a zone.
        let both = "\n[[scene]]\nname = \"One\"\nlooks = { A = { pattern = \"lava\" }, B2 = { pattern = \"bloom\" } }\n";
        let mut text = Text::parse(&format!("{TEXT}{both}")).unwrap();
        assert!(text.rename_light("A", "B2") && text.to_string().ends_with(both));
    }

    #[test]
    fn a_light_gets_settings_and_is_turned_round_and_back() {
        let text = changed(|text| assert!(text.set_light("B", "order", "grb")));
        assert!(text.contains("leds = 4\norder = \"grb\"\n"), "{text}");
        let text = changed(|text| text.turn_light("B"));
        assert!(
            text.contains("to = 1 , reversed = true") || text.contains("to = 1, reversed = true"),
            "{text}"
        );
        let text = changed(|text| (text.turn_light("B"), text.turn_light("B")).1);
        assert!(text.contains("reversed = false"), "{text}");
    }

    #[test]
    fn a_light_leaves_with_its_pieces_and_its_empty_zone() {
        let text = changed(|text| assert!(text.remove_light("A")));
        assert!(
            !text.contains("\"A\"") && text.contains("name = \"B\"") && text.contains("name = \"Both\""),
            "{text}"
        );
        let text = changed(|text| assert!(text.remove_light("B")));
        assert!(
            text.contains("pieces = [{ gap = 2 }]") || text.contains("pieces = [ { gap = 2 }]"),
            "{text}"
        );
        assert!(!Text::parse(TEXT).unwrap().remove_light("C"));
    }
}
