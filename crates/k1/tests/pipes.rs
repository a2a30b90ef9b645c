//! Pipes of samples: live ones are shown in time, whatever has waited in them; files keep every sample; and everything
//! that the writer or a signal does has a defined result.
#![cfg(unix)]

mod support;

use std::io::{PipeReader, PipeWriter, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::host::Host;
use support::{Running, Said, eventually, folder, frames, k1, start};

/// Time between the beginnings of two clicks in a recording.
const PERIOD: f64 = 2.0;

fn signal(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(running.id() as i32).unwrap(), signal).unwrap();
}

/// The recorded sound at a time: clicks of 150 ms.
fn sample(at: f64) -> f32 {
    if at > 1.0 && at % PERIOD < 0.15 {
        (0.8 * (std::f64::consts::TAU * 440.0 * at).sin()) as f32
    } else {
        0.0
    }
}

/// A recorder: it writes the sound of the moment, and loses samples that do not fit the pipe.
struct Recorder {
    began: Instant,
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Recorder {
    /// Starts a recorder that writes pieces of this length in ms.
    fn start(mut pipe: PipeWriter, rate: u32, piece_ms: u64) -> Self {
        rustix::io::ioctl_fionbio(&pipe, true).unwrap();
        let (began, ends) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let is_over = ends.clone();
        let thread = std::thread::spawn(move || {
            let mut written = 0;
            while !is_over.load(Relaxed) {
                let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
                let piece = u64::from(rate) * piece_ms / 1000;
                while written + piece <= due {
                    let samples = (written..written + piece).map(|i| sample(i as f64 / f64::from(rate)));
                    let bytes: Vec<u8> = samples.flat_map(f32::to_le_bytes).collect();
                    // A piece that does not fit is lost, or its end, which may cut a sample. (A real recorder must not
                    // do that.)
                    let _ = pipe.write(&bytes);
                    written += piece;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { began, ends, thread: Some(thread) }
    }

    /// Time since its start in seconds.
    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// A light that records the times of its flashes.
struct Eye(UdpSocket);

impl Eye {
    fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self(socket)
    }

    fn target(&self) -> String {
        format!("ddp://{}", self.0.local_addr().unwrap())
    }

    /// Delays of the flashes in this number of seconds behind the recorder's clicks, in ms, modulo the period.
    fn late(&self, recorder: &Recorder, seconds: f64) -> Vec<f64> {
        let mut packet = [0; 2000];
        let mut past = [0.0_f64; 8];
        let mut late: Vec<f64> = Vec::new();
        let (until, mut last) = (recorder.now() + seconds, 0.0);
        while recorder.now() < until {
            let Ok(n) = self.0.recv(&mut packet) else { continue };
            let now = recorder.now();
            let light: f64 = packet[10.min(n)..n].iter().map(|b| f64::from(*b)).sum();
            let usual = past.iter().sum::<f64>() / 8.0;
            if light > 3.0 * usual.max(60.0) && now - last > 0.9 && past[0] >= 0.0 {
                last = now;
                late.push(1000.0 * (now % PERIOD));
            }
            past.rotate_left(1);
            past[7] = light;
        }
        late
    }
}

fn listens(pipe: PipeReader, rate: u32, more: &[&str]) -> Running {
    let mut command =
        k1(["run", "-", "--headless", "--json", "--pattern", "spectrum", "--rate", &rate.to_string()]);
    start(command.args(more).stdin(pipe))
}

/// A pipe with a capacity of this number of bytes, if the system allows it.
fn pipe(room: Option<usize>) -> (PipeReader, PipeWriter) {
    let (reads, writes) = std::io::pipe().unwrap();
    #[cfg(target_os = "linux")]
    if let Some(room) = room {
        let _ = rustix::pipe::fcntl_setpipe_size(&writes, room);
    }
    let _ = room;
    (reads, writes)
}

/// The largest delay of a live pipe in ms, a while after a start at which this much sound had waited in it.
fn lateness(rate: u32, before_s: f64, room: Option<usize>, piece_ms: u64) -> Vec<f64> {
    let eye = Eye::open();
    let (reads, writes) = pipe(room);
    let recorder = Recorder::start(writes, rate, piece_ms);
    std::thread::sleep(Duration::from_secs_f64(before_s));
    let mut running = listens(reads, rate, &["--to", &eye.target()]);
    running.says("[AUDIO SYNC]");
    // "Within a few seconds".
    eye.late(&recorder, 3.0);
    let late = eye.late(&recorder, 3.0 * PERIOD);
    drop(recorder);
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    late
}

fn median(mut late: Vec<f64>) -> f64 {
    late.sort_by(f64::total_cmp);
    late.get(late.len() / 2).copied().unwrap_or(f64::NAN)
}

fn is_in_time(host: &Host, what: &str, late: Vec<f64>) {
    let flashes = late.len();
    let median = median(late);
    println!("{what}: {median:.0} ms late, {flashes} flashes");
    host.asserts("pipe-lateness", flashes >= 2 && median < 150.0, || {
        format!("{what}: {median} ms late, {flashes} flashes")
    });
}

#[test]
fn what_waited_in_a_live_pipe_is_skipped() {
    let host = Host::watch();
    for (rate, before, room, piece) in
        [(16_000, 1.0, None, 10), (44_100, 3.0, Some(1 << 20), 10), (8_000, 3.0, None, 64)]
    {
        is_in_time(
            &host,
            &format!("{rate} Hz, {before} s before, pieces of {piece} ms"),
            lateness(rate, before, room, piece),
        );
    }
}

/// `cargo test -p k1 --test pipes -- --ignored --nocapture lateness`
#[test]
#[ignore = "takes some five minutes"]
fn lateness_of_every_kind_of_live_pipe() {
    let host = Host::watch();
    for rate in [8_000, 16_000, 44_100, 48_000, 192_000] {
        for before in [0.0, 0.5, 1.0, 3.0] {
            for room in [None, Some(1 << 20)] {
                let what =
                    format!("{rate} Hz, {before} s before, room for {} KiB", room.unwrap_or(1 << 16) >> 10);
                is_in_time(&host, &what, lateness(rate, before, room, 10));
            }
        }
    }
}

#[test]
fn a_live_pipe_is_in_time_again_after_a_stop() {
    let host = Host::watch();
    let eye = Eye::open();
    let (reads, writes) = pipe(None);
    let recorder = Recorder::start(writes, 16_000, 10);
    let mut running = listens(reads, 16_000, &["--to", &eye.target()]);
    running.says("[AUDIO SYNC]");
    std::thread::sleep(Duration::from_millis(2_500));
    signal(&running, Signal::STOP);
    std::thread::sleep(Duration::from_millis(3_300));
    signal(&running, Signal::CONT);
    eye.late(&recorder, 2.0);
    is_in_time(&host, "after a stop of 3.3 s", eye.late(&recorder, 6.0));
    drop(recorder);
    let said = running.end();
    assert_eq!(said.code(), Some(0));
    assert!(said.err.contains("had waited in the pipe and were skipped"), "{said:?}");
    assert!(said.summary()["vitals"]["overruns"].as_u64() > Some(0), "{said:?}");
}

fn music(seconds: f64) -> Vec<u8> {
    (0..(seconds * 16_000.0) as u32)
        .flat_map(|i| sample(1.0 + f64::from(i) / 16_000.0).to_le_bytes())
        .collect()
}

/// Runs the program with the output of `write`.
fn run_on(write: impl FnOnce(&Running, &mut PipeWriter)) -> Said {
    let (reads, mut writes) = pipe(None);
    let running = listens(reads, 16_000, &[]);
    write(&running, &mut writes);
    drop(writes);
    running.end()
}

/// Asserts that everything was played: nothing was skipped, and the run took the length of the sound.
fn is_whole(said: &Said, seconds: f64) {
    assert_eq!(said.code(), Some(0), "{said:?}");
    let summary = said.summary();
    assert_eq!(summary["vitals"]["overruns"], 0, "{said:?}");
    assert!(!said.err.contains("skipped"), "{said:?}");
    assert!(summary["seconds"].as_f64().unwrap() >= seconds, "{seconds} s of sound: {summary}");
}

#[test]
fn a_file_through_a_pipe_keeps_every_sample() {
    let bytes = music(4.0);
    // As written by cat; in pieces that cut samples; by a writer that is slow at first, and by one that pauses in the
    // middle.
    is_whole(&run_on(|_, pipe| pipe.write_all(&bytes).unwrap()), 4.0);
    is_whole(&run_on(|_, pipe| bytes.chunks(1_001).for_each(|c| pipe.write_all(c).unwrap())), 4.0);
    let rests = |_: &Running, pipe: &mut PipeWriter| {
        for half in bytes.chunks(bytes.len() / 2) {
            std::thread::sleep(Duration::from_millis(1_200));
            pipe.write_all(half).unwrap();
        }
    };
    is_whole(&run_on(rests), 4.0);
    // While signals arrive.
    let stopped = |running: &Running, pipe: &mut PipeWriter| {
        for piece in bytes.chunks(bytes.len() / 8) {
            signal(running, Signal::STOP);
            signal(running, Signal::CONT);
            pipe.write_all(piece).unwrap();
        }
    };
    is_whole(&run_on(stopped), 4.0);
    // A real file on standard input.
    let dir = folder();
    let path = dir.path().join("x.f32");
    std::fs::write(&path, &bytes).unwrap();
    let mut command = k1(["run", "-", "--headless", "--json"]);
    is_whole(&start(command.stdin(std::fs::File::open(&path).unwrap())).end(), 4.0);
}

#[test]
fn a_live_pipe_that_pauses_is_silent_and_the_light_goes_on() {
    let said = run_on(|running, pipe| {
        let mut told = || {
            // A second of sound at its own pace.
            for piece in music(1.0).chunks(640) {
                pipe.write_all(piece).unwrap();
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        told();
        std::thread::sleep(Duration::from_secs(3));
        assert!(!running.printed().contains("summary"), "a pause is not the end");
        told();
    });
    assert_eq!(said.code(), Some(0), "{said:?}");
    let rates: Vec<_> = said.json_lines().iter().filter_map(|l| l["vitals"]["hop_rate"].as_f64()).collect();
    // The second in which the pause begins lacks a moment, and the last one is incomplete.
    assert!(rates.len() >= 4 && rates[1..3].iter().all(|r| (40.0..140.0).contains(r)), "{rates:?}");
}

#[test]
fn a_writer_that_comes_late_is_waited_for() {
    let (reads, mut writes) = pipe(None);
    let mut command = k1(["run", "-", "--json", "--listen", "127.0.0.1:0"]);
    let mut running = start(command.stdin(reads));
    running.says("Light is on: ");
    let said = running.said();
    let page = said.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let live = || {
        std::thread::sleep(Duration::from_millis(150));
        let text =
            ureq::get(format!("{page}api/v1/status")).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["live_sound"].clone()
    };
    assert_eq!(live()["connected"], false);
    running.says("nothing has come through standard input yet; K1 listens as soon as something does");
    assert!(!running.said().contains("[AUDIO SYNC]"));
    writes.write_all(&music(0.5)).unwrap();
    eventually("sound", || live()["connected"] == true);
    drop(writes);
    assert_eq!(running.end().code(), Some(0));
}

/// Ctrl-C ends the program at once and leaves the light dark, wherever its reader is.
#[test]
fn a_signal_ends_it_at_once_and_dark() {
    let dir = folder();
    // Before the first byte, in the middle of a sample, in a pause, and minutes before the end of a file.
    let minutes = music(100.0);
    let kinds: [&[u8]; 4] = [&[], &[1, 2, 3], &music(0.7), &minutes];
    for (i, bytes) in kinds.into_iter().enumerate() {
        for number in [Signal::INT, Signal::TERM] {
            let path = dir.path().join(format!("light-{i}-{}", number.as_raw()));
            let (reads, mut writes) = pipe(None);
            let mut running = listens(reads, 16_000, &["--to", &format!("file:{}", path.display())]);
            let bytes = bytes.to_vec();
            // The pipe stays open until the program has ended.
            let writer = std::thread::spawn(move || {
                let _ = writes.write_all(&bytes);
                writes
            });
            running.says("[AUDIO TASK]");
            eventually("light", || path.metadata().is_ok_and(|m| m.len() > 540 * 60));
            let began = Instant::now();
            signal(&running, number);
            let said = running.end();
            // The rest of the file would take 100 s.
            assert!(began.elapsed() < Duration::from_secs(20), "kind {i}: {:?}", began.elapsed());
            assert_eq!(said.code(), Some(0), "kind {i}: {said:?}");
            assert!(frames(&path, 180).last().unwrap().iter().all(|b| *b == 0), "kind {i} is dark");
            drop(writer.join());
        }
    }
}

#[test]
fn no_input_at_all_is_an_end_and_a_terminal_is_refused() {
    // Closed, empty, and ending in the middle of a sample.
    let closed = format!("exec {} run - --headless --json <&-", env!("CARGO_BIN_EXE_k1"));
    let mut command = Command::new("sh");
    command.args(["-c", &closed]);
    assert_eq!(start(&mut command).end().code(), Some(0));
    assert_eq!(start(k1(["run", "-", "--headless", "--json"]).stdin(Stdio::null())).end().code(), Some(0));
    assert_eq!(run_on(|_, pipe| pipe.write_all(&[1, 2, 3]).unwrap()).code(), Some(0));
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    for command in [&["run", "-", "--headless"][..], &["analyze", "-"], &["render", "-", "-o", "x.npy"]] {
        let end = std::fs::File::options().read(true).write(true).open(Path::new(&name)).unwrap();
        start(k1(command).stdin(end)).end().failed_saying(&["standard input is a terminal", "| k1 run -"]);
    }
}

/// A named pipe without a writer blocks its opening, but no signal.
#[test]
fn a_signal_ends_the_wait_for_a_writer() {
    let dir = folder();
    let path = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    for number in [Signal::INT, Signal::TERM] {
        for speaks in [false, true] {
            // The same for a pipe whose writer writes nothing.
            let writer = speaks.then(|| std::fs::File::options().read(true).write(true).open(&path).unwrap());
            let running =
                start(k1(["run", path.to_str().unwrap(), "--headless", "--json"]).stdin(Stdio::null()));
            std::thread::sleep(Duration::from_millis(500));
            let began = Instant::now();
            signal(&running, number);
            let said = running.end();
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
            assert_eq!(said.code(), Some(0), "{said:?}");
            drop(writer);
        }
    }
}

/// K1 rejects a sound file as raw samples, and does not take a read error for the end.
#[test]
fn a_file_for_raw_samples_and_an_input_that_cannot_be_read_are_told() {
    let dir = folder();
    let image = dir.path().join("x.npy");
    let commands = [
        vec!["analyze".to_owned(), "-".to_owned()],
        vec!["run".to_owned(), "-".to_owned(), "--headless".to_owned()],
        vec!["render".to_owned(), "-".to_owned(), "-o".to_owned(), image.display().to_string()],
    ];
    let wav = [&b"RIFF\x24\x7d\0\0WAVEfmt "[..], &[0; 32_000]].concat();
    let fixture = |ending| std::fs::read(support::fixture(&format!("demo.{ending}"))).unwrap();
    let tagged = [&b"ID3\x03\0\0\0\0\0\0"[..], &fixture("mp3")].concat();
    let kinds = [
        ("WAV", wav),
        ("FLAC", fixture("flac")),
        ("Ogg", fixture("ogg")),
        ("MP4", fixture("m4a")),
        ("MP3", tagged),
    ];
    for command in &commands {
        for (kind, bytes) in &kinds {
            let (reads, mut writes) = pipe(None);
            let running = start(k1(command).stdin(reads));
            let _ = writes.write_all(bytes);
            drop(writes);
            running.end().failed_saying(&["standard input is a", kind, "raw f32 samples", "by its name"]);
        }
        if command[0] != "run" {
            let closed = format!("exec {} {} <&-", env!("CARGO_BIN_EXE_k1"), command.join(" "));
            start(Command::new("sh").args(["-c", &closed]))
                .end()
                .failed_saying(&["standard input is closed"]);
        }
        let folder = std::fs::File::open(dir.path()).unwrap();
        start(k1(command).stdin(folder)).end().failed_saying(&["standard input", "directory"]);
        let unreadable = std::fs::File::create(dir.path().join("for writing")).unwrap();
        start(k1(command).stdin(unreadable)).end().failed_saying(&["standard input", "Bad file descriptor"]);
    }
}

/// In a pipe, K1 cannot reach an index that comes after the sound.
#[test]
fn an_index_at_the_end_of_a_pipe_is_told() {
    let dir = folder();
    let path = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Put the sound first, whatever the fixture's order.
    let bytes = std::fs::read(support::fixture("demo.m4a")).unwrap();
    let (mut at, mut boxes) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        boxes.push(&bytes[at..at + size]);
        at += size;
    }
    boxes.sort_by_key(|b| (&b[4..8] != b"ftyp", &b[4..8] == b"moov"));
    let running = start(k1(["analyze", path.to_str().unwrap()]).stdin(Stdio::null()));
    let bytes = boxes.concat();
    let to = path.clone();
    let writer = std::thread::spawn(move || {
        let _ = std::fs::write(&to, &bytes);
    });
    running.end().failed_saying(&["cannot be read from a pipe; give the file itself"]);
    writer.join().unwrap();
}
