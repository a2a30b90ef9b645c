//! What cargo calls instead of rustc, and rustc instead of a linker: this program, told by an environment variable.
//!
//! Libraries for Xtensa leave rustc as LLVM IR in text, because the code that rustc's LLVM 22 generates is wrong, and
//! because it reads their assembly with the wrong processor when it writes bitcode. rustc's own assembler makes bitcode of
//! the text, which another LLVM reads. Goes when rustc's LLVM is 23 or newer; then `-C linker-plugin-lto` suffices.
//! Instead of linking, a program's inputs are collected: see `link`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use super::toolchain::Toolchain;

/// Set for rustc's wrapper and linker; holds the toolchain.
pub const ROLE: &str = "K1_XTENSA_ROLE";
/// Set with it: the file to which a failure is written that is not K1's own.
pub const FAILURE: &str = "K1_XTENSA_FAILURE";
/// The built-in target of rustc.
pub const TARGET: &str = "xtensa-esp32s3-none-elf";

/// Runs as the wrapper or linker if this program was called as one.
pub fn role() -> Option<ExitCode> {
    let toolchain = Toolchain::at(Path::new(&std::env::var_os(ROLE)?))?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_rustc = args.first().is_some_and(|a| Path::new(a).file_name().is_some_and(|n| n == "rustc"));
    let done = if is_rustc { wrap(&toolchain, &args) } else { collect(&args).map(|()| 0) };
    if is_rustc && done != Ok(0) {
        tell(&args, &done);
    }
    Some(match done {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    })
}

/// Writes down that the toolchain failed, unless rustc found an error in a crate of this checkout.
fn tell(args: &[String], done: &Result<u8, String>) {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let is_ours = here.is_some_and(|folder| folder.starts_with(crate::root()));
    let (Some(file), Some(name)) = (std::env::var_os(FAILURE), value(args, "--crate-name")) else { return };
    let why = match done {
        Ok(1) if is_ours => return,
        Ok(code) => format!("rustc fails for {name} with code {code}"),
        Err(e) => e.clone(),
    };
    let _ = std::fs::write(file, why);
}

fn value<'a>(args: &'a [String], flag: &str) -> Option<&'a str> {
    args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).map(String::as_str)
}

/// Runs rustc, if for Xtensa then in the way described above. Returns its exit code.
fn wrap(toolchain: &Toolchain, args: &[String]) -> Result<u8, String> {
    let mut rustc = Command::new(&args[0]);
    let emit = args.iter().find(|a| a.starts_with("--emit="));
    let for_xtensa = value(args, "--target") == Some(TARGET) && emit.is_some_and(|e| e.contains("link"));
    let (true, Some(kind)) = (for_xtensa, value(args, "--crate-type")) else {
        return run(rustc.args(&args[1..]));
    };
    if kind == "bin" {
        let this = std::env::current_exe().map_err(|e| e.to_string())?;
        rustc
            .args(&args[1..])
            .args(["-C", "linker-plugin-lto", "-C"])
            .arg(format!("linker={}", this.display()));
        return run(&mut rustc);
    }
    library(toolchain, &mut rustc, args)
}

/// Compiles a library for Xtensa.
fn library(toolchain: &Toolchain, rustc: &mut Command, args: &[String]) -> Result<u8, String> {
    let rest = args[1..]
        .iter()
        .map(|a| if a.starts_with("--emit=") { "--emit=dep-info,metadata,llvm-ir" } else { a });
    let code = run(rustc.args(rest).args(["-C", "codegen-units=1"]))?;
    if code != 0 {
        return Ok(code);
    }
    let extra = args.iter().find_map(|a| a.strip_prefix("extra-filename=")).unwrap_or_default();
    let named = format!("{}{extra}", value(args, "--crate-name").unwrap_or_default());
    let folder = PathBuf::from(value(args, "--out-dir").unwrap_or_default());
    let (text, object) = (folder.join(format!("{named}.ll")), folder.join(format!("{named}.bc.o")));
    let failed = |what: &str| format!("{what} failed for {named}");
    if run(toolchain.assembler().arg(&text).arg("-o").arg(&object))? != 0 {
        return Err(failed("llvm-as"));
    }
    let _ = std::fs::remove_file(&text);
    let library = folder.join(format!("lib{named}.rlib"));
    let _ = std::fs::remove_file(&library);
    // rustc looks for this name in a library.
    let metadata = folder.join(format!("{named}.meta"));
    let io = |e: std::io::Error| format!("{}: {e}", metadata.display());
    std::fs::create_dir_all(&metadata).map_err(io)?;
    std::fs::copy(folder.join(format!("lib{named}.rmeta")), metadata.join("lib.rmeta")).map_err(io)?;
    let packed =
        run(toolchain.llvm("llvm-ar").arg("rcS").arg(&library).arg(metadata.join("lib.rmeta")).arg(&object));
    let _ = (std::fs::remove_dir_all(&metadata), std::fs::remove_file(&object));
    if packed? == 0 { Ok(0) } else { Err(failed("llvm-ar")) }
}

/// Runs a program without the one message that rustc repeats hundreds of times: its LLVM does not know the processor's
/// name.
fn run(command: &mut Command) -> Result<u8, String> {
    let mut child =
        command.stderr(Stdio::piped()).spawn().map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    if let Some(said) = child.stderr.take() {
        let mut err = std::io::stderr().lock();
        for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
            if !String::from_utf8_lossy(&line).contains("is not a recognized processor") {
                let _ = err.write_all(&line).and_then(|()| err.write_all(b"\n"));
            }
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(101))
}

/// Instead of linking, writes the linker's arguments to the output file, one a line, and keeps the objects that rustc
/// will delete next to it.
fn collect(args: &[String]) -> Result<(), String> {
    let out = PathBuf::from(value(args, "-o").ok_or("the linker was given no output")?);
    let kept = out.with_extension("objects");
    let io = |e: std::io::Error| format!("{}: {e}", kept.display());
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::create_dir_all(&kept).map_err(io)?;
    let mut text = String::new();
    for arg in args {
        let path = Path::new(arg);
        let copy = kept.join(path.file_name().unwrap_or_default());
        if arg.ends_with(".o") {
            std::fs::copy(path, &copy).map_err(io)?;
            text += &copy.display().to_string();
        } else {
            text += arg;
        }
        text.push('\n');
    }
    std::fs::write(&out, text).map_err(io)
}
