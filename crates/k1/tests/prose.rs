//! Help, errors, documents and comments in plain English: constructions that stopped native readers must not come back.
//!
//! A short list of phrases, each with what to write instead. It finds only what it knows; a text without any of them may
//! still be hard to read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A phrase that is not plain English.
struct Phrase {
    words: &'static str,
    /// The phrase is fine after one of these.
    after: &'static [&'static str],
    /// The phrase is fine before one of these.
    before: &'static [&'static str],
    instead: &'static str,
}

const fn phrase(words: &'static str, instead: &'static str) -> Phrase {
    Phrase { words, after: &[], before: &[], instead }
}

const fn no(words: &'static str) -> Phrase {
    Phrase {
        words,
        after: &["there"],
        before: &["longer", "more than", "less than", "fewer than", "wider than", "doubt"],
        instead: "“is not a …”, or a verb: “the text is not a name”, not “the text is no name”",
    }
}

const fn none(words: &'static str) -> Phrase {
    Phrase { words, after: &["there"], before: &["of"], instead: "“is not” or “is missing”" }
}

const N: &str = "the number: “after N seconds”, “N times”";
const WHO: &str = "a subject: “a client that …”, “the caller”, “anybody who …”";

const PHRASES: [Phrase; 17] = [
    phrase("so many", N),
    phrase("so often", N),
    Phrase { words: "so long", after: &[], before: &["as", "that"], instead: N },
    no("is no"),
    no("are no"),
    no("was no"),
    no("were no"),
    no("be no"),
    none("is none"),
    none("are none"),
    none("was none"),
    phrase("whoever", WHO),
    phrase("who comes", WHO),
    phrase("who asks", WHO),
    phrase("is not said", "an active verb: “K1 does not print …”"),
    phrase("it is said", "an active verb: “K1 prints …”"),
    phrase("is said when", "an active verb: “K1 prints … when”"),
];

/// Phrases that may stay: the file, the text around them, and why.
const ALLOWED: [(&str, &str, &str); 1] = [(
    "docs/measurements.md",
    "this is no signed update",
    "quotes what a lamp answered on the day of the measurement",
)];

/// A place with a phrase in it.
#[derive(Debug, PartialEq)]
struct Fault {
    line: usize,
    around: String,
    instead: &'static str,
}

/// A text without its comment marks, as one line, and the line on which each byte stood.
fn joined(text: &str) -> (String, Vec<usize>) {
    let (mut all, mut lines) = (String::new(), Vec::new());
    for (n, line) in text.lines().enumerate() {
        let words = line.trim_start().trim_start_matches(['/', '!', '*', '#', '|']).trim();
        // A sentence may go on in the next line, but not over an empty one.
        all.push_str(if words.is_empty() { "." } else { words });
        all.push(' ');
        lines.resize(all.len(), n + 1);
    }
    (all.to_ascii_lowercase(), lines)
}

fn faults(text: &str) -> Vec<Fault> {
    let (all, lines) = joined(text);
    let mut found = Vec::new();
    for phrase in &PHRASES {
        for (at, _) in all.match_indices(phrase.words) {
            let (before, behind) = (&all[..at], &all[at + phrase.words.len()..]);
            let is_word = !before.ends_with(|c: char| c.is_alphanumeric())
                && !behind.starts_with(|c: char| c.is_alphanumeric() || c == '-');
            let is_fine = phrase.after.iter().any(|w| before.trim_end().ends_with(w))
                || phrase.before.iter().any(|w| behind.trim_start().starts_with(w));
            if is_word && !is_fine {
                let from = before.char_indices().rev().nth(30).map_or(0, |(i, _)| i);
                let to =
                    behind.char_indices().nth(30).map_or(all.len(), |(i, _)| all.len() - behind.len() + i);
                let around = all[from..to].to_owned();
                found.push(Fault { line: lines[at], around, instead: phrase.instead });
            }
        }
    }
    found
}

