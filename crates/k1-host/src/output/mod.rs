//! Writes the files of all commands, so that no error destroys a file.
//!
//! K1 writes a result under a hidden name in the same folder and renames it when it is complete. Until then the old file is
//! unchanged; after a failure, a signal or a full disk K1 leaves nothing behind. An output that is an input or another
//! output of the same command is refused under any of its names.
//!
//! | Target | What happens |
//! |---|---|
//! | nothing yet, or a regular file | written under another name and renamed; keeps the mode of the old file |
//! | a symbolic link | the same for the file that it points to; the link stays |
//! | a pipe, a character device, `/dev/stdout`, `/dev/fd/N` | written directly, from the current position |
//! | a folder, a disk, a socket | refused |
//!
//! A [live recording](Output::record) can be watched while it grows: if there is no file yet, or an empty one, frames go
//! straight into it. If the recording fails, K1 deletes it.

mod identity;
mod log;
mod pending;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use identity::Spared;
pub use log::Log;
pub use pending::{abandon_all, tidy_on_signals};

use identity::Identity;

/// A sentence that says why a file was not written.
#[derive(Debug)]
pub struct Unwritten {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// It is an input, with a description.
    Input(&'static str),
    /// Another output of this command is the same file.
    Taken(PathBuf),
    /// It has no content that could be replaced, such as a folder.
    Kind(&'static str),
    /// An error of the system.
    System(io::Error),
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Input(what) => write!(f, "{path} is {what} itself; choose another name for the result"),
            Why::Taken(other) => {
                write!(f, "{path} and {} are the same file; give each result its own name", other.display())
            }
            Why::Kind(what) => write!(f, "{path} cannot be written: it is {what}"),
            Why::System(e) => write!(f, "{path} cannot be written: {e}{}", advice(e)),
        }
    }
}

impl std::error::Error for Unwritten {}

/// Advice for an error of the file system; empty if the error speaks for itself.
fn advice(e: &io::Error) -> &'static str {
    use io::ErrorKind::{
        FileTooLarge, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match e.kind() {
        StorageFull | QuotaExceeded => "; free some space, or choose another disk",
        FileTooLarge => "; files of this size are not allowed there, so choose another place",
        PermissionDenied | ReadOnlyFilesystem => "; choose a folder that you may write to",
        NotFound => "; create its folder first",
        _ => "",
    }
}

/// The error for a file that could not be written to its end.
pub fn unwritten(path: &Path, e: io::Error) -> Unwritten {
    Unwritten { path: path.to_owned(), why: Why::System(e) }
}

/// A file that is being written. Without [`commit`](Self::commit), dropping it leaves everything as it was.
#[derive(Debug)]
pub struct Output {
    named: PathBuf,
    place: Place,
    /// Releases the file when dropped.
    _claim: Option<pending::Claim>,
}

#[derive(Debug)]
enum Place {
    /// Under a hidden name in the same folder.
    Beside { file: File, temporary: PathBuf, real: PathBuf },
    /// In its final place, because there was no file.
    Fresh { file: File, real: PathBuf, was_there: bool },
    /// An open pipe or device.
    Open(File),
    /// A pipe that is opened with the first byte, because opening waits for a reader.
    Pipe(PathBuf),
}

/// Access to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eyes {
    All,
    Owner,
}

impl Output {
    /// Opens a file for a result. `spared` holds the command's inputs, which must not be overwritten.
    ///
    /// # Errors
    ///
    /// The file is an input or another output, is not a file, or cannot be written. Nothing has changed then.
    pub fn create(path: &Path, spared: &Spared) -> Result<Self, Unwritten> {
        Self::open(path, spared, Eyes::All, false)
    }

