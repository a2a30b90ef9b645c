//! Links a program: what rustc asked its linker for (see `wrapper`), done by LLVM and GNU's linker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::read::archive::ArchiveFile;
use serde::{Deserialize, Serialize};

use super::{Error, Machine, codegen, ir, literals, operands, probes, toolchain::Toolchain};

/// What rustc asked its linker for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Rust's libraries and objects.
    pub inputs: Vec<PathBuf>,
    /// Folders of libraries and linker scripts.
    pub folders: Vec<String>,
    /// Other libraries, as `-lNAME`.
    pub libraries: Vec<String>,
    /// Arguments for GNU ld.
    pub rest: Vec<String>,
}

/// Arguments that GNU ld for Xtensa does not know or need.
const NOT_FOR_LD: [&str; 8] =
    ["--eh-frame-hdr", "--as-needed", "-Bdynamic", "-Bstatic", "-z", "noexecstack", "-O1", "--strip-debug"];

impl Request {
    /// Reads the arguments, one a line.
    pub fn parse(text: &str) -> Self {
        let mut request = Self::default();
        let mut args = text.lines();
        while let Some(arg) = args.next() {
            if arg.ends_with(".rlib") || arg.ends_with(".o") {
                request.inputs.push(arg.into());
            } else if arg == "-L" {
                request.folders.extend(args.next().map(str::to_owned));
            } else if let Some(folder) = arg.strip_prefix("-L") {
                request.folders.push(folder.into());
            } else if arg == "-o" {
                args.next();
            } else if let Some(list) = arg.strip_prefix("-Wl,") {
                let known = list.split(',').filter(|a| !NOT_FOR_LD.contains(a) && !a.contains("plugin-opt"));
                request.rest.extend(known.map(str::to_owned));
            } else if arg.starts_with("-l") {
                request.libraries.push(arg.into());
            } else if arg.starts_with("-T") {
                request.rest.push(arg.into());
            }
        }
        request
    }
}

/// What linking found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// Operands that were compared with GNU ld's, and set.
    pub operands: operands::Count,
    /// Functions with choices between constants of type f32, which Espressif's compiler cannot compile.
    pub choices: Vec<ir::Choices>,
    /// Functions that LLVM could not compile like the rest, and the attributes with which it could.
    pub retreats: Vec<(String, String)>,
    /// Work-arounds that this LLVM does not need.
    pub unneeded: Vec<String>,
}

impl Linked {
    /// Prints it for a board.
    pub fn tell(&self, board: &str) {
        let sum = |of: &BTreeMap<String, usize>| of.values().sum::<usize>();
        let Self { operands: operands::Count { set, equal }, choices, retreats, unneeded } = self;
        println!("{board}: operands worked out twice: {} equal, {} set", sum(equal), sum(set));
        for ir::Choices { function, count } in choices {
            let name = rustc_demangle::demangle(function);
            println!("{board}: {count} choices between f32 constants in {name:#}");
        }
        for (function, how) in retreats {
            println!("{board}: compiled {how}: {:#}", rustc_demangle::demangle(function));
        }
        unneeded.iter().for_each(|u| println!("{board}: no longer needed: {u}"));
    }
}

/// Links a program to `out`, working in the folder `place`; linker scripts are relative to `folder`. If it fails, `out` is
/// not there.
///
/// # Errors
/// See [`Error`].
pub fn link(
    toolchain: &Toolchain,
    machine: &Machine,
    request: &Request,
    extra: &[&str],
    folder: &Path,
    place: &Path,
    out: &Path,
) -> Result<Linked, Error> {
    let _ = std::fs::remove_file(out);
    std::fs::create_dir_all(place).map_err(|e| io(place, &e))?;
    let bitcode = bitcode(&request.inputs, place)?;
    let objects = codegen::generate(toolchain, machine, &bitcode, place).map_err(Error::Toolchain)?;
    let mut aligned = 0;
    for object in [&objects.program, &objects.assembly].into_iter().chain(&objects.builtins) {
        let mut bytes = read(object)?;
        aligned += literals::align(&mut bytes).map_err(Error::Toolchain)?;
        write(object, &bytes)?;
    }
    let (raw, map) = (place.join("linked.elf"), place.join("linked.map"));
    let mut ld = toolchain.ld();
    ld.current_dir(folder);
    // It does not know calls with windows or loops and reports them as errors: see `operands`.
    ld.args(["--no-relax", "--no-warn-rwx-segments", "-z", "noexecstack", "--noinhibit-exec"]);
    ld.args(request.folders.iter().map(|f| format!("-L{f}"))).args(&request.rest).args(extra);
    ld.arg(&objects.program).arg(&objects.assembly).arg("--start-group").args(&request.libraries);
    ld.args(&objects.builtins).arg("--end-group").arg("-o").arg(&raw).arg("-Map").arg(&map);
    let said = ld.output().map_err(|e| Error::Toolchain(format!("ld: {e}")))?;
    complaints(&String::from_utf8_lossy(&said.stderr)).map_err(Error::Program)?;
    let map = String::from_utf8_lossy(&read(&map)?).into_owned();
    let mut program = read(&raw)?;
    let operands = operands::complete(&mut program, &map, &mut load).map_err(Error::Program)?;
    let new = place.join("complete.elf");
    write(&new, &program)?;
    std::fs::rename(&new, out).map_err(|e| io(out, &e))?;
    let mut unneeded = probes::unneeded(toolchain, machine, place);
    if aligned == 0 {
        unneeded.push("the alignment of literals".into());
    }
    if operands.set.is_empty() {
        unneeded.push("the setting of operands after GNU ld".into());
    }
    Ok(Linked { operands, choices: objects.choices, retreats: objects.retreats, unneeded })
}

