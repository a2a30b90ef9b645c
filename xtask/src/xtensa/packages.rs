//! Debian's packages for the compiler, in a folder of their own. They are never installed: the machine's own package
//! lists and programs stay as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::said;

/// The suites in which new compilers appear first.
const SUITES: [&str; 2] = ["sid", "experimental"];
/// Signs Debian's lists.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// An environment variable with the name of a package that counts as missing, to show what happens without it.
const WITHHELD: &str = "K1_XTENSA_WITHHOLD";

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Names of the packages that it needs; of alternatives, the first.
    pub depends: Vec<String>,
    /// Size of its file in bytes.
    pub bytes: u64,
}

/// Package lists in a folder of their own.
pub struct Lists {
    folder: PathBuf,
}

impl Lists {
    /// Fetches the lists of Debian's newest packages into `folder`.
    ///
    /// # Errors
    /// A sentence, if this machine has no apt or keys, or the lists cannot be fetched.
    pub fn fetch(folder: &Path) -> Result<Self, String> {
        let lists = Self { folder: folder.to_owned() };
        for part in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(folder.join(part)).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        if !Path::new(KEYS).exists() {
            return Err(format!("{KEYS} is missing: install the package debian-archive-keyring"));
        }
        let mirror = mirror()?;
        let line = |suite: &&str| format!("deb [signed-by={KEYS}] {mirror} {suite} main\n");
        write(&folder.join("sources.list"), &SUITES.iter().map(line).collect::<String>())?;
        write(&folder.join("status"), "")?;
        said(lists.apt("apt-get").args(["-qq", "--error-on=any", "update"]))
            .map_err(|e| format!("the lists of packages cannot be fetched; is there a network? {e}"))?;
        Ok(lists)
    }

    /// All versions of the named packages that the lists offer; a withheld package has none.
    pub fn versions(&self, names: &[&str]) -> Vec<Package> {
        self.show(names, "-a")
    }

    /// The newest usual version of each named package.
    fn candidates(&self, names: &[&str]) -> Vec<Package> {
        self.show(names, "--no-all-versions")
    }

    fn show(&self, names: &[&str], which: &str) -> Vec<Package> {
        let out = self.apt("apt-cache").args(["show", which]).args(names).output();
        // It fails if it does not know one of the names.
        let text = out.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        parse(&text).into_iter().filter(|p| !is_withheld(&p.name)).collect()
    }

    /// The numbers N of the packages `llvm-N`, sorted.
    pub fn llvms(&self) -> Vec<u32> {
        let names = said(self.apt("apt-cache").args(["pkgnames", "llvm-"])).unwrap_or_default();
        let mut all: Vec<u32> = names.lines().filter_map(|n| n.strip_prefix("llvm-")?.parse().ok()).collect();
        all.sort_unstable();
        all
    }

    /// `roots` and the libraries that they need.
    ///
    /// # Errors
    /// A sentence, if the lists do not offer one of the roots.
    pub fn with_libraries(&self, roots: Vec<Package>) -> Vec<Package> {
        let mut all: BTreeMap<String, Package> = roots.into_iter().map(|p| (p.name.clone(), p)).collect();
        loop {
            let needed: Vec<&str> = all
                .values()
                .flat_map(|p| &p.depends)
                .map(String::as_str)
                .filter(|n| is_library(n) && !all.contains_key(*n))
                .collect();
            let found = self.candidates(&needed);
            if needed.is_empty() || found.is_empty() {
                return all.into_values().collect();
            }
            all.extend(found.into_iter().map(|p| (p.name.clone(), p)));
        }
    }

    /// Downloads the files of `packages` into the folder `to`. apt compares each with the signed lists.
    ///
    /// # Errors
    /// A sentence.
    pub fn download(&self, packages: &[Package], to: &Path) -> Result<(), String> {
        let names = packages.iter().map(|p| format!("{}={}", p.name, p.version));
        said(self.apt("apt-get").args(["-qq", "download"]).args(names).current_dir(to))
            .map(|_| ())
            .map_err(|e| format!("the packages cannot be downloaded; is there a network? {}", full(&e)))
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        let place = |name: &str| self.folder.join(name).display().to_string();
        for (option, value) in [
            ("Dir::Etc::sourcelist", place("sources.list")),
            ("Dir::Etc::sourceparts", "/dev/null".into()),
            ("Dir::State::Lists", place("lists")),
            ("Dir::State::status", place("status")),
            ("Dir::Cache", place("cache")),
            ("APT::Sandbox::User", "root".into()),
            ("Acquire::Languages", "none".into()),
        ] {
            apt.arg(format!("-o{option}={value}"));
        }
        apt
    }
}

