//! The file of a report. It is written whole or not at all, and never over the sound.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::source::Input;
use k1_host::Failure;
use k1_host::output::{self, Output};

/// Format of a report, chosen by the file's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A picture.
    Png,
    /// A page.
    Html,
}

/// A file that can be written once.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    form: Form,
    output: RefCell<Option<Output>>,
}

impl Place {
    /// Opens the file early, so that an error does not come only after an hour of sound.
    ///
    /// # Errors
    ///
    /// A sentence if the extension is neither .png nor .html, or if the file is the sound itself or cannot be written.
    pub fn new(path: &Path, input: &Input) -> Result<Self, Failure> {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let form = match ending.as_deref() {
            Some("png") => Form::Png,
            Some("html") => Form::Html,
            _ => {
                let wrong = format!("{}: the report must end in .png or .html", path.display());
                return Err(Failure::usage(wrong));
            }
        };
        output::tidy_on_signals();
        let output = Output::create(path, &input.spared()).map_err(|e| Failure::new(e.to_string()))?;
        Ok(Self { path: path.to_owned(), form, output: RefCell::new(Some(output)) })
    }

    /// Format of the report.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Its path, as given by the user.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the report and moves it to its final place.
    ///
    /// # Errors
    ///
    /// A sentence with the file system's error; an older file is unchanged.
    pub fn write(&self, bytes: &[u8]) -> Result<(), String> {
        let Some(mut output) = self.output.take() else {
            return Err(format!("{} was already written", self.path.display()));
        };
        output.write_all(bytes).map_err(|e| output::unwritten(&self.path, e).to_string())?;
        output.commit().map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_report_that_cannot_be_moved_to_its_place_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.html");
        let place = Place::new(&path, &Input::Demo).unwrap();
        assert!(!path.exists(), "nothing is there before it is whole");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        assert!(place.write(b"page").unwrap_err().contains("x.html cannot be written"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Place::new(&path, &Input::Demo).unwrap_err().to_string().contains("it is a folder"));
    }

    #[test]
    fn the_sound_is_recognised_by_any_of_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.png");
        fs::write(&path, "sound").unwrap();
        let otherwise = dir.path().join(".").join("x.png");
        let refused = Place::new(&otherwise, &Input::File(path)).unwrap_err().to_string();
        assert!(refused.contains("the sound itself"), "{refused}");
    }
}