/// Refuses what GNU ld complains of, except for instructions that it does not know, whose operands are set afterwards.
///
/// # Errors
/// The lines, if there are others.
fn complaints(said: &str) -> Result<(), String> {
    let harmless = |l: &&str| {
        l.contains("dangerous relocation: unexpected relocation")
            || l.ends_with("':")
            || l.contains(": warning: ")
    };
    let lines: Vec<_> = said.lines().filter(|l| !l.trim().is_empty() && !harmless(l)).collect();
    if lines.is_empty() { Ok(()) } else { Err(format!("GNU ld refuses it: {}", lines.join("; "))) }
}

/// The file of a name in the map, `FILE` or `ARCHIVE(MEMBER)`.
fn load(name: &str) -> Option<Vec<u8>> {
    match name.strip_suffix(')').and_then(|n| n.rsplit_once('(')) {
        None => std::fs::read(name).ok(),
        Some((archive, member)) => {
            let bytes = std::fs::read(archive).ok()?;
            let file = ArchiveFile::parse(&*bytes).ok()?;
            let found = file.members().flatten().find(|m| m.name() == member.as_bytes())?;
            Some(found.data(&*bytes).ok()?.to_vec())
        }
    }
}

/// The bitcode in libraries and objects, as files in `place`.
fn bitcode(inputs: &[PathBuf], place: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_bitcode = |data: &[u8]| data.starts_with(b"BC\xc0\xde") || data.starts_with(b"\xde\xc0\x17\x0b");
    let mut all = Vec::new();
    for input in inputs {
        let bytes = read(input)?;
        if is_bitcode(&bytes) {
            all.push(input.clone());
        } else if bytes.starts_with(b"!<arch>") {
            let wrong = |e: object::Error| Error::Program(format!("{}: {e}", input.display()));
            for member in ArchiveFile::parse(&*bytes).map_err(wrong)?.members() {
                let member = member.map_err(wrong)?;
                let data = member.data(&*bytes).map_err(wrong)?;
                if is_bitcode(data) {
                    let path = place.join(String::from_utf8_lossy(member.name()).as_ref());
                    write(&path, data)?;
                    all.push(path);
                }
            }
        }
    }
    Ok(all)
}

fn io(path: &Path, error: &std::io::Error) -> Error {
    Error::Program(format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| io(path, &e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|e| io(path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustc_asks_its_linker_for_is_sorted() {
        let asked = "a.o\n-Wl,--as-needed\nlibcore.rlib\n-L\n/one\n-L/two\n-Wl,-z,noexecstack,--gc-sections\n\
                     -lphy\n-Tlinkall.x\n-Wl,-plugin-opt=O3\n-o\nlamp\n-nostartfiles\n";
        let owned = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            Request::parse(asked),
            Request {
                inputs: vec!["a.o".into(), "libcore.rlib".into()],
                folders: owned(&["/one", "/two"]),
                libraries: owned(&["-lphy"]),
                rest: owned(&["--gc-sections", "-Tlinkall.x"]),
            }
        );
    }

    #[test]
    fn only_instructions_that_gnu_ld_does_not_know_may_be_left_to_the_second_opinion() {
        let context = "assembly.o: in function `Reset':\n";
        let unknown = "(.rwtext+0x60): dangerous relocation: unexpected relocation: zero_fill\n";
        assert_eq!(complaints(&format!("{context}{unknown}ld: warning: gaps\n\n")), Ok(()));
        for wrong in [
            "program.o:(.text+0x3): undefined reference to `missing'",
            "ld: region `dram_seg' overflowed by 32768 bytes",
            "ld: linked.elf section `.text' will not fit in region `irom_seg'",
            "(.text+0x0): dangerous relocation: call8: call target out of range: far",
            "ld: cannot find -lphy",
        ] {
            let error = complaints(&format!("{context}{unknown}{wrong}\n")).unwrap_err();
            assert!(error.contains(wrong) && !error.contains("Reset"), "{error}");
        }
    }
}
