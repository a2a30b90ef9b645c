//! WebSockets (RFC 6455), without I/O.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Largest message from a client, in bytes.
pub const MOST_MESSAGE: usize = 2_048;

/// `Sec-WebSocket-Accept` for a key (RFC 6455, 4.2.2).
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// True for 16 bytes in base64, as `Sec-WebSocket-Key` must be (RFC 6455, 4.1).
pub fn is_key(text: &str) -> bool {
    text.strip_suffix("==").is_some_and(|digits| {
        digits.len() == 22 && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
    })
}

/// The kind of a frame (its opcode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// Binary data.
    Binary,
    /// Close, with a reason.
    Close,
    /// Ping, which must be answered with a pong.
    Ping,
    /// Pong, the answer to a ping.
    Pong,
}

impl Kind {
    const fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// Status codes of a close frame (RFC 6455, 7.4.1).
pub mod code {
    /// The client has closed.
    pub const NORMAL: u16 = 1000;
    /// The client broke the protocol.
    pub const PROTOCOL: u16 = 1002;
    /// A text message is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// The message is too large.
    pub const TOO_BIG: u16 = 1009;
    /// No place is free; try again.
    pub const AGAIN: u16 = 1013;
}

/// The code that answers a client's close: the client's own, or the code for what is wrong with it.
fn answer_to_close(payload: &[u8]) -> u16 {
    match payload {
        [] => code::NORMAL,
        [_] => code::PROTOCOL,
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            // Other codes are reserved or must not be sent (7.4).
            n @ (1000..=1003 | 1007..=1014 | 3000..=4999) => match core::str::from_utf8(reason) {
                Ok(_) => n,
                Err(_) => code::NOT_UTF8,
            },
            _ => code::PROTOCOL,
        },
    }
}

/// A close by the server: its code, and a reason for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// One of [`code`], or the client's own code.
    pub code: u16,
    /// Reason of at most 123 bytes; may be empty.
    pub reason: &'static str,
}

impl Close {
    /// Every place is taken.
    pub const TOO_MANY: Self = Self { code: code::AGAIN, reason: "too many connections; close another page" };

    /// The close as a whole frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut payload = self.code.to_be_bytes().to_vec();
        payload.extend_from_slice(self.reason.as_bytes());
        frame(Kind::Close, &payload)
    }
}

/// A whole frame from a server, in one piece.
pub fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let (head, n) = frame_head(kind, payload.len());
    let mut frame = Vec::with_capacity(n + payload.len());
    frame.extend_from_slice(&head[..n]);
    frame.extend_from_slice(payload);
    frame
}

/// Head of a frame from a server: a buffer of 10 bytes, and the number of bytes used.
fn frame_head(kind: Kind, length: usize) -> ([u8; 10], usize) {
    let mut head = [0; 10];
    head[0] = 0x80 | kind.opcode();
    match length {
        0..126 => {
            head[1] = length as u8;
            (head, 2)
        }
        126..65_536 => {
            head[1] = 126;
            head[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            (head, 4)
        }
        _ => {
            head[1] = 127;
            head[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            (head, 10)
        }
    }
}

/// Result of reading bytes from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The message is not complete yet; some bytes may have been used.
    More,
    /// A message of this number of bytes at the front of the reader's buffer.
    Message(Kind, usize),
    /// The client broke the protocol: close with this code.
    Broken(u16),
}

/// Assembles messages from frames. Control frames may come between the fragments of a message.
#[derive(Debug)]
pub struct Reader {
    message: [u8; MOST_MESSAGE],
    length: usize,
    /// Kind of the message whose fragments are arriving.
    open: Option<Kind>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { message: [0; MOST_MESSAGE], length: 0, open: None }
    }
}

impl Reader {
    /// The message that [`Event::Message`] reported. The buffer holds a control message after the fragments so far.
    pub fn message(&self, kind: Kind, length: usize) -> &[u8] {
        let from = if matches!(kind, Kind::Text | Kind::Binary) { 0 } else { self.length };
        &self.message[from..from + length]
    }