    /// Opens a file for a recording that can be watched while it grows.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub fn record(path: &Path, spared: &Spared) -> Result<Self, Unwritten> {
        Self::open(path, spared, Eyes::All, true)
    }

    /// Opens a file that only this user can read.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub fn private(path: &Path) -> Result<Self, Unwritten> {
        Self::open(path, &Spared::default(), Eyes::Owner, false)
    }

    fn open(path: &Path, spared: &Spared, eyes: Eyes, is_live: bool) -> Result<Self, Unwritten> {
        let refuse = |why| Unwritten { path: path.to_owned(), why };
        let system = |e| refuse(Why::System(e));
        // A system name such as /dev/stdout means an open file; renaming a file over it would miss that file.
        if let Some(file) = inherited(path).map_err(system)? {
            let identity = Identity::of_open(&file);
            if let Some(what) = identity.as_ref().and_then(|i| spared.holds(i)) {
                return Err(refuse(Why::Input(what)));
            }
            return Ok(Self { named: path.to_owned(), place: Place::Open(file), _claim: None });
        }
        let real = identity::resolve(path).map_err(system)?;
        let there = match fs::metadata(&real) {
            Ok(meta) => Some(meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(system(e)),
        };
        let identity = Identity::of_path(&real).map_err(system)?;
        if let Some(what) = spared.holds(&identity) {
            return Err(refuse(Why::Input(what)));
        }
        if let Some(meta) = &there
            && !meta.is_file()
        {
            let place = special(&real, meta).map_err(refuse)?;
            return Ok(Self { named: path.to_owned(), place, _claim: None });
        }
        if real.file_name().is_none() {
            return Err(refuse(Why::Kind("not a file name")));
        }
        let claim = pending::claim(path, identity).map_err(|other| refuse(Why::Taken(other)))?;
        // Do not replace a file that this user may not write to.
        if there.is_some() {
            OpenOptions::new().write(true).open(&real).map_err(system)?;
        }
        let place = if is_live && there.as_ref().is_none_or(|m| m.len() == 0) {
            let mut options = OpenOptions::new();
            options.write(true).create_new(there.is_none());
            let file = options.open(&real).map_err(system)?;
            Place::Fresh { file, was_there: there.is_some(), real }
        } else {
            // A signal finds either no file or one that it knows.
            let held = pending::hold();
            let (file, temporary) = beside(&real, eyes).map_err(system)?;
            claim.has_begun(&temporary);
            drop(held);
            if let (Eyes::All, Some(meta)) = (eyes, &there) {
                // Some disks (FAT) cannot keep modes; the content is what counts.
                let _ = file.set_permissions(meta.permissions());
            }
            Place::Beside { file, temporary, real }
        };
        Ok(Self { named: path.to_owned(), place, _claim: Some(claim) })
    }

    /// Its path, as given by the user.
    pub fn path(&self) -> &Path {
        &self.named
    }

    /// True if it is a file, in which one can seek.
    pub fn is_file(&self) -> bool {
        matches!(self.place, Place::Beside { .. } | Place::Fresh { .. })
    }

    /// Moves the complete file to its final place.
    ///
    /// # Errors
    ///
    /// Those of the file system, also for earlier writes: a full disk may be noticed only now. The old file is unchanged.
    pub fn commit(mut self) -> Result<(), Unwritten> {
        let done = match &mut self.place {
            Place::Beside { file, temporary, real } => file.sync_all().and_then(|()| {
                let _held = pending::hold();
                fs::rename(temporary, real)
            }),
            Place::Fresh { file, .. } => file.sync_all(),
            Place::Open(file) => file.flush(),
            Place::Pipe(_) => Ok(()),
        };
        done.map_err(|e| unwritten(&self.named, e))?;
        // The file is in its final place; do not delete it.
        self.place = Place::Pipe(PathBuf::new());
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _held = pending::hold();
        match &self.place {
            Place::Beside { temporary, .. } => drop(fs::remove_file(temporary)),
            Place::Fresh { file, was_there: true, .. } => drop(file.set_len(0)),
            Place::Fresh { real, .. } => drop(fs::remove_file(real)),
            Place::Open(_) | Place::Pipe(_) => {}
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Place::Pipe(path) = &self.place {
            self.place = Place::Open(OpenOptions::new().write(true).open(path)?);
        }
        match &mut self.place {
            Place::Beside { file, .. } | Place::Fresh { file, .. } | Place::Open(file) => file.write(bytes),
            Place::Pipe(_) => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Beside { file, .. } | Place::Fresh { file, .. } | Place::Open(file) => file.flush(),
            Place::Pipe(_) => Ok(()),
        }
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.place {
            Place::Beside { file, .. } | Place::Fresh { file, .. } => file.seek(to),
            Place::Open(_) | Place::Pipe(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

/// Writes a whole file.
///
/// # Errors
///
/// As for [`Output::create`] and [`Output::commit`].
pub fn write(path: &Path, bytes: &[u8], spared: &Spared) -> Result<(), Unwritten> {
    put(Output::create(path, spared)?, bytes)
}

/// Makes the folder of a file, unless it exists.
///
/// # Errors
///
/// [`Unwritten`] with the folder's name.
pub fn make_folder(file: &Path) -> Result<(), Unwritten> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder).map_err(|e| unwritten(folder, e)),
        None => Ok(()),
    }
}

/// Writes a whole file that only this user can read.
///
/// # Errors
///
/// As for [`write`](write()).
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Unwritten> {
    put(Output::private(path)?, bytes)
}

fn put(mut output: Output, bytes: &[u8]) -> Result<(), Unwritten> {
    output.write_all(bytes).map_err(|e| unwritten(&output.named, e))?;
    output.commit()
}

/// A new hidden file in the same folder, and so on the same disk.
fn beside(real: &Path, eyes: Eyes) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if eyes == Eyes::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = eyes;
    for n in 0..1_000 {
        let temporary = real.with_file_name(format!(".k1-{}-{n}.part", std::process::id()));
        match options.open(&temporary) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (file, temporary)),
        }
    }
    Err(io::Error::other("its folder holds a thousand unfinished files"))
}

