//! The sources of sound: which there are, how loud they are, and another one in place of the present one.

use std::path::Path;
use std::time::Duration;

use k1_device::answers::{Input as InputAnswer, InputSet, Inputs};
use k1_device::error::Refusal;
use k1_device::harmless::harmless;
use k1_device::requests::Listen;

use super::app::App;
use crate::source::{self, Input};

impl App {
    pub(super) fn all_inputs(&self) -> Inputs {
        let current = self.listening.current();
        let (devices, trouble) = match self.others.devices() {
            Ok(devices) => (devices, None),
            Err(why) => (Vec::new(), Some(harmless(&why).into_owned())),
        };
        let heard = source::meant(&devices, &current).cloned();
        let mut inputs = vec![described(&Input::Demo, "Built-in music".into())];
        for device in &devices {
            let name = harmless(&device.description).into_owned();
            let level = self.others.levels.of(device).unwrap_or_default();
            inputs.push(InputAnswer {
                default: device.default,
                level_dbfs: level.now_db.filter(|_| self.others.levels.listens()),
                loudest_dbfs: level.loudest_db,
                trouble: level.trouble,
                ..described(&Input::from(device), name)
            });
        }
        let own = heard.as_ref().map_or_else(|| current.clone(), Input::from).to_string();
        if !inputs.iter().any(|input| input.source == own) {
            inputs.push(described(&current, self.title()));
        }
        let is_away = self.shared.presence().is_some_and(|presence| presence.reason().is_some());
        for input in inputs.iter_mut().filter(|input| input.source == own) {
            input.current = true;
            let level = self.sound.clone().latest().rms_db;
            input.level_dbfs = Some(level).filter(|_| !is_away);
        }
        Inputs { inputs, listening: self.others.levels.listens(), trouble }
    }

    pub(super) fn listen_to_all(&self, listen: &Listen) -> Result<Inputs, Refusal> {
        let lasts = Duration::from_secs_f32(listen.seconds()?);
        if let Ok(devices) = self.others.devices() {
            self.others.levels.listen(&devices, lasts);
        }
        Ok(self.all_inputs())
    }

    /// Hears another source. The one before goes on if the new one cannot be opened.
    pub(super) fn change_input(&self, text: &str) -> InputSet {
        let place = self.show_file.as_deref().unwrap_or(Path::new(""));
        let changed = tokio::task::block_in_place(|| self.listening.change(text, place));
        let remembered = match &changed {
            Ok(input) => self.remember(input, text.trim()),
            Err(why) => Err(why.clone()),
        };
        InputSet {
            changed: changed.is_ok(),
            source: self.listening.current().to_string(),
            remembered: remembered.is_ok(),
            trouble: remembered.err(),
        }
    }

    /// Writes the source into the show file.
    fn remember(&self, input: &Input, text: &str) -> Result<(), String> {
        let Ok(mut stored) = self.stored() else {
            return Err("K1 runs without a show file, so it does not remember the source".into());
        };
        // A file stays as it was written: beside the show file.
        let text = if matches!(input, Input::File(_)) { text.to_owned() } else { input.to_string() };
        stored.change(|show| {
            show.set_input(&text);
            Ok(())
        })
    }
}

/// An input without a level.
fn described(input: &Input, name: String) -> InputAnswer {
    let kind = match input {
        Input::Demo => "demo",
        Input::File(_) | Input::Files(_) => "file",
        Input::Stream(_) => "stream",
        Input::Mic(_) => "mic",
        Input::Monitor(_) => "monitor",
        Input::Stdin => "stdin",
    };
    InputAnswer {
        source: input.to_string(),
        name,
        kind,
        default: false,
        current: false,
        again: !matches!(input, Input::Stdin | Input::Files(_)),
        level_dbfs: None,
        loudest_dbfs: None,
        trouble: None,
    }
}
