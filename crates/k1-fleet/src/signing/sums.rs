//! Files of a release: their sums, in the format of `sha256sum`, and the maker's signature of these.
//!
//! A signature is Ed25519 over the bytes of the sums. It cannot be taken for the signature of an update, a set of keys or a
//! bundle, because those begin with other bytes than hexadecimal digits.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
pub use k1_bundle::statement::sha256;
use k1_update::envelope::PublicKey;

use super::keys::Key;

/// Name of the file with the sums.
pub const SUMS: &str = "SHA256SUMS";
/// Name of the file with their signature: 64 bytes.
pub const SIGNATURE: &str = "SHA256SUMS.sig";

/// A release, as far as it is in a folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// Files that are what their maker has signed.
    pub whole: Vec<String>,
    /// Files that the maker has signed, but that are not here.
    pub missing: Vec<String>,
}

/// The sums of files, given by name and content.
pub fn sums(files: &BTreeMap<String, Vec<u8>>) -> String {
    files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect()
}

/// Signs sums.
pub fn sign(sums: &str, key: &Key) -> [u8; 64] {
    key.secret().sign(sums.as_bytes()).to_bytes()
}

/// Checks the sums in a folder, their signature by a key, and the files beside them.
///
/// # Errors
///
/// A sentence: sums or signature cannot be read; another key has signed, or nobody; a file was changed; or none is here.
pub fn verify(folder: &Path, key: &PublicKey) -> Result<Verified, String> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))
    };
    let (text, signature) = (read(SUMS)?, read(SIGNATURE)?);
    let is_signed = VerifyingKey::from_bytes(&key.0)
        .and_then(|key| key.verify_strict(&text, &Signature::from_slice(&signature)?))
        .is_ok();
    if !is_signed {
        return Err(format!(
            "{SUMS} or {SIGNATURE} was changed, or another key has signed: trust nothing in this folder"
        ));
    }
    let text = String::from_utf8(text).map_err(|_| format!("{SUMS} is not text"))?;
    let mut verified = Verified { whole: Vec::new(), missing: Vec::new() };
    for line in text.lines() {
        // A name with a folder could lead anywhere.
        let (sum, name) = line
            .split_once("  ")
            .filter(|(_, name)| !name.is_empty() && !name.contains(['/', '\\']))
            .ok_or_else(|| format!("{SUMS} has a line that this program does not understand: {line}"))?;
        match std::fs::read(folder.join(name)) {
            Ok(bytes) if sha256(&bytes) == sum => verified.whole.push(name.into()),
            Ok(_) => return Err(format!("{name} is not what its maker has signed: fetch it again")),
            Err(e) if e.kind() == ErrorKind::NotFound => verified.missing.push(name.into()),
            Err(e) => return Err(format!("{name} cannot be read: {e}")),
        }
    }
    match verified.whole.is_empty() {
        true => Err(format!("{SUMS} is genuine, but none of its files is beside it")),
        false => Ok(verified),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::keys::make;
    use super::*;

    fn release() -> (tempfile::TempDir, PathBuf, Key) {
        let place = tempfile::tempdir().unwrap();
        let key = make(&place.path().join("keys"), "release").unwrap();
        let folder = place.path().join("release");
        std::fs::create_dir(&folder).unwrap();
        let files = BTreeMap::from([("a.deb".into(), b"a".to_vec()), ("b.tar.gz".into(), b"b".to_vec())]);
        let text = sums(&files);
        for (name, bytes) in &files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        std::fs::write(folder.join(SUMS), &text).unwrap();
        std::fs::write(folder.join(SIGNATURE), sign(&text, &key)).unwrap();
        (place, folder, key)
    }

    #[test]
    fn a_release_is_whole_also_if_only_a_part_of_it_was_fetched() {
        let (_place, folder, key) = release();
        let told = verify(&folder, &key.public()).unwrap();
        assert_eq!(told.whole, ["a.deb", "b.tar.gz"]);
        std::fs::remove_file(folder.join("a.deb")).unwrap();
        let told = verify(&folder, &key.public()).unwrap();
        assert_eq!(told, Verified { whole: vec!["b.tar.gz".into()], missing: vec!["a.deb".into()] });
        std::fs::remove_file(folder.join("b.tar.gz")).unwrap();
        assert!(verify(&folder, &key.public()).unwrap_err().contains("none of its files"));
    }

    #[test]
    fn what_was_changed_is_refused_wherever_it_was_changed() {
        let (place, folder, key) = release();
        let refused = || verify(&folder, &key.public()).unwrap_err();
        let other = make(&place.path().join("keys"), "other").unwrap();
        assert!(verify(&folder, &other.public()).unwrap_err().contains("another key"));
        std::fs::write(folder.join("b.tar.gz"), b"c").unwrap();
        assert!(refused().contains("b.tar.gz is not what"));
        // Sums that fit the changed file do not fit the signature.
        let text = sums(&BTreeMap::from([("b.tar.gz".into(), b"c".to_vec())]));
        std::fs::write(folder.join(SUMS), &text).unwrap();
        assert!(refused().contains("trust nothing"));
        std::fs::write(folder.join(SIGNATURE), b"short").unwrap();
        assert!(refused().contains("trust nothing"));
        // A maker who names a file elsewhere is not followed.
        let text = format!("{}  ../keys/other.pem\n", sha256(b""));
        std::fs::write(folder.join(SUMS), &text).unwrap();
        std::fs::write(folder.join(SIGNATURE), sign(&text, &key)).unwrap();
        assert!(refused().contains("does not understand"));
    }
}
