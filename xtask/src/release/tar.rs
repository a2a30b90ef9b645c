//! Archives in the format `ustar` (POSIX.1-1988), compressed with gzip. The same files give the same bytes.

use std::io::{ErrorKind, Write};

use flate2::{Compression, GzBuilder};
use tar::EntryType;

/// A file or folder of an archive, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path in the archive. A folder's ends with a slash.
    pub path: String,
    /// Permissions of owner, group and others, as in `chmod`: 0o644.
    pub mode: u32,
    /// Content; empty for a folder.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A file that all may read.
    pub fn file(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }

    /// A program.
    pub fn program(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), mode: 0o755, bytes: bytes.into() }
    }

    fn folder(path: &str) -> Self {
        Self { path: path.into(), mode: 0o755, bytes: Vec::new() }
    }
}

/// Adds the folders in which files lie, each before its content.
pub fn with_folders(files: &[Entry]) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for file in files {
        for (slash, _) in file.path.match_indices('/') {
            let folder = Entry::folder(&file.path[..=slash]);
            if folder.path != "./" && !all.contains(&folder) {
                all.push(folder);
            }
        }
        all.push(file.clone());
    }
    all
}

/// Packs entries. All have the same time, in seconds since 1970.
///
/// # Errors
///
/// A sentence, if a path is too long for the format.
pub fn pack(entries: &[Entry], time: u64) -> Result<Vec<u8>, String> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in entries {
        let head = header(entry, time)
            .map_err(|_| format!("{} is too long for the name of a file in an archive", entry.path))?;
        archive.append(&head, entry.bytes.as_slice()).map_err(|e| format!("{}: {e}", entry.path))?;
    }
    archive.into_inner().map_err(|e| format!("an archive: {e}"))
}

/// Compresses bytes. The head of the result has neither name nor time.
///
/// # Errors
///
/// A sentence; memory takes everything, so there is none in practice.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut to = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    to.write_all(bytes).and_then(|()| to.finish()).map_err(|e| format!("gzip: {e}"))
}

fn header(entry: &Entry, time: u64) -> std::io::Result<tar::Header> {
    let mut head = tar::Header::new_ustar();
    // `set_path` would leave out the leading `./`, by which packages name their files.
    let name = head.as_old_mut();
    let place = name.name.get_mut(..entry.path.len()).ok_or(ErrorKind::InvalidInput)?;
    place.copy_from_slice(entry.path.as_bytes());
    head.set_mode(entry.mode);
    head.set_uid(0);
    head.set_gid(0);
    head.set_size(entry.bytes.len() as u64);
    head.set_mtime(time);
    head.set_entry_type(if entry.path.ends_with('/') { EntryType::Directory } else { EntryType::Regular });
    head.set_username("root")?;
    head.set_groupname("root")?;
    head.set_cksum();
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_tools_read_it_and_folders_come_first() {
        let place = tempfile::tempdir().unwrap();
        let files = [
            Entry::program("./usr/bin/k1", b"program".to_vec()),
            Entry::file("./usr/share/doc/k1/copyright", "text"),
            Entry::file("./usr/share/doc/k1/empty", ""),
        ];
        let all = with_folders(&files);
        let paths: Vec<_> = all.iter().map(|entry| &*entry.path).collect();
        let [usr, doc] =
            ["./usr/", "./usr/share/doc/k1/"].map(|p| paths.iter().position(|q| *q == p).unwrap());
        assert!(usr == 0 && doc < paths.iter().position(|p| p.ends_with("copyright")).unwrap(), "{paths:?}");
        let packed = gzip(&pack(&all, 1_700_000_000).unwrap()).unwrap();
        assert_eq!(packed, gzip(&pack(&all, 1_700_000_000).unwrap()).unwrap());
        std::fs::write(place.path().join("a.tar.gz"), packed).unwrap();
        let listed =
            std::process::Command::new("tar").args(["-tvzf", "a.tar.gz"]).current_dir(&place).output();
        let Ok(listed) = listed else { return };
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert_eq!(listed.lines().count(), all.len(), "{listed}");
        for words in ["-rwxr-xr-x root/root", "drwxr-xr-x root/root", "2023-11-14"] {
            assert!(listed.contains(words), "{listed}");
        }
    }

    #[test]
    fn a_path_that_does_not_fit_is_refused() {
        assert!(pack(&[Entry::file("x".repeat(101), "")], 0).unwrap_err().contains("too long"));
    }
}
