//! Packages for Debian and its relatives (deb(5)): an archive of `ar` with two archives of `tar` in it.

use super::tar::{self, Entry};

/// What a package says about itself.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// Version; `~` in it comes before everything, also before the end.
    pub version: &'a str,
    /// Debian's name of the processor.
    pub architecture: &'a str,
    /// Time of everything in it, in seconds since 1970.
    pub time: u64,
}

/// Scripts and lists that dpkg runs and reads: those of `packaging/debian` with these names.
pub const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// Files of the package that belong to the administrator once they are there.
const SETTINGS: &str = "/etc/default/k1\n";

/// Packs files into a package. `scripts` are the contents of [`SCRIPTS`].
///
/// # Errors
///
/// A sentence, if a path is too long.
pub fn pack(about: &About, files: &[Entry], scripts: [&str; 3]) -> Result<Vec<u8>, String> {
    let size: usize = files.iter().map(|file| file.bytes.len().div_ceil(1024)).sum();
    let control = format!(
        "Package: k1\nVersion: {}\nArchitecture: {}\nMaintainer: The K1 project <https://github.com/k1-light/k1>\n\
         Installed-Size: {size}\nSection: sound\nPriority: optional\nHomepage: https://github.com/k1-light/k1\n\
         Description: music into light\n K1 listens to music and drives LED strips with it: WLED and anything else that speaks DDP,\n \
         Art-Net, sACN or Adalight. It has a live page, and does not need any other package.\n",
        about.version, about.architecture
    );
    let mut inner = vec![
        Entry::file("./control", control),
        Entry::file("./conffiles", SETTINGS),
        Entry::file("./md5sums", sums(files)),
    ];
    inner.extend(
        SCRIPTS.into_iter().zip(scripts).map(|(name, text)| Entry::program(format!("./{name}"), text)),
    );
    let packed = |entries: &[Entry]| tar::gzip(&tar::pack(entries, about.time)?);
    let parts = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", packed(&inner)?),
        ("data.tar.gz", packed(&tar::with_folders(files))?),
    ];
    let mut package = b"!<arch>\n".to_vec();
    for (name, bytes) in parts {
        package.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", about.time, 0, 0, 100_644, bytes.len())
                .bytes(),
        );
        package.extend(&bytes);
        if bytes.len() % 2 == 1 {
            package.push(b'\n');
        }
    }
    Ok(package)
}

/// The list by which `dpkg --verify` finds files that were changed.
fn sums(files: &[Entry]) -> String {
    use md5::{Digest, Md5};
    let is_setting = |file: &&Entry| SETTINGS.lines().any(|path| file.path[1..] == *path);
    let line = |file: &Entry| {
        let sum: String = Md5::digest(&file.bytes).iter().map(|b| format!("{b:02x}")).collect();
        format!("{sum}  {}\n", &file.path[2..])
    };
    files.iter().filter(|file| !is_setting(file)).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_the_parts_that_dpkg_expects() {
        let files =
            [Entry::program("./usr/bin/k1", b"abc".to_vec()), Entry::file("./etc/default/k1", "K1=\n")];
        let about = About { version: "1.0.0", architecture: "amd64", time: 1_700_000_000 };
        let package = pack(&about, &files, ["#!/bin/sh\n"; 3]).unwrap();
        assert_eq!(package, pack(&about, &files, ["#!/bin/sh\n"; 3]).unwrap());
        assert!(
            package
                .starts_with(b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n")
        );
        assert_eq!(sums(&files), "900150983cd24fb0d6963f7d28e17f72  usr/bin/k1\n");
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("k1.deb");
        std::fs::write(&path, package).unwrap();
        let dpkg = |option: &str| std::process::Command::new("dpkg-deb").arg(option).arg(&path).output();
        let Ok(told) = dpkg("--info") else { return };
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        for words in ["Version: 1.0.0", "Architecture: amd64", "postinst", "conffiles", "Installed-Size: 2"] {
            assert!(told.contains(words), "{told}");
        }
        let listed = String::from_utf8_lossy(&dpkg("--contents").unwrap().stdout).into_owned();
        assert!(listed.contains("-rwxr-xr-x root/root         3 2023-11-14"), "{listed}");
    }
}
