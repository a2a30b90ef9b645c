//! Changes to LLVM's IR in text, without which Xtensa's code generator fails.

use std::collections::BTreeSet;
use std::fmt::Write;

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
