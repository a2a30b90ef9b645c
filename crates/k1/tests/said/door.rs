//! Everything is printed through `k1_host::console`.

use std::path::Path;

use crate::PLACES;
use crate::support::here;

/// Ways to print without it, and the files that may use them.
const DETOURS: [(&str, &[(&str, &str)]); 14] = [
    ("println!", &[]),
    ("eprintln!", &[]),
    ("print!(", &[]),
    ("eprint!(", &[]),
    ("dbg!(", &[]),
    (
        "stdout()",
        &[
            ("k1-host/src/console.rs", "the door"),
            ("k1-host/src/strip_line.rs", "the strip in the terminal: nothing but colours of its own"),
            ("k1-host/src/output/mod.rs", "asks which file it is; writes nothing"),
        ],
    ),
    (
        "stderr()",
        &[
            ("k1-host/src/console.rs", "the door"),
            ("k1-host/src/output/mod.rs", "asks which file it is; writes nothing"),
        ],
    ),
    (
        "verbatim(",
        &[
            ("k1-host/src/console.rs", "the door"),
            ("k1/src/commands/mod.rs", "completions, manual and help: nothing but K1's own words"),
        ],
    ),
    (
        "line_with_colours(",
        &[("k1-host/src/console.rs", "the door"), ("k1/src/commands/list.rs", "swatches of the palettes")],
    ),
    ("Cli::parse()", &[]),
    (".exit()", &[]),
    ("ProgressBar::new", &[("k1-host/src/progress.rs", "bars; what they quote is cleaned there")]),
    (
        "crossterm::",
        &[
            ("k1-fleet/src/commands/monitor/mod.rs", "the dashboard's keys"),
            ("k1-fleet/src/commands/monitor/canvas.rs", "the dashboard; screen.rs cleans what it is told"),
        ],
    ),
    (
        "Command::new",
        &[
            ("k1-fleet/src/virt/mod.rs", "the emulator: what it prints is read and passed on by the door"),
            ("k1-fleet/src/lamps/playback.rs", "the loudspeaker: prints to nowhere"),
            (
                "k1/src/commands/service.rs",
                "systemctl: prints its own words; what is read of it goes by the door",
            ),
        ],
    ),
];

/// Files that are tests as a whole.
const TESTS: [&str; 2] = ["k1-engine/src/audio/spectrum/exact.rs", "k1/src/show/player/music.rs"];

/// True if a line of code contains a detour that is not the end of a longer word.
fn goes_by(code: &str, detour: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(detour)
        .any(|(at, _)| !code[..at].ends_with(is_word) || detour.starts_with(|c| !is_word(c)))
}

/// Sources below a folder whose names end in `.kind`.
fn sources(folder: &Path, kind: &str, all: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, kind, all);
        } else if path.extension().is_some_and(|e| e == kind) {
            all.push(path);
        }
    }
}

#[test]
fn nothing_is_printed_but_by_the_door() {
    let mut found = Vec::new();
    let mut used = Vec::new();
    let crates = here("..");
    let rooms = std::fs::read_dir(&crates).unwrap().flatten().map(|room| room.path());
    // All crates, including new ones; but the simulated world is not part of a program.
    let rooms: Vec<_> = rooms.filter(|room| room.is_dir() && !room.ends_with("k1-sim")).collect();
    assert!(["k1", "k1-fleet", "k1-host"].iter().all(|name| rooms.iter().any(|room| room.ends_with(name))));
    for room in rooms {
        let mut all = Vec::new();
        sources(&room.join("src"), "rs", &mut all);
        assert!(!all.is_empty(), "{}", room.display());
        for path in all {
            let name = path.strip_prefix(&crates).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            // Tests may print anything, because only developers see it.
            let program = text.split("#[cfg(test)]").next().unwrap();
            if TESTS.contains(&&*name) {
                continue;
            }
            for (number, line) in program.lines().enumerate() {
                let code = line.trim_start();
                if code.starts_with("//") {
                    continue;
                }
                for (detour, allowed) in DETOURS.iter().filter(|(detour, _)| goes_by(code, detour)) {
                    match allowed.iter().find(|(file, _)| *file == name) {
                        Some(_) => used.push((*detour, name.clone())),
                        None => found.push(format!("{name}:{}: {code}", number + 1)),
                    }
                }
            }
        }
    }
    assert!(goes_by("eprintln!(\"x\")", "eprintln!") && !goes_by("use_stderr()", "stderr()"));
    assert!(
        found.is_empty(),
        "these print without k1_host::console, which cleans what is quoted:\n{}",
        found.join("\n")
    );
    for (detour, allowed) in DETOURS {
        for (file, reason) in allowed {
            let is_used = used.iter().any(|(d, f)| *d == detour && f == file);
            assert!(is_used, "{file} goes by {detour} no more ({reason}): take it off the list");
        }
    }
    for (files, what, _) in PLACES {
        for file in files.split(", ") {
            assert!(crates.join(file).exists(), "{file}: {what}");
        }
    }
}

/// A page shows received text as text, never as markup.
#[test]
fn no_page_takes_text_for_markup() {
    let mut scripts = vec![here("src/report/page.js")];
    sources(&here("../../web"), "js", &mut scripts);
    assert!(scripts.len() > 10 && scripts.iter().any(|path| path.ends_with("room/lights.js")));
    for path in scripts {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let detours =
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcdoc", "eval("];
            assert!(!detours.iter().any(|detour| line.contains(detour)), "{}: {line}", path.display());
        }
    }
}
