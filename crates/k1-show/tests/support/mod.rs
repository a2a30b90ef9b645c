//! What the tests of show files share.

use k1_show::{Forms, Light, read};

/// Takes every input, and every light that gets DDP.
pub struct Any;

impl Forms for Any {
    fn input(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn map(&self, file: &str) -> Result<String, String> {
        match file {
            "square.csv" => Ok("0,0\n1,0\n1,1\n0,1\n".into()),
            _ => Err("it does not exist".into()),
        }
    }

    fn light(&self, light: &Light) -> Result<(), String> {
        match light.to.starts_with("ddp://") {
            true => Ok(()),
            false => Err("use ddp://HOST".into()),
        }
    }
}

/// The faults of a text, as people read them.
pub fn faults(text: &str) -> Vec<String> {
    read(text, &Any).faults.iter().map(ToString::to_string).collect()
}
