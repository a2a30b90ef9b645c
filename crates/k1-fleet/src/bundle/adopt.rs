//! Firmware of another maker becomes the user's own: the maker's signature is checked, and replaced by the user's.
//!
//! A lamp listens to one key or two. If its owner installed firmware with the maker's signature, the lamp would be the
//! maker's; so only the user's own signature reaches a chip, and the maker's key is needed only here.

use std::path::Path;

use k1_bundle::bootloader::Bootloader;
use k1_device::firmware::Short;
use k1_update::envelope::{KeyId, PublicKey};
use k1_update::refusal::Refusal;

use super::open::Bundle;
use super::{Files, Statement, UPDATE, open};
use crate::signing::keys;
use crate::signing::package::{self, Update};

/// Firmware that a key of this user has signed.
pub struct Own {
    /// The update.
    pub update: Update,
    /// Name of the user's key.
    pub key: String,
    /// Id of the maker's key, if the user has signed only now.
    pub maker: Option<Short>,
    /// The rest of a bundle.
    pub rest: Option<(Statement, Bootloader)>,
}

/// Reads an update or a bundle, which a key of this user must have signed; or the key in the file `trusted`, and then
/// the user's key `name` signs it.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn adopt(path: &Path, trusted: Option<&Path>, name: &str) -> Result<Own, String> {
    let folder = keys::folder()?;
    let found = match open::read(path)? {
        Some(files) => Found::Bundle(files),
        None => Found::Single(Box::new(package::read(path)?)),
    };
    let wrong = |e: String| format!("{}: {e}", path.display());
    if let Some(trusted) = trusted {
        let maker = keys::read_public(trusted)?;
        let mine = keys::read(&folder, name)?;
        let (mut update, rest) = found.open(&maker).map_err(wrong)?;
        update.envelope = update.manifest.envelope().sign(mine.secret());
        return Ok(Own { update, key: mine.name, maker: Some(Short(maker.id())), rest });
    }
    let signer = found.signer().map_err(wrong)?;
    let all: Result<Vec<_>, _> = keys::names(&folder)?.iter().map(|name| keys::read(&folder, name)).collect();
    let Some(key) = all?.into_iter().find(|key| key.id().0 == signer) else {
        return Err(found.foreign(signer));
    };
    let (update, rest) = found.open(&key.public()).map_err(wrong)?;
    Ok(Own { update, key: key.name, maker: None, rest })
}

/// Firmware in a file or folder; its signature has not been checked.
enum Found {
    Bundle(Files),
    Single(Box<Update>),
}

impl Found {
    /// Id of the key that claims to have signed.
    fn signer(&self) -> Result<KeyId, String> {
        match self {
            Self::Bundle(files) => {
                let bytes = files
                    .get(UPDATE)
                    .ok_or_else(|| format!("the bundle is incomplete: {UPDATE} is missing"))?;
                Ok(Update::parse(bytes)?.envelope.signer())
            }
            Self::Single(update) => Ok(update.envelope.signer()),
        }
    }

    /// The update, and the rest of a bundle, if this key has signed all of it.
    fn open(self, key: &PublicKey) -> Result<(Update, Option<(Statement, Bootloader)>), String> {
        match self {
            Self::Bundle(files) => {
                let Bundle { statement, update, bootloader, .. } = open::open(&files, key)?;
                Ok((update, Some((statement, bootloader))))
            }
            Self::Single(update) if update.envelope.is_signed_by(key) => Ok((*update, None)),
            Self::Single(update) => Err(match update.envelope.signer() {
                id if id == key.id() => Refusal::BadSignature.to_string(),
                id => format!("the key {} has signed this, not {}", Short(id), Short(key.id())),
            }),
        }
    }

    /// The error if none of the user's keys has signed.
    fn foreign(&self, signer: KeyId) -> String {
        match self {
            Self::Bundle(_) => format!(
                "no key of yours has signed this bundle; the key {} has. Get that maker's public key from the maker, and \
                 name its file with --trust",
                Short(signer)
            ),
            Self::Single(_) => {
                "no key of yours has signed this update (`k1 keys list`): sign the image yourself with `k1 sign`, or name \
                 its maker's public key with --trust"
                    .into()
            }
        }
    }
}
