//! `cargo xtask dist`: firmware for owners who do not build it. For each chip a bundle ([`k1_fleet::bundle`]) that
//! `k1 install` takes, as a folder and as an archive, with the key that signed it and the sums of everything.

mod build;
mod options;
mod origin;
mod place;

use std::path::Path;

use k1_fleet::bundle::make::{Ingredients, make, name};
use k1_fleet::bundle::{Files, archive, open, sha256};
use k1_fleet::signing::keys::{self, Key};
use k1_fleet::signing::package::Statement;
use k1_update::manifest::PATIENCE_S;

use build::Built;
use options::Options;
pub use options::read_key;
use place::Place;

use crate::root;

/// The command `cargo xtask dist`. Builds everything before it writes anything.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn dist(args: &[&str]) -> Result<(), String> {
    let options = Options::read(args)?;
    if !options.is_trial {
        let key = read_key(options.key.as_deref())?;
        let folder = root().join("target/dist");
        let names = put(&options, &key, &folder)?;
        println!("\nto install one of them:");
        for name in names {
            let [tar, key] = [format!("{name}.tar"), "release.pem".into()].map(|file| folder.join(file));
            println!("k1 install {} --trust {} --port PORT", tar.display(), key.display());
        }
        return Ok(());
    }
    // The same with a key that nobody keeps.
    let folder = root().join("target/dist-trial");
    let _ = std::fs::remove_dir_all(&folder);
    let key = keys::make(&folder.join("keys"), "trial")?;
    let done = put(&options, &key, &folder.join("out"));
    let removed = std::fs::remove_dir_all(&folder);
    println!("the trial's key and bundles are deleted again");
    done?;
    removed.map_err(|e| format!("{}: {e}", folder.display()))
}

/// Builds, signs and writes the bundles. Returns their names.
fn put(options: &Options, key: &Key, folder: &Path) -> Result<Vec<String>, String> {
    let mut made = Vec::new();
    for chip in &options.chips {
        let Built { image, compilers } = build::build(chip)?;
        let of = Ingredients {
            image: &image,
            manifest: Statement {
                board: chip,
                version: &options.version,
                counter: options.counter,
                patience_s: PATIENCE_S,
            },
            origin: origin::origin(compilers),
            bootloader: options.bootloader.as_deref(),
        };
        let files = make(&of, key)?;
        if files != make(&of, key)? {
            return Err(format!("{chip}: the same image gave two different bundles"));
        }
        made.push((name(chip, &options.version), files));
    }
    let mut place = Place::new(folder, options.is_forced);
    place.file("release.pem", key.public_pem()?.into_bytes());
    for (name, files) in &made {
        place.file(&format!("{name}.tar"), archive::pack(name, files)?);
        place.folder(name, files.clone());
    }
    place.write()?;
    for (name, files) in &made {
        for path in [format!("{name}.tar"), name.clone()] {
            verify(&folder.join(path), files, key)?;
        }
        for (file, bytes) in files {
            println!("{name}/{file}: {} B, SHA-256 {}", bytes.len(), sha256(bytes));
        }
    }
    println!("signed with {} ({}), read back and verified; in {}", key.name, key.id(), folder.display());
    Ok(made.into_iter().map(|(name, _)| name).collect())
}

/// Reads a bundle back from the disk as `k1 install` does.
fn verify(path: &Path, files: &Files, key: &Key) -> Result<(), String> {
    let wrong = |e: String| format!("{} cannot be installed: {e}", path.display());
    let read = open::read(path)?.ok_or_else(|| wrong("it is not a bundle".into()))?;
    open::open(&read, &key.public()).map_err(wrong)?;
    if read == *files { Ok(()) } else { Err(wrong("it is not what was written".into())) }
}
