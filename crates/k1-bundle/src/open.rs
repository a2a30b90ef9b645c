//! Checks every byte of a bundle before anything of it is used.

use alloc::format;
use alloc::string::String;

use ed25519_dalek::{Signature, VerifyingKey};
use k1_device::firmware::Short;
use k1_update::envelope::PublicKey;

use crate::bootloader::Bootloader;
use crate::chip::{Chip, Head};
use crate::statement::{
    BOOTLOADER, FORMAT, File, Files, PARTITIONS, SIGNATURE, STATED, STATEMENT, Statement, UPDATE,
};
use crate::table;
use crate::update::Update;

/// A bundle that is whole, and that the given key has signed.
pub struct Bundle {
    /// What its maker says about it.
    pub statement: Statement,
    /// The update, which the same key has signed.
    pub update: Update,
    /// The bootloader.
    pub bootloader: Bootloader,
    /// The chip that all of it is for.
    pub chip: &'static Chip,
}

/// Checks the files of a bundle, which `key` must have signed.
///
/// # Errors
///
/// A sentence: a file is missing or was changed, or another key has signed; or the parts do not fit each other, or
/// this program.
pub fn open(files: &Files, key: &PublicKey) -> Result<Bundle, String> {
    let get =
        |name: &str| files.get(name).ok_or_else(|| format!("the bundle is incomplete: {name} is missing"));
    let (text, signature) = (get(STATEMENT)?, get(SIGNATURE)?);
    if !is_signed(text, signature, key) {
        return Err(not_signed(files, key));
    }
    let statement: Statement = serde_json::from_slice(text).map_err(|e| {
        format!("this program does not understand {STATEMENT} ({e}): use the k1 of its version")
    })?;
    if statement.format != FORMAT {
        let format = statement.format;
        return Err(format!(
            "{STATEMENT} has the format {format}, but this program reads only format {FORMAT}"
        ));
    }
    for name in STATED {
        let bytes = get(name)?;
        if statement.files.get(name) != Some(&File::of(bytes)) {
            return Err(format!("{name} is not the file that {STATEMENT} names: fetch the bundle again"));
        }
    }
    let update = Update::parse(get(UPDATE)?).map_err(|e| format!("{UPDATE}: {e}"))?;
    let manifest = &update.manifest;
    if !update.envelope.is_signed_by(key) {
        return Err(format!("{UPDATE} is signed with another key than the bundle"));
    }
    if (manifest.board.as_str(), manifest.version.as_str()) != (&*statement.board, &*statement.version) {
        return Err(format!(
            "{UPDATE} is {update}, but the bundle is {} for {}",
            statement.version, statement.board
        ));
    }
    let name = manifest.chip.as_str();
    let chip = Chip::named(name).ok_or_else(|| format!("there is no chip {name}"))?;
    Head::read(&update.image, chip).ok_or_else(|| format!("{UPDATE} does not hold an image for {chip}"))?;
    let bootloader = Bootloader::made(chip, get(BOOTLOADER)?).map_err(|e| format!("{BOOTLOADER}: {e}"))?;
    if *get(PARTITIONS)? != table::bytes() {
        return Err(format!(
            "{PARTITIONS} is not the partition table of this program: use the k1 of its version"
        ));
    }
    Ok(Bundle { statement, update, bootloader, chip })
}

/// Strict, as for updates: see [`k1_update::envelope::Envelope::is_signed_by`].
fn is_signed(text: &[u8], signature: &[u8], key: &PublicKey) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&key.0), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_strict(text, &signature).is_ok()
}

/// The reason why the signature does not fit, with the id of the key that claims to have signed the update.
fn not_signed(files: &Files, key: &PublicKey) -> String {
    let update = files.get(UPDATE).and_then(|bytes| Update::parse(bytes).ok());
    match update.map(|update| update.envelope.signer()) {
        Some(id) if id != key.id() => {
            format!("the key {} has signed this bundle, not {}", Short(id), Short(key.id()))
        }
        _ => format!("{STATEMENT} or its signature was changed: fetch the bundle again"),
    }
}
