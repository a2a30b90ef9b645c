//! Runs the built program and checks its output; shared by the tests of the whole program.

#![allow(dead_code, reason = "every test file uses another part of it")]

pub mod host;
pub mod need;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// No call takes this long, even on a busy machine; a program that does hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that is deleted at the end of the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A path in this package, where its tests run. (The path at compile time may be that of another checkout, because all
/// share one build folder.)
pub fn here(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap()
}

/// A file that was built for the virtual lamp.
pub fn firmware(name: &str) -> PathBuf {
    here("../../firmware/target/riscv32imafc-unknown-none-elf/release").join(name)
}

/// A fixture by name.
pub fn fixture(name: &str) -> PathBuf {
    here("tests/fixtures").join(name)
}

/// The program with arguments, without access to any sound server of this machine.
pub fn k1<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1"));
    command.args(args).stdin(Stdio::null());
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nowhere");
    for name in ["PULSE_SERVER", "PULSE_RUNTIME_PATH", "XDG_RUNTIME_DIR", "HOME"] {
        command.env(name, &nowhere);
    }
    for name in ["K1_TOKEN", "CREDENTIALS_DIRECTORY"] {
        command.env_remove(name);
    }
    command
}

/// The output of a finished program.
#[derive(Debug)]
pub struct Said {
    /// Exit status.
    pub status: ExitStatus,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Exit status as a number; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in:\n{}{}", self.out, self.err))
    }

    /// Standard output as a JSON value per line.
    pub fn json_lines(&self) -> Vec<Value> {
        let line = |l: &str| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e} in: {l}"));
        self.out.lines().map(line).collect()
    }

    /// The last line of `k1 run --json`.
    pub fn summary(&self) -> Value {
        let last = self.json_lines().pop().unwrap_or_else(|| panic!("no summary: {self:?}"));
        assert_eq!(last["kind"], "summary", "{last}");
        last
    }

    /// Asserts that the command failed, with one sentence that contains all of `words`.
    #[track_caller]
    pub fn failed_saying(&self, words: &[&str]) {
        assert_eq!(self.code(), Some(1), "{self:?}");
        self.is_one_sentence();
        for word in words {
            assert!(self.err.contains(word), "“{word}” is not in: {}", self.err);
        }
    }

    /// Asserts that standard error is one sentence of the program, and not a panic.
    #[track_caller]
    pub fn is_one_sentence(&self) {
        let lines: Vec<_> = self.err.lines().collect();
        assert!(lines.len() == 1 && lines[0].starts_with("k1: ") && lines[0].len() > 12, "{self:?}");
    }
}

/// A running program; dropping this kills it.
pub struct Running {
    child: Child,
    out: Collected,
    err: Collected,
}

/// Starts a program and collects its output.
pub fn start(command: &mut Command) -> Running {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let out = Collected::from(child.stdout.take().expect("a pipe"));
    let err = Collected::from(child.stderr.take().expect("a pipe"));
    Running { child, out, err }
}

/// The output of a pipe, as it arrives.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = bytes.clone();
        let thread = std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut block) {
                into.lock().unwrap().extend_from_slice(&block[..n]);
            }
        });
        Self { bytes, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn all(&mut self) -> String {
        self.thread.take().map(JoinHandle::join);
        self.text()
    }
}

impl Running {
    /// Sends the signal of Ctrl-C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process has a number");
        kill_process(pid, Signal::INT).expect("it can be interrupted");
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The program's standard input, if it has one.
    pub fn input(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("standard input is a pipe")
    }

    /// True until it has ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("its state is known").is_none()
    }

    /// Waits until the program has printed `words` on standard error.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        let began = Instant::now();
        while !self.err.text().contains(text) {
            let (runs, said) = (self.runs(), self.err.text());
            assert!(runs || said.contains(text), "it ended without “{text}”:\n{said}");
            assert!(began.elapsed() < PATIENCE, "it does not say “{text}”:\n{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything on standard error so far.
    pub fn said(&self) -> String {
        self.err.text()
    }

    /// Everything on standard output so far.
    pub fn printed(&self) -> String {
        self.out.text()
    }

    /// Waits until the program has printed `words` on standard output.
    #[track_caller]
    pub fn prints(&mut self, text: &str) {
        let began = Instant::now();
        while !self.out.text().contains(text) {
            let (runs, said) = (self.runs(), self.out.text());
            assert!(runs || said.contains(text), "it ended without “{text}”:\n{said}\n{}", self.err.text());
            assert!(began.elapsed() < PATIENCE, "it does not print “{text}”:\n{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the program has a page; its address.
    #[track_caller]
    pub fn page(&mut self) -> String {
        const BEFORE: &str = "Light is on: ";
        self.prints(BEFORE);
        self.printed().split_once(BEFORE).unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(self) -> Said {
        self.end_within(PATIENCE)
    }

    /// Waits for the end of a slow program.
    #[track_caller]
    pub fn end_within(mut self, patience: Duration) -> Said {
        let status = wait(&mut self.child, patience);
        let (out, err) = (self.out.all(), self.err.all());
        let status = status.unwrap_or_else(|| panic!("it hangs; it said:\n{out}\n{err}"));
        let said = Said { status, out, err };
        assert!(!said.err.contains("panicked"), "{said:?}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a child. Kills one that hangs, which has no status then.
fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(status) = child.try_wait().expect("its state is known") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// True if a program that a test needs is there; otherwise says that the test is skipped.
pub fn has(need: &str, program: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return true;
    }
    need::missing(need, program);
    false
}

/// Runs the program to its end.
#[track_caller]
pub fn run<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Said {
    start(&mut k1(args)).end()
}

/// Waits until a condition is true.
#[track_caller]
pub fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, is_so);
}

/// Like [`eventually`], with another time limit.
#[track_caller]
pub fn eventually_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patience, "{what}: not after {patience:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Frames in a file that `--to file:` has written.
pub fn frames(path: &Path, leds: usize) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("the file of frames");
    assert_eq!(bytes.len() % (leds * 3), 0, "whole frames only");
    bytes.chunks_exact(leds * 3).map(<[u8]>::to_vec).collect()
}

/// Mean of all bytes of a frame: how bright it is.
pub fn brightness(frame: &[u8]) -> f32 {
    frame.iter().map(|b| f32::from(*b)).sum::<f32>() / frame.len() as f32
}

/// Random numbers with a seed.
pub struct Dice(u64);

impl Dice {
    /// Random numbers that are the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        // xorshift64* (Vigna 2016).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}
