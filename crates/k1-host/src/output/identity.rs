//! Finds the file that a name leads to, to recognise two names of the same file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// An existing file, or a name in a folder for a new one.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Device number and inode of an existing file.
    number: Option<(u64, u64)>,
    /// Its path without links, or the folder's path and the name of the new file.
    name: Option<(PathBuf, OsString)>,
    /// True for a device, which holds nothing that could be destroyed.
    is_device: bool,
}

impl Identity {
    /// The file that a path leads to.
    pub(super) fn of_path(path: &Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let whole = fs::canonicalize(path).ok();
        let name = match &whole {
            Some(whole) => whole.parent().zip(whole.file_name()).map(|(f, n)| (f.to_owned(), n.to_owned())),
            None => {
                path.file_name().map(|n| fs::canonicalize(folder).map(|f| (f, n.to_owned()))).transpose()?
            }
        };
        let meta = fs::metadata(path).ok();
        Ok(Self {
            number: meta.as_ref().and_then(number),
            name,
            is_device: meta.as_ref().is_some_and(is_device),
        })
    }

    /// The file of an open handle; `None` if the system does not report it.
    pub(super) fn of_open(file: &File) -> Option<Self> {
        let meta = file.metadata().ok()?;
        Some(Self { number: number(&meta), name: None, is_device: is_device(&meta) })
    }

    /// True if both are the same file and it could be destroyed.
    pub(super) fn is(&self, other: &Self) -> bool {
        if self.is_device || other.is_device {
            return false;
        }
        if self.number.is_some() && self.number == other.number {
            return true;
        }
        matches!((&self.name, &other.name), (Some((folder, name)), Some((other_folder, other_name)))
            if folder == other_folder && (name == other_name || alike(name, other_name) && folds_case(folder)))
    }
}

fn alike(a: &OsString, b: &OsString) -> bool {
    a.to_string_lossy().to_lowercase() == b.to_string_lossy().to_lowercase()
}

/// True if a folder is case-insensitive. Tested with an existing entry, because there is no other way to find out.
fn folds_case(folder: &Path) -> bool {
    let swapped = |name: &str| -> String {
        let other =
            |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        name.chars().map(other).collect()
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut telling =
        entries.filter_map(|e| e.file_name().into_string().ok()).filter(|name| swapped(name) != *name);
    let Some(name) = telling.next() else { return false };
    let (there, other) = (fs::metadata(folder.join(&name)), fs::metadata(folder.join(swapped(&name))));
    matches!((there, other), (Ok(a), Ok(b)) if number(&a).is_some() && number(&a) == number(&b))
}

#[cfg(unix)]
fn number(meta: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((meta.dev(), meta.ino()))
}

// Without inode numbers, compare names without links; they have only one spelling there.
#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(unix)]
fn is_device(meta: &fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_char_device(&meta.file_type())
}

#[cfg(not(unix))]
fn is_device(_: &fs::Metadata) -> bool {
    false
}

/// Follows links to the place of a file, even if the last link points to nothing yet.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&at) {
            Ok(to) => at = at.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(at),
        }
    }
    Err(io::Error::other("its symbolic links form a loop"))
}

/// The inputs of a command, which it must not overwrite.
#[derive(Clone, Debug, Default)]
pub struct Spared(Vec<(Identity, &'static str)>);

impl Spared {
    /// Also protects what standard input reads; `what` describes it in the error “… is WHAT itself”.
    #[must_use]
    pub fn and_stdin(mut self, what: &'static str) -> Self {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            let open = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            self.0.extend(open.ok().and_then(|f| Identity::of_open(&f)).map(|identity| (identity, what)));
        }
        #[cfg(not(unix))]
        let _ = (&mut self, what);
        self
    }

    /// Also protects a file; `what` describes it in the error “… is WHAT itself”.
    #[must_use]
    pub fn and(mut self, path: &Path, what: &'static str) -> Self {
        self.0.extend(Identity::of_path(path).ok().map(|identity| (identity, what)));
        self
    }

    /// The description of a protected file; `None` for other files.
    pub(super) fn holds(&self, file: &Identity) -> Option<&'static str> {
        self.0.iter().find(|(identity, _)| identity.is(file)).map(|(_, what)| *what)
    }
}
