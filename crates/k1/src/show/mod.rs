//! The show file of this program: where it is, what it means here, and how it is kept while K1 runs.

mod add;
mod alarm;
mod attend;
mod director;
mod file;
mod found;
mod keeper;
mod plans;
mod player;
mod sound;

pub use add::{Addition, add, change};
pub use attend::direct;
pub use director::{Director, Power, Recalled};
pub use file::{Stored, is_there, load, place};
pub use found::{Search, Seen, find, settings_of, target_of};
pub use keeper::Keeper;
pub use plans::{Rest, plans};
pub use sound::Sound;

use std::path::{Path, PathBuf};

use k1_show::Light;

use crate::sink::{self, LightConfig, Target};

/// The forms of input and lights that this program knows, and the map files beside a show file.
pub struct Forms<'a> {
    /// The show file.
    pub file: &'a Path,
}

impl Forms<'_> {
    /// Path of a map file that the show names.
    fn map_path(&self, file: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(file)
    }
}

impl k1_show::Forms for Forms<'_> {
    fn map(&self, file: &str) -> Result<String, String> {
        let path = self.map_path(file);
        if !is_there(&path) {
            return Err("there is no such file beside the show file".into());
        }
        load(&path).map_err(|why| why.replacen(&path.display().to_string(), "the map", 1))
    }

    fn input(&self, text: &str) -> Result<(), String> {
        match text {
            "-" => {
                Err("standard input has no place in a file; give it on the command line (k1 run -)".into())
            }
            _ => Ok(()),
        }
    }

    fn light(&self, light: &Light) -> Result<(), String> {
        sink::fits(&target(light)?, light.leds)
    }
}

/// The target and the settings of a light. Its settings are those that the command line takes behind the question mark.
///
/// # Errors
///
/// A sentence with the valid forms.
pub fn target(light: &Light) -> Result<LightConfig, String> {
    if let (Some((key, _)), true) = (light.settings.first(), light.to.starts_with("file:")) {
        return Err(format!(
            "a file has no setting `{key}`, because it takes the frames as they are; delete it"
        ));
    }
    let word = |value: &String| match value.as_str() {
        "true" => "yes".to_owned(),
        "false" => "no".to_owned(),
        other => other.to_owned(),
    };
    let settings: Vec<_> = light.settings.iter().map(|(key, value)| (key.clone(), word(value))).collect();
    let mut config: LightConfig = joined(&light.to, &settings).parse()?;
    if config.target == Target::Terminal {
        return Err("the terminal belongs to a single run; give it as --to terminal".into());
    }
    config.settings.name = Some(light.name.clone());
    Ok(config)
}

/// A target with its settings behind a question mark, and behind those that it has already.
pub fn joined(to: &str, settings: &[(String, String)]) -> String {
    settings.iter().fold(to.to_owned(), |text, (key, value)| {
        let before = if text.contains('?') { '&' } else { '?' };
        format!("{text}{before}{key}={value}")
    })
}

/// A target and its settings, as a show file has them. A target whose settings have no place of their own there stays whole.
pub fn split(text: &str) -> (String, Vec<(String, String)>) {
    let whole = || (text.to_owned(), Vec::new());
    let Some((to, query)) = text.split_once('?').filter(|_| !text.starts_with("file:")) else {
        return whole();
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let settings: Option<Vec<_>> = pairs.map(|pair| pair.split_once('=')).collect();
    // A line of a table is there once.
    let has_lines = |settings: &[(&str, &str)]| {
        let twice = |at: usize| settings[..at].iter().any(|(key, _)| *key == settings[at].0);
        (0..settings.len()).all(|at| !["name", "to", "leds"].contains(&settings[at].0) && !twice(at))
    };
    match settings {
        Some(settings) if has_lines(&settings) => (
            to.to_owned(),
            settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ),
        _ => whole(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_a_target_get_lines_of_their_own() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let settings = vec![pair("universe", "3"), pair("order", "grb")];
        assert_eq!(split("artnet://x?universe=3&order=grb"), ("artnet://x".into(), settings.clone()));
        assert_eq!(joined("artnet://x", &settings), "artnet://x?universe=3&order=grb");
        for whole in [
            "ddp://x",
            "ddp://x?name=Shelf",
            "ddp://x?leds=3&order=grb",
            "ddp://x?order",
            "ddp://x?fps=3&fps=3",
            "file:a?b=c",
        ] {
            assert_eq!(split(whole), (whole.to_owned(), vec![]));
        }
    }
}