    /// Reads bytes from a client. Returns the result and how many bytes were used.
    pub fn feed(&mut self, bytes: &[u8]) -> (Event, usize) {
        let [first, second, rest @ ..] = bytes else { return (Event::More, 0) };
        let (is_last, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0f);
        let (length, rest, extra) = match (second & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest, 2),
            (127, [0, 0, 0, 0, a, b, c, d, rest @ ..]) => {
                (u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest, 8)
            }
            (127, [_, _, _, _, _, _, _, _, ..]) => return (Event::Broken(code::TOO_BIG), bytes.len()),
            (126 | 127, _) => return (Event::More, 0),
            (n, rest) => (usize::from(n), rest, 0),
        };
        let is_control = opcode >= 8;
        // Clients mask (5.1); control frames are short and not fragmented (5.5); no extension uses the reserved bits.
        if reserved != 0 || second & 0x80 == 0 || (is_control && (length > 125 || !is_last)) {
            return (Event::Broken(code::PROTOCOL), bytes.len());
        }
        let kind = match (opcode, self.open) {
            (0, Some(kind)) => kind,
            (1, None) => Kind::Text,
            (2, None) => Kind::Binary,
            (8, _) => Kind::Close,
            (9, _) => Kind::Ping,
            (10, _) => Kind::Pong,
            _ => return (Event::Broken(code::PROTOCOL), bytes.len()),
        };
        if length > MOST_MESSAGE - self.length {
            return (Event::Broken(code::TOO_BIG), bytes.len());
        }
        let [k0, k1, k2, k3, payload @ ..] = rest else { return (Event::More, 0) };
        let Some(payload) = payload.get(..length) else { return (Event::More, 0) };
        let mask = [*k0, *k1, *k2, *k3];
        let place = &mut self.message[self.length..self.length + length];
        for ((to, from), key) in place.iter_mut().zip(payload).zip(mask.iter().cycle()) {
            *to = from ^ key;
        }
        let used = 2 + extra + 4 + length;
        if is_control {
            return (Event::Message(kind, length), used);
        }
        if !is_last {
            self.open = Some(kind);
            self.length += length;
            return (Event::More, used);
        }
        let whole = self.length + length;
        self.open = None;
        self.length = 0;
        (Event::Message(kind, whole), used)
    }
}

/// The bytes received on a WebSocket that are not yet used, and the message they form.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    reader: Reader,
}

