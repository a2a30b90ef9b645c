//! The options of `cargo xtask dist`.

use std::path::{Path, PathBuf};

use k1_fleet::signing::keys::{self, Key};

use super::build::CHIPS;

/// Name of the variable that names the key if no option does.
const KEY: &str = "K1_DIST_KEY";

/// What to make.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The boards, one for each chip.
    pub chips: Vec<String>,
    /// Key to sign with: its name, or its file.
    pub key: Option<String>,
    /// A bootloader that supports rollback.
    pub bootloader: Option<PathBuf>,
    /// Version to show to people.
    pub version: String,
    /// Anti-downgrade counter.
    pub counter: u32,
    /// Bundles of other content may be replaced.
    pub is_forced: bool,
    /// Only to see whether it works: with a new key, and nothing stays.
    pub is_trial: bool,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// A sentence that says what to write instead.
    pub fn read(args: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            chips: Vec::new(),
            key: std::env::var(KEY).ok().filter(|key| !key.is_empty()),
            bootloader: None,
            version: env!("CARGO_PKG_VERSION").into(),
            counter: 0,
            is_forced: false,
            is_trial: false,
        };
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg {
                "--key" => options.key = Some(value()?.into()),
                "--bootloader" => options.bootloader = Some(value()?.into()),
                "--image-version" => options.version = value()?.into(),
                "--counter" => {
                    options.counter =
                        value()?.parse().map_err(|_| "--counter needs a whole number".to_owned())?;
                }
                "--force" => options.is_forced = true,
                "--trial" => options.is_trial = true,
                chip if CHIPS.contains(&chip) => options.chips.push(chip.into()),
                other => {
                    return Err(format!(
                        "“{other}” is neither an option nor a chip: the chips are {}",
                        CHIPS.join(", ")
                    ));
                }
            }
        }
        if options.chips.is_empty() {
            options.chips = CHIPS.map(str::to_owned).to_vec();
        }
        options.chips.sort();
        options.chips.dedup();
        if options.bootloader.is_some() && options.chips.len() > 1 {
            return Err("a bootloader is for one chip: name that chip, too".into());
        }
        Ok(options)
    }
}

/// The key to sign with: a file, if the text looks like a path, or a key of this user.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn read_key(named: Option<&str>) -> Result<Key, String> {
    match named {
        None => Err(format!(
            "there is no key to sign with. Name one of yours (`k1 keys list`) with --key NAME or in {KEY}, or its file \
             (PKCS #8, PEM) with --key ./FILE.pem. `k1 keys new release` makes one; keep it out of the sources. To see \
             whether a bundle can be made, without a key: --trial"
        )),
        Some(file) if file.contains(['/', '\\', '.']) => keys::read_file(Path::new(file)),
        Some(name) => keys::read(&keys::folder()?, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_are_named_once_and_bootloaders_for_one() {
        let read = |args: &[&str]| Options::read(args);
        assert_eq!(read(&["esp32s3", "esp32c6", "esp32s3"]).unwrap().chips, ["esp32c6", "esp32s3"]);
        assert_eq!(read(&[]).unwrap().chips.len(), CHIPS.len());
        assert!(read(&["virt"]).unwrap_err().contains("esp32s3"));
        assert!(read(&["--bootloader", "b.bin"]).unwrap_err().contains("one chip"));
        assert!(read(&["esp32s3", "--bootloader", "b.bin"]).is_ok());
        assert!(read(&["--key"]).unwrap_err().contains("needs a value"));
        assert!(read(&["--counter", "-1"]).is_err());
    }

    #[test]
    fn without_a_key_it_says_what_to_do() {
        let why = read_key(None).err().unwrap();
        assert!(why.contains("k1 keys new release") && why.contains("--trial"), "{why}");
        assert!(read_key(Some("./nowhere.pem")).err().unwrap().contains("nowhere.pem"));
    }
}
