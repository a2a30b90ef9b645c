//! The compiler and linker for Xtensa, which are found among Debian's packages by their dependencies.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{self, Lists, Package};
use crate::said;

/// The first Rust that has inline assembly for Xtensa. Newer ones are tried in their order.
const FIRST_RUST: (u32, u32) = (1, 98);
/// The first LLVM that generates correct code for Xtensa. 24 makes larger code, so it comes second.
const FIRST_LLVM: u32 = 23;
/// GNU's linker; LLVM's does not know Xtensa.
const LINKER: &str = "binutils-xtensa-lx106";
/// Lists the packages of a folder. It is written last, so a folder without it is not complete.
const COMPLETE: &str = "packages";

/// In the names of folders that are being filled, before the process's id.
const PART: &str = ".part-";

/// A set of packages in a folder.
#[derive(Debug, Clone)]
pub struct Toolchain {
    folder: PathBuf,
    /// The version of LLVM that optimises and generates code.
    pub llvm: u32,
    /// The version of LLVM in rustc.
    pub rust_llvm: u32,
    /// rustc's version.
    pub rust: String,
    /// Size of all files in bytes.
    size: u64,
    packages: Vec<String>,
}

/// A choice of packages.
struct Choice {
    packages: Vec<Package>,
    rust: String,
    rust_llvm: u32,
    llvm: u32,
}

impl Toolchain {
    /// Fetches the packages of a choice into a folder of its name, which is there only when it is complete.
    fn fetch(lists: &Lists, choice: &Choice, cache: &Path) -> Result<Self, String> {
        let place = cache.join(choice.name());
        let part = cache.join(format!("{}{PART}{}", choice.name(), std::process::id()));
        let io = |e: std::io::Error| format!("{}: {e}", part.display());
        let result = (|| {
            let files = part.join("files");
            std::fs::create_dir_all(&files).map_err(io)?;
            let bytes: u64 = choice.packages.iter().map(|p| p.bytes).sum();
            println!("fetching {} packages for Xtensa, {} MB", choice.packages.len(), bytes / 1_000_000);
            lists.download(&choice.packages, &files)?;
            packages::unpack(&files, &part)?;
            std::fs::remove_dir_all(&files).map_err(io)?;
            let line = |p: &Package| format!("{} {}\n", p.name, p.version);
            let list: String = choice.packages.iter().map(line).collect();
            let size = size(&part.join("usr"));
            let head = format!("{} {} {} {size}\n", choice.rust, choice.rust_llvm, choice.llvm);
            std::fs::write(part.join(COMPLETE), head + &list).map_err(io)?;
            let _ = std::fs::remove_dir_all(&place);
            std::fs::rename(&part, &place).map_err(io)
        })();
        if let Err(e) = result {
            let _ = std::fs::remove_dir_all(&part);
            return Err(e);
        }
        let toolchain = Self::at(&place).ok_or_else(|| format!("{} is not complete", place.display()))?;
        toolchain.write_rustc()?;
        toolchain.check().map(|()| toolchain)
    }

    /// A program of this toolchain, run with the toolchain's own libraries.
    fn program(&self, path: &Path) -> Command {
        let usr = self.folder.join("usr");
        let mut libraries: Vec<_> = folders(&usr.join("lib"))
            .into_iter()
            .filter(|f| f.file_name().is_some_and(|n| n.to_string_lossy().contains("-linux-gnu")))
            .collect();
        libraries.extend([self.rust_llvm, self.llvm].map(|n| usr.join(format!("lib/llvm-{n}/lib"))));
        let libraries: Vec<_> = libraries.iter().map(|l| l.display().to_string()).collect();
        let mut command = Command::new(self.loader());
        command.args(["--library-path", &libraries.join(":")]).arg(path);
        command
    }

    /// The dynamic linker that the programs name.
    fn loader(&self) -> PathBuf {
        let names = ["lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"];
        let usr = self.folder.join("usr");
        names.iter().map(|n| usr.join(n)).find(|p| p.exists()).unwrap_or_else(|| usr.join(names[0]))
    }

