//! Changes to LLVM's IR in text, without which Xtensa's code generator fails.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Takes the module's assembly out. Returns the rest and the assembly.
///
/// Reason: `opt` and `llc` read a module's assembly with the processor of their command line before they know the
/// module's own, and write it in an order of their own. As a file of its own it is assembled by `llvm-mc`.
pub fn without_assembly(text: &str) -> (String, String) {
    let (mut rest, mut assembly, mut inside) = (String::with_capacity(text.len()), String::new(), false);
    for line in text.lines() {
        // Up to LLVM 23 each line begins with `module asm`; from 24 on the texts follow in lines of their own.
        let quoted = match line.strip_prefix("module asm") {
            Some(after) => Some(after.trim()),
            None => inside.then(|| line.trim()).filter(|l| l.starts_with('"')),
        };
        inside = quoted.is_some();
        match quoted {
            Some(text) => {
                if let Some(text) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
                    assembly += &unescaped(text);
                    assembly.push('\n');
                }
            }
            None => {
                rest += line;
                rest.push('\n');
            }
        }
    }
    (rest, assembly)
}

/// Replaces LLVM's `\5C` and `\\` by what they stand for.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    out += parts.next().unwrap_or_default();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            out.push('\\');
            out += parts.next().unwrap_or_default();
        } else if let Some(code) = part.get(..2).and_then(|h| u8::from_str_radix(h, 16).ok()) {
            out.push(char::from(code));
            out += &part[2..];
        } else {
            out.push('\\');
            out += part;
        }
    }
    out
}

/// The names that assembly may mean.
pub fn names(assembly: &str) -> BTreeSet<&str> {
    let wide = assembly.split(|c: char| !(c.is_ascii_alphanumeric() || "_.$".contains(c)));
    let narrow = assembly.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    wide.chain(narrow).filter(|n| n.len() > 1).collect()
}

/// The name of the global or function that a line defines, and the position where its linkage is named.
fn definition(line: &str) -> Option<(&str, usize)> {
    let (name, linkage) = if line.starts_with('@') {
        let end = line.find(" = ")?;
        (&line[1..end], end + 3)
    } else if line.starts_with("define ") {
        let at = line.find('@')? + 1;
        let quoted = line[at..].starts_with('"');
        let end = if quoted { line[at..].find("\"(")? + 1 } else { line[at..].find('(')? };
        (&line[at..at + end], 7)
    } else {
        return None;
    };
    Some((name.trim_matches('"'), linkage))
}

/// Makes the statics and functions that assembly names visible to it.
///
/// Reason: as soon as the assembly is a file of its own, the linker must find them.
pub fn with_visible(text: &str, named: &BTreeSet<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let linkage = definition(line).filter(|(name, _)| named.contains(name)).map(|(_, at)| at);
        let hidden = linkage.and_then(|at| {
            let rest = ["internal ", "private "].iter().find_map(|l| line[at..].strip_prefix(l))?;
            Some((&line[..at], rest))
        });
        match hidden {
            Some((before, after)) => {
                out += before;
                out += after;
            }
            None => out += line,
        }
        out.push('\n');
    }
    out
}

/// The names that the module defines for others.
pub fn exported(text: &str) -> Vec<&str> {
    let hidden = ["internal ", "private ", "external ", "extern_weak ", "available_externally "];
    let of = |line| {
        let (name, at): (&str, usize) = definition(line)?;
        let rest: &str = &line[at..];
        (!hidden.iter().any(|h| rest.starts_with(h))).then_some(name)
    };
    text.lines().filter_map(of).collect()
}

/// A function with choices between two constants of type f32, and their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// The function's name in the file.
    pub function: String,
    /// The number of choices.
    pub count: usize,
}

/// Makes each choice between two constants of type f32 one between integers. Returns the functions that have some.
///
/// Reason: LLVM 22 to 24, Espressif's own included, cannot select code for them: "Cannot select: XtensaISD::SELECT_CC_FP"
/// (esp-rs/rust issues 277 and 282). Goes with LLVM's pull request 214974.
pub fn with_integer_choices(text: &str) -> (String, Vec<Choices>) {
    let mut out = String::with_capacity(text.len());
    let mut found: Vec<Choices> = Vec::new();
    let (mut function, mut total) = ("", 0);
    for line in text.lines() {
        if let Some((name, 7)) = definition(line).filter(|_| line.starts_with('d')) {
            function = name;
        }
        let Some(choice) = line.contains(" = select ").then(|| Choice::parse(line)).flatten() else {
            out += line;
            out.push('\n');
            continue;
        };
        total += 1;
        let Choice { result, condition, yes, no } = choice;
        let _ = writeln!(out, "  %k1.choice.{total} = select i1 {condition}, i32 {yes}, i32 {no}");
        let _ = writeln!(out, "  {result} = bitcast i32 %k1.choice.{total} to float");
        match found.last_mut().filter(|c| c.function == function) {
            Some(last) => last.count += 1,
            None => found.push(Choices { function: function.into(), count: 1 }),
        }
    }
    (out, found)
}

/// A choice between two constants of type f32.
struct Choice<'a> {
    result: &'a str,
    condition: &'a str,
    yes: String,
    no: String,
}

impl<'a> Choice<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (result, rest) = line.trim_start().split_once(" = select ")?;
        // Flags for arithmetic may come first.
        let (_, rest) = if rest.starts_with("i1 ") { ("", rest) } else { rest.split_once(" i1 ")? };
        let rest = rest.strip_prefix("i1 ").unwrap_or(rest);
        let mut parts = rest.split(", ");
        let condition = parts.next()?;
        let mut constant = || bits(parts.next()?.strip_prefix("float ")?);
        Some(Self { result, condition, yes: constant()?, no: constant()? })
    }
}