/// Doc comments of a single word, which repeat a name: `/// Sound.`
fn one_word(text: &str) -> Vec<Fault> {
    let mut found = Vec::new();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    for (n, line) in lines.iter().enumerate() {
        let is_alone = |i: Option<usize>| i.and_then(|i| lines.get(i)).is_none_or(|l| !l.starts_with("///"));
        let Some(words) = line.strip_prefix("/// ") else { continue };
        if !words.contains(' ') && words.ends_with('.') && is_alone(n.checked_sub(1)) && is_alone(Some(n + 1))
        {
            let instead = "what it is, its unit, range, errors or source, or delete the comment";
            found.push(Fault { line: n + 1, around: (*line).to_owned(), instead });
        }
    }
    found
}

fn root() -> PathBuf {
    std::path::absolute("../..").unwrap()
}

/// Every file of text below a folder.
fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|e| e.unwrap().path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // Tests quote what others say, and the folder of built things is nobody's text.
            if !["target", "tests", "benches", "corpus"].contains(&name.as_str()) && !name.starts_with('.') {
                files(&path, all);
            }
        } else if ["rs", "md", "js", "css", "html", "yml", "toml"]
            .iter()
            .any(|e| name.ends_with(&format!(".{e}")))
        {
            all.push(path);
        }
    }
}

#[test]
fn documents_comments_and_errors_are_plain_english() {
    let root = root();
    let mut all = Vec::new();
    for folder in ["crates", "docs", "ops", "web", "firmware", "xtask", "fuzz"] {
        files(&root.join(folder), &mut all);
    }
    all.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)));
    let (mut wrong, mut used, mut read) = (String::new(), BTreeSet::new(), 0);
    for path in all {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        read += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let words = if name.ends_with(".rs") { one_word(&text) } else { Vec::new() };
        for fault in faults(&text).into_iter().chain(words) {
            match ALLOWED.iter().find(|(file, around, _)| *file == name && fault.around.contains(around)) {
                Some(allowed) => drop(used.insert(allowed.1)),
                None => {
                    wrong += &format!("{name}:{}: “{}”: write {}\n", fault.line, fault.around, fault.instead);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(read > 60, "only {read} files were found");
    assert_eq!(used.len(), ALLOWED.len(), "an exception is no longer needed: {used:?}");
}

/// The help of a command and of all commands below it.
fn help(command: &[String], all: &mut Vec<(String, String)>) {
    let out = Command::new(env!("CARGO_BIN_EXE_k1")).args(command).arg("--help").output().unwrap();
    assert!(out.status.success(), "k1 {command:?} --help");
    let text = String::from_utf8(out.stdout).unwrap();
    let listed = text.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    for name in listed.filter(|l| l.starts_with("  ") && !l.starts_with("   ")) {
        let name = name.split_whitespace().next().unwrap().to_owned();
        help(&[command, &[name]].concat(), all);
    }
    all.push((command.join(" "), text));
}

#[test]
fn help_is_plain_english() {
    let mut all = Vec::new();
    help(&[], &mut all);
    for known in ["", "run", "render", "keys new", "validate"] {
        assert!(all.iter().any(|(command, _)| command == known), "k1 {known} --help was not read");
    }
    for (command, text) in &all {
        assert_eq!(faults(text), [], "k1 {command} --help");
        // Numbers are called N, or by their unit where the option's value has one.
        assert!(!text.contains("<SECONDS>"), "k1 {command} --help: write <N>, and “N seconds” in the text");
    }
}

#[test]
fn phrases_are_found_where_they_are_and_nowhere_else() {
    for wrong in [
        "Stop after so many seconds.",
        "So many lamps first",
        "/// A name that is\n/// no name of a host.",
        "what is none is not said",
        "// Whoever reads this waits.",
        "a tempo that was none",
    ] {
        assert!(!faults(wrong).is_empty(), "{wrong}");
    }
    for right in [
        "Stop after N seconds.",
        "there is no file x",
        "There are none.",
        "It is no longer used.",
        "as long as it runs, and so long as it lasts",
        "There is\n// no route.",
        "a sentence that ends with is\n\nno other",
        "It is not a name.",
        "is non-zero, is nonsense, is no-std",
    ] {
        assert_eq!(faults(right), [], "{right}");
    }
    assert_eq!(one_word("    /// Sound.\n    Sound,")[0].line, 1);
    assert_eq!(one_word("/// Sound that is heard.\n/// A longer text\n/// here.\nfn f() {}"), []);
}
