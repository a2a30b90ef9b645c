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
}

/// A choice of packages.
struct Choice {
    packages: Vec<Package>,
    rust: String,
    rust_llvm: u32,
    llvm: u32,
}

impl Toolchain {
    /// The toolchains that this machine can use, the best first. Those that are complete in `cache` come first; only if
    /// there is none, or none of them worked, packages are fetched.
    ///
    /// # Errors
    /// A sentence that names the package that is missing.
    pub fn get(cache: &Path) -> Result<Self, String> {
        let mut wrong = Vec::new();
        if let Some(ready) = complete(cache) {
            match ready.check() {
                Ok(()) => return Ok(ready),
                Err(e) => wrong.push(e),
            }
        }
        let lists = Lists::fetch(&cache.join("lists"))?;
        for choice in choices(&lists)? {
            match Self::fetch(&lists, &choice, cache).and_then(|t| t.check().map(|()| t)) {
                Ok(toolchain) => return Ok(toolchain),
                Err(e) => wrong.push(e),
            }
        }
        Err(wrong.join("; "))
    }

    fn fetch(lists: &Lists, choice: &Choice, cache: &Path) -> Result<Self, String> {
        let name = format!("rust-{}-llvm-{}", choice.rust, choice.llvm);
        let (place, part) = (cache.join(&name), cache.join(format!("{name}.part-{}", std::process::id())));
        let io = |e: std::io::Error| format!("{}: {e}", part.display());
        let result = (|| {
            let files = part.join("files");
            std::fs::create_dir_all(&files).map_err(io)?;
            let bytes: u64 = choice.packages.iter().map(|p| p.bytes).sum();
            println!("esp32s3: fetching {} packages, {} MB", choice.packages.len(), bytes / 1_000_000);
            lists.download(&choice.packages, &files)?;
            packages::unpack(&files, &part)?;
            std::fs::remove_dir_all(&files).map_err(io)?;
            let line = |p: &Package| format!("{} {}\n", p.name, p.version);
            let list: String = choice.packages.iter().map(line).collect();
            let head = format!("{} {} {}\n", choice.rust, choice.rust_llvm, choice.llvm);
            std::fs::write(part.join(COMPLETE), head + &list).map_err(io)?;
            let _ = std::fs::remove_dir_all(&place);
            std::fs::rename(&part, &place).map_err(io)
        })();
        if let Err(e) = result {
            let _ = std::fs::remove_dir_all(&part);
            return Err(e);
        }
        let toolchain =
            Self { folder: place, llvm: choice.llvm, rust_llvm: choice.rust_llvm, rust: choice.rust.clone() };
        toolchain.write_rustc().map(|()| toolchain)
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

    /// Runs each program once.
    fn check(&self) -> Result<(), String> {
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
        if self.library().exists() { Ok(()) } else { Err(it("rust-src", "the library is missing".into())) }
    }

    fn library(&self) -> PathBuf {
        self.folder.join("usr/lib/rustlib/src/rust/library/core/src/lib.rs")
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
        let mut words = text.lines().next()?.split(' ');
        let rust = words.next()?.to_owned();
        let (rust_llvm, llvm) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { folder: folder.to_owned(), llvm, rust_llvm, rust })
    }
}

/// The folders in a folder.
fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
    all.sort();
    all
}

/// The best complete toolchain in the cache.
fn complete(cache: &Path) -> Option<Toolchain> {
    let is_whole = |f: &PathBuf| !f.to_string_lossy().contains(".part-");
    folders(cache).into_iter().filter(is_whole).filter_map(|f| Toolchain::at(&f)).min_by_key(|t| t.llvm)
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
