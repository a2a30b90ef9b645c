//! The README's second command as on a new machine: with Rust and a C compiler but without the other programs that
//! tests ask for, and in a fresh clone. Afterwards, only the tests that were skipped run again, with all programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::timed::{self, End};
use super::{count, notes};
use crate::{root, said};

/// Name of the stage that runs this.
pub const STAGE: &str = "tests";
/// Name of the file, in the gate's folder of notes, with a line for each skipped test.
pub const SKIPPED: &str = "skipped";
/// Name of the file, in the gate's folder of notes, with the statements about time that could not be judged.
pub const UNJUDGED: &str = "unjudged";
/// The README's second command.
const COMMAND: [&str; 3] = ["cargo", "test", "--workspace"];
/// Time limit of the command. The stage's own limit is lower, so this one never applies first.
const LIMIT: Duration = Duration::from_secs(45 * 60);
/// Beginnings of the names of all programs that tests ask for.
const HIDDEN: [&str; 28] = [
    "chrom",
    "google-chrome",
    "pulseaudio",
    "pacat",
    "pactl",
    "qemu-",
    "mosquitto",
    "prometheus",
    "promtool",
    "openssl",
    "ip",
    "unshare",
    "nginx",
    "ffmpeg",
    "ffprobe",
    "sox",
    "flac",
    "metaflac",
    "lame",
    "oggenc",
    "opusenc",
    "valgrind",
    "nsenter",
    "mkvmerge",
    "ola",
    "tshark",
    "strace",
    "systemd-analyze",
];

fn is_hidden(name: &str) -> bool {
    HIDDEN.iter().any(|hidden| match *hidden {
        // Names of unrelated programs begin with these.
        "ip" | "sox" | "flac" | "lame" => name == *hidden,
        _ => name.starts_with(hidden),
    })
}

/// Runs the command and writes down the skipped tests.
///
/// # Errors
/// A sentence, if a test fails, or if no test was skipped, which means that the programs were not hidden.
pub fn run() -> Result<(), String> {
    let place = std::env::temp_dir().join(format!("k1-bare-{}", std::process::id()));
    let done = run_in(&place);
    let _ = std::fs::remove_dir_all(&place);
    done
}

fn run_in(place: &Path) -> Result<(), String> {
    let programs = place.join("bin");
    std::fs::create_dir_all(&programs).map_err(|e| format!("{}: {e}", programs.display()))?;
    link_programs(&programs)?;
    let clone = place.join("k1");
    said(Command::new("git").args(["clone", "--quiet"]).arg(root()).arg(&clone))?;
    let notes = notes();
    keep_times(&clone, &notes)?;
    let (log, unjudged) = (notes.join("bare.log"), notes.join(UNJUDGED));
    let _ = (std::fs::remove_file(&log), std::fs::remove_file(&unjudged));
    let mut command = Command::new(COMMAND[0]);
    command.args(&COMMAND[1..]).current_dir(&clone).env("PATH", &programs);
    // A new user's environment lacks the variables that cargo sets for this program.
    for name in ["K1_REQUIRE", "CARGO", "CARGO_MANIFEST_DIR", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    // At least two threads, because a test learns its name only from a thread of its own.
    let threads = super::runner::cores().max(2).to_string();
    command.env("K1_EXCUSED", &unjudged).env("RUST_TEST_THREADS", threads);
    let end = timed::run(&mut command, LIMIT, &log, true)?;
    touch_changed()?;
    if end != End::Success {
        return Err(format!("`{}` on a bare machine: {end:?}", COMMAND.join(" ")));
    }
    let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
    let skipped = count::skipped(&said);
    println!("{} tests were skipped, and run again later with the programs that they need", skipped.len());
    if skipped.is_empty() {
        return Err("no test was skipped, although the programs that tests ask for were hidden".into());
    }
    let lines: String = skipped.iter().map(|(heading, test)| format!("{heading}\t{test}\n")).collect();
    std::fs::write(notes.join(SKIPPED), lines).map_err(|e| format!("{}: {e}", notes.display()))
}

/// Fills a folder with links to all programs in `PATH` that are not hidden.
fn link_programs(to: &Path) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let files = std::env::split_paths(&path).filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    for file in files.filter_map(Result::ok) {
        let name = file.file_name();
        let link = to.join(&name);
        if !is_hidden(&name.to_string_lossy()) && link.symlink_metadata().is_err() {
            symlink(&file.path(), &link).map_err(|e| format!("{}: {e}", link.display()))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(to: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, link)
}

#[cfg(not(unix))]
fn symlink(_to: &Path, _link: &Path) -> std::io::Result<()> {
    Err(std::io::Error::other("this needs symbolic links"))
}

/// Gives the clone's files the modification times of this checkout's files, so that cargo does not build them again.
/// Does so only if this checkout was the last to use the build folder; otherwise cargo would take another checkout's
/// builds for this one's.
fn keep_times(clone: &Path, notes: &Path) -> Result<(), String> {
    let last = notes.join("checkout");
    let this = root().display().to_string();
    let is_same = std::fs::read_to_string(&last).is_ok_and(|path| path == this);
    std::fs::write(&last, &this).map_err(|e| format!("{}: {e}", last.display()))?;
    let files = said(Command::new("git").arg("ls-files").current_dir(clone))?;
    for file in files.lines().filter(|_| is_same) {
        let (ours, theirs) = (root().join(file), clone.join(file));
        let is_alike = std::fs::read(&ours).is_ok_and(|ours| std::fs::read(&theirs).is_ok_and(|t| t == ours));
        if let (true, Ok(time)) = (is_alike, ours.metadata().and_then(|m| m.modified())) {
            let opened = std::fs::File::options().append(true).open(&theirs);
            opened.and_then(|f| f.set_modified(time)).map_err(|e| format!("{file}: {e}"))?;
        }
    }
    Ok(())
}

/// Touches the files with uncommitted changes. The clone has them without the changes, and cargo, which compares times,
/// would take its builds of them for current.
fn touch_changed() -> Result<(), String> {
    let changed =
        said(Command::new("git").args(["ls-files", "-mo", "--exclude-standard"]).current_dir(root()))?;
    for path in changed.lines().map(PathBuf::from) {
        if let Ok(file) = std::fs::File::options().append(true).open(root().join(&path)) {
            file.set_modified(std::time::SystemTime::now())
                .map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_the_command() {
        let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
        assert!(readme.lines().any(|line| line.starts_with(&COMMAND.join(" "))));
    }

    #[test]
    fn what_tests_ask_for_is_hidden_and_what_builds_them_is_not() {
        for name in ["chromium", "qemu-system-riscv32", "ip", "flac", "ffprobe", "mosquitto_pub", "lame"] {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["cargo", "rustc", "cc", "ld", "git", "ipcs", "sh", "lamest"] {
            assert!(!is_hidden(name), "{name}");
        }
    }
}
