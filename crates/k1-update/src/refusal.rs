//! Reasons to refuse an update, each with a sentence for the user.

use core::fmt;

/// Why an update was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The lamp trusts no key yet.
    NoKeys,
    /// The bytes are not an update for a K1.
    NotAnUpdate,
    /// The bytes are not a set of keys.
    NotAKeySet,
    /// The manifest or statement has a format that this firmware does not know.
    UnknownForm,
    /// The signer's key is not trusted by the lamp.
    UnknownKey,
    /// The signature does not match the signed bytes.
    BadSignature,
    /// The image is for another board.
    WrongBoard,
    /// The image is for another chip.
    WrongChip,
    /// The image's counter is below the highest one that the lamp has confirmed.
    TooOld {
        /// Counter of the image.
        counter: u32,
        /// Lowest counter that the lamp accepts.
        floor: u32,
    },
    /// The set of keys has been replaced already.
    OldKeys {
        /// Generation in force.
        generation: u32,
    },
    /// The image is larger than a slot.
    TooLarge {
        /// Size of the largest image, in bytes.
        most: u32,
    },
    /// The manifest announces an image of 0 bytes.
    Empty,
    /// The update ended before its announced size.
    TooShort {
        /// Bytes received.
        got: u32,
        /// Bytes announced.
        size: u32,
    },
    /// The update is longer than announced.
    TooLong,
    /// The hash of the image differs from the signed one.
    WrongHash,
    /// The flash does not hold what was written.
    ReadBack,
    /// The flash refused an operation.
    Flash,
    /// The running image is on trial.
    OnTrial,
    /// Another update is being received.
    Busy,
    /// The other slot does not hold a whole image.
    NothingThere,
    /// The update stopped arriving.
    Stalled,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NoKeys => f.write_str("this lamp trusts no key yet: give it one with `k1 keys trust LAMP`"),
            Self::NotAnUpdate => f.write_str("this is not a signed update: make one with `k1 sign IMAGE`"),
            Self::NotAKeySet => f.write_str("this is not a set of keys: make one with `k1 keys`"),
            Self::UnknownForm => {
                f.write_str("made for later firmware: update in steps, or sign with an older k1")
            }
            Self::UnknownKey => f.write_str("signed with a key that this lamp does not trust"),
            Self::BadSignature => f.write_str("the signature does not fit: the file was changed or damaged"),
            Self::WrongBoard => f.write_str("made for another board"),
            Self::WrongChip => f.write_str("made for another chip"),
            Self::TooOld { counter, floor } => write!(
                f,
                "its counter is {counter}, but this lamp has confirmed {floor} and refuses lower counters"
            ),
            Self::OldKeys { generation } => {
                write!(
                    f,
                    "the lamp's set of keys has generation {generation}; a new set needs a higher generation"
                )
            }
            Self::TooLarge { most } => write!(f, "the image is larger than the {most} bytes that fit a slot"),
            Self::Empty => f.write_str("its manifest announces an image of 0 bytes"),
            Self::TooShort { got, size } => {
                write!(f, "it ended after {got} of {size} bytes: send it again")
            }
            Self::TooLong => f.write_str("it is longer than the size that was signed"),
            Self::WrongHash => {
                f.write_str("the image is not the one that was signed: it was changed or damaged")
            }
            Self::ReadBack => {
                f.write_str("the flash does not hold what was written: the flash may be worn out")
            }
            Self::Flash => f.write_str("the flash refused an operation"),
            Self::OnTrial => {
                f.write_str("the running image is on trial: wait for its verdict, or roll it back first")
            }
            Self::Busy => f.write_str("another update is being received: wait until it ends"),
            Self::NothingThere => f.write_str("the other slot holds nothing good to go back to"),
            Self::Stalled => f.write_str("the update stopped arriving: send it again"),
        }
    }
}

impl core::error::Error for Refusal {}
