//! The keys of `k1 run` on a terminal.

use std::sync::Arc;

use k1_host::keys::Keys;

use super::Failure;
use super::lines::Console;
use crate::show::Director;
use crate::source::Input;

/// Largest number of scenes that have a key.
const DIGITS: usize = 9;

/// Keys that recall scenes and turn the light off and on.
pub struct Keyboard {
    keys: Keys,
    director: Arc<Director>,
}

impl Keyboard {
    /// Takes the keys of the terminal; `None` if there is none, or if standard input is the sound.
    pub fn take(input: &Input, director: Arc<Director>) -> Option<Self> {
        let keys = (*input != Input::Stdin).then(Keys::take)??;
        Some(Self { keys, director })
    }

    /// The line that says what the keys do.
    pub fn help(&self) -> String {
        let names = self.director.scene_names();
        let names = names.iter().take(DIGITS).enumerate().map(|(i, name)| format!("{} {name}", i + 1));
        let scenes = match names.collect::<Vec<_>>().join(", ") {
            names if names.is_empty() => "none yet".to_owned(),
            names => names,
        };
        format!(
            "[KEYS] 1 to 9 recall scenes ({scenes}), space turns the light off and on, n shows the next scene, h lists the \
             keys, Ctrl-C ends"
        )
    }

    /// Does what the pressed keys say.
    pub fn tend(&mut self, console: &Console) -> Result<(), Failure> {
        for key in self.keys.pressed() {
            if let Some(line) = self.act(key) {
                console.line(&line)?;
            }
        }
        Ok(())
    }

    /// Does what a key says; the line about it.
    fn act(&self, key: char) -> Option<String> {
        let director = &self.director;
        Some(match key {
            '1'..='9' => {
                let index = key as usize - '1' as usize;
                let name = director.scene_names().into_iter().nth(index);
                match name.and_then(|name| Some((director.recall(&name, None)?, name))) {
                    Some((recalled, name)) => {
                        format!("[KEYS] the light fades to {name} over {} s", recalled.fade_s)
                    }
                    None => format!("[KEYS] there is no scene {key}; `k1 scene save NAME` makes one"),
                }
            }
            ' ' => {
                let on = !director.power().on;
                director.set_power(Some(on), None, None);
                format!("[KEYS] the light is {}", if on { "on" } else { "off" })
            }
            'n' => match director.next_scene() {
                Some(name) => format!("[KEYS] the light fades to {name}"),
                None => "[KEYS] the playlist has no other scene".into(),
            },
            'h' | '?' => self.help(),
            _ => return None,
        })
    }
}
