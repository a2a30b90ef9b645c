//! Optimises all crates as one module and generates code.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{Machine, ir, toolchain::Toolchain};
use crate::said;

/// What a function that LLVM cannot compile is compiled with instead, one after the other.
///
/// Reason: LLVM 23 and 24 run out of registers in two large functions. Goes when the build prints no retreat.
const RETREATS: [&str; 3] = ["optsize", "minsize optsize", "noinline optnone"];
/// Functions that code generation may call from anywhere.
const ALWAYS: [&str; 6] = ["main", "memcpy", "memmove", "memset", "memcmp", "bcmp"];

/// Object files, in the order in which the linker gets them.
pub struct Objects {
    /// The program.
    pub program: PathBuf,
    /// The assembly of its crates.
    pub assembly: PathBuf,
    /// Rust's own helpers for the compiler.
    pub builtins: Option<PathBuf>,
    /// Functions in which a choice between constants of type f32 was replaced.
    pub choices: Vec<ir::Choices>,
    /// Functions that were compiled in another way than the rest, with that way.
    pub retreats: Vec<(String, String)>,
}

/// Makes object files of bitcode files.
///
/// # Errors
/// A sentence.
pub fn generate(
    toolchain: &Toolchain,
    machine: &Machine,
    bitcode: &[PathBuf],
    place: &Path,
) -> Result<Objects, String> {
    let machine = known(toolchain, machine);
    let file = |name: &str| place.join(name);
    let (builtins, crates): (Vec<_>, Vec<_>) =
        bitcode.iter().partition(|p| p.to_string_lossy().contains("compiler_builtins"));
    let all = file("all.ll");
    said(toolchain.llvm("llvm-link").args(["-S", "--suppress-warnings"]).args(&crates).arg("-o").arg(&all))?;
    let (rest, assembly) = ir::without_assembly(&read(&all)?);
    write(&file("assembly.s"), &assembly)?;
    let object = file("assembly.o");
    said(
        toolchain
            .llvm("llvm-mc")
            .args(["-triple=xtensa-none-elf", "-filetype=obj"])
            .args(machine.arguments())
            .arg(file("assembly.s"))
            .arg("-o")
            .arg(&object),
    )?;
    let named = ir::names(&assembly);
    let visible = ir::with_visible(&rest, &named);
    drop(rest);
    let keep =
        |n: &&str| named.contains(n) || ALWAYS.contains(n) || !(n.starts_with("_R") || n.starts_with("_ZN"));
    let mut kept: Vec<_> = ir::exported(&visible).into_iter().filter(keep).collect();
    kept.sort_unstable();
    write(&file("kept"), &kept.join("\n"))?;
    write(&all, &for_processor(&visible, &machine))?;
    let optimised = file("optimised.ll");
    said(
        toolchain
            .llvm("opt")
            .args(["-S", "-passes=internalize,globaldce,lto<O3>"])
            .arg(format!("-internalize-public-api-file={}", file("kept").display()))
            .arg(format!("-mcpu={}", machine.cpu))
            .arg(&all)
            .arg("-o")
            .arg(&optimised),
    )?;
    let _ = std::fs::remove_file(&all);
    let program = file("program.o");
    let (choices, retreats) = compile(toolchain, &machine, &optimised, &program)?;
    let builtins = match builtins.first() {
        None => None,
        Some(bitcode) => {
            let (text, object) = (file("builtins.ll"), file("builtins.o"));
            said(
                toolchain
                    .llvm("llvm-link")
                    .args(["-S", "--suppress-warnings"])
                    .arg(bitcode)
                    .arg("-o")
                    .arg(&text),
            )?;
            compile(toolchain, &machine, &text, &object)?;
            Some(object)
        }
    };
    Ok(Objects { program, assembly: object, builtins, choices, retreats })
}

/// LLVM's name of the processor for which rustc compiles.
const PROCESSOR: &str = "esp32s3";

/// A processor of which code generation knows the name.
pub struct Known {
    cpu: String,
    attributes: String,
}

impl Known {
    /// The arguments that name it to LLVM's programs.
    pub fn arguments(&self) -> [String; 2] {
        [format!("-mcpu={}", self.cpu), format!("-mattr={}", self.attributes)]
    }
}

