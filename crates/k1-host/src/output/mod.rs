//! Files that commands write: the one door to them, so that nothing is ever destroyed.
//!
//! A result is written beside its place under a hidden name and takes its place whole, by renaming. Until then, what was
//! there stays as it was; after a failure, a signal or a full disk nothing of ours is left. An output that is an input of
//! the same command, or another output of it, is refused under every name that leads to it.
//!
//! | What is named | What happens |
//! |---|---|
//! | nothing yet, or a regular file | written beside, renamed; the mode of the old file is kept |
//! | a symbolic link | the same for the file that it leads to; the link stays |
//! | a pipe, a character device, `/dev/stdout`, `/dev/fd/N` | written as it is, from where it stands |
//! | a folder, a disk, a socket | refused |
//!
//! A [live recording](Output::record) is the exception for those who want to watch it grow: where there is no file yet, or
//! an empty one, its frames go straight to their place, and are taken away again if the recording fails.

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

/// Why a file is not written; a sentence.
#[derive(Debug)]
pub struct Unwritten {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// It is an input, with what that is.
    Input(&'static str),
    /// Another output of this command has it.
    Taken(PathBuf),
    /// It is something that has no content to be replaced.
    Kind(&'static str),
    /// What the system says.
    System(io::Error),
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Input(what) => write!(f, "{path} is {what} itself; choose another name for the result"),
            Why::Taken(other) => {
                write!(f, "{path} and {} are one file; give each result a name of its own", other.display())
            }
            Why::Kind(what) => write!(f, "{path} cannot be written: it is {what}"),
            Why::System(e) => write!(f, "{path} cannot be written: {e}{}", advice(e)),
        }
    }
}

impl std::error::Error for Unwritten {}

/// What to do about an error of the file system; empty where its own words say it.
fn advice(e: &io::Error) -> &'static str {
    use io::ErrorKind::{
        FileTooLarge, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match e.kind() {
        StorageFull | QuotaExceeded => "; make room, or name a place on another disk",
        FileTooLarge => "; files of this size are not allowed there, so name another place",
        PermissionDenied | ReadOnlyFilesystem => "; name a place in a folder that you may write to",
        NotFound => "; its folder must exist",
        _ => "",
    }
}

/// The sentence for an error while a file was being written.
pub fn unwritten(path: &Path, e: io::Error) -> Unwritten {
    Unwritten { path: path.to_owned(), why: Why::System(e) }
}

/// A file on its way to its place. Dropped without [`commit`](Self::commit), it leaves everything as it was.
#[derive(Debug)]
pub struct Output {
    named: PathBuf,
    place: Place,
    /// Gives its file up when it is dropped.
    _claim: Option<pending::Claim>,
}

#[derive(Debug)]
enum Place {
    /// Beside its place.
    Beside { file: File, temporary: PathBuf, real: PathBuf },
    /// In its place, where nothing was before.
    Fresh { file: File, real: PathBuf, was_there: bool },
    /// A pipe or a device that is open.
    Open(File),
    /// A pipe that is opened with the first byte: that waits for its reader.
    Pipe(PathBuf),
}

/// Whether a file is for everybody's eyes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eyes {
    All,
    Owner,
}

impl Output {
    /// Opens a place for a result. `spared` is what must not be written: the command's inputs.
    ///
    /// # Errors
    ///
    /// The place is an input, another output, no file, or cannot be written. Nothing was changed then.
    pub fn create(path: &Path, spared: &Spared) -> Result<Self, Unwritten> {
        Self::open(path, spared, Eyes::All, false)
    }

    /// Opens a place for a recording that others may watch while it grows.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub fn record(path: &Path, spared: &Spared) -> Result<Self, Unwritten> {
        Self::open(path, spared, Eyes::All, true)
    }

    /// Opens a place for a file that only this user can read.
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
        // The system's own names of open files mean those, wherever they stand; to replace them would miss them.
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
            return Err(refuse(Why::Kind("no name of a file")));
        }
        let claim = pending::claim(path, identity).map_err(|other| refuse(Why::Taken(other)))?;
        // One that this user may not write to is not replaced either.
        if there.is_some() {
            OpenOptions::new().write(true).open(&real).map_err(system)?;
        }
        let place = if is_live && there.as_ref().is_none_or(|m| m.len() == 0) {
            let mut options = OpenOptions::new();
            options.write(true).create_new(there.is_none());
            let file = options.open(&real).map_err(system)?;
            Place::Fresh { file, was_there: there.is_some(), real }
        } else {
            let (file, temporary) = beside(&real, eyes).map_err(system)?;
            claim.has_begun(&temporary);
            if let (Eyes::All, Some(meta)) = (eyes, &there) {
                // Where modes cannot be kept (a FAT disk), the content is what counts.
                let _ = file.set_permissions(meta.permissions());
            }
            Place::Beside { file, temporary, real }
        };
        Ok(Self { named: path.to_owned(), place, _claim: Some(claim) })
    }

    /// Its path, as it was named.
    pub fn path(&self) -> &Path {
        &self.named
    }

    /// True if it is a file, which can be gone back in.
    pub fn is_file(&self) -> bool {
        matches!(self.place, Place::Beside { .. } | Place::Fresh { .. })
    }

    /// Puts it into its place.
    ///
    /// # Errors
    ///
    /// What the file system says, also of what was written before: a full disk may show itself only now. What was there
    /// before is there still.
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
        // It is where it belongs: nothing is to be taken away.
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

/// A new file beside a place, hidden, in the same folder and so on the same disk.
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
    Err(io::Error::other("a thousand unfinished files are in its folder"))
}

/// What is there and no regular file.
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
    Err(Why::Kind(if meta.is_dir() { "a folder" } else { "no file" }))
}

/// An open file of this process that a path names: `/dev/stdout`, `/dev/fd/5`, `/proc/self/fd/5`.
#[cfg(unix)]
fn inherited(path: &Path) -> io::Result<Option<File>> {
    use std::os::fd::AsFd;
    // Links may lead there: each step is looked at, but the last, which would leave it.
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
            // The descriptor itself, so that what is there already is neither overwritten nor replaced.
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
