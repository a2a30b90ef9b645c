//! An image with its signed manifest: the bytes of an update's file.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use k1_device::firmware::{BOARDS, Short};
use k1_update::envelope::{ENVELOPE, Envelope};
use k1_update::layout::Layout;
use k1_update::manifest::{Manifest, Name};
use k1_update::refusal::Refusal;
use sha2::{Digest, Sha256};

/// Content of an image's manifest, besides size and hash.
pub struct Statement<'a> {
    /// Board, one of [`BOARDS`].
    pub board: &'a str,
    /// Version to show to people.
    pub version: &'a str,
    /// Anti-downgrade counter.
    pub counter: u32,
    /// Time for which a trial waits for a network that was there before the update, in seconds.
    pub patience_s: u16,
}

/// The manifest of an image.
///
/// # Errors
///
/// A sentence if the image is empty or does not fit a slot, the board is unknown, or the version is too long.
pub fn manifest(image: &[u8], s: &Statement) -> Result<Manifest, String> {
    let chip = BOARDS.iter().find(|(board, _)| *board == s.board).map(|(_, chip)| *chip);
    let boards = || BOARDS.map(|(board, _)| board).join(", ");
    let chip = chip.ok_or_else(|| format!("there is no board “{}”; there are {}", s.board, boards()))?;
    let most = Layout::K1.most() as usize;
    if image.is_empty() || image.len() > most {
        return Err(format!("an image has 1 to {most} bytes, and this one has {}", image.len()));
    }
    let version = Name::new(s.version).ok_or_else(|| {
        format!("“{}” is not a version: use 1 to 24 printable characters without spaces", s.version)
    })?;
    let (Some(board), Some(chip)) = (Name::new(s.board), Name::new(chip)) else {
        return Err(format!("“{}” cannot be the name of a board", s.board));
    };
    let Statement { counter, patience_s, .. } = *s;
    let hash = Sha256::digest(image).into();
    Ok(Manifest { patience_s, size: image.len() as u32, hash, board, chip, version, counter })
}

/// The file of an update: a manifest, and the image that it describes.
#[derive(Clone)]
pub struct Update {
    /// The signed manifest. Its signature has not been checked.
    pub envelope: Envelope,
    /// The content of the manifest.
    pub manifest: Manifest,
    /// The image.
    pub image: Vec<u8>,
}

impl Update {
    /// Reads the bytes of an update's file.
    ///
    /// # Errors
    ///
    /// A sentence: the bytes are not an update, or are damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Some((envelope, image)) = bytes.split_first_chunk::<ENVELOPE>() else {
            return Err(Refusal::NotAnUpdate.to_string());
        };
        let envelope = Envelope(*envelope);
        let manifest = Manifest::read(&envelope).map_err(|e| e.to_string())?;
        if image.len() as u64 != u64::from(manifest.size) {
            let size = manifest.size;
            return Err(format!(
                "the file is too short or too long: its image has {} of {size} bytes",
                image.len()
            ));
        }
        if <[u8; 32]>::from(Sha256::digest(image)) != manifest.hash {
            return Err(Refusal::WrongHash.to_string());
        }
        Ok(Self { envelope, manifest, image: image.to_vec() })
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.envelope.0[..], &self.image].concat()
    }

    /// The first bytes of the image's hash, as lamps show it.
    pub fn hash(&self) -> Short {
        Short(self.manifest.short_hash())
    }
}

/// Version, board and size.
impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Manifest { version, board, size, .. } = &self.manifest;
        write!(f, "{} for {}, {size} bytes", version.as_str(), board.as_str())
    }
}
