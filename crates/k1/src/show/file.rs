//! The file of a show: read as a whole, and written as a whole or not at all.

use std::fs::{self, Metadata};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use k1_host::output::{self, Output, Spared};
use k1_host::private;
use k1_show::{Reading, Text};

use super::Forms;

/// Largest file in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// Most times that a change is made again because somebody else has changed the file in the meantime.
const MOST_TRIES: u32 = 10;

/// Held while a file is replaced, so that two threads do not replace it at the same time.
static WRITING: Mutex<()> = Mutex::new(());

/// The file that K1 uses if the command line names none; `None` without a home folder.
pub fn place() -> Option<PathBuf> {
    private::folder().map(|folder| folder.join("k1.toml"))
}

/// Signs by which a change of the file is noticed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(Option<(u64, Option<SystemTime>, u64)>);

impl Mark {
    fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|meta| (meta.len(), meta.modified().ok(), number(&meta))))
    }
}

#[cfg(unix)]
fn number(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

/// The file of a show, and its text when it was last read.
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    text: String,
    mark: Mark,
}

impl Stored {
    /// Reads a file. A file that does not exist is an empty show.
    ///
    /// # Errors
    ///
    /// A sentence if the file cannot be read or is not text.
    pub fn open(path: &Path) -> Result<Self, String> {
        // The mark first: a change after it is noticed later.
        let mark = Mark::of(path);
        let text = match mark.0 {
            Some(_) => load(path)?,
            None => Text::default().to_string(),
        };
        Ok(Self { path: path.to_owned(), text, mark })
    }

    /// The forms that its text is checked with.
    pub fn forms(&self) -> Forms<'_> {
        Forms { file: &self.path }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text when it was last read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the text says.
    pub fn reading(&self) -> Reading {
        k1_show::read(&self.text, &self.forms())
    }

    /// Forgets what was read, so that the next [`refresh`](Self::refresh) reads the file and takes it as changed.
    pub fn forget(&mut self) {
        self.text.clear();
        self.mark = Mark(None);
    }

    /// Reads the file again if it was saved since; `true` if it was. Its maps may have changed even if its text has not.
    ///
    /// # Errors
    ///
    /// A sentence if the file cannot be read any more. The text that was read before stays.
    pub fn refresh(&mut self) -> Result<bool, String> {
        let mark = Mark::of(&self.path);
        if mark == self.mark {
            return Ok(false);
        }
        self.mark = mark;
        if mark.0.is_none() {
            return Err(format!(
                "{} is gone; K1 goes on with what it said and writes it again after the next change",
                self.path.display()
            ));
        }
        self.text = load(&self.path)?;
        Ok(true)
    }

    /// Changes the file: reads it, lets `change` change its text, and writes it whole or not at all. A change that
    /// somebody else makes at the same time is read first, so that it is not lost.
    ///
    /// # Errors
    ///
    /// A sentence if the file has a fault, would have one afterwards, or cannot be written. It is unchanged then.
    pub fn change(&mut self, mut change: impl FnMut(&mut Text) -> Result<(), String>) -> Result<(), String> {
        let shown = self.path.display().to_string();
        let path = self.path.clone();
        let faulty = |text: &str, when: &str| match k1_show::read(text, &Forms { file: &path }).faults.first()
        {
            Some(fault) => Err(format!("{shown} {when}: {fault}")),
            None => Ok(()),
        };
        let mut result = Ok(());
        let written = self.replace(|before| {
            let changed =
                faulty(before, "has a fault and is not written over; mend it first").and_then(|()| {
                    let mut text = Text::parse(before).map_err(|fault| format!("{shown}: {fault}"))?;
                    change(&mut text)?;
                    let after = text.to_string();
                    faulty(&after, "would get a fault and was not changed")?;
                    Ok(after)
                });
            changed.map_err(|why| result = Err(why)).ok()
        });
        result.and(written)
    }

