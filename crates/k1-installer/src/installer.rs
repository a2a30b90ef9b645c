//! A bundle becomes its owner's, and is laid out for the chip.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use ed25519_dalek::SigningKey;
use k1_bundle::chip::Chip;
use k1_bundle::open::Bundle;
use k1_bundle::plan::{Piece, plan, suits};
use k1_bundle::statement::Files;
use k1_bundle::{archive, key, open, settings};
use k1_device::firmware::Short;
use k1_update::envelope::PublicKey;
use md5::{Digest, Md5};
use serde_json::{Value, json};

/// The state of an installation.
#[derive(Default)]
pub struct Installer {
    bundle: Option<Bundle>,
    owner: Option<SigningKey>,
    pieces: Vec<Piece>,
}

const NO_BUNDLE: &str = "choose a firmware first";
const NO_KEY: &str = "make your key, or choose its file, first";

impl Installer {
    /// Opens a bundle with the maker's public key, and says what it is.
    ///
    /// # Errors
    ///
    /// A sentence: the bundle is damaged, of another maker, or not one.
    pub fn open(&mut self, maker: &str, bundle: &[u8]) -> Result<Value, String> {
        self.bundle = None;
        let maker = key::read_public(maker)
            .ok_or("the maker's key is not an Ed25519 public key, as `k1 keys show` prints it")?;
        if !archive::is_archive(bundle) {
            return Err(
                "this file is not a bundle: choose a file k1-….tar, as `cargo xtask dist` makes it".into()
            );
        }
        let files: Files = archive::unpack(bundle)?;
        let bundle = open::open(&files, &maker)?;
        let about = json!({
            "board": bundle.statement.board,
            "chip": bundle.chip.name,
            "version": bundle.statement.version,
            "commit": bundle.statement.origin.commit,
            "changed": bundle.statement.origin.changed,
            "proven": bundle.statement.origin.proven,
            "mayRollBack": bundle.statement.bootloader.may_roll_back,
            "bytes": bundle.update.image.len(),
            "hash": bundle.update.hash().to_string(),
            "maker": id(&maker),
        });
        self.bundle = Some(bundle);
        Ok(about)
    }

    /// Makes the owner's key from 32 random bytes; its two halves as text, and its id.
    ///
    /// # Errors
    ///
    /// A sentence if the key cannot be written as text.
    pub fn make_key(&mut self, random: &[u8; 32]) -> Result<Value, String> {
        self.owner = Some(SigningKey::from_bytes(random));
        self.say_key()
    }

    /// Reads the owner's key from the text of its file.
    ///
    /// # Errors
    ///
    /// A sentence if it is not one.
    pub fn read_key(&mut self, pem: &str) -> Result<Value, String> {
        let key = key::read_secret(pem)
            .map_err(|_| "this file is not a key of yours (PKCS #8, as `k1 keys new` writes it)")?;
        self.owner = Some(key);
        self.say_key()
    }

    fn say_key(&self) -> Result<Value, String> {
        let key = self.owner.as_ref().ok_or(NO_KEY)?;
        let public = PublicKey(key.verifying_key().to_bytes());
        Ok(json!({ "id": id(&public), "secret": key::secret_pem(key)?, "public": key::public_pem(key)? }))
    }

    /// Checks that the chip on the cable is the bundle's: its number, its revision as major · 100 + minor, and the size of
    /// its flash in bytes, 0 if it does not say one. Says where its settings are, the MD5 of blank
    /// ones, and which watchdog the loader must stop.
    ///
    /// # Errors
    ///
    /// A sentence.
    pub fn suits(&self, id: u16, revision: u16, flash: u32) -> Result<Value, String> {
        let bundle = self.bundle.as_ref().ok_or(NO_BUNDLE)?;
        if id != bundle.chip.id {
            let found = Chip::numbered(id).map_or_else(
                || format!("a chip that no K1 runs on (number {id})"),
                |chip| format!("an {chip}"),
            );
            return Err(format!(
                "this firmware is for an {}, but the chip on the cable is {found}",
                bundle.chip
            ));
        }
        suits(bundle.chip, &bundle.bootloader, &bundle.update.image, (flash > 0).then_some(flash), revision)?;
        let settings = settings::SETTINGS;
        Ok(json!({
            "settings": [settings.start, settings.len()],
            "blank": md5(&vec![0xff; settings.len()]),
            "watchdog": bundle.chip.watchdog.map(|(protect, config)| [protect, config]),
        }))
    }

    /// Checks the settings that are on the chip: a lamp that trusts other keys than the owner's stays as it is.
    ///
    /// # Errors
    ///
    /// A sentence.
    pub fn respects(&self, settings: Vec<u8>) -> Result<Value, String> {
        let bundle = self.bundle.as_ref().ok_or(NO_BUNDLE)?;
        let owner = self.owner.as_ref().ok_or(NO_KEY)?;
        let trust = settings::trust(settings);
        settings::respects(&trust, &bundle.update.manifest.envelope().sign(owner))?;
        Ok(json!({ "trusts": trust.ids().map(|id| Short(id).to_string()).collect::<Vec<_>>() }))
    }

    /// Signs the image with the owner's key and lays everything out: address, size and MD5 of each piece, in order.
    ///
    /// # Errors
    ///
    /// A sentence if a bundle or a key is missing.
    pub fn plan(&mut self, erase_settings: bool) -> Result<Value, String> {
        let bundle = self.bundle.as_ref().ok_or(NO_BUNDLE)?;
        let owner = self.owner.as_ref().ok_or(NO_KEY)?;
        let mut update = bundle.update.clone();
        update.envelope = update.manifest.envelope().sign(owner);
        self.pieces = plan(&bundle.bootloader, &update, erase_settings);
        let pieces = self.pieces.iter();
        Ok(pieces
            .map(|piece| json!({ "at": piece.at, "bytes": piece.bytes.len(), "md5": md5(&piece.bytes) }))
            .collect())
    }

    /// The bytes of a piece of the plan; none if there is no such piece.
    pub fn piece(&self, number: usize) -> &[u8] {
        self.pieces.get(number).map_or(&[], |piece| &piece.bytes)
    }
}

fn id(key: &PublicKey) -> String {
    Short(key.id()).to_string()
}

/// MD5 in hexadecimal digits, as chips say it of their flash.
pub fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
