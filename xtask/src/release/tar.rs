//! Archives in the format `ustar` (POSIX.1-1988), compressed with gzip. The same files give the same bytes.

use std::io::Write;

use flate2::{Compression, GzBuilder};

/// Everything in an archive is padded to multiples of this number of bytes.
const BLOCK: usize = 512;

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
    let mut archive = Vec::new();
    for entry in entries {
        archive.extend(header(entry, time)?);
        archive.extend(&entry.bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(archive)
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

fn header(entry: &Entry, time: u64) -> Result<[u8; BLOCK], String> {
    let mut head = [0; BLOCK];
    if entry.path.len() > 100 {
        return Err(format!("{} is too long for the name of a file in an archive", entry.path));
    }
    let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, &entry.path);
    put(100, &format!("{:07o}\0{:07o}\0{:07o}\0", entry.mode, 0, 0));
    put(124, &format!("{:011o}\0{time:011o}\0", entry.bytes.len()));
    // While the sum is computed, its place counts as spaces.
    put(148, "        ");
    put(156, if entry.path.ends_with('/') { "5" } else { "0" });
    put(257, "ustar\x0000");
    put(265, "root");
    put(297, "root");
    let sum: u32 = head.iter().map(|b| u32::from(*b)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
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