    /// Replaces the text by what `new` makes of the present one; `None` leaves the file as it is. `new` is called again
    /// if somebody else changes the file at the same time.
    ///
    /// # Errors
    ///
    /// A sentence if the file cannot be read or written. It is unchanged then.
    pub fn replace(&mut self, mut new: impl FnMut(&str) -> Option<String>) -> Result<(), String> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..MOST_TRIES {
            let is_there = self.path.exists();
            // A file that is gone is written again with what it said.
            let before = if is_there { load(&self.path)? } else { self.text.clone() };
            let Some(after) = new(&before) else { return Ok(()) };
            if after != before || !is_there {
                output::make_folder(&self.path).map_err(|e| e.to_string())?;
                let mut output = Output::create(&self.path, &Spared::default()).map_err(|e| e.to_string())?;
                output
                    .write_all(after.as_bytes())
                    .map_err(|e| output::unwritten(&self.path, e).to_string())?;
                // Somebody may have saved the file since it was read.
                let is_same = match is_there {
                    true => load(&self.path).is_ok_and(|now| now == before),
                    false => !self.path.exists(),
                };
                if !is_same {
                    continue;
                }
                output.commit().map_err(|e| e.to_string())?;
            }
            self.text = after;
            self.mark = Mark::of(&self.path);
            return Ok(());
        }
        Err(format!(
            "{} is changed by another program all the time, so K1 has not written it",
            self.path.display()
        ))
    }
}

/// The text of a file of a show.
///
/// # Errors
///
/// A sentence if it cannot be read or is not text.
pub fn load(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let file = private::open(path).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    let meta = file.metadata().map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if !meta.is_file() {
        return Err(format!("{shown} is not a file; give the file of a show"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("{shown} has more than {MOST_BYTES} bytes and cannot be a show"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{shown} is not text (UTF-8); save it as UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_show::Look;

    const TEXT: &str = "version = 1 # first\n\n[[light]]\nname = \"A\"\nto = \"ddp://10.0.0.1\"\nleds = 3\n\n[[zone]]\nname = \"Z\"\npieces = [{ light = \"A\" }]\n";

    fn dim(text: &mut Text, value: f32) -> Result<(), String> {
        let mut look = text.read(&Forms { file: Path::new("") }).show.zones[0].look;
        look.params.set(k1_engine::params::Param::Warmth, value);
        text.set_look("Z", &look).then_some(()).ok_or_else(|| "no zone".into())
    }

    #[test]
    fn a_hand_edit_between_reading_and_writing_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.toml");
        fs::write(&path, TEXT).unwrap();
        let mut stored = Stored::open(&path).unwrap();
        let mut edits = 0;
        stored
            .change(|text| {
                edits += 1;
                if edits < 4 {
                    // An editor saves while the change is being made.
                    let now = fs::read_to_string(&path).unwrap();
                    fs::write(&path, format!("{now}# edit {edits}\n")).unwrap();
                }
                dim(text, 0.5)
            })
            .unwrap();
        let after = fs::read_to_string(&path).unwrap();
        assert!(
            after.contains("warmth = 0.5") && (1..4).all(|n| after.contains(&format!("# edit {n}"))),
            "{after}"
        );
        assert!(!stored.refresh().unwrap(), "its own change does not count");
        fs::write(&path, after + "# more\n").unwrap();
        assert!(stored.refresh().unwrap());
    }

    #[test]
    fn a_file_with_a_fault_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.toml");
        for (wrong, why) in [
            (TEXT.replace("version = 1", "version = 7"), "newer than this program"),
            (TEXT.replace("leds = 3", "leds = 0"), "line 6"),
            (TEXT.replace("[[zone]]", "[[zone"), "line 8: this is not TOML"),
        ] {
            fs::write(&path, &wrong).unwrap();
            let refused = Stored::open(&path).unwrap().change(|text| dim(text, 0.5)).unwrap_err();
            assert!(refused.contains(why), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), wrong);
        }
        fs::write(&path, TEXT).unwrap();
        let wrong = |text: &mut Text| {
            text.set_look("Z", &Look::default());
            text.add_pieces("Z", &[k1_show::Piece::Gap(9_999)], &[]);
            Ok(())
        };
        let refused = Stored::open(&path).unwrap().change(wrong).unwrap_err();
        assert!(refused.contains("would get a fault"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT);
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(Stored::open(&path).unwrap_err().contains("UTF-8"));
        assert!(Stored::open(folder.path()).unwrap_err().contains("not a file"));
    }
}
