//! Programs with a time limit. A program that exceeds its limit is killed, with everything that it started.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Interval between checks of a running program.
const POLL: Duration = Duration::from_millis(4);
/// Time to read a program's remaining output after its end; a process that it started may keep the pipe open.
const REST: Duration = Duration::from_secs(2);

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The program ended with success.
    Success,
    /// The program failed; holds its exit status in words.
    Failure(String),
    /// The program was killed at its limit.
    Killed,
}

/// The path of a program, if a folder in `PATH` contains it.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Waits for a child. At the limit, kills it and everything that it started, and returns `None`.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= limit {
            // Use a shell, because `kill` is built into it and every machine has one.
            let all: Vec<_> = descendants(child.id()).iter().map(u32::to_string).collect();
            let kill = format!("kill -s KILL {} {}", child.id(), all.join(" "));
            let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// All descendants of a process. (They stay in this program's process group, so that Ctrl-C ends them, too.) Empty on a
/// system without `/proc`.
fn descendants(of: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The state and the parent come after the name, which may contain any characters.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|e| e.file_name().to_string_lossy().parse().ok());
    let all: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![of];
    let mut next = 0;
    while let Some(&at) = found.get(next) {
        found.extend(all.iter().filter(|(_, parent)| *parent == at).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Runs a program to its end or its limit. Its output goes to the file, and also to the terminal if `show` is true.
///
/// # Errors
/// A sentence, if the program cannot be started or the file cannot be written.
pub fn run(command: &mut Command, limit: Duration, log: &Path, show: bool) -> Result<End, String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", log.display());
    let mut file = File::options().create(true).append(true).open(log).map_err(wrong)?;
    let (mut reader, writer) = std::io::pipe().map_err(wrong)?;
    let second = writer.try_clone().map_err(wrong)?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second);
    let started = command.spawn().map_err(|e| format!("{:?}: {e}", command.get_program()));
    // Otherwise the command would keep its ends of the pipe open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = started?;
    let copy = std::thread::spawn(move || {
        let mut block = [0; 8192];
        while let Ok(n @ 1..) = reader.read(&mut block) {
            let _ = file.write_all(&block[..n]);
            if show {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(&block[..n]).and_then(|()| out.flush());
            }
        }
    });
    let status = wait(&mut child, limit).map_err(wrong)?;
    let ended = Instant::now();
    while !copy.is_finished() && ended.elapsed() < REST {
        std::thread::sleep(POLL);
    }
    Ok(match status {
        Some(status) if status.success() => End::Success,
        Some(status) => End::Failure(status.to_string()),
        None => End::Killed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> (End, String) {
        let log = crate::gate::scratch("timed").join(format!("{}.log", script.len()));
        let _ = std::fs::remove_file(&log);
        let end = run(Command::new("sh").args(["-c", script]), limit, &log, false).unwrap();
        (end, std::fs::read_to_string(log).unwrap())
    }

    #[test]
    fn success_and_failure_are_told_apart_and_both_streams_are_kept() {
        let minute = Duration::from_secs(60);
        assert_eq!(shell("echo out; echo err >&2", minute), (End::Success, "out\nerr\n".into()));
        let (end, said) = shell("echo wrong; exit 3", minute);
        assert!(matches!(end, End::Failure(status) if status.contains('3')));
        assert_eq!(said, "wrong\n");
    }

    #[test]
    fn what_hangs_is_killed_with_its_children() {
        let began = Instant::now();
        let (end, said) = shell("sh -c 'sleep 600 & echo $!; wait'; true", Duration::from_millis(300));
        assert_eq!(end, End::Killed);
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        let child = Path::new("/proc").join(said.trim());
        let ends = Instant::now();
        while child.exists() && ends.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(POLL);
        }
        assert!(!child.exists() || !cfg!(target_os = "linux"), "its child runs on");
    }

    #[test]
    fn a_program_that_is_missing_is_an_error() {
        let log = crate::gate::scratch("timed").join("missing.log");
        assert!(run(&mut Command::new("k1-no-such-program"), REST, &log, false).is_err());
        assert_eq!(find("k1-no-such-program"), None);
        assert!(find("sh").is_some());
    }
}
