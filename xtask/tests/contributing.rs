//! The worked examples of CONTRIBUTING.md still apply to the sources, and the changed sources work.
//!
//! A block of `rust` or `diff` changes the last file named before it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One block of the guide.
struct Change {
    file: String,
    is_new: bool,
    text: String,
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn changes(guide: &str) -> Vec<Change> {
    let (mut changes, mut file) = (Vec::new(), String::new());
    let mut lines = guide.lines();
    let mut is_new = false;
    while let Some(line) = lines.next() {
        match line {
            "```rust" | "```diff" => {
                let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                let is_new = std::mem::take(&mut is_new) && line == "```rust";
                changes.push(Change { file: file.clone(), is_new, text: text.join("\n") + "\n" });
            }
            _ => {
                let named = line.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs"));
                if let Some(last) = named.last() {
                    file = last.to_owned();
                    is_new = line.starts_with("New file");
                }
            }
        }
    }
    changes
}

/// A source after a change.
fn changed(source: &str, change: &Change) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("{}: {why}:\n{}", change.file, change.text));
    let (mut before, mut after) = (String::new(), String::new());
    for line in change.text.lines() {
        let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
        match sign {
            "+" => after += &format!("{rest}\n"),
            "-" => before += &format!("{rest}\n"),
            " " => {
                before += &format!("{rest}\n");
                after += &format!("{rest}\n");
            }
            _ => return wrong("a line of a diff begins with +, - or a blank"),
        }
    }
    // A change must match whole lines.
    let (source, before, after) = (format!("\n{source}"), format!("\n{before}"), format!("\n{after}"));
    match source.matches(&before).count() {
        1 => Ok(source.replacen(&before, &after, 1)[1..].to_owned()),
        0 => wrong("the guide shows lines that are not there any more"),
        _ => wrong("the guide shows lines that are there more than once"),
    }
}

/// Every file that the guide changes, with all changes.
fn applied() -> Vec<(String, String)> {
    let guide = std::fs::read_to_string(project().join("CONTRIBUTING.md")).unwrap();
    let mut files: Vec<(String, String)> = Vec::new();
    for change in changes(&guide) {
        let at = files.iter().position(|(file, _)| *file == change.file);
        let before = match at {
            Some(at) => files.remove(at).1,
            None => std::fs::read_to_string(project().join(&change.file)).unwrap_or_default(),
        };
        let after = if change.is_new {
            assert!(before.is_empty(), "{} is there already", change.file);
            change.text.clone()
        } else {
            changed(&before, &change).unwrap_or_else(|e| panic!("{e}"))
        };
        files.push((change.file, after));
    }
    files
}

#[test]
fn the_examples_of_the_guide_fit_the_sources() {
    let files = applied();
    for part in [
        "patterns/ripple.rs",
        "patterns/mod.rs",
        "palettes.rs",
        "error.rs",
        "params.rs",
        "sink/raw.rs",
        "sink/target.rs",
    ] {
        assert!(files.iter().any(|(file, _)| file.ends_with(part)), "{part} is not in the guide");
    }
}

#[test]
fn a_diff_that_does_not_fit_is_told() {
    let change = |text: &str| Change { file: "a.rs".into(), is_new: false, text: text.into() };
    assert_eq!(changed("a\nb\n", &change(" a\n+c\n")), Ok("a\nc\nb\n".into()));
    assert_eq!(changed("a\nb\n", &change("-b\n+c\n")), Ok("a\nc\n".into()));
    for wrong in [" x\n+c\n", " \n+c\n", "c\n"] {
        assert!(changed("a\na\n", &change(wrong)).is_err(), "{wrong:?}");
    }
    assert!(changed("a\nb\na\n", &change(" a\n+c\n")).unwrap_err().contains("more than once"));
}

/// Copies all sources that git tracks.
fn copy(to: &Path) {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(list).current_dir(project()).output().unwrap();
    for file in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        let (from, to) = (project().join(file), to.join(file));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
    }
}

#[test]
#[ignore = "compiles a copy of the engine and of the program: minutes; the gate runs it"]
fn what_the_guide_makes_of_the_sources_compiles_and_passes_its_tests() {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    copy(&folder);
    for (file, text) in applied() {
        std::fs::write(folder.join(file), text).unwrap();
    }
    // Use a build folder of its own, because cargo would confuse the copy's crates with the project's.
    let target = folder.with_file_name("guide-target");
    for arguments in [
        &["test", "--offline", "-p", "k1-engine", "--lib", "--test", "patterns"][..],
        &["check", "--offline", "-p", "k1", "--lib"],
        &["test", "--offline", "-p", "k1-lamp", "--example", "board"],
    ] {
        let said = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "cargo {}:\n{text}", arguments.join(" "));
    }
}
