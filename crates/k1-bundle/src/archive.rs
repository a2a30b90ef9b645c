//! The files of a bundle in one file, in the format `ustar` (POSIX.1-1988), which every `tar` reads.
//!
//! The same files give the same bytes: all times, users and groups are zero. Reads only what it needs: plain files,
//! and folders, which it ignores. Never writes to a disk.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::statement::Files;

/// Everything in an archive is padded to multiples of this number of bytes.
const BLOCK: usize = 512;
/// Length of a name in bytes.
const NAME: usize = 100;

/// Packs files into an archive, in which they lie in `folder`.
///
/// # Errors
///
/// A sentence if a name is too long.
pub fn pack(folder: &str, files: &Files) -> Result<Vec<u8>, String> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        archive.extend(header(&format!("{folder}/{name}"), bytes.len())?);
        archive.extend(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(archive)
}

/// True if these bytes may be an archive.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// The files in an archive, by the last part of their names.
///
/// # Errors
///
/// A sentence if the archive is damaged, cut off, or holds what no bundle has.
pub fn unpack(bytes: &[u8]) -> Result<Files, String> {
    let (mut files, mut rest) = (Files::new(), bytes);
    loop {
        let (head, after) = rest.split_first_chunk::<BLOCK>().ok_or(CUT_OFF)?;
        if *head == [0; BLOCK] {
            return match after.len() >= BLOCK && after.iter().all(|b| *b == 0) {
                true => Ok(files),
                false => Err(CUT_OFF.into()),
            };
        }
        let (name, kind, size) = read_header(head).ok_or("the archive is damaged")?;
        let padded = size.checked_next_multiple_of(BLOCK).filter(|n| *n <= after.len()).ok_or(CUT_OFF)?;
        match kind {
            b'0' | 0 => {
                let name = name.rsplit('/').next().unwrap_or_default().to_owned();
                if files.insert(name.clone(), after[..size].to_vec()).is_some() {
                    return Err(format!("the archive holds two files {name}"));
                }
            }
            b'5' => {}
            _ => return Err(format!("the archive holds {name}, which is neither a file nor a folder")),
        }
        rest = &after[padded..];
    }
}

const CUT_OFF: &str = "the archive is cut off: fetch it again";

fn header(name: &str, size: usize) -> Result<[u8; BLOCK], String> {
    let mut head = [0; BLOCK];
    if name.len() > NAME {
        return Err(format!("{name} is too long for the name of a file in an archive"));
    }
    let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\x000000000\x000000000\x00");
    put(124, format!("{size:011o}\0{:011o}\0", 0).as_bytes());
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\x000000000\x00");
    let sum = format!("{:06o}\0 ", sum(&head));
    head[148..156].copy_from_slice(sum.as_bytes());
    Ok(head)
}

/// The sum of a header's bytes, in which the eight bytes of the sum itself count as spaces.
fn sum(head: &[u8; BLOCK]) -> u32 {
    let without = head[..148].iter().chain(&head[156..]);
    without.map(|b| u32::from(*b)).sum::<u32>() + 8 * u32::from(b' ')
}

/// Name, kind and size of a file; `None` if the header is damaged.
fn read_header(head: &[u8; BLOCK]) -> Option<(String, u8, usize)> {
    let text = |from: usize, most: usize| {
        let bytes = &head[from..from + most];
        let length = bytes.iter().position(|b| *b == 0).unwrap_or(most);
        str::from_utf8(&bytes[..length]).ok()
    };
    let octal = |from: usize, most: usize| usize::from_str_radix(text(from, most)?.trim(), 8).ok();
    let is_whole = is_archive(head) && octal(148, 8)? == sum(head) as usize;
    is_whole.then_some((text(0, NAME)?.to_owned(), head[156], octal(124, 12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let long = (0..1_500_u32).map(|i| (i % 251) as u8).collect();
        let named = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
        Files::from([named("a.bin", long), named("b.txt", b"text".to_vec()), named("empty", Vec::new())])
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let archive = pack("k1-1.2.0-esp32s3", &files()).unwrap();
        assert!(is_archive(&archive));
        assert_eq!(unpack(&archive), Ok(files()));
        assert_eq!(archive, pack("k1-1.2.0-esp32s3", &files()).unwrap());
        assert!(pack(&"x".repeat(100), &files()).is_err());
    }

    #[test]
    fn an_archive_that_is_cut_off_anywhere_is_refused() {
        let archive = pack("k1", &files()).unwrap();
        for length in 0..archive.len() {
            assert!(unpack(&archive[..length]).is_err(), "{length} of {}", archive.len());
        }
    }

    /// Changes to headers are detected here, changes to contents by the bundle's hashes.
    #[test]
    fn no_changed_byte_of_a_header_is_taken() {
        let archive = pack("k1", &files()).unwrap();
        // The last byte of the sum is a space that nobody reads.
        for at in (0..BLOCK).filter(|at| *at != 155) {
            let mut changed = archive.clone();
            changed[at] ^= 1;
            assert_ne!(unpack(&changed), Ok(files()), "byte {at}");
        }
    }

    #[test]
    fn standard_tools_read_it() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("a.tar"), pack("k1", &files()).unwrap()).unwrap();
        let tar =
            |args: &[&str]| std::process::Command::new("tar").args(args).current_dir(place.path()).status();
        let Ok(status) = tar(&["-xf", "a.tar"]) else { return };
        assert!(status.success());
        for (name, bytes) in files() {
            assert_eq!(std::fs::read(place.path().join("k1").join(name)).unwrap(), bytes);
        }
        // And the other way round, with a folder of its own.
        assert!(tar(&["--format=ustar", "-cf", "b.tar", "k1"]).unwrap().success());
        assert_eq!(unpack(&std::fs::read(place.path().join("b.tar")).unwrap()), Ok(files()));
    }
}