/// Opens an existing target that is not a regular file.
#[cfg(unix)]
fn special(real: &Path, meta: &fs::Metadata) -> Result<Place, Why> {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    if kind.is_fifo() {
        Ok(Place::Pipe(real.to_owned()))
    } else if kind.is_char_device() {
        OpenOptions::new().write(true).open(real).map(Place::Open).map_err(Why::System)
    } else if kind.is_dir() {
        Err(Why::Kind("a folder"))
    } else if kind.is_block_device() {
        Err(Why::Kind("a disk"))
    } else {
        Err(Why::Kind("no file"))
    }
}

#[cfg(not(unix))]
fn special(_: &Path, meta: &fs::Metadata) -> Result<Place, Why> {
    Err(Why::Kind(if meta.is_dir() { "a folder" } else { "not a file" }))
}

/// An open file of this process that a path names: `/dev/stdout`, `/dev/fd/5`, `/proc/self/fd/5`.
#[cfg(unix)]
fn inherited(path: &Path) -> io::Result<Option<File>> {
    use std::os::fd::AsFd;
    // Links may lead there: follow each step but the last, which would leave it.
    let mut at = path.to_owned();
    for _ in 0..40 {
        let number = match at.to_str() {
            Some("/dev/stdout") => Some("1"),
            Some("/dev/stderr") => Some("2"),
            Some(text) => ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"]
                .iter()
                .find_map(|folder| text.strip_prefix(folder)),
            None => None,
        };
        match number {
            // Use the descriptor itself, so that the file's content is neither overwritten nor replaced.
            Some("1") => return io::stdout().as_fd().try_clone_to_owned().map(|fd| Some(fd.into())),
            Some("2") => return io::stderr().as_fd().try_clone_to_owned().map(|fd| Some(fd.into())),
            Some(_) => {
                let mut options = OpenOptions::new();
                options.append(fs::metadata(&at)?.is_file()).write(true);
                return options.open(&at).map(Some);
            }
            None => {}
        }
        match fs::read_link(&at) {
            Ok(to) => at = at.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(not(unix))]
fn inherited(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(test)]
mod tests;