/// True if a package counts as missing.
pub fn is_withheld(name: &str) -> bool {
    std::env::var(WITHHELD).is_ok_and(|withheld| withheld == name)
}

/// True if a program may need this package to run. What compilers need to compile is not needed here, and what fetches
/// debugging data from servers brings 20 more libraries.
fn is_library(name: &str) -> bool {
    (name.starts_with("lib") && !name.starts_with("libcurl") || name == "zlib1g") && !name.ends_with("-dev")
}

/// The mirror from which this machine gets its packages.
fn mirror() -> Result<String, String> {
    let said =
        said(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)", "Origin: Debian"]))
            .map_err(|e| format!("this machine has no apt, with which the compiler is fetched: {e}"))?;
    let uris = said.lines().map(str::trim);
    // Security updates and other extras are elsewhere.
    uris.filter(|l| l.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
        .next()
        .ok_or_else(|| "this machine gets no packages from a mirror of Debian".into())
}

/// Reads the answer of `apt-cache show`.
fn parse(text: &str) -> Vec<Package> {
    let one = |stanza: &str| {
        let field = |name: &str| {
            stanza.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).map(|v| v.trim().to_owned())
        };
        let depends =
            ["Pre-Depends", "Depends"].iter().filter_map(|f| field(f)).collect::<Vec<_>>().join(",");
        let name = |d: &str| d.split(['|', '(', ':', ' ']).find(|w| !w.is_empty()).map(str::to_owned);
        Some(Package {
            name: field("Package")?,
            version: field("Version")?,
            depends: depends.split(',').filter_map(name).collect(),
            bytes: field("Size")?.parse().ok()?,
        })
    };
    text.split("\n\n").filter_map(one).collect()
}

/// Unpacks the package files in `from` into `to`.
///
/// # Errors
/// A sentence that names the file.
pub fn unpack(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
    for file in std::fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))?.flatten() {
        let file = file.path();
        // Of the sources only the standard library is needed, and no documentation.
        let script = "set -e; dpkg-deb --fsys-tarfile \"$1\" > \"$1.tar\"; tar -xf \"$1.tar\" -C \"$2\" \
            --no-same-owner --no-wildcards-match-slash --exclude='./usr/share' --exclude='./usr/src/*/compiler' --exclude='./usr/src/*/src' \
            --exclude='./usr/src/*/tests' --exclude='./usr/src/*/vendor'; rm \"$1.tar\"";
        said(Command::new("sh").args(["-c", script, "sh"]).arg(&file).arg(to))
            .map_err(|e| format!("{} cannot be unpacked: {}", file.display(), full(&e)))?;
    }
    Ok(())
}

/// Adds to an error's text what to do, if there was no space.
fn full(error: &str) -> String {
    if error.contains("No space left") || error.contains("enough free space") {
        format!("the disk is full: free 1.5 GB and run this again ({})", error.trim())
    } else {
        error.trim().to_owned()
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_tell_what_a_package_needs() {
        let text = "Package: libllvm23\nVersion: 1:23.1.4-2\nDescription: x\n y\nPre-Depends: libc6 (>= 2.34)\n\
            Depends: libxml2-16 (>= 2.14.1), libz3-4:any | libz3-5, zlib1g\nSize: 30703308\n\nPackage: broken\n\n";
        let all = parse(text);
        assert_eq!(all.len(), 1, "a stanza without a version is left out");
        assert_eq!(all[0].depends, ["libc6", "libxml2-16", "libz3-4", "zlib1g"]);
        assert_eq!((all[0].version.as_str(), all[0].bytes), ("1:23.1.4-2", 30_703_308));
    }

    #[test]
    fn what_a_compiler_needs_to_compile_and_to_debug_is_not_fetched() {
        assert!(is_library("libc6") && is_library("zlib1g"));
        assert!(!is_library("gcc") && !is_library("libc6-dev") && !is_library("libcurl4t64"));
    }

    #[test]
    fn a_file_that_is_not_a_package_is_named_and_a_full_disk_says_what_to_do() {
        let folder = crate::gate::scratch("unpack");
        let from = folder.join("files");
        std::fs::create_dir_all(&from).unwrap();
        std::fs::write(from.join("half_1.0_amd64.deb"), "!<arch>\ndebian-binary").unwrap();
        let error = unpack(&from, &folder.join("to")).unwrap_err();
        assert!(error.contains("half_1.0_amd64.deb cannot be unpacked"), "{error}");
        assert!(full("tar: x: Cannot write: No space left on device").contains("free 1.5 GB"));
    }
}
