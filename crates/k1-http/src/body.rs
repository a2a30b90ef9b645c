//! Bodies of requests. They are read to the end before the answer: a sender that is cut off in the middle would not
//! read it.

use crate::limits::MOST_DISCARDED;
use crate::rejection::Rejection;

/// How a body comes (RFC 9112, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// This number of bytes.
    Length(u64),
    /// In chunks, each with its length.
    Chunked,
}

/// Counts the bytes of a body and limits how many of them are kept and read.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    max: usize,
    size: u64,
}

impl Measure {
    /// For a body of which `max` bytes are taken.
    pub const fn new(max: usize) -> Self {
        Self { max, size: 0 }
    }

    /// Counts `n` more bytes and returns how many of them are to be kept.
    pub fn take(&mut self, n: usize) -> usize {
        let room = (self.max as u64).saturating_sub(self.size);
        self.size += n as u64;
        room.min(n as u64) as usize
    }

    /// True if the rest is not worth reading, even to be discarded.
    pub const fn is_hopeless(&self) -> bool {
        self.size > MOST_DISCARDED && self.size > self.max as u64
    }

    /// Whether the body fits, with `announced` bytes still to come.
    ///
    /// # Errors
    ///
    /// [`Rejection::TooLarge`].
    pub const fn verdict(&self, announced: u64) -> Result<(), Rejection> {
        let fits = self.size.saturating_add(announced) <= self.max as u64;
        if fits { Ok(()) } else { Err(Rejection::TooLarge { max: self.max }) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// In data; the number of bytes left.
    Data(u64),
    /// In the hexadecimal length of a chunk, and its digits so far.
    Size {
        value: u64,
        digits: u8,
    },
    /// Between the length of a chunk and the end of its line.
    Extension {
        value: u64,
    },
    /// Before the line end behind a chunk.
    AfterChunk,
    /// In the lines after the last chunk; true if the line has nothing yet.
    Trailer {
        empty: bool,
    },
    Done,
}

/// A body on its way in.
#[derive(Clone, Copy, Debug)]
pub struct Intake {
    state: State,
    chunked: bool,
    kept: usize,
    measure: Measure,
}

impl Intake {
    /// A body of which at most `max` bytes make sense.
    pub const fn new(framing: Framing, max: usize) -> Self {
        let (state, chunked) = match framing {
            Framing::Length(0) => (State::Done, false),
            Framing::Length(n) => (State::Data(n), false),
            Framing::Chunked => (State::Size { value: 0, digits: 0 }, true),
        };
        Self { state, chunked, kept: 0, measure: Measure::new(max) }
    }

    /// True when the body is complete, or too large to be read on.
    pub fn is_done(&self) -> bool {
        self.state == State::Done || self.measure.is_hopeless()
    }

    /// True if the connection is still in step with its client.
    pub fn in_step(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes that were kept; the whole body unless it was too large.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Whether the body fits, as far as it has come and is announced.
    ///
    /// # Errors
    ///
    /// [`Rejection::TooLarge`].
    pub fn verdict(&self) -> Result<(), Rejection> {
        self.measure.verdict(match self.state {
            State::Data(n) if !self.chunked => n,
            _ => 0,
        })
    }

    /// Takes bytes in, keeps up to `max` of them in `keep`, and says how many of `bytes` belong to the body.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotHttp`] for chunks that are malformed.
    pub fn feed(&mut self, bytes: &[u8], keep: &mut [u8]) -> Result<usize, Rejection> {
        let mut used = 0;
        while used < bytes.len() && !self.is_done() {
            let byte = bytes[used];
            self.state = match self.state {
                State::Data(left) => {
                    let n = left.min((bytes.len() - used) as u64) as usize;
                    self.keep(&bytes[used..used + n], keep);
                    used += n;
                    match (left - n as u64, self.chunked) {
                        (0, false) => State::Done,
                        (0, true) => State::AfterChunk,
                        (left, _) => State::Data(left),
                    }
                }
                State::Size { value, digits } => {
                    used += 1;
                    match (byte as char).to_digit(16) {
                        Some(digit) if digits < 8 => {
                            State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
                        }
                        None if digits > 0 && byte == b'\n' => Self::begin(value),
                        None if digits > 0 => State::Extension { value },
                        _ => return Err(Rejection::NotHttp),
                    }
                }
                State::Extension { value } => {
                    used += 1;
                    if byte == b'\n' { Self::begin(value) } else { State::Extension { value } }
                }
                State::AfterChunk => {
                    used += 1;
                    match byte {
                        b'\r' => State::AfterChunk,
                        b'\n' => State::Size { value: 0, digits: 0 },
                        _ => return Err(Rejection::NotHttp),
                    }
                }
                State::Trailer { empty } => {
                    used += 1;
                    match byte {
                        b'\r' => State::Trailer { empty },
                        b'\n' if empty => State::Done,
                        b'\n' => State::Trailer { empty: true },
                        _ => State::Trailer { empty: false },
                    }
                }
                State::Done => State::Done,
            };
        }
        Ok(used)
    }

    const fn begin(size: u64) -> State {
        if size == 0 { State::Trailer { empty: true } } else { State::Data(size) }
    }

    fn keep(&mut self, bytes: &[u8], keep: &mut [u8]) {
        let n = self.measure.take(bytes.len()).min(keep.len() - self.kept);
        keep[self.kept..self.kept + n].copy_from_slice(&bytes[..n]);
        self.kept += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(framing: Framing, bytes: &[u8], pieces: usize) -> (Intake, Vec<u8>, usize) {
        let (mut intake, mut keep, mut used) = (Intake::new(framing, 64), [0; 64], 0);
        for piece in bytes.chunks(pieces.max(1)) {
            used += intake.feed(piece, &mut keep).unwrap();
        }
        (intake, keep[..intake.kept()].to_vec(), used)
    }

    proptest! {
        #[test]
        fn chunks_are_joined_wherever_they_are_cut(parts in prop::collection::vec("[a-z]{1,9}", 0..6), pieces in 1_usize..20) {
            let mut text = String::new();
            for part in &parts {
                text += &format!("{:x};note=1\r\n{part}\r\n", part.len());
            }
            text += "0\r\nTrailer: x\r\n\r\n";
            let (intake, kept, used) = take(Framing::Chunked, format!("{text}GET").as_bytes(), pieces);
            prop_assert!(intake.in_step());
            prop_assert_eq!(kept, parts.concat().into_bytes());
            prop_assert_eq!(used, text.len(), "the next request is left alone");
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), pieces in 1_usize..9) {
            let (mut intake, mut keep) = (Intake::new(Framing::Chunked, 64), [0; 64]);
            for piece in bytes.chunks(pieces) {
                match intake.feed(piece, &mut keep) {
                    Ok(used) => prop_assert!(used <= piece.len() && intake.kept() <= 64),
                    Err(refusal) => { prop_assert_eq!(refusal, Rejection::NotHttp); break }
                }
            }
        }
    }

    #[test]
    fn a_body_is_read_as_long_as_it_may_fit_or_be_discarded() {
        let after = |max: usize, n: usize| {
            let mut measure = Measure::new(max);
            (measure.take(n), measure.is_hopeless(), measure.verdict(0).is_ok(), measure.verdict(1).is_ok())
        };
        let most = MOST_DISCARDED as usize;
        assert_eq!(after(10, 10), (10, false, true, false));
        assert_eq!(after(10, most), (10, false, false, false));
        assert_eq!(after(10, most + 1), (10, true, false, false));
        assert_eq!(after(2 * most, 2 * most), (2 * most, false, true, false), "a large body that is welcome");
        assert_eq!(after(2 * most, 2 * most + 1), (2 * most, true, false, false));
    }

    #[test]
    fn too_much_is_taken_in_and_refused() {
        let (intake, kept, used) = take(Framing::Length(100), &[b'x'; 120], 7);
        assert_eq!((kept.len(), used), (64, 100));
        assert!(intake.in_step() && intake.verdict() == Err(Rejection::TooLarge { max: 64 }));
        let announced = Intake::new(Framing::Length(9_999_999_999), 64);
        assert!(!announced.is_done() && announced.verdict().is_err());
        assert!(Intake::new(Framing::Length(0), 64).is_done());
        for wrong in ["zz\r\n", "\r\n", "-1\r\n", "fffffffff\r\n", "2\r\n{}x"] {
            let result = Intake::new(Framing::Chunked, 64).feed(wrong.as_bytes(), &mut [0; 64]);
            assert_eq!(result, Err(Rejection::NotHttp), "{wrong}");
        }
    }
}
