//! The entries of a playlist's text: M3U or PLS, from a file or a station.

/// Why a text is not a list of files and streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAList {
    /// The parts of an HLS stream.
    Parts,
    /// Bytes that are not text.
    NotText,
}

/// The entries in their order, without comments and titles. A text that begins with `[playlist]` is PLS, in which the
/// keys `File1`, `File2` and so on give the order; any other one is M3U.
///
/// # Errors
///
/// [`NotAList`] for an HLS stream and for bytes that are not text.
pub fn entries(bytes: &[u8]) -> Result<Vec<&[u8]>, NotAList> {
    if bytes.contains(&0) {
        return Err(NotAList::NotText);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty()).peekable();
    if lines.next_if(|first| first.eq_ignore_ascii_case(b"[playlist]")).is_some() {
        let mut numbered: Vec<_> = lines.filter_map(numbered).collect();
        numbered.sort_by_key(|(number, _)| *number);
        return Ok(numbered.into_iter().map(|(_, entry)| entry).collect());
    }
    let lines: Vec<_> = lines.collect();
    if lines.iter().any(|line| line.starts_with(b"#EXT-X-")) {
        return Err(NotAList::Parts);
    }
    Ok(lines.into_iter().filter(|line| !line.starts_with(b"#")).collect())
}

/// The number and the entry of a line `File7=entry`.
fn numbered(line: &[u8]) -> Option<(u32, &[u8])> {
    let (key, rest) = line.split_at_checked(4)?;
    let at = rest.iter().position(|b| *b == b'=')?;
    let number = std::str::from_utf8(&rest[..at]).ok()?.trim().parse().ok()?;
    let entry = rest[at + 1..].trim_ascii();
    (key.eq_ignore_ascii_case(b"file") && !entry.is_empty()).then_some((number, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<&str> {
        entries(bytes).unwrap().into_iter().map(|e| std::str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn both_forms_are_read() {
        let m3u = b"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:1,A\r\n a.wav \r\rhttp://b/1\n";
        assert_eq!(texts(m3u), ["a.wav", "http://b/1"]);
        let pls =
            b"\n[Playlist]\r\nfile10 = j.wav\nTitle1=A\nFile2=http://b/x=1\nFILE1=a b.wav\nFile=x\nFile3=\n\
            FileX=y\nLength1=-1\nNumberOfEntries=3\nVersion=2\n";
        assert_eq!(texts(pls), ["a b.wav", "http://b/x=1", "j.wav"]);
        // In M3U, such a line is a file.
        assert_eq!(texts(b"File1=a.wav"), ["File1=a.wav"]);
        assert!(texts(b"").is_empty());
        assert!(texts(b"[playlist]").is_empty());
    }

    #[test]
    fn other_contents_are_told() {
        assert_eq!(entries(b"#EXTM3U\n#EXT-X-VERSION:3\n1.ts\n"), Err(NotAList::Parts));
        assert_eq!(entries(b"a\0b"), Err(NotAList::NotText));
    }
}
