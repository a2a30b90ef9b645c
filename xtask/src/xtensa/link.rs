//! Links a program: what rustc asked its linker for (see `wrapper`), done by LLVM and GNU's linker.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::archive::ArchiveFile;

use super::{Error, Machine, codegen, literals, operands, toolchain::Toolchain};

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

/// The result of linking.
pub struct Linked {
    /// Operands that were compared with GNU ld's, and set.
    pub operands: operands::Count,
    /// Functions with choices between constants of type f32.
    pub choices: Vec<super::ir::Choices>,
    /// Functions that LLVM could not compile like the rest, and how they were compiled.
    pub retreats: Vec<(String, &'static str)>,
}

/// Links a program to `out`, working in the folder `place`. If it fails, `out` is not there.
///
/// # Errors
/// See [`Error`].
pub fn link(
    toolchain: &Toolchain,
    machine: &Machine,
    request: &Request,
    extra: &[&str],
    place: &Path,
    out: &Path,
) -> Result<Linked, Error> {
    let _ = std::fs::remove_file(out);
    let _ = std::fs::remove_dir_all(place);
    std::fs::create_dir_all(place).map_err(|e| Error::Program(format!("{}: {e}", place.display())))?;
    let bitcode = bitcode(&request.inputs, place).map_err(Error::Program)?;
    let objects = codegen::generate(toolchain, machine, &bitcode, place).map_err(Error::Toolchain)?;
    for object in [&objects.program, &objects.assembly].into_iter().chain(&objects.builtins) {
        let mut bytes = read(object).map_err(Error::Toolchain)?;
        literals::align(&mut bytes).map_err(Error::Toolchain)?;
        std::fs::write(object, bytes).map_err(|e| Error::Toolchain(format!("{}: {e}", object.display())))?;
    }
    let (raw, map) = (place.join("linked.elf"), place.join("linked.map"));
    let mut ld = toolchain.ld();
    // It does not know calls with windows or loops and reports them as errors: see `operands`.
    ld.args(["--no-relax", "--no-warn-rwx-segments", "-z", "noexecstack", "--noinhibit-exec"]);
    ld.args(request.folders.iter().map(|f| format!("-L{f}"))).args(&request.rest).args(extra);
    ld.arg(&objects.program).arg(&objects.assembly).arg("--start-group").args(&request.libraries);
    ld.args(&objects.builtins).arg("--end-group").arg("-o").arg(&raw).arg("-Map").arg(&map);
    run_ld(&mut ld)?;
    let map = String::from_utf8_lossy(&read(&map).map_err(Error::Toolchain)?).into_owned();
    let mut program = read(&raw).map_err(Error::Toolchain)?;
    let operands = operands::complete(&mut program, &map, &mut load).map_err(Error::Program)?;
    let io = |e: std::io::Error| Error::Program(format!("{}: {e}", out.display()));
    let new = out.with_extension("new");
    std::fs::write(&new, program).map_err(io)?;
    std::fs::rename(&new, out).map_err(io)?;
    let _ = std::fs::remove_dir_all(place);
    Ok(Linked { operands, choices: objects.choices, retreats: objects.retreats })
}

fn run_ld(ld: &mut Command) -> Result<(), Error> {
    let out = ld.output().map_err(|e| Error::Toolchain(format!("ld: {e}")))?;
    let said = String::from_utf8_lossy(&out.stderr);
    if out.status.success() { Ok(()) } else { Err(Error::Program(format!("ld: {said}"))) }
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
fn bitcode(inputs: &[PathBuf], place: &Path) -> Result<Vec<PathBuf>, String> {
    let is_bitcode = |data: &[u8]| data.starts_with(b"BC\xc0\xde") || data.starts_with(b"\xde\xc0\x17\x0b");
    let mut all = Vec::new();
    for input in inputs {
        let bytes = read(input)?;
        if is_bitcode(&bytes) {
            all.push(input.clone());
        } else if bytes.starts_with(b"!<arch>") {
            let wrong = |e: object::Error| format!("{}: {e}", input.display());
            for member in ArchiveFile::parse(&*bytes).map_err(wrong)?.members() {
                let member = member.map_err(wrong)?;
                let data = member.data(&*bytes).map_err(wrong)?;
                if is_bitcode(data) {
                    let path = place.join(String::from_utf8_lossy(member.name()).as_ref());
                    std::fs::write(&path, data).map_err(|e| format!("{}: {e}", path.display()))?;
                    all.push(path);
                }
            }
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}
