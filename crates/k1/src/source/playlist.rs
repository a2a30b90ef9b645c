//! The files of folders and of playlists (M3U and PLS), in the order in which they play.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Error;
use super::entries::NotAList;
use super::stream::is_address;

/// Endings of names of sound files. In a folder, K1 plays only these, so that covers and notes are not in the way.
const ENDINGS: [&str; 25] = [
    "aac", "aif", "aifc", "aiff", "au", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mov", "mp1", "mp2",
    "mp3", "mp4", "oga", "ogg", "opus", "rf64", "snd", "w64", "wav", "wave", "webm",
];
/// Largest number of files.
const MOST: usize = 100_000;
/// Largest number of folders and playlists.
const MOST_LISTS: usize = 10_000;
/// Largest playlist in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// True for a folder or a playlist.
pub fn is_list(path: &Path) -> bool {
    path.is_dir() || is_playlist(path)
}

fn is_playlist(path: &Path) -> bool {
    has_ending(path, &["m3u", "m3u8", "pls"])
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// All files that these paths name: files themselves, the sound files of folders sorted by name, and the entries of
/// playlists in their order, whether they exist or not.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut walk = Walk::default();
    paths.iter().try_for_each(|path| walk.add(path))?;
    Ok(walk.files)
}

/// A walk through folders and playlists.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    /// The folders and playlists around the present one. One that is inside itself is left out.
    around: Vec<PathBuf>,
    /// Number of folders and playlists so far.
    lists: usize,
}

impl Walk {
    fn add(&mut self, path: &Path) -> Result<(), Error> {
        let is_folder = path.is_dir();
        if self.files.len() >= MOST {
            return Ok(());
        }
        if !is_folder && !is_playlist(path) {
            self.files.push(path.to_owned());
            return Ok(());
        }
        let here = path.canonicalize().map_err(|e| Error::Open(path.to_owned(), e))?;
        if self.lists >= MOST_LISTS || self.around.contains(&here) {
            return Ok(());
        }
        self.lists += 1;
        self.around.push(here);
        let added = if is_folder { self.folder(path) } else { self.playlist(path) };
        self.around.pop();
        added
    }

    fn folder(&mut self, path: &Path) -> Result<(), Error> {
        let unread = |e| Error::Open(path.to_owned(), e);
        let inside = fs::read_dir(path).map_err(unread)?.map(|entry| entry.map(|e| e.path()));
        let mut inside: Vec<_> = inside.collect::<Result<_, _>>().map_err(unread)?;
        inside.sort_by(|a, b| by_name(a, b));
        for path in inside {
            let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && (path.is_dir() || has_ending(&path, &ENDINGS)) {
                self.add(&path)?;
            }
        }
        Ok(())
    }

    fn playlist(&mut self, path: &Path) -> Result<(), Error> {
        for entry in entries(path)? {
            match self.add(&entry) {
                // A playlist that does not exist is told when its turn comes.
                Err(Error::Open(..)) => self.files.push(entry),
                other => other?,
            }
        }
        Ok(())
    }
}

/// Order by name, whether letters are large or small, and by number where both names have one: 2 before 10.
fn by_name(a: &Path, b: &Path) -> Ordering {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let (name_a, name_b) = (name(a), name(b));
    let (mut rest_a, mut rest_b) = (name_a.as_str(), name_b.as_str());
    while let (Some(first_a), Some(first_b)) = (rest_a.chars().next(), rest_b.chars().next()) {
        let order;
        if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (number_a, number_b);
            (number_a, rest_a) = number(rest_a);
            (number_b, rest_b) = number(rest_b);
            order = number_a.len().cmp(&number_b.len()).then(number_a.cmp(number_b));
        } else {
            order = first_a.cmp(&first_b);
            (rest_a, rest_b) = (&rest_a[first_a.len_utf8()..], &rest_b[first_b.len_utf8()..]);
        }
        if order.is_ne() {
            return order;
        }
    }
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

/// The number at the front of a text, without leading zeros, and the rest.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

/// The first stream of a playlist that names only streams, as radio stations offer them; `None` for other files.
pub fn stream(path: &Path) -> Option<String> {
    let entries = is_playlist(path).then(|| entries(path).ok())??;
    let address = |entry: &PathBuf| entry.to_str().filter(|text| is_address(text)).map(str::to_owned);
    entries.iter().map(address).collect::<Option<Vec<_>>>()?.into_iter().next()
}

/// The entries of a playlist. Relative ones are beside it.
fn entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let unread = |e| Error::Open(path.to_owned(), e);
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unread)?.take(MOST_BYTES).read_to_end(&mut bytes).map_err(unread)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = super::entries::entries(&bytes).map_err(|why| {
        let why = match why {
            NotAList::Parts => "it is an HLS stream, whose parts K1 does not load",
            NotAList::NotText => "it is not a playlist of lines of text",
        };
        Error::NotAudio(path.to_owned(), why.to_owned())
    })?;
    Ok(named.into_iter().take(MOST).map(|line| entry(folder, line)).collect())
}

