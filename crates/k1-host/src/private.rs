//! The user's own folder, and files that only the user can read.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest secret (token, password or key) in bytes.
const MOST: usize = 4096;
/// Time to wait for the writer of a pipe.
const PATIENCE: Duration = Duration::from_secs(10);
/// Interval between two reads of a pipe.
const LOOK: Duration = Duration::from_millis(20);

/// The user's settings folder for K1; `None` without a home folder.
pub fn folder() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        of("APPDATA")
    } else {
        of("XDG_CONFIG_HOME").or_else(|| Some(of("HOME")?.join(".config")))
    };
    Some(base?.join("k1"))
}

/// Writes a file that only this user can read, whole or not at all. Creates its folder if necessary.
///
/// # Errors
///
/// Those of the file system; nothing is left behind then.
pub fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    crate::output::write_private(path, bytes).map_err(Error::other)
}

/// Reads a secret from a file or a pipe (`/dev/stdin`, `<(…)` of a shell).
///
/// # Errors
///
/// Those of the file system, and a sentence for a device, a folder, a pipe without a writer, more than 4096 bytes, or
/// bytes that are not text.
pub fn read(path: &Path) -> std::io::Result<String> {
    read_within(path, PATIENCE)
}

/// Opens a file for reading without waiting. (Opening a pipe without a writer would block.)
///
/// # Errors
///
/// Those of the file system.
pub fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

fn read_within(path: &Path, patience: Duration) -> std::io::Result<String> {
    let file = open(path)?;
    let kind = file.metadata()?.file_type();
    #[cfg(unix)]
    let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&kind);
    #[cfg(not(unix))]
    let is_pipe = false;
    if !kind.is_file() && !is_pipe {
        let what = if kind.is_dir() { "a folder" } else { "a device" };
        let sentence = format!("it is {what}; use a file or a pipe with one line");
        return Err(Error::new(ErrorKind::InvalidInput, sentence));
    }
    let bytes = whole(file, Instant::now() + patience)?;
    if bytes.len() > MOST {
        let sentence = format!("it holds more than {MOST} bytes; use a file with one line");
        return Err(Error::new(ErrorKind::InvalidData, sentence));
    }
    if is_pipe && bytes.is_empty() {
        return Err(Error::new(ErrorKind::UnexpectedEof, "nobody writes into this pipe"));
    }
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not text (UTF-8)"))
}

/// All bytes of a file or pipe, or one more than may be.
fn whole(file: File, until: Instant) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = file.take(MOST as u64 + 1);
    loop {
        match file.read_to_end(&mut bytes) {
            Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < until => std::thread::sleep(LOOK),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                return Err(Error::new(ErrorKind::TimedOut, "the writer of this pipe does not end"));
            }
            Err(e) => return Err(e),
            Ok(_) => return Ok(bytes),
        }
    }
}

/// True if others than this user can read a file.
pub fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn why(path: &Path) -> String {
        read_within(path, Duration::from_millis(200)).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_hold_a_secret_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let began = Instant::now();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        assert!(why(&at("fifo")).contains("nobody writes"), "{}", why(&at("fifo")));
        assert!(why(Path::new("/dev/zero")).contains("a device"));
        assert!(why(Path::new("/dev/null")).contains("a device"));
        assert!(why(folder.path()).contains("a folder"));
        let sparse = File::create(at("sparse")).unwrap();
        sparse.set_len(3 << 30).unwrap();
        assert!(why(&at("sparse")).contains("more than 4096 bytes"));
        std::fs::write(at("binary"), [0xff, 0xfe]).unwrap();
        assert!(why(&at("binary")).contains("not text"));
        assert_eq!(read(&at("missing")).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(began.elapsed() < Duration::from_secs(5));
        for good in [String::new(), "secret\n".into(), "a".repeat(MOST)] {
            std::fs::write(at("good"), &good).unwrap();
            assert_eq!(read(&at("good")).unwrap(), good);
        }
    }

    #[test]
    fn a_pipe_hands_a_secret_over_however_late_it_is() {
        let (from, mut into) = std::io::pipe().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", from.as_raw_fd()));
        if !path.exists() {
            return;
        }
        assert!(why(&path).contains("does not end"));
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            into.write_all(b"sec").unwrap();
            std::thread::sleep(Duration::from_millis(100));
            into.write_all(b"ret\n").unwrap();
        });
        assert_eq!(read(&path).unwrap(), "secret\n");
        writer.join().unwrap();
        // One whose writer has long ended.
        let (from, mut into) = std::io::pipe().unwrap();
        into.write_all(b"early").unwrap();
        drop(into);
        assert_eq!(read(Path::new(&format!("/dev/fd/{}", from.as_raw_fd()))).unwrap(), "early");
    }
}
