//! Metadata in a stream: after each N bytes of sound, a byte with the length of a text in 16 bytes, and the text.

use std::io::{Error, ErrorKind, Read, Result};

use super::http::text;

/// A reader of the sound alone. Calls `told` with each new title.
pub struct Sound<R, F> {
    from: R,
    /// Bytes of sound between two texts; 0 if there are no texts.
    every: usize,
    /// Bytes of sound before the next text.
    left: usize,
    told: F,
}

impl<R: Read, F: FnMut(&str)> Sound<R, F> {
    /// A reader of a stream with a text after each `every` bytes, or without any.
    pub fn new(from: R, every: Option<usize>, told: F) -> Self {
        let every = every.unwrap_or(0);
        Self { from, every, left: every, told }
    }

    /// Reads a text, which may be empty.
    fn text(&mut self) -> Result<()> {
        let mut length = [0];
        if self.from.read(&mut length)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        let mut bytes = vec![0; 16 * usize::from(length[0])];
        self.from.read_exact(&mut bytes)?;
        if let Some(title) = title(&text(bytes.trim_ascii_end())) {
            (self.told)(title);
        }
        self.left = self.every;
        Ok(())
    }
}

/// The title in a text such as `StreamTitle='Artist - Title';StreamUrl='';`.
fn title(text: &str) -> Option<&str> {
    let behind = text.split_once("StreamTitle='")?.1;
    let title = behind.find("';").map_or(behind, |end| &behind[..end]);
    Some(title.trim_matches(['\0', '\'', ' '])).filter(|title| !title.is_empty())
}

impl<R: Read, F: FnMut(&str)> Read for Sound<R, F> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.every == 0 {
            return self.from.read(out);
        }
        if self.left == 0 {
            match self.text() {
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => other?,
            }
        }
        let most = self.left.min(out.len());
        let n = self.from.read(&mut out[..most])?;
        self.left -= n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_is_whole_and_the_titles_are_told() {
        let mut bytes = b"abcde".to_vec();
        bytes.push(2);
        bytes.extend(b"StreamTitle='It's';\0\0\0\0\0\0\0\0\0\0\0\0\0");
        bytes.extend(b"fghij\0klmno");
        bytes.push(1);
        bytes.extend(b"StreamTitle='';\0");
        bytes.extend(b"pq");
        let (mut out, mut titles) = (Vec::new(), Vec::new());
        Sound::new(&bytes[..], Some(5), |title: &str| titles.push(title.to_owned()))
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!((out.as_slice(), titles), (&b"abcdefghijklmnopq"[..], vec!["It's".to_owned()]));
        let mut plain = Vec::new();
        Sound::new(&bytes[..], None, |_: &str| unreachable!()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, bytes);
    }
}
