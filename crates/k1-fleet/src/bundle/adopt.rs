//! Firmware of another maker becomes the user's own: the maker's signature is checked, and replaced by the user's.
//!
//! A lamp listens to one key or two. If its owner installed firmware with the maker's signature, the lamp would be the
//! maker's; so only the user's own signature reaches a chip, and the maker's key is needed only here.

use std::path::Path;

use k1_device::firmware::Short;
use k1_update::envelope::PublicKey;
use k1_update::refusal::Refusal;

use super::{Files, Statement, UPDATE, open};
use crate::cable::first_install::Bootloader;
use crate::signing::keys::{self, Key};
use crate::signing::package::Update;

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
    let wrong = |e: String| format!("{}: {e}", path.display());
    let files = open::read(path)?;
    let Some(trusted) = trusted else {
        let all: Result<Vec<Key>, _> =
            keys::names(&folder)?.iter().map(|name| keys::read(&folder, name)).collect();
        return of_own_key(path, files, &all?);
    };
    let maker = keys::read_public(trusted)?;
    let mine = keys::read(&folder, name)?;
    let (mut update, rest) = match files {
        Some(files) => {
            let bundle = open::open(&files, &[maker]).map_err(wrong)?;
            (bundle.update, Some((bundle.statement, bundle.bootloader)))
        }
        None => (Update::read(path)?, None),
    };
    signed_by(&update, &maker).map_err(wrong)?;
    update.envelope = update.manifest.envelope().sign(mine.secret());
    Ok(Own { update, key: mine.name, maker: Some(Short(maker.id())), rest })
}

/// Firmware that one of the user's own keys has signed already.
fn of_own_key(path: &Path, files: Option<Files>, all: &[Key]) -> Result<Own, String> {
    let wrong = |e: String| format!("{}: {e}", path.display());
    let is_bundle = files.is_some();
    // The claimed signer, to say what to do; the checks follow.
    let claimed = match &files {
        Some(files) => files.get(UPDATE).map(|bytes| Update::parse(bytes)).transpose().map_err(wrong)?,
        None => Some(Update::read(path)?),
    };
    let by = claimed.as_ref().map(|update| update.envelope.signer());
    let Some(key) = all.iter().find(|key| by.is_none_or(|id| id == key.id().0)) else {
        let id = by.map_or_else(String::new, |id| Short(id).to_string());
        return Err(match is_bundle {
            true => format!(
                "no key of yours has signed this bundle; the key {id} has. Get that maker's public key from the maker, \
                 and name its file with --trust"
            ),
            false => "no key of yours has signed this update (`k1 keys list`): sign the image yourself with `k1 sign`, or \
                      name its maker's public key with --trust"
                .into(),
        });
    };
    let (update, rest) = match (files, claimed) {
        (Some(files), _) => {
            let bundle = open::open(&files, &[key.public()]).map_err(wrong)?;
            (bundle.update, Some((bundle.statement, bundle.bootloader)))
        }
        (None, Some(update)) => (update, None),
        (None, None) => return Err(Refusal::NotAnUpdate.to_string()),
    };
    signed_by(&update, &key.public()).map_err(wrong)?;
    Ok(Own { update, key: key.name.clone(), maker: None, rest })
}

fn signed_by(update: &Update, key: &PublicKey) -> Result<(), String> {
    if update.envelope.is_signed_by(key) {
        return Ok(());
    }
    Err(match update.envelope.signer() {
        id if id == key.id() => Refusal::BadSignature.to_string(),
        id => format!("the key {} has signed this, not {}", Short(id), Short(key.id())),
    })
}
