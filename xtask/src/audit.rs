//! Searches the sources for credentials, and for `unsafe` outside the places for it.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::files;

/// Endings of the files that are searched for credentials.
const SECRET_ENDINGS: [&str; 9] = [".rs", ".toml", ".js", ".html", ".css", ".md", ".yml", ".json", ".sh"];
/// The places in libraries that may contain `unsafe`: the hand-off between cores, and the functions that JavaScript calls
/// with pointers, which have no type there.
const UNSAFE_ROOMS: [&str; 3] =
    ["crates/k1-handoff", "crates/k1-web/src/exports.rs", "crates/k1-installer/src/exports.rs"];

static SECRET: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"\b(ssid|password|secret|private_key)\s*[:=]\s*"[^"]{6,}""#));
static NOT_SAFE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\bunsafe\s*(\{|fn\b|impl\b|trait\b|extern\b|\()"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

/// The command `cargo xtask audit`.
///
/// # Errors
/// A line for each place.
pub fn audit() -> Result<(), String> {
    let (mut found, mut read) = (Vec::new(), 0);
    for file in files::ending_in(&SECRET_ENDINGS)? {
        let text = files::text(&file)?;
        read += 1;
        found.extend(
            in_text(&file, &text).map(|(number, what)| format!("{}:{number}: {what}", file.display())),
        );
    }
    println!(
        "{read} files contain no credential and, outside {}, no unsafe code",
        UNSAFE_ROOMS.join(" and ")
    );
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// The forbidden lines of a file: line number and reason.
fn in_text<'a>(file: &Path, text: &'a str) -> impl Iterator<Item = (usize, &'static str)> + use<'a> {
    let is_searched = ["crates", "firmware", "web", "xtask"].iter().any(|room| file.starts_with(room));
    let is_safe_room = file.extension().is_some_and(|e| e == "rs")
        && (file.starts_with("crates") || file.starts_with("xtask"))
        && !UNSAFE_ROOMS.iter().any(|room| file.starts_with(room));
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    lines.filter_map(move |(number, line)| {
        if is_searched && SECRET.is_match(line) {
            return Some((number, "this looks like a credential"));
        }
        // In comments, `unsafe` is only a word.
        let code = line.split("//").next().unwrap_or_default();
        (is_safe_room && NOT_SAFE.is_match(code)).then_some((
            number,
            "unsafe is allowed in k1-handoff and in functions for JavaScript (exports.rs) only",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, line: &str) -> usize {
        in_text(Path::new(file), line).count()
    }

    #[test]
    fn a_credential_and_unsafe_code_are_found() {
        let credential = format!("let {} = \"correct horse\";", "password");
        assert_eq!(found("crates/k1/src/a.rs", &credential), 1);
        assert_eq!(found("firmware/lamp/Cargo.toml", &credential), 1);
        let code = format!("{} {{ read() }}", "unsafe");
        assert_eq!(found("crates/k1/src/a.rs", &code), 1);
        assert_eq!(found("xtask/src/a.rs", &code), 1);
        assert_eq!(found("crates/k1-handoff/src/swap.rs", &code), 0);
        assert_eq!(found("crates/k1-web/src/exports.rs", &code), 0);
        assert_eq!(found("crates/k1-web/src/player.rs", &code), 1);
        assert_eq!(found("crates/k1-installer/src/installer.rs", &code), 1);
        assert_eq!(found("crates/k1/src/a.rs", &format!("// {code}")), 0);
    }

    #[test]
    fn the_checkout_is_clean() {
        audit().unwrap();
    }
}
