//! The files of a bundle, and what its maker says about them.
//!
//! A bundle is a few files: the signed update [`UPDATE`], the chip's [`BOOTLOADER`], the [`PARTITIONS`], a [`README`], and
//! the [`STATEMENT`], which names size and SHA-256 of each of them. The [`SIGNATURE`] is Ed25519 over the bytes of the
//! statement. It cannot be taken for the signature of an update or of a set of keys, because those begin with other
//! bytes than JSON.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The signed update.
pub const UPDATE: &str = "lamp.k1";
/// The bootloader, configured for 4 MB of flash.
pub const BOOTLOADER: &str = "bootloader.bin";
/// The partition table in the format of the chips.
pub const PARTITIONS: &str = "partitions.bin";
/// What the bundle is, for people.
pub const README: &str = "README.txt";
/// What the bundle is, for programs: [`Statement`] as JSON.
pub const STATEMENT: &str = "bundle.json";
/// The maker's signature of the statement: 64 bytes.
pub const SIGNATURE: &str = "bundle.json.sig";

/// The files that the statement names.
pub const STATED: [&str; 4] = [UPDATE, BOOTLOADER, PARTITIONS, README];
/// The format of the statement that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The files of a bundle: names and contents.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What the maker of a bundle says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Format of the statement.
    pub format: u32,
    /// Version of the firmware, to show to people.
    pub version: String,
    /// Board that the firmware is for.
    pub board: String,
    /// Origin of the firmware.
    #[serde(flatten)]
    pub origin: Origin,
    /// Origin of the bootloader.
    pub bootloader: Loader,
    /// Size and hash of each file, without the statement and its signature.
    pub files: BTreeMap<String, File>,
}

/// The origin of a bundle's firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Commit of the sources; empty if it is not known.
    pub commit: String,
    /// True if the sources differed from the commit.
    pub changed: bool,
    /// The compilers, as they name themselves.
    pub compilers: Vec<String>,
    /// How far this firmware is proven.
    pub proven: String,
}

/// The origin of a bundle's bootloader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loader {
    /// Where it comes from.
    pub origin: String,
    /// False if a lamp with this bootloader certainly cannot roll back by itself. (True is not a promise.)
    pub may_roll_back: bool,
}

/// A file of a bundle, as its statement describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Size in bytes.
    pub bytes: usize,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
}

impl File {
    /// The size and hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len(), sha256: sha256(bytes) }
    }
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
