//! The keys of this user: PKCS #8 files in the user's own folder, one for each name. This module never prints a secret.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use k1_bundle::key;
use k1_device::firmware::Short;
use k1_update::envelope::{Envelope, PublicKey};
use k1_update::trust::KeyStatement;

use k1_host::private;

/// A key pair of this user.
pub struct Key {
    /// Its name on this machine.
    pub name: String,
    secret: SigningKey,
}

impl Key {
    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.secret.verifying_key().to_bytes())
    }

    /// Its id in envelopes and on lamps.
    pub fn id(&self) -> Short {
        Short(self.public().id())
    }

    /// The public key in the format of standard tools (SPKI, PEM).
    ///
    /// # Errors
    ///
    /// A sentence if the key cannot be encoded.
    pub fn public_pem(&self) -> Result<String, String> {
        key::public_pem(&self.secret)
    }

    /// The secret key, which signs.
    pub fn secret(&self) -> &SigningKey {
        &self.secret
    }
}

/// The folder of this user's keys.
///
/// # Errors
///
/// A sentence if there is no home folder.
pub fn folder() -> Result<PathBuf, String> {
    Ok(private::folder().ok_or("there is no home folder to keep keys in: set HOME")?.join("keys"))
}

/// Path of a key.
///
/// # Errors
///
/// A sentence if a key cannot have this name.
pub fn path(folder: &Path, name: &str) -> Result<PathBuf, String> {
    Ok(folder.join(format!("{}.pem", name_of(name)?)))
}

/// The name of a key in a text.
///
/// # Errors
///
/// A sentence if a key cannot have this name.
pub fn name_of(name: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(name.to_owned())
    } else {
        Err(format!("“{name}” cannot be the name of a key: use 1 to 32 letters, digits, - and _"))
    }
}

/// Makes a key. Never overwrites an existing one, because lamps may trust it.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn make(folder: &Path, name: &str) -> Result<Key, String> {
    let path = path(folder, name)?;
    if path.exists() {
        return Err(format!(
            "there is a key “{name}” already; choose another name, or move {}",
            path.display()
        ));
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|e| format!("this machine provides no random numbers for a key: {e}"))?;
    let secret = SigningKey::from_bytes(&seed);
    let pem = key::secret_pem(&secret)?;
    private::write(&path, pem.as_bytes()).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Key { name: name.to_owned(), secret })
}

/// Reads a key.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn read(folder: &Path, name: &str) -> Result<Key, String> {
    let path = path(folder, name)?;
    if !path.exists() {
        return Err(format!(
            "there is no key “{name}”; make one with `k1 keys new {name}`, or see `k1 keys list`"
        ));
    }
    read_file(&path)
}

/// Reads a key from its file; its name is that of the file.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn read_file(path: &Path) -> Result<Key, String> {
    if private::is_open_to_others(path) {
        return Err(format!(
            "others can read {}: run chmod 600 on it, and consider making a new key",
            path.display()
        ));
    }
    let pem = private::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let secret = key::read_secret(&pem).map_err(|why| format!("{} {why}", path.display()))?;
    Ok(Key { name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), secret })
}

/// Reads a public key in the format of standard tools (SPKI, PEM), as `k1 keys show` prints it.
///
/// # Errors
///
/// A sentence that names the file: it cannot be read, or is not such a key.
pub fn read_public(path: &Path) -> Result<PublicKey, String> {
    let pem = std::fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    key::read_public(&pem).ok_or_else(|| {
        format!("{} is not an Ed25519 public key, as `k1 keys show` prints it", path.display())
    })
}

/// A set of one or two keys, as a lamp accepts it. The first set of a lamp needs no signature.
///
/// # Errors
///
/// A sentence for any other number of keys.
pub fn statement(public: &[PublicKey], signer: Option<&Key>, generation: u32) -> Result<Envelope, String> {
    let keys = match *public {
        [one] => [Some(one), None],
        [one, two] => [Some(one), Some(two)],
        _ => return Err("a lamp trusts one key or two: name them with --key".into()),
    };
    let envelope = KeyStatement { keys, generation }.envelope();
    Ok(match signer {
        Some(key) => envelope.sign(&key.secret),
        None => envelope,
    })
}

/// Names of this user's keys, in order.
///
/// # Errors
///
/// A sentence if the folder cannot be read. A folder that does not exist holds no keys.
pub fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("{}: {e}", folder.display())),
    };
    let mut names: Vec<String> = entries
        .filter_map(|e| Some(e.ok()?.file_name().to_str()?.strip_suffix(".pem")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_for_its_user_alone_and_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("keys");
        assert_eq!(names(&folder), Ok(vec![]));
        let made = make(&folder, "shop").unwrap();
        assert_eq!(read(&folder, "shop").unwrap().public(), made.public());
        assert!(make(&folder, "shop").err().unwrap().contains("already"));
        assert!(make(&folder, "../shop").err().unwrap().contains("cannot be the name"));
        assert!(read(&folder, "other").err().unwrap().contains("k1 keys new other"));
        make(&folder, "next").unwrap();
        assert_eq!(names(&folder).unwrap(), ["next", "shop"]);
        let file = folder.join("shop.pem");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(read(&folder, "shop").err().unwrap().contains("chmod 600"));
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&file, "nonsense").unwrap();
        assert!(read(&folder, "shop").err().unwrap().contains("not an Ed25519 key"));
        let public = folder.join("public");
        std::fs::write(&public, made.public_pem().unwrap()).unwrap();
        assert_eq!(read_public(&public), Ok(made.public()));
        assert!(read_public(&folder.join("next.pem")).unwrap_err().contains("not an Ed25519 public key"));
    }
}
