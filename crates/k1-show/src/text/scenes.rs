//! Changes of scenes, of the playlist and of timers.

use toml_edit::{Array, ArrayOfTables, InlineTable, Item, Table, TableLike, Value};

use super::{Text, f64_of, named, number, pad, set, write_look};
use crate::model::Now;
use crate::playlist::Playlist;
use crate::scene::{FADE_S, Scene};
use crate::timer::{Days, TimeOfDay, Timer};

impl Text {
    /// Writes a scene, in place of the one with its name if there is one.
    pub fn set_scene(&mut self, scene: &Scene) {
        if named(&mut self.0, "scene", &scene.name).is_none() {
            let mut table = Table::new();
            table.insert("name", toml_edit::value(&scene.name));
            self.push("scene", table);
        }
        let own = self.palette_names();
        let Some(table) = named(&mut self.0, "scene", &scene.name) else { return };
        if scene.fade_s != FADE_S || table.contains_key("fade_s") {
            set_number(table, "fade_s", scene.fade_s);
        }
        match scene.brightness {
            Some(brightness) => set_number(table, "brightness", brightness),
            None => _ = table.remove("brightness"),
        }
        let looks = table.entry("looks").or_insert_with(|| Item::Value(InlineTable::new().into()));
        let Some(place) = looks.as_table_like_mut() else { return };
        let zones: Vec<String> = place.iter().map(|(zone, _)| zone.to_owned()).collect();
        for zone in zones.iter().filter(|zone| scene.look(zone).is_none()) {
            place.remove(zone);
        }
        for (zone, look) in &scene.looks {
            let item = place.entry(zone).or_insert_with(|| Item::Value(InlineTable::new().into()));
            if let Some(table) = item.as_table_like_mut() {
                write_look(table, look, &own);
            }
            if let Some(inline) = item.as_inline_table_mut() {
                pad(inline);
            }
        }
        if let Some(inline) = looks.as_inline_table_mut() {
            pad(inline);
        }
    }

    /// Deletes a scene, also from the playlist; `false` if there is no such scene.
    pub fn remove_scene(&mut self, name: &str) -> bool {
        let is_it = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
        let was_there = named(&mut self.0, "scene", name).is_some();
        match self.0.get_mut("scene") {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|table| !is_it(table)),
            Some(Item::Value(Value::Array(array))) => {
                array.retain(|value| !value.as_inline_table().is_some_and(|table| is_it(table)));
            }
            _ => {}
        }
        let playlist = self.0.get_mut("playlist").and_then(Item::as_table_like_mut);
        let scenes = playlist.and_then(|playlist| playlist.get_mut("scenes")).and_then(Item::as_array_mut);
        if let Some(scenes) = scenes {
            scenes.retain(|scene| scene.as_str() != Some(name));
        }
        was_there
    }

    /// Writes the playlist.
    pub fn set_playlist(&mut self, playlist: &Playlist) {
        let Some(table) = self.table("playlist") else { return };
        let names = |item: &Item| -> Option<Vec<String>> {
            item.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
        };
        if !playlist.scenes.is_empty() || table.contains_key("scenes") {
            let array: Array = playlist.scenes.iter().collect();
            set(table, "scenes", names, &playlist.scenes, array.into());
        }
        let every = |item: &Item| item.as_str()?.parse().ok();
        set(table, "every", every, &playlist.every, playlist.every.to_string().into());
        if playlist.shuffle || table.contains_key("shuffle") {
            set(table, "shuffle", Item::as_bool, &playlist.shuffle, playlist.shuffle.into());
        }
        if playlist.on || table.contains_key("on") {
            set(table, "on", Item::as_bool, &playlist.on, playlist.on.into());
        }
    }

    /// Replaces the timers. A timer that stays keeps its comments.
    pub fn set_timers(&mut self, timers: &[Timer]) {
        if let Some(Item::Value(Value::Array(_))) = self.0.get("timer") {
            let array: Array = timers.iter().map(|timer| table_of(timer).into_inline_table()).collect();
            self.0.insert("timer", toml_edit::value(array));
            return;
        }
        let mut old: Vec<Table> = match self.0.remove("timer") {
            Some(Item::ArrayOfTables(tables)) => tables.into_iter().collect(),
            _ => Vec::new(),
        };
        let mut tables = ArrayOfTables::new();
        for timer in timers {
            let new = table_of(timer);
            let same = old.iter().position(|table| says_the_same(table, &new));
            tables.push(match same {
                Some(index) => old.remove(index),
                None => new,
            });
        }
        if !tables.is_empty() {
            self.0.insert("timer", Item::ArrayOfTables(tables));
        }
    }

    /// Writes what was set last. What is as usual is written only where something else was.
    pub fn set_now(&mut self, now: &Now) {
        if *now == Now::default() && !self.0.contains_key("now") {
            return;
        }
        let Some(table) = self.table("now") else { return };
        if !now.on || table.contains_key("on") {
            set(table, "on", Item::as_bool, &now.on, now.on.into());
        }
        if now.brightness != 1.0 || table.contains_key("brightness") {
            set_number(table, "brightness", now.brightness);
        }
        match &now.scene {
            Some(name) => {
                set(table, "scene", |item| item.as_str().map(str::to_owned), name, name.as_str().into());
            }
            None => _ = table.remove("scene"),
        }
    }

    /// The table with a name, which is made if it is missing.
    fn table(&mut self, name: &str) -> Option<&mut dyn TableLike> {
        let item = self.0.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            table.decor_mut().set_prefix("\n");
            Item::Table(table)
        });
        item.as_table_like_mut()
    }
}

fn set_number(table: &mut dyn TableLike, key: &str, value: f32) {
    set(table, key, number, &value, f64_of(value).into());
}

fn table_of(timer: &Timer) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table.insert("at", toml_edit::value(timer.at.to_string()));
    if timer.days != Days::ALL {
        table.insert("days", toml_edit::value(timer.days.names().collect::<Array>()));
    }
    table.insert("do", toml_edit::value(timer.task.to_string()));
    if let Some(seconds) = timer.fade_s {
        table.insert("fade_s", toml_edit::value(f64_of(seconds)));
    }
    table
}

/// True if two tables of timers say the same, however it is written.
fn says_the_same(a: &Table, b: &Table) -> bool {
    let bare = |value: &Value| value.clone().decorated("", "").to_string();
    let plain = |key: &str, item: &Item| match (item.as_array(), number(item), item.as_str()) {
        (Some(array), ..) => array.iter().map(bare).collect::<String>().to_ascii_lowercase(),
        (_, Some(n), _) => n.to_string(),
        (_, _, Some(text)) if key == "at" => {
            text.parse().map_or_else(|()| text.into(), |at: TimeOfDay| at.to_string())
        }
        _ => item.as_value().map(bare).unwrap_or_default(),
    };
    let is_same =
        |(key, item): (&str, &Item)| b.get(key).is_some_and(|other| plain(key, item) == plain(key, other));
    a.len() == b.len() && a.iter().all(is_same)
}
