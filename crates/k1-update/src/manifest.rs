//! The description of an image, as stated by its maker.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `K1UPDATE` |
//! | 8 | 2 | format of this table: 1 |
//! | 10 | 2 | time for which a trial waits for a network that was there before the update, in seconds |
//! | 12 | 4 | size of the image in bytes |
//! | 16 | 32 | SHA-256 of the image |
//! | 48 | 16 | board, ASCII, padded with zeros |
//! | 64 | 16 | chip, padded likewise |
//! | 80 | 24 | version, padded likewise |
//! | 104 | 4 | counter: a lamp refuses an image with a lower counter than the highest it has confirmed |
//! | 108 | 8 | first bytes of the SHA-256 of the signer's key |
//! | 116 | 12 | zeros |
//! | 128 | 64 | Ed25519 signature of all of this |
//!
//! Numbers are little-endian. The file of an update is the manifest, directly followed by the image.

use crate::envelope::{BODY, ENVELOPE, Envelope, number};
use crate::refusal::Refusal;

const MAGIC: &[u8; 8] = b"K1UPDATE";
const FORM: u32 = 1;
/// Default time for which a trial waits for its network, in seconds.
pub const PATIENCE_S: u16 = 300;

/// A short text of fixed size: printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<const N: usize>([u8; N]);

impl<const N: usize> Name<N> {
    /// A text of 1 to `N` printable ASCII characters without spaces; `None` for other texts.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=N).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let mut name = [0; N];
        name.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        fits.then_some(Self(name))
    }

    fn read(envelope: &Envelope, at: usize) -> Option<Self> {
        let bytes = &envelope.0[at..at + N];
        let length = bytes.iter().position(|b| *b == 0).unwrap_or(N);
        let (text, rest) = bytes.split_at(length);
        if rest.iter().any(|b| *b != 0) {
            return None;
        }
        Self::new(core::str::from_utf8(text).ok()?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|b| *b == 0).unwrap_or(N);
        // `new` and `read` accept only ASCII.
        core::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

/// The description of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Time for which a trial waits for a network that was there before the update, in seconds.
    pub patience_s: u16,
    /// Size of the image in bytes; never 0.
    pub size: u32,
    /// SHA-256 of the image.
    pub hash: [u8; 32],
    /// Board that the image is for, as in `k1-device`'s answers.
    pub board: Name<16>,
    /// Chip that the image is for.
    pub chip: Name<16>,
    /// Version to show to people.
    pub version: Name<24>,
    /// Anti-downgrade counter.
    pub counter: u32,
}

impl Manifest {
    /// Reads the description of an image from an envelope. Does not check the signature.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotAnUpdate`], [`Refusal::UnknownForm`], [`Refusal::Empty`].
    pub fn read(envelope: &Envelope) -> Result<Self, Refusal> {
        if !envelope.0.starts_with(MAGIC) {
            return Err(Refusal::NotAnUpdate);
        }
        if number::<2>(envelope, 8) != FORM {
            return Err(Refusal::UnknownForm);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&envelope.0[16..48]);
        let names = (Name::read(envelope, 48), Name::read(envelope, 64), Name::read(envelope, 80));
        let (Some(board), Some(chip), Some(version)) = names else { return Err(Refusal::NotAnUpdate) };
        if envelope.0[116..BODY].iter().any(|b| *b != 0) {
            return Err(Refusal::NotAnUpdate);
        }
        let manifest = Self {
            patience_s: number::<2>(envelope, 10) as u16,
            size: number::<4>(envelope, 12),
            hash,
            board,
            chip,
            version,
            counter: number::<4>(envelope, 104),
        };
        if manifest.size == 0 { Err(Refusal::Empty) } else { Ok(manifest) }
    }

    /// The unsigned envelope of this manifest. An image that was installed by cable has such an envelope.
    pub fn envelope(&self) -> Envelope {
        let mut s = [0; ENVELOPE];
        s[..8].copy_from_slice(MAGIC);
        s[8] = FORM as u8;
        s[10..12].copy_from_slice(&self.patience_s.to_le_bytes());
        s[12..16].copy_from_slice(&self.size.to_le_bytes());
        s[16..48].copy_from_slice(&self.hash);
        s[48..64].copy_from_slice(&self.board.0);
        s[64..80].copy_from_slice(&self.chip.0);
        s[80..104].copy_from_slice(&self.version.0);
        s[104..108].copy_from_slice(&self.counter.to_le_bytes());
        Envelope(s)
    }

    /// First 8 bytes of the hash, a short name of the image.
    pub fn short_hash(&self) -> [u8; 8] {
        let mut short = [0; 8];
        short.copy_from_slice(&self.hash[..8]);
        short
    }
}