/// The processor under a name that this LLVM knows.
///
/// Reason: LLVM 23 ignores the name esp32s3, and with it all of the processor's instructions. The ESP32 is the nearest that
/// it knows. Goes when `llc -mcpu=help` lists esp32s3; this then uses that name by itself.
pub fn known(toolchain: &Toolchain, machine: &Machine) -> Known {
    let list = toolchain.llvm("llc").args(["-march=xtensa", "-mcpu=help"]).stdin(Stdio::null()).output();
    let list = list.map(|o| String::from_utf8_lossy(&o.stderr).into_owned()).unwrap_or_default();
    if list.lines().any(|l| l.trim_start().starts_with(&format!("{} ", machine.cpu))) {
        return Known { cpu: machine.cpu.into(), attributes: machine.attributes.into() };
    }
    let mut attributes = vec!["-dfpaccel", "+minmax", "+clamps"];
    attributes.extend(Some(machine.attributes).filter(|a| !a.is_empty()));
    Known { cpu: "esp32".into(), attributes: attributes.join(",") }
}

/// The module with the processor's name in all functions.
fn for_processor(text: &str, machine: &Known) -> String {
    text.replace(&format!("\"target-cpu\"=\"{PROCESSOR}\""), &format!("\"target-cpu\"=\"{}\"", machine.cpu))
}

type Compiled = (Vec<ir::Choices>, Vec<(String, String)>);

/// Generates code for a module. A function that LLVM gives up is tried in other ways.
fn compile(toolchain: &Toolchain, machine: &Known, from: &Path, to: &Path) -> Result<Compiled, String> {
    let (text, choices) = ir::with_integer_choices(&read(from)?);
    let text = for_processor(&text, machine);
    let mut text = ir::with_missing_instructions(&text, toolchain.llvm);
    let mut retreats: Vec<(String, usize)> = Vec::new();
    loop {
        write(from, &text)?;
        let generated = said(
            toolchain
                .llvm("llc")
                .args(["-O3", "--function-sections", "--data-sections", "-filetype=obj"])
                .args(machine.arguments())
                .arg(from)
                .arg("-o")
                .arg(to),
        );
        let Err(error) = generated else { break };
        let function = failed_function(&error).ok_or_else(|| error.clone())?;
        let step = match retreats.iter_mut().find(|(name, _)| *name == function) {
            Some((_, step)) => {
                *step += 1;
                *step
            }
            None => {
                retreats.push((function.clone(), 0));
                0
            }
        };
        let new = RETREATS.get(step).ok_or_else(|| format!("llc cannot compile {function} in any way"))?;
        let old = step.checked_sub(1).map(|s| RETREATS[s]);
        text = with_attribute(&text, &function, old, new).ok_or(error)?;
    }
    Ok((choices, retreats.into_iter().map(|(name, step)| (name, RETREATS[step].to_owned())).collect()))
}

/// The function at which llc gave up, from its error output.
fn failed_function(error: &str) -> Option<String> {
    let line = error.lines().rev().find(|l| l.contains("on function '@"))?;
    let name = line.split_once("on function '@")?.1;
    Some(name.trim_end().trim_end_matches('\'').trim_matches('"').to_owned())
}

/// Compiles a function with other attributes.
fn with_attribute(text: &str, function: &str, old: Option<&str>, new: &str) -> Option<String> {
    let names = [format!("@{function}("), format!("@\"{function}\"(")];
    let mut from = 0;
    let (start, end) = loop {
        let start = from + text[from..].find("\ndefine ")? + 1;
        let end = start + text[start..].find('\n')?;
        if names.iter().any(|n| text[start..end].contains(n.as_str())) {
            break (start, end);
        }
        from = end - 1;
    };
    let line = &text[start..end];
    let line = match old {
        Some(old) => line.replacen(&format!(" {old} #"), " #", 1),
        None => line.to_owned(),
    };
    let at = line.rfind(" #")?;
    Some(format!("{}{} {new}{}{}", &text[..start], &line[..at], &line[at..], &text[end..]))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str =
        "\ndefine void @other() #1 {\n}\n\ndefine internal void @\"a$b\"(ptr %x) unnamed_addr #2 {\n}\n";

    #[test]
    fn each_retreat_replaces_the_one_before_in_that_function_alone() {
        let first = with_attribute(MODULE, "a$b", None, RETREATS[0]).unwrap();
        assert!(
            first.contains("@\"a$b\"(ptr %x) unnamed_addr optsize #2 {") && first.contains("@other() #1")
        );
        let second = with_attribute(&first, "a$b", Some(RETREATS[0]), RETREATS[1]).unwrap();
        assert!(second.contains("unnamed_addr minsize optsize #2 {"), "{second}");
        assert_eq!(with_attribute(MODULE, "absent", None, RETREATS[0]), None);
    }

    #[test]
    fn the_function_at_which_llc_gave_up_is_read_from_its_message() {
        let said = "LLVM ERROR: ran out of registers\n3. Running pass 'X' on function '@\"a$b\"'\n #0 0x1\n";
        assert_eq!(failed_function(said).as_deref(), Some("a$b"));
        assert_eq!(failed_function("LLVM ERROR: out of memory"), None);
    }
}