    /// A program of the LLVM that generates code.
    pub fn llvm(&self, name: &str) -> Command {
        self.program(&self.folder.join(format!("usr/lib/llvm-{}/bin/{name}", self.llvm)))
    }

    /// The assembler of rustc's own LLVM, the only one that is sure to understand what rustc writes.
    pub fn assembler(&self) -> Command {
        self.program(&self.folder.join(format!("usr/lib/llvm-{}/bin/llvm-as", self.rust_llvm)))
    }

    /// GNU ld for Xtensa.
    pub fn ld(&self) -> Command {
        self.program(&self.folder.join("usr/bin/xtensa-lx106-elf-ld"))
    }

    /// The path of a script that runs rustc.
    pub fn rustc(&self) -> PathBuf {
        self.folder.join("rustc")
    }

    fn write_rustc(&self) -> Result<(), String> {
        use std::os::unix::fs::PermissionsExt;
        let command = self.program(&self.folder.join("usr/bin/rustc"));
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: String = words.map(|w| format!("'{}' ", w.to_string_lossy())).collect();
        let path = self.rustc();
        std::fs::write(&path, format!("#!/bin/sh\nexec {line}\"$@\"\n"))
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)))
            .map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Makes sure that no file is missing or cut off, and runs each program once.
    fn check(&self) -> Result<(), String> {
        if size(&self.folder.join("usr")) != self.size {
            return Err(format!("files in {} were changed", self.folder.display()));
        }
        let it = |what: &str, e: String| format!("{what} of {} does not run: {e}", self.folder.display());
        let rustc = said(Command::new(self.rustc()).arg("-vV")).map_err(|e| it("rustc", e))?;
        let llvm =
            rustc.lines().find_map(|l| l.strip_prefix("LLVM version: ")?.split('.').next()?.parse().ok());
        if llvm != Some(self.rust_llvm) {
            return Err(it("rustc", format!("it has LLVM {llvm:?}, not {}", self.rust_llvm)));
        }
        said(self.assembler().arg("--version")).map_err(|e| it("llvm-as", e))?;
        for name in ["llvm-link", "opt", "llvm-mc", "llvm-ar"] {
            said(self.llvm(name).arg("--version")).map_err(|e| it(name, e))?;
        }
        if !said(self.llvm("llc").arg("--version")).map_err(|e| it("llc", e))?.contains("xtensa") {
            return Err(it("llc", "it does not know Xtensa".into()));
        }
        said(self.ld().arg("--version")).map_err(|e| it("ld", e))?;
        let library = self.folder.join("usr/lib/rustlib/src/rust/library/core/src/lib.rs");
        if library.exists() { Ok(()) } else { Err(it("rust-src", "the library is missing".into())) }
    }

    /// The versions in a sentence.
    pub fn versions(&self) -> String {
        format!("rustc {} (LLVM {}), LLVM {}, GNU ld", self.rust, self.rust_llvm, self.llvm)
    }

    /// The folder, from which [`Toolchain::at`] finds it again.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The toolchain in a folder, if it is complete.
    pub fn at(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(COMPLETE)).ok()?;
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        let rust = words.next()?.to_owned();
        let mut number = || words.next()?.parse::<u64>().ok();
        let (rust_llvm, llvm, size) = (number()? as u32, number()? as u32, number()?);
        let packages = lines.filter_map(|l| Some(l.split(' ').next()?.to_owned())).collect();
        Some(Self { folder: folder.to_owned(), llvm, rust_llvm, rust, size, packages })
    }
}

/// The sum of the sizes of all files in a folder, in bytes.
fn size(of: &Path) -> u64 {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let one = |e: std::fs::DirEntry| match e.metadata() {
        Ok(m) if m.is_dir() => size(&e.path()),
        Ok(m) if m.is_file() => m.len(),
        _ => 0,
    };
    entries.map(one).sum()
}

