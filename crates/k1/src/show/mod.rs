//! The show file of this program: where it is, what it means here, and how it is kept while K1 runs.

mod file;
mod keeper;
mod plans;

pub use file::{Stored, place};
pub use keeper::Keeper;
pub use plans::{Rest, plans};

use k1_show::Light;

use crate::sink::Target;

/// The forms of input and lights that this program knows.
pub struct Forms;

impl k1_show::Forms for Forms {
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

/// The target of a light. Its settings are those that the command line takes behind the question mark.
///
/// # Errors
///
/// A sentence with the valid forms.
pub fn target(light: &Light) -> Result<Target, String> {
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
    match text.parse()? {
        Target::Terminal => Err("the terminal belongs to a single run; give it as --to terminal".into()),
        target => Ok(target),
    }
}