/// What the server must do with a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// Handle a text.
    Text(&'a str),
    /// Nothing; the message is only a sign of life.
    Nothing,
    /// Send this pong.
    Pong(&'a [u8]),
    /// Send a close and end the connection.
    Close(Close),
}

impl Inbox {
    /// Adds received bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message in the bytes received; `None` if it is not complete yet.
    pub fn message(&mut self) -> Option<Incoming<'_>> {
        let (event, used) = loop {
            let (event, used) = self.reader.feed(&self.bytes);
            // A fragment was read and its message continues.
            if event == Event::More && used > 0 {
                self.bytes.drain(..used);
                continue;
            }
            break (event, used);
        };
        self.bytes.drain(..used);
        let close = |code| Incoming::Close(Close { code, reason: "" });
        Some(match event {
            Event::More => return None,
            Event::Broken(code) => close(code),
            Event::Message(kind, n) => {
                let message = self.reader.message(kind, n);
                match kind {
                    Kind::Text => core::str::from_utf8(message).map_or(close(code::NOT_UTF8), Incoming::Text),
                    Kind::Binary | Kind::Pong => Incoming::Nothing,
                    Kind::Ping => Incoming::Pong(message),
                    Kind::Close => close(answer_to_close(message)),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let (head, n) = frame_head(Kind::Text, payload.len());
        let mut frame = head[..n].to_vec();
        frame[0] = first;
        frame[1] |= 0x80;
        frame.extend([1, 2, 3, 4]);
        frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(b, k)| b ^ k));
        frame
    }

    /// Passes bytes in pieces, as a network does.
    fn read(bytes: &[u8], pieces: usize) -> Vec<(Kind, Vec<u8>)> {
        let (mut reader, mut waiting, mut got) = (Reader::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(pieces) {
            waiting.extend_from_slice(piece);
            loop {
                let (event, used) = reader.feed(&waiting);
                waiting.drain(..used);
                match event {
                    Event::Message(kind, n) => got.push((kind, reader.message(kind, n).to_vec())),
                    Event::More if used > 0 => {}
                    Event::More => break,
                    Event::Broken(code) => panic!("{code}"),
                }
            }
        }
        got
    }

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(read(&hello, 20), [(Kind::Text, b"Hello".to_vec())]);
    }

    proptest! {
        #[test]
        fn messages_arrive_however_they_are_cut(texts in prop::collection::vec("[a-zé]{0,200}", 1..5), pieces in 1_usize..50) {
            let mut bytes = Vec::new();
            for text in &texts {
                let (a, b) = text.as_bytes().split_at(text.len() / 2);
                bytes.extend(client(0x01, a));
                bytes.extend(client(0x89, b"?"));
                bytes.extend(client(0x80, b));
            }
            let got = read(&bytes, pieces);
            prop_assert_eq!(got.iter().filter(|(k, m)| *k == Kind::Ping && m == b"?").count(), texts.len());
            let whole: Vec<_> = got.into_iter().filter(|(k, _)| *k == Kind::Text).map(|(_, m)| String::from_utf8(m).unwrap()).collect();
            prop_assert_eq!(whole, texts);
        }

        #[test]
        fn any_bytes_are_a_message_or_the_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let (mut reader, mut at) = (Reader::default(), 0);
            loop {
                let (event, used) = reader.feed(&bytes[at..]);
                prop_assert!(used <= bytes.len() - at);
                at += used;
                match event {
                    Event::Message(kind, n) => prop_assert!(reader.message(kind, n).len() <= MOST_MESSAGE),
                    Event::More if used == 0 => break,
                    Event::More => {}
                    Event::Broken(_) => break,
                }
            }
        }
    }

    #[test]
    fn what_comes_is_answered_as_the_standard_asks() {
        let mut inbox = Inbox::default();
        let mut bytes = client(0x81, b"one");
        bytes.extend(client(0x01, b"two "));
        bytes.extend(client(0x89, b"?"));
        bytes.extend(client(0x80, b"halves"));
        bytes.extend(client(0x82, b"bytes"));
        bytes.extend(client(0x8a, b""));
        let mut got = Vec::new();
        for byte in bytes {
            inbox.take(&[byte]);
            while let Some(message) = inbox.message() {
                got.push(format!("{message:?}"));
            }
        }
        assert_eq!(got, ["Text(\"one\")", "Pong([63])", "Text(\"two halves\")", "Nothing", "Nothing"]);
        for (bytes, code) in [
            (client(0x88, &[3, 232]), code::NORMAL),
            (client(0x88, b""), code::NORMAL),
            (client(0x88, &[0x0f, 0xa0, b'!']), 4000),
            (client(0x88, &[3]), code::PROTOCOL),
            (client(0x88, &[3, 231]), code::PROTOCOL),
            (client(0x88, &1005_u16.to_be_bytes()), code::PROTOCOL),
            (client(0x88, &1006_u16.to_be_bytes()), code::PROTOCOL),
            (client(0x88, &1015_u16.to_be_bytes()), code::PROTOCOL),
            (client(0x88, &5000_u16.to_be_bytes()), code::PROTOCOL),
            (client(0x88, &[3, 232, 0xff]), code::NOT_UTF8),
            (client(0x81, &[0xff]), code::NOT_UTF8),
            (client(0x83, b""), code::PROTOCOL),
            (client(0x81, &[b'x'; MOST_MESSAGE + 1]), code::TOO_BIG),
        ] {
            let mut inbox = Inbox::default();
            inbox.take(&bytes);
            assert_eq!(inbox.message(), Some(Incoming::Close(Close { code, reason: "" })));
        }
        assert_eq!(Close { code: 1000, reason: "" }.frame(), [0x88, 2, 3, 232]);
        let too_many = Close::TOO_MANY.frame();
        assert_eq!((&too_many[..4], too_many.len()), (&[0x88, 42, 3, 245][..], 44));
    }

    #[test]
    fn what_breaks_the_protocol_ends_it() {
        let broken = |bytes: &[u8]| Reader::default().feed(bytes).0;
        assert_eq!(broken(&[0x81, 0x01, 0]), Event::Broken(code::PROTOCOL), "unmasked");
        assert_eq!(broken(&client(0xc1, b"x")), Event::Broken(code::PROTOCOL), "reserved");
        assert_eq!(broken(&client(0x80, b"x")), Event::Broken(code::PROTOCOL), "a fragment of nothing");
        assert_eq!(broken(&client(0x09, b"x")), Event::Broken(code::PROTOCOL), "a ping in pieces");
        assert_eq!(broken(&[0x81, 0xff, 255, 255, 255, 255, 0, 0, 0, 0]), Event::Broken(code::TOO_BIG));
        assert_eq!(broken(&[0x81, 0xfe, 0xff, 0xff]), Event::Broken(code::TOO_BIG));
    }
}
