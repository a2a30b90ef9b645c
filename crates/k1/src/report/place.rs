//! Where a report goes: whole or not at all, and never over the sound.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::source::Input;

/// What a report is, by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A picture.
    Png,
    /// A page.
    Html,
}

/// A file that can be written.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    form: Form,
}

impl Place {
    /// Looks at once whether a report can be written there: who has waited for an hour of sound must not learn it then.
    ///
    /// # Errors
    ///
    /// A sentence: the ending is neither .png nor .html, it is the sound itself, or nothing can be written there.
    pub fn new(path: &Path, input: &Input) -> Result<Self, String> {
        let name = path.display();
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let form = match ending.as_deref() {
            Some("png") => Form::Png,
            Some("html") => Form::Html,
            _ => return Err(format!("{name}: the report must end in .png or .html")),
        };
        if matches!(input, Input::File(sound) if same(sound, path)) {
            return Err(format!("{name} is the sound itself; choose another name for the report"));
        }
        if path.is_dir() {
            return Err(format!("{name} cannot be written: it is a folder"));
        }
        let place = Self { path: path.to_owned(), form };
        let new = place.beside();
        let tried = fs::File::create_new(&new).and_then(|_| fs::remove_file(&new));
        tried.map_err(|e| place.unwritable(&e))?;
        Ok(place)
    }

    /// What the report is to be.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Its path, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the report beside its place and moves it there when it is whole; a link there is replaced, not followed.
    ///
    /// # Errors
    ///
    /// A sentence with what the file system says; what was there before is there still.
    pub fn write(&self, bytes: &[u8]) -> Result<(), String> {
        let new = self.beside();
        let written = fs::File::create_new(&new)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.map_err(|e| self.unwritable(&e))
    }

    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        self.path.with_file_name(name)
    }

    fn unwritable(&self, e: &io::Error) -> String {
        format!("{} cannot be written: {e}", self.path.display())
    }
}

/// True if both names lead to one file.
fn same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_cannot_be_moved_to_its_place_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.html");
        let place = Place::new(&path, &Input::Demo).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "looking changes nothing");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        assert!(place.write(b"page").unwrap_err().contains("x.html cannot be written"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Place::new(&path, &Input::Demo).unwrap_err().contains("it is a folder"));
    }

    #[test]
    fn the_sound_is_recognised_by_any_of_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.png");
        fs::write(&path, "sound").unwrap();
        let otherwise = dir.path().join(".").join("x.png");
        let refused = Place::new(&otherwise, &Input::File(path)).unwrap_err();
        assert!(refused.contains("the sound itself"), "{refused}");
    }
}