/// The bits of a constant of type f32 as LLVM writes it; `None` for a value that is not constant.
fn bits(constant: &str) -> Option<String> {
    // Metadata may follow.
    let constant = constant.split(' ').next()?;
    if let Some(hex) = constant.strip_prefix("f0x") {
        return Some(u32::from_str_radix(hex, 16).ok()?.to_string());
    }
    if let Some(hex) = constant.strip_prefix("0x") {
        // Up to LLVM 23 as the bits of an f64.
        return Some((f64::from_bits(u64::from_str_radix(hex, 16).ok()?) as f32).to_bits().to_string());
    }
    let value = match constant {
        "poison" | "undef" => return Some("poison".into()),
        "+inf" | "inf" => f32::INFINITY,
        "-inf" => f32::NEG_INFINITY,
        "+qnan" | "nan" => f32::NAN,
        number if number.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') => {
            number.parse().ok()?
        }
        _ => return None,
    };
    Some(value.to_bits().to_string())
}

/// Adds assembly that defines `rer` and `wer` to a module.
///
/// Reason: LLVM's assembler does not know these two instructions, with which esp-hal reads and writes registers of the
/// processor's outside. Goes when `llvm-mc` assembles them: see `codegen`.
pub fn with_missing_instructions(text: &str, llvm: u32) -> String {
    let mut lines: Vec<String> = (0..16).map(|i| format!(".set .Lreg_a{i}, {i}")).collect();
    for (name, code) in [("rer", 6), ("wer", 7)] {
        lines.push(format!(".macro {name} t, s"));
        lines.push(format!(".byte (.Lreg_\\\\t << 4), 0x{code}0 + .Lreg_\\\\s, 0x40"));
        lines.push(".endm".into());
    }
    let quoted =
        |l: &String| if llvm < 24 { format!("module asm \"{l}\"\n") } else { format!("    \"{l}\"\n") };
    let head = if llvm < 24 { "" } else { "module asm\n" };
    let assembly = format!("{head}{}", lines.iter().map(quoted).collect::<String>());
    match text.find("\ntarget triple").and_then(|at| Some(at + 1 + text[at + 1..].find('\n')?)) {
        Some(end) => format!("{}\n\n{assembly}{}", &text[..end], &text[end..]),
        None => format!("{assembly}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = r#"; ModuleID = 'all'
target triple = "xtensa-none-unknown-elf"

module asm ".globl entry"
module asm "\09l32r a2, _RNvKept"

@_RNvKept = internal global i32 0
@_RNvOther = private constant i32 1
@shared = global i32 2
@elsewhere = external global i32

define internal fastcc float @"_RNv$choose"(i1 %c, float %v) #3 {
  %a = select i1 %c, float 0.000000e+00, float 0x3FF8000000000000
  %b = select fast i1 %c, float f0x3FC00000, float -inf, !prof !1
  %d = select i1 %c, float %v, float 1.0
  %e = select i1 %c, float poison, float +qnan
  ret float %a
}

define i32 @main() #0 {
  ret i32 0
}
"#;

    #[test]
    fn assembly_is_taken_out_in_both_forms() {
        let (rest, assembly) = without_assembly(MODULE);
        assert_eq!(assembly, ".globl entry\n\tl32r a2, _RNvKept\n");
        assert!(!rest.contains("module asm") && rest.contains("@shared = global"));
        let newer = "a\nmodule asm\n    \"one \\22two\\22\"\n    \"\\\\three\"\nb\n";
        assert_eq!(without_assembly(newer), ("a\nb\n".into(), "one \"two\"\n\\three\n".into()));
    }

    #[test]
    fn what_assembly_names_can_be_seen_by_it_and_nothing_else() {
        let (rest, assembly) = without_assembly(MODULE);
        let visible = with_visible(&rest, &names(&assembly));
        assert!(visible.contains("@_RNvKept = global i32 0") && visible.contains("@_RNvOther = private"));
        assert_eq!(exported(&visible), ["_RNvKept", "shared", "main"]);
        assert_eq!(exported(&rest), ["shared", "main"]);
    }

    #[test]
    fn choices_between_constants_are_found_by_function_and_made_between_integers() {
        let (text, found) = with_integer_choices(MODULE);
        assert_eq!(found, [Choices { function: "_RNv$choose".into(), count: 3 }]);
        assert!(text.contains(
            "%k1.choice.1 = select i1 %c, i32 0, i32 1069547520\n  %a = bitcast i32 %k1.choice.1 to float"
        ));
        assert!(text.contains("%k1.choice.2 = select i1 %c, i32 1069547520, i32 4286578688"));
        assert!(text.contains("%d = select i1 %c, float %v, float 1.0"), "one of them is not constant");
        assert!(text.contains("%k1.choice.3 = select i1 %c, i32 poison, i32 2143289344"));
        assert_eq!(with_integer_choices(&text), (text.clone(), Vec::new()));
    }

    #[test]
    fn the_missing_instructions_follow_the_triple() {
        for (llvm, begins) in [(23, "module asm \".set .Lreg_a0, 0\""), (24, "module asm\n    \".set")] {
            let text = with_missing_instructions(MODULE, llvm);
            let (triple, rest) = text.split_once("\n\n").unwrap();
            assert!(triple.contains("target triple") && rest.starts_with(begins), "{rest}");
            let (_, assembly) = without_assembly(rest);
            assert!(
                assembly.contains(".macro wer t, s\n.byte (.Lreg_\\t << 4), 0x70 + .Lreg_\\s, 0x40\n.endm")
            );
        }
    }
}