/// The folders in a folder.
fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
    all.sort();
    all
}

/// The toolchains that this machine can use, one after the other, the best first. Those that the cache holds come before
/// those whose packages must be fetched.
pub struct Toolchains {
    cache: PathBuf,
    ready: std::vec::IntoIter<Toolchain>,
    tried: Vec<String>,
    /// `None` until the lists were fetched.
    more: Option<(Lists, std::vec::IntoIter<Choice>)>,
    ended: bool,
}

impl Toolchains {
    /// Those of a cache folder.
    pub fn of(cache: &Path) -> Self {
        for folder in folders(cache) {
            // Another run may still fill it.
            let name = folder.to_string_lossy().into_owned();
            let pid = name.rsplit_once(PART).map(|(_, pid)| pid);
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = std::fs::remove_dir_all(folder);
            }
        }
        let complete = folders(cache).into_iter().filter(|f| !f.to_string_lossy().contains(PART));
        let mut ready: Vec<_> = complete.filter_map(|f| Toolchain::at(&f)).collect();
        ready.retain(|t| !t.packages.iter().any(|p| packages::is_withheld(p)));
        ready.sort_by_key(|t| (minor(&t.rust), t.llvm));
        Self {
            cache: cache.to_owned(),
            ready: ready.into_iter(),
            tried: Vec::new(),
            more: None,
            ended: false,
        }
    }

    fn lists(&self) -> Result<(Lists, std::vec::IntoIter<Choice>), String> {
        let lists = Lists::fetch(&self.cache.join("lists"))?;
        let choices = choices(&lists)?.into_iter();
        Ok((lists, choices))
    }
}

impl Iterator for Toolchains {
    type Item = Result<Toolchain, String>;

    fn next(&mut self) -> Option<Self::Item> {
        for toolchain in self.ready.by_ref() {
            // If files are missing, the same packages are fetched once more.
            if toolchain.check().is_ok() {
                self.tried.extend(toolchain.folder.file_name().map(|n| n.to_string_lossy().into_owned()));
                return Some(Ok(toolchain));
            }
        }
        if self.ended {
            return None;
        }
        if self.more.is_none() {
            match self.lists() {
                Ok(more) => self.more = Some(more),
                Err(e) => {
                    self.ended = true;
                    return Some(Err(e));
                }
            }
        }
        let (lists, choices) = self.more.as_mut()?;
        let choice = choices.find(|c| !self.tried.contains(&c.name()))?;
        Some(Toolchain::fetch(lists, &choice, &self.cache))
    }
}

impl Choice {
    fn name(&self) -> String {
        format!("rust-{}-llvm-{}", self.rust, self.llvm)
    }
}

/// `1.98` of `1.98.1+dfsg1-1`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '+', '~', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The number N of a dependency on `libllvmN`.
fn llvm_of(package: &Package) -> Option<u32> {
    package.depends.iter().find_map(|d| d.strip_prefix("libllvm")?.parse().ok())
}

