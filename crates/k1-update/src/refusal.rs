//! Why an update was refused, as types with a sentence each.

use core::fmt;

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The lamp trusts nobody yet.
    NoKeys,
    /// What came is not an update for a K1.
    NotAnUpdate,
    /// What came states no set of keys.
    NotAKeySet,
    /// A form of manifest or statement that this firmware does not know.
    UnknownForm,
    /// Signed with a key that the lamp does not trust.
    UnknownKey,
    /// The signature does not fit what is stated.
    BadSignature,
    /// For another board.
    WrongBoard,
    /// For another chip.
    WrongChip,
    /// Its counter is below what the lamp has confirmed.
    TooOld {
        /// What it says.
        counter: u32,
        /// What the lamp asks for.
        floor: u32,
    },
    /// A set of keys that was replaced already.
    OldKeys {
        /// Generation in force.
        generation: u32,
    },
    /// Larger than a slot.
    TooLarge {
        /// Bytes that fit.
        most: u32,
    },
    /// It announces no byte.
    Empty,
    /// It ended before its announced size.
    TooShort {
        /// Bytes that came.
        got: u32,
        /// Bytes that were announced.
        size: u32,
    },
    /// It went on behind its announced size.
    TooLong,
    /// Its hash is not the one that was signed.
    WrongHash,
    /// The flash does not hold what was written.
    ReadBack,
    /// The flash refused an operation.
    Flash,
    /// The running image is on trial itself.
    OnTrial,
    /// Another update is on its way in.
    Busy,
    /// The other slot holds no whole image.
    NothingThere,
    /// It stopped arriving.
    Stalled,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NoKeys => f.write_str("this lamp trusts no key yet: give it one with `k1 keys trust LAMP`"),
            Self::NotAnUpdate => f.write_str("this is not a signed update: make one with `k1 sign IMAGE`"),
            Self::NotAKeySet => f.write_str("this is not a set of keys: make one with `k1 keys`"),
            Self::UnknownForm => {
                f.write_str("made for a later firmware: update in steps, or sign with an older k1")
            }
            Self::UnknownKey => f.write_str("signed with a key that this lamp does not trust"),
            Self::BadSignature => f.write_str("the signature does not fit: the file was changed or damaged"),
            Self::WrongBoard => f.write_str("made for another board"),
            Self::WrongChip => f.write_str("made for another chip"),
            Self::TooOld { counter, floor } => write!(
                f,
                "its counter is {counter}, and this lamp has confirmed {floor}: what is older is not let in"
            ),
            Self::OldKeys { generation } => {
                write!(f, "the set in force has generation {generation}; a new one needs a higher one")
            }
            Self::TooLarge { most } => write!(f, "larger than the {most} bytes that fit a slot"),
            Self::Empty => f.write_str("it announces an image of no bytes"),
            Self::TooShort { got, size } => {
                write!(f, "it ended after {got} of {size} bytes: send it again")
            }
            Self::TooLong => f.write_str("it goes on behind the size that was signed"),
            Self::WrongHash => {
                f.write_str("the image is not the one that was signed: it was changed or damaged")
            }
            Self::ReadBack => {
                f.write_str("the flash does not hold what was written: the flash may be worn out")
            }
            Self::Flash => f.write_str("the flash refused an operation"),
            Self::OnTrial => {
                f.write_str("the running image is on trial: wait for its verdict, or take it back first")
            }
            Self::Busy => f.write_str("another update is on its way in: wait for its end"),
            Self::NothingThere => f.write_str("the other slot holds nothing good to go back to"),
            Self::Stalled => f.write_str("nothing came for a while: send it again"),
        }
    }
}

impl core::error::Error for Refusal {}
