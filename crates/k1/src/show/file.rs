//! The file of a show: read as a whole, and written as a whole or not at all.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read, Write};
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

/// True unless nothing has this name. A file that cannot be looked at is there, so that the reason is told.
pub fn is_there(path: &Path) -> bool {
    !matches!(fs::metadata(path), Err(e) if e.kind() == ErrorKind::NotFound)
}

/// The file of a show, and its text when it was last read.
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    text: String,
    mark: Mark,
    /// The map files that the text names.
    maps: Vec<(PathBuf, Mark)>,
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
        let text = match is_there(path) {
            true => load(path)?,
            false => Text::default().to_string(),
        };
        let mut stored = Self { path: path.to_owned(), text, mark, maps: Vec::new() };
        stored.note_maps();
        Ok(stored)
    }

    /// Notes the map files of the text and their marks. The maps are read later: a change after the mark is noticed then.
    fn note_maps(&mut self) {
        let names = self.reading().maps;
        let paths = names.iter().map(|name| self.forms().map_path(name));
        self.maps = paths.map(|path| (path.clone(), Mark::of(&path))).collect();
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

    /// Reads the file again if it or one of its maps was saved since, and returns the path of the one that was.
    ///
    /// # Errors
    ///
    /// A sentence if the file cannot be read any more. The text that was read before stays.
    pub fn refresh(&mut self) -> Result<Option<PathBuf>, String> {
        let mark = Mark::of(&self.path);
        let map = self.maps.iter().find(|(path, mark)| Mark::of(path) != *mark).map(|(path, _)| path.clone());
        if mark == self.mark {
            if map.is_some() {
                self.note_maps();
            }
            return Ok(map);
        }
        self.mark = mark;
        if !is_there(&self.path) {
            return Err(format!(
                "{} is gone; K1 goes on with what it said and writes it again after the next change",
                self.path.display()
            ));
        }
        self.text = load(&self.path)?;
        self.note_maps();
        Ok(Some(self.path.clone()))
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
                    let after = like(before, text.to_string());
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
            let was_there = is_there(&self.path);
            // A file that is gone is written again with what it said.
            let before = if was_there { load(&self.path)? } else { self.text.clone() };
            let Some(after) = new(&before) else { return Ok(()) };
            if after != before || !was_there {
                output::make_folder(&self.path).map_err(|e| e.to_string())?;
                let mut output = Output::create(&self.path, &Spared::default()).map_err(|e| e.to_string())?;
                output
                    .write_all(after.as_bytes())
                    .map_err(|e| output::unwritten(&self.path, e).to_string())?;
                // Somebody may have saved the file since it was read.
                let is_same = match was_there {
                    true => load(&self.path).is_ok_and(|now| now == before),
                    false => !is_there(&self.path),
                };
                if !is_same {
                    continue;
                }
                output.commit().map_err(|e| e.to_string())?;
            }
            self.text = after;
            self.mark = Mark::of(&self.path);
            self.note_maps();
            return Ok(());
        }
        Err(format!(
            "{} is changed by another program all the time, so K1 has not written it",
            self.path.display()
        ))
    }
}

/// A changed text with the line ends and the byte order mark that it had before, which TOML does not keep.
fn like(before: &str, after: String) -> String {
    let after =
        if before.contains("\r\n") { after.replace("\r\n", "\n").replace('\n', "\r\n") } else { after };
    if before.starts_with('\u{feff}') {
        format!("\u{feff}{}", after.trim_start_matches('\u{feff}'))
    } else {
        after
    }
}

/// The text of a file of a show.
///
/// # Errors
///
/// A sentence if it cannot be read or is not text.
pub fn load(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let unread = |e: io::Error| match e.kind() {
        ErrorKind::PermissionDenied => format!("{shown} cannot be read: {e}; let this user read it"),
        _ => format!("{shown} cannot be read: {e}"),
    };
    let file = private::open(path).map_err(unread)?;
    let meta = file.metadata().map_err(unread)?;
    if meta.is_dir() {
        return Err(format!("{shown} is a folder; give a file in it"));
    }
    if !meta.is_file() {
        return Err(format!("{shown} is not a file; give the name of a file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("{shown} has more than {MOST_BYTES} bytes and cannot be a show"));
    }
    // English in UTF-16 is UTF-8 with a zero byte beside each letter.
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.ok_or_else(|| format!("{shown} is not text (UTF-8); save it as UTF-8"))
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
        assert_eq!(stored.refresh(), Ok(None), "its own change does not count");
        fs::write(&path, after + "# more\n").unwrap();
        assert_eq!(stored.refresh(), Ok(Some(path)));
    }

    #[test]
    fn a_map_that_changes_appears_or_goes_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, map) = (folder.path().join("k1.toml"), folder.path().join("ring.csv"));
        fs::write(&path, TEXT.replace("pieces", "map = \"ring.csv\"\npieces")).unwrap();
        let mut stored = Stored::open(&path).unwrap();
        assert!(
            stored.reading().faults[0].to_string().contains("there is no such file beside the show file")
        );
        for text in [Some("0,0\n1,0\n2,0\n"), Some("0,0\n1,0\n2,1\n3,1\n"), Some("0,0\n1,0\n2,1\n"), None] {
            match text {
                Some(text) => fs::write(&map, text).unwrap(),
                None => fs::remove_file(&map).unwrap(),
            }
            assert_eq!(stored.refresh(), Ok(Some(map.clone())), "{text:?}");
            assert_eq!(stored.refresh(), Ok(None), "{text:?}");
            let has_three = text.is_some_and(|text| text.lines().count() == 3);
            assert_eq!(stored.reading().faults.is_empty(), has_three, "{text:?}");
        }
        // A show that names it no more does not look at it.
        fs::write(&path, TEXT).unwrap();
        assert_eq!(stored.refresh(), Ok(Some(path)));
        fs::write(&map, "0,0\n").unwrap();
        assert_eq!(stored.refresh(), Ok(None));
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
        assert!(Stored::open(folder.path()).unwrap_err().contains("is a folder; give a file in it"));
    }

    #[test]
    fn the_line_ends_of_windows_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.toml");
        let text = format!("\u{feff}{}", TEXT.replace('\n', "\r\n"));
        fs::write(&path, &text).unwrap();
        Stored::open(&path).unwrap().change(|text| dim(text, 0.5)).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        let (kept, look) = after.split_at(text.len());
        assert_eq!(kept, text);
        assert!(
            look.contains("warmth = 0.5") && look.ends_with("\r\n") && !look.contains("\n\n"),
            "{look:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_cannot_be_looked_at_is_no_empty_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.toml");
        std::os::unix::fs::symlink("k1.toml", &path).unwrap();
        assert!(Stored::open(&path).unwrap_err().contains("cannot be read"));
        // A link to nothing yet is a place for a new file.
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("real.toml", &path).unwrap();
        Stored::open(&path).unwrap().replace(|before| Some(before.to_owned())).unwrap();
        assert!(folder.path().join("real.toml").exists() && path.is_symlink());
    }
}
