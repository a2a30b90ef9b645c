//! Makes a bundle from an image and a bootloader.

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_dalek::Signer;
use k1_bundle::chip::{Chip, Head};
use k1_bundle::table;

use super::{
    BOOTLOADER, FORMAT, File, Files, Loader, Origin, PARTITIONS, README, SIGNATURE, STATEMENT, Statement,
    UPDATE, sha256,
};
use crate::cable::first_install;
use crate::signing::keys::Key;
use crate::signing::package::{self, Update, manifest};

/// What a bundle is made of.
pub struct Ingredients<'a> {
    /// The image, and what its manifest says about it.
    pub image: &'a [u8],
    /// Board, version and counter.
    pub manifest: package::Statement<'a>,
    /// Origin of the image.
    pub origin: Origin,
    /// A bootloader that supports rollback. Default: espflash's own, which does not.
    pub bootloader: Option<&'a Path>,
}

/// The name of a bundle: the folder of its files, and its archive without `.tar`.
pub fn name(board: &str, version: &str) -> String {
    format!("k1-{version}-{board}")
}

/// Makes the files of a bundle. The same ingredients and key give the same bytes.
///
/// # Errors
///
/// A sentence: the image is not one for this board, or does not fit; or the bootloader is not one for its chip.
pub fn make(of: &Ingredients, key: &Key) -> Result<Files, String> {
    let manifest = manifest(of.image, &of.manifest)?;
    let chip = Chip::named(manifest.chip.as_str())
        .ok_or_else(|| format!("the board {} has no cable, and needs no bundle", of.manifest.board))?;
    let head = Head::read(of.image, chip).ok_or_else(|| format!("this is not an image for {chip}"))?;
    if let Some(file) = of.bootloader {
        let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
        first_install::check(file, &sha256(&bytes), chip)?;
    }
    let loader = first_install::bootloader(chip, head.least_revision, of.bootloader)?;
    let update =
        Update { envelope: manifest.envelope().sign(key.secret()), manifest, image: of.image.to_vec() };
    let mut statement = Statement {
        format: FORMAT,
        version: of.manifest.version.into(),
        board: of.manifest.board.into(),
        origin: of.origin.clone(),
        bootloader: match of.bootloader {
            Some(file) => Loader {
                origin: format!("{}, given by the maker", file.file_name().unwrap_or_default().display()),
                may_roll_back: true,
            },
            None => Loader { origin: "espflash, without support for rollback".into(), may_roll_back: false },
        },
        files: BTreeMap::new(),
    };
    let mut files = Files::new();
    let mut add = |name: &str, bytes: Vec<u8>| {
        statement.files.insert(name.to_owned(), File::of(&bytes));
        files.insert(name.to_owned(), bytes);
    };
    add(UPDATE, update.bytes());
    add(BOOTLOADER, loader.bytes().to_vec());
    add(PARTITIONS, table::bytes());
    let readme = readme(&statement, &update, key).into_bytes();
    statement.files.insert(README.to_owned(), File::of(&readme));
    files.insert(README.to_owned(), readme);
    let text = serde_json::to_string_pretty(&statement).map_err(|e| e.to_string())? + "\n";
    let signature = key.secret().sign(text.as_bytes()).to_bytes().to_vec();
    files.insert(STATEMENT.to_owned(), text.into_bytes());
    files.insert(SIGNATURE.to_owned(), signature);
    Ok(files)
}

fn readme(of: &Statement, update: &Update, key: &Key) -> String {
    let Statement { version, board, origin, bootloader, .. } = of;
    let commit = match (origin.commit.as_str(), origin.changed) {
        ("", _) => "not known".into(),
        (commit, false) => commit.to_owned(),
        (commit, true) => format!("{commit}, WITH CHANGES that are in no commit"),
    };
    let rollback = match bootloader.may_roll_back {
        true => {
            "Nobody has seen on a chip whether this bootloader supports rollback: `k1 devices` shows `armed` once a lamp has\n\
             proven it."
        }
        false => {
            "With this bootloader a lamp cannot roll a bad image back by itself. docs/hardware.md of the sources says how to\n\
             build one that can; `k1 install` takes it with --bootloader."
        }
    };
    let files: String = of
        .files
        .iter()
        .map(|(name, File { bytes, sha256 })| format!("  {sha256}  {bytes:>8}  {name}\n"))
        .collect();
    let (name, compilers) = (name(board, version), origin.compilers.join("\n            "));
    format!(
        "K1 {version} for {board}
{}

Proven:     {}
Image:      {} bytes, SHA-256 {}
Commit:     {commit}
Compilers:  {compilers}
Bootloader: {}
Signed by:  {}

To install it on a blank chip, with the program `k1` of the same sources:

  k1 keys new                      once: makes your own key, to which your lamps will listen
  k1 install {name}.tar --trust release.pem --port PORT

release.pem is the public key of the maker of this bundle. Take it from the maker, not from the place of this archive:
somebody who could change the archive could change a key beside it, too. K1 checks the maker's signature and every hash,
and then signs the firmware with your key. PORT is /dev/ttyACM0 or the like; an unpacked folder serves like the archive.

{rollback}

To check the maker's signature without K1:

  openssl pkeyutl -verify -pubin -inkey release.pem -rawin -in {STATEMENT} -sigfile {SIGNATURE}

SHA-256, size and name of each file ({STATEMENT} names them again, with this file):

{files}",
        "=".repeat(format!("K1 {version} for {board}").len()),
        origin.proven,
        update.manifest.size,
        sha256(&update.image),
        bootloader.origin,
        key.id(),
    )
}
