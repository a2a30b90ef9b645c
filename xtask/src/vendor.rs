//! Other people's JavaScript, in the version and with the content that are written down here.
//!
//! npm fetches a package once, from the registry that it is configured with. Afterwards its archive is in a folder that all
//! checkouts share, and no network is needed. Nothing of a package runs here.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha512};

use crate::licences::are_allowed;

/// A package of npm.
pub struct Package {
    name: &'static str,
    version: &'static str,
    /// SHA-512 of its archive in base64, as npm's lock files name it.
    sha512: &'static str,
    /// Name of the licence's text in the archive.
    licence: &'static str,
    /// Names of the packages that it needs.
    needs: &'static [&'static str],
}

/// Espressif's library for the loaders of its chips, and what its file `bundle.js` contains besides.
pub const ESPTOOL: [Package; 3] = [
    Package {
        name: "esptool-js",
        version: "0.7.0",
        sha512: "9wHuW/s9t4Vs6HKcr3pra3gbRVWwaN0eabMWodWH4KEJHEYZxgmWwZ3s0F4xcWVCZOc/L98bGZ4uWoZvR8KBKA==",
        licence: "LICENSE",
        needs: &["atob-lite", "pako"],
    },
    Package {
        name: "atob-lite",
        version: "2.0.0",
        sha512: "LEeSAWeh2Gfa2FtlQE1shxQ8zi5F9GHarrGKz08TMdODD5T4eH6BMsvtnhbWZ+XQn+Gb6om/917ucvRu7l7ukw==",
        licence: "LICENSE.md",
        needs: &[],
    },
    Package {
        name: "pako",
        version: "2.1.0",
        sha512: "w+eufiZ1WuJYgPXbV/PO3NCMEc3xqylkKHzp8bxp1uW4qaSNQUkwmLLEc3kKsfz8lpV1F8Ht3U1Cm+9Srog2ug==",
        licence: "LICENSE",
        needs: &[],
    },
];

/// Deque's tests of accessibility, for a test of the page. No K1 ships them.
pub const AXE: Package = Package {
    name: "axe-core",
    version: "4.14.1",
    sha512: "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    licence: "LICENSE",
    needs: &[],
};

/// A package whose content, licence and needs have been checked.
pub struct Checked {
    archive: Vec<u8>,
    /// Name, version, licence and the licence's text.
    pub notice: String,
}

impl Checked {
    /// A file of the package.
    ///
    /// # Errors
    ///
    /// A sentence if the package has no such file.
    pub fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        find(&self.archive, path).ok_or(format!("the package has no {path}"))
    }
}

/// Fetches a package, unless that was done before, and checks it.
///
/// # Errors
///
/// A sentence: npm is missing or cannot fetch, or the package is not the one that is written down.
pub fn take(package: &Package) -> Result<Checked, String> {
    let place = cache()?.join(format!("{}-{}.tgz", package.name, package.version));
    if !place.exists() {
        fetch(package, &place)?;
    }
    let bytes = std::fs::read(&place).map_err(|e| format!("{}: {e}", place.display()))?;
    check(package, &bytes).map_err(|e| format!("{}: {e}", place.display()))
}

fn cache() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = cache.ok_or("there is no home folder for packages: set HOME")?.join("k1/npm");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// Lets npm download the archive of a package. Whatever it gives is checked before it is kept.
fn fetch(package: &Package, place: &Path) -> Result<(), String> {
    let name = format!("{}@{}", package.name, package.version);
    let into = tempfile::tempdir().map_err(|e| e.to_string())?;
    let npm = Command::new("npm")
        .args(["pack", &name, "--ignore-scripts", "--silent"])
        .current_dir(into.path())
        .output();
    let npm = npm
        .map_err(|e| format!("npm, which fetches {name}, does not start ({e}): install it (Debian: npm)"))?;
    if !npm.status.success() {
        let why = String::from_utf8_lossy(&npm.stderr);
        return Err(format!(
            "npm cannot fetch {name}: {}. Go online once",
            why.lines().last().unwrap_or_default()
        ));
    }
    let file = into.path().join(format!("{}-{}.tgz", package.name, package.version));
    let bytes = std::fs::read(&file).map_err(|e| format!("npm has left no {}: {e}", file.display()))?;
    check(package, &bytes)?;
    let wrong = |e: std::io::Error| format!("{}: {e}", place.display());
    let whole = place.with_extension("new");
    std::fs::write(&whole, bytes).map_err(wrong)?;
    std::fs::rename(&whole, place).map_err(wrong)
}

fn check(package: &Package, bytes: &[u8]) -> Result<Checked, String> {
    let Package { name, version, .. } = package;
    let sum = BASE64_STANDARD.encode(Sha512::digest(bytes));
    if sum != package.sha512 {
        return Err(format!("this is not {name} {version}: its SHA-512 is {sum}. Delete it and try again"));
    }
    let mut archive = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut archive).map_err(|e| e.to_string())?;
    let about = find(&archive, "package.json").ok_or("the package does not say what it is")?;
    let about: serde_json::Value =
        serde_json::from_slice(&about).map_err(|e| format!("package.json: {e}"))?;
    let licence = about["license"].as_str().unwrap_or_default();
    if !are_allowed(licence)? {
        return Err(format!("deny.toml does not allow the licence {licence:?} of {name}"));
    }
    let needs: Vec<&str> =
        about["dependencies"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if (about["name"].as_str(), about["version"].as_str()) != (Some(name), Some(version))
        || needs != package.needs
    {
        return Err(format!(
            "{name} {version} says that it is {} {} and needs {needs:?}",
            about["name"], about["version"]
        ));
    }
    let text = find(&archive, package.licence).ok_or(format!("{name} has no {}", package.licence))?;
    let text = String::from_utf8_lossy(&text);
    let notice = format!("{name} {version} ({licence})\n\n{}\n", text.trim());
    Ok(Checked { archive, notice })
}

/// The content of `package/PATH` in an archive of npm.
fn find(archive: &[u8], path: &str) -> Option<Vec<u8>> {
    let wanted = Path::new("package").join(path);
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().ok()?.map_while(Result::ok);
    let mut entry = entries.find(|entry| entry.path().is_ok_and(|path| *path == *wanted))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_package_that_is_written_down_is_taken() {
        let why = check(&ESPTOOL[0], b"something else").err().unwrap();
        assert!(why.contains("not esptool-js 0.7.0"), "{why}");
    }

    #[test]
    fn every_need_is_a_package_of_its_own() {
        for need in ESPTOOL.iter().flat_map(|package| package.needs) {
            assert!(ESPTOOL.iter().any(|package| package.name == *need), "{need}");
        }
    }

    #[test]
    fn a_file_is_found_in_an_archive() {
        let files = k1_fleet::bundle::Files::from([
            ("bundle.js".to_owned(), vec![7; 700]),
            ("LICENSE".to_owned(), b"free".to_vec()),
        ]);
        let archive = k1_fleet::bundle::archive::pack("package", &files).unwrap();
        assert_eq!(find(&archive, "LICENSE"), Some(b"free".to_vec()));
        assert_eq!(find(&archive, "bundle.js"), Some(vec![7; 700]));
        assert_eq!(find(&archive, "README"), None);
        assert_eq!(find(&archive[..600], "bundle.js"), None, "cut off");
    }
}
