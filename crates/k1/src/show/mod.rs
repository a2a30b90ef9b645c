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

pub use add::{Addition, add};
pub use attend::direct;
pub use director::{Director, FADE_S, Power, Recalled};
pub use file::{Stored, place};
pub use found::find;
pub use keeper::Keeper;
pub use plans::{Rest, plans};

use std::path::Path;

use k1_show::Light;

use crate::sink::{LightConfig, Target};

/// The forms of input and lights that this program knows, and the map files beside a show file.
pub struct Forms<'a> {
    /// The show file.
    pub file: &'a Path,
}

impl k1_show::Forms for Forms<'_> {
    fn map(&self, file: &str) -> Result<String, String> {
        let path = self.file.parent().unwrap_or(Path::new("")).join(file);
        file::load(&path).map_err(|why| why.replacen(&path.display().to_string(), "the map", 1))
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
        target(light).map(drop)
    }
}

/// The target and the settings of a light. Its settings are those that the command line takes behind the question mark.
///
/// # Errors
///
/// A sentence with the valid forms.
pub fn target(light: &Light) -> Result<LightConfig, String> {
    let mut text = light.to.clone();
    for (key, value) in &light.settings {
        let value = match value.as_str() {
            "true" => "yes",
            "false" => "no",
            other => other,
        };
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(&format!("{key}={value}"));
    }
    let mut config: LightConfig = text.parse()?;
    if config.target == Target::Terminal {
        return Err("the terminal belongs to a single run; give it as --to terminal".into());
    }
    config.settings.name = Some(light.name.clone());
    Ok(config)
}