/// The file that a line of a playlist in `folder` means.
fn entry(folder: &Path, line: &[u8]) -> PathBuf {
    // Old playlists are in the encoding of Western Windows, in which each letter is one byte, as in Latin-1.
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.iter().map(|b| char::from(*b)).collect(),
    };
    if is_address(&text) {
        return text.into();
    }
    if let Some(rest) = text.strip_prefix("file://") {
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        return PathBuf::from(unescaped(path));
    }
    let path = folder.join(&text);
    if path.exists() {
        return path;
    }
    // As a name that is not text, or with the separators of Windows.
    let others =
        [bytes_as_path(line).map(|path| folder.join(path)), Some(folder.join(text.replace('\\', "/")))];
    others.into_iter().flatten().find(|other| other.exists()).unwrap_or(path)
}

#[cfg(unix)]
fn bytes_as_path(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn bytes_as_path(_: &[u8]) -> Option<PathBuf> {
    None
}

/// A text with `%20` and the like replaced by their characters.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        let code = code.filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with empty files of these names.
    fn folder_of(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn names(dir: &Path, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
        files(paths).unwrap().iter().map(name).collect()
    }

    #[test]
    fn a_folder_plays_its_sound_files_by_name_and_number() {
        let all = [
            "10 c.mp3",
            "2 b.FLAC",
            "02 a.wav",
            "cover.jpg",
            ".hidden.mp3",
            "CD2/1.ogg",
            "cd10/1.ogg",
            "list.m3u",
        ];
        let dir = folder_of(&all);
        let found = names(dir.path(), &[dir.path().to_owned()]);
        assert_eq!(found, ["02 a.wav", "2 b.FLAC", "10 c.mp3", "CD2/1.ogg", "cd10/1.ogg"]);
    }

    #[test]
    fn a_playlist_plays_its_entries_in_their_order_also_those_that_are_missing() {
        let dir = folder_of(&["a.wav", "sub/b b.mp3", "é.ogg", "all/1.wav", "all/2.wav"]);
        let path = dir.path().join("list.M3U8");
        let absolute = dir.path().join("sub/b b.mp3");
        let uri = format!("file://{}", absolute.to_str().unwrap().replace(' ', "%20"));
        let text = format!(
            "\u{feff}#EXTM3U\r\n#EXTINF:1,A\r\nsub\\b b.mp3\r\n\r\n  a.wav  \r\ngone.wav\n{}\n{uri}\nall\né.ogg\nother.m3u\n",
            absolute.display()
        );
        fs::write(&path, text).unwrap();
        fs::write(dir.path().join("old.m3u"), b"\xe9.ogg\nlist.M3U8").unwrap();
        let of_list =
            ["sub/b b.mp3", "a.wav", "gone.wav", "sub/b b.mp3", "sub/b b.mp3", "all/1.wav", "all/2.wav"];
        let of_list = [&of_list[..], &["é.ogg", "other.m3u"]].concat();
        assert_eq!(names(dir.path(), &[path]), of_list);
        let nested = names(dir.path(), &[dir.path().join("old.m3u")]);
        assert_eq!(nested, [&["é.ogg"], &of_list[..]].concat());
    }

    #[test]
    fn lists_inside_themselves_are_left_out() {
        let dir = folder_of(&["a.wav"]);
        let (one, two) = (dir.path().join("one.m3u"), dir.path().join("two.m3u"));
        fs::write(&one, "a.wav\n./one.m3u\ntwo.m3u\n").unwrap();
        fs::write(&two, "one.m3u\na.wav\n.\n").unwrap();
        assert_eq!(
            names(dir.path(), &[one]),
            ["a.wav", "a.wav", "./a.wav"].map(|name| name.trim_start_matches("./"))
        );
    }

    #[test]
    fn what_is_not_a_playlist_is_told() {
        let dir = folder_of(&[]);
        let path = dir.path().join("x.m3u8");
        for (text, why) in [("#EXTM3U\n#EXT-X-VERSION:3\n", "HLS"), ("a\0b", "not a playlist")] {
            fs::write(&path, text).unwrap();
            assert!(files(std::slice::from_ref(&path)).unwrap_err().to_string().contains(why));
        }
        assert!(matches!(files(&[dir.path().join("gone.m3u")]), Err(Error::Open(..))));
    }

    #[test]
    fn a_playlist_of_streams_is_its_first_stream() {
        let dir = folder_of(&["a.wav"]);
        let path = dir.path().join("radio.m3u");
        fs::write(&path, "#EXTM3U\n#EXTINF:-1,Radio\nhttp://a/1\nhttp://b/2\n").unwrap();
        assert_eq!(stream(&path).as_deref(), Some("http://a/1"));
        fs::write(&path, "http://a/1\na.wav\n").unwrap();
        assert_eq!(stream(&path), None);
        assert_eq!(files(&[path]).unwrap(), [PathBuf::from("http://a/1"), dir.path().join("a.wav")]);
        let path = dir.path().join("radio.pls");
        fs::write(&path, "[playlist]\nFile1=http://a/1\nTitle1=Radio\nLength1=-1\nVersion=2\n").unwrap();
        assert_eq!(stream(&path).as_deref(), Some("http://a/1"));
        fs::write(&path, "[playlist]\nFile2=a.wav\nFile1=gone.wav\n").unwrap();
        assert_eq!(names(dir.path(), &[path]), ["gone.wav", "a.wav"]);
    }

    #[test]
    fn percent_signs_are_replaced_only_before_two_digits() {
        assert_eq!(unescaped("/a%20b/%C3%A9%zz%2"), "/a b/é%zz%2");
    }
}
