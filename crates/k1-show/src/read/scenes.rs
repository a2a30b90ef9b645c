//! Scenes, the playlist and timers.

use toml_edit::Item;

use super::fields::Fields;
use super::{Fault, Reader};
use crate::model::{Now, Show};
use crate::playlist::{EVERY_EXPECTED, Playlist};
use crate::scene::{FADE_S, LONGEST_FADE_S, Scene};
use crate::timer::{DAYS_EXPECTED, Days, TASK_EXPECTED, TIME_EXPECTED, Task, Timer};

impl Reader<'_> {
    /// The scenes, and everything that refers to them.
    pub(super) fn scenes(&mut self, fields: &mut Fields, show: &mut Show) {
        for table in self.parts(fields, "scene") {
            if let Some(scene) = self.scene(table, &show.scenes) {
                show.scenes.push(scene);
            }
        }
        show.playlist = self.playlist(fields, &show.scenes);
        for table in self.parts(fields, "timer") {
            show.timers.extend(self.timer(table, &show.scenes));
        }
        show.now = self.now(fields, &show.scenes);
    }

    /// What was set last.
    fn now(&mut self, fields: &Fields, scenes: &[Scene]) -> Now {
        let line = fields.line("now");
        let mut now = Now::default();
        match fields.item("now").map(Item::as_table_like) {
            None => {}
            Some(None) => self.fault(line, "now is a table; write [now] and below it on = true"),
            Some(Some(table)) => {
                let fields = Fields::new(table, self.text(), line, "[now]");
                let on = fields.item("on").and_then(|_| self.required(fields.flag("on")));
                now.on = on.unwrap_or(now.on);
                now.brightness = self.share(&fields, "brightness").unwrap_or(now.brightness);
                let scene = self.optional(fields.text("scene"));
                // A scene that was deleted by hand is no longer shown, and that is not a fault.
                now.scene = scene.filter(|name| scenes.iter().any(|scene| scene.name == *name));
                self.rest(fields);
            }
        }
        now
    }

    fn scene(&mut self, fields: Fields, others: &[Scene]) -> Option<Scene> {
        let name = self.required(fields.name());
        let name_line = fields.line("name");
        let fade_s = self.fade(&fields).unwrap_or(FADE_S);
        let brightness = self.share(&fields, "brightness");
        let mut looks = Vec::new();
        let looks_line = fields.line("looks");
        match fields.item("looks").map(Item::as_table_like) {
            None => {}
            Some(None) => {
                self.fault(
                    looks_line,
                    "`looks` is a table, as in looks = { \"Shelf\" = { pattern = \"bloom\" } }",
                );
            }
            Some(Some(table)) => {
                let zones = Fields::new(table, self.text(), looks_line, "the looks");
                for (zone, item) in table.iter() {
                    let line = zones.line(zone);
                    match item.as_table_like() {
                        Some(look) => {
                            let look = self.look(&Fields::new(look, self.text(), line, "a look"));
                            looks.push((zone.to_owned(), look));
                        }
                        None => self.fault(line, "a look is a table, as in { pattern = \"bloom\" }"),
                    }
                }
            }
        }
        self.rest(fields);
        let scene = Scene { name: name?, fade_s, brightness, looks };
        if others.iter().any(|other| other.name == scene.name) {
            self.fault(name_line, format!("two scenes have the name “{}”; give each its own", scene.name));
            return None;
        }
        Some(scene)
    }

    /// The duration of a fade in seconds.
    fn fade(&mut self, fields: &Fields) -> Option<f32> {
        let seconds = self.optional(fields.number("fade_s"))?;
        if (0.0..=LONGEST_FADE_S).contains(&seconds) {
            return Some(seconds);
        }
        self.fault(fields.line("fade_s"), format!("`fade_s` is 0 to {LONGEST_FADE_S} seconds"));
        None
    }

    /// A number from 0 to 1.
    fn share(&mut self, fields: &Fields, key: &'static str) -> Option<f32> {
        let share = self.optional(fields.number(key))?;
        if (0.0..=1.0).contains(&share) {
            return Some(share);
        }
        self.fault(fields.line(key), format!("`{key}` is a number from 0 to 1"));
        None
    }

    fn playlist(&mut self, fields: &Fields, scenes: &[Scene]) -> Option<Playlist> {
        let line = fields.line("playlist");
        let item = fields.item("playlist")?;
        let Some(table) = item.as_table_like() else {
            self.fault(line, "playlist is a table; write [playlist] and below it every = \"8 bars\"");
            return None;
        };
        let fields = Fields::new(table, self.text(), line, "[playlist]");
        let mut playlist = Playlist::default();
        let expected = "a list of names of scenes, as in scenes = [\"Dinner\", \"Party\"]";
        playlist.scenes = self.optional(fields.texts("scenes", expected)).unwrap_or_default();
        let named = playlist.scenes.clone();
        playlist.scenes.retain(|name| scenes.iter().any(|scene| scene.name == *name));
        for name in named.iter().filter(|name| !playlist.scenes.contains(name)) {
            self.fault(fields.line("scenes"), no_scene(name, scenes));
        }
        if let Some(every) = self.optional(fields.text("every")) {
            match every.parse() {
                Ok(every) => playlist.every = every,
                Err(()) => {
                    self.fault(fields.line("every"), format!("`every` is {EVERY_EXPECTED}; not “{every}”"));
                }
            }
        }
        playlist.shuffle = self.required(fields.flag("shuffle")).unwrap_or(false);
        playlist.on = self.required(fields.flag("on")).unwrap_or(false);
        self.rest(fields);
        Some(playlist)
    }

    fn timer(&mut self, fields: Fields, scenes: &[Scene]) -> Option<Timer> {
        let example = format!("{TIME_EXPECTED}, as in at = \"18:30\"");
        let at = self.required(fields.required_text("at", &example))?;
        let at = at.parse().map_err(|()| {
            self.fault(fields.line("at"), format!("`at` is {TIME_EXPECTED}; not “{at}”"));
        });
        let days = match self.optional(fields.texts("days", DAYS_EXPECTED)) {
            None => Some(Days::ALL),
            Some(names) if names.is_empty() => {
                self.fault(fields.line("days"), format!("`days` is {DAYS_EXPECTED}; without it, every day"));
                None
            }
            Some(names) => names.iter().try_fold(Days::NONE, |days, name| {
                let with = days.with_name(name);
                if with.is_none() {
                    self.fault(fields.line("days"), format!("`days` is {DAYS_EXPECTED}; not “{name}”"));
                }
                with
            }),
        };
        let example = format!("{TASK_EXPECTED}, as in do = \"on\"");
        let text = self.required(fields.required_text("do", &example));
        let task = text.and_then(|text| match text.parse() {
            Ok(task) => Some(task),
            Err(()) => {
                self.fault(fields.line("do"), format!("`do` is {TASK_EXPECTED}; not “{text}”"));
                None
            }
        });
        let fade_s = self.fade(&fields);
        let task_line = fields.line("do");
        self.rest(fields);
        if let Some(Task::Scene(name)) = &task
            && !scenes.iter().any(|scene| scene.name == *name)
        {
            self.faults.push(Fault { line: task_line, sentence: no_scene(name, scenes) });
            return None;
        }
        Some(Timer { at: at.ok()?, days: days?, task: task?, fade_s })
    }
}

/// The sentence about a scene that does not exist.
fn no_scene(name: &str, scenes: &[Scene]) -> String {
    let names: Vec<_> = scenes.iter().map(|scene| format!("“{}”", scene.name)).collect();
    match names.is_empty() {
        true => format!("there is no scene “{name}”; the file has no scene yet"),
        false => format!("there is no scene “{name}”; use one of {}", names.join(", ")),
    }
}