/// All combinations of Rust and LLVM that the lists offer, those known to work first.
///
/// # Errors
/// A sentence that names a package without which nothing can be built.
fn choices(lists: &Lists) -> Result<Vec<Choice>, String> {
    let the = |name: &str| {
        lists
            .versions(&[name])
            .into_iter()
            .next()
            .ok_or_else(|| format!("the package {name} cannot be found"))
    };
    let ld = the(LINKER)?;
    let mut rusts: Vec<_> = lists
        .versions(&["rustc"])
        .into_iter()
        .filter_map(|p| Some((minor(&p.version).filter(|m| *m >= FIRST_RUST)?, p)))
        .collect();
    if rusts.is_empty() {
        return Err(format!(
            "the package rustc cannot be found in version {}.{}",
            FIRST_RUST.0, FIRST_RUST.1
        ));
    }
    rusts.sort_by_key(|(minor, _)| *minor);
    let llvms: Vec<u32> = lists.llvms().into_iter().filter(|n| *n >= FIRST_LLVM).collect();
    let (mut all, mut wrong) = (Vec::new(), format!("no package llvm-N with N >= {FIRST_LLVM} can be found"));
    for ((_, minor), rustc) in &rusts {
        let same = |name: &str| {
            let all = lists.versions(&[name]);
            all.into_iter()
                .find(|p| p.version == rustc.version)
                .ok_or_else(|| format!("the package {name} {} cannot be found", rustc.version))
        };
        for llvm in &llvms {
            let choice = (|| {
                let std = same(&format!("libstd-rust-1.{minor}"))?;
                let rust_llvm =
                    llvm_of(&std).ok_or_else(|| format!("{} does not name its LLVM", std.name))?;
                let mut roots =
                    vec![rustc.clone(), same("libstd-rust-dev")?, same("rust-src")?, std, ld.clone()];
                roots.push(the(&format!("llvm-{rust_llvm}"))?);
                if *llvm != rust_llvm {
                    roots.push(the(&format!("llvm-{llvm}"))?);
                }
                let rust = rustc.version.split('+').next().unwrap_or_default().to_owned();
                Ok(Choice { packages: lists.with_libraries(roots), rust, rust_llvm, llvm: *llvm })
            })();
            match choice {
                Ok(choice) => all.push(choice),
                Err(e) => wrong = e,
            }
        }
    }
    if all.is_empty() { Err(wrong) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_packages() {
        assert_eq!(minor("1.98.1+dfsg1-1~exp1"), Some((1, 98)));
        assert!(minor("1.100.0") > minor("1.98.1") && minor("2").is_none());
        let of = |depends: &[&str]| Package {
            name: "libstd-rust-1.98".into(),
            version: String::new(),
            depends: depends.iter().map(|d| (*d).to_owned()).collect(),
            bytes: 0,
        };
        assert_eq!(llvm_of(&of(&["libc6", "libllvm22", "libstdc++6"])), Some(22));
        assert_eq!(llvm_of(&of(&["libc6"])), None);
    }

    /// A cache folder with these toolchains, of which the files have `bytes` bytes and should have 4.
    fn cache(name: &str, toolchains: &[(&str, usize)]) -> PathBuf {
        let cache = crate::gate::scratch(name);
        for (folder, bytes) in toolchains {
            let usr = cache.join(folder).join("usr");
            std::fs::create_dir_all(&usr).unwrap();
            std::fs::write(usr.join("file"), vec![0; *bytes]).unwrap();
            let llvm = folder.rsplit('-').next().unwrap();
            std::fs::write(cache.join(folder).join(COMPLETE), format!("1.98.1 22 {llvm} 4\nllvm-{llvm} 1\n"))
                .unwrap();
        }
        cache
    }

    #[test]
    fn a_folder_that_is_being_filled_or_was_changed_is_not_taken_for_a_toolchain() {
        let cache = cache("toolchains", &[("rust-1-llvm-24", 4), ("rust-1-llvm-23", 3)]);
        let gone = cache.join("rust-1-llvm-23.part-4194305");
        let other = cache.join(format!("rust-1-llvm-23.part-{}", std::process::id()));
        std::fs::create_dir_all(gone.join("usr")).unwrap();
        std::fs::create_dir_all(other.join("usr")).unwrap();
        std::fs::create_dir_all(cache.join("no-list")).unwrap();
        let found: Vec<_> = Toolchains::of(&cache).ready.map(|t| t.llvm).collect();
        assert_eq!(found, [23, 24], "the one that makes smaller code comes first");
        assert!(!gone.exists() && other.exists(), "what another process fills is left alone");
        let error = Toolchain::at(&cache.join("rust-1-llvm-23")).unwrap().check().unwrap_err();
        assert!(error.contains("were changed"), "{error}");
    }
}
