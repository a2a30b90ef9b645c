//! A test's own sound server, which can be killed, stopped and restarted at the same place.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::music;
use crate::support::{Running, eventually, folder, k1, start};

/// Sends a signal to a process of this test.
pub fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process as i32).expect("a process has a number");
    kill_process(pid, signal).expect("it takes a signal");
}

/// A sound server; dropping it ends it.
pub struct Server {
    dir: tempfile::TempDir,
    modules: Vec<String>,
    daemon: Option<Child>,
    players: Vec<Child>,
}

impl Server {
    /// Starts a server with a null sink; `None`, with the reason on the console, if PulseAudio is not installed.
    pub fn start() -> Option<Self> {
        Self::with(&["module-null-sink sink_name=lights sink_properties=device.description=Lights"])
    }

    /// Starts a server with these modules.
    pub fn with(modules: &[&str]) -> Option<Self> {
        let mut server = Self::prepare(modules)?;
        server.begin();
        Some(server)
    }

    /// A server that does not run yet; `None`, with the reason on the terminal, if PulseAudio is not installed.
    pub fn prepare(modules: &[&str]) -> Option<Self> {
        let installed =
            |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
        if let Some(missing) = ["pulseaudio", "pacat", "pactl"].into_iter().find(|tool| !installed(tool)) {
            crate::support::need::missing("pulse", missing);
            return None;
        }
        let modules = modules.iter().map(|m| (*m).to_owned()).collect();
        Some(Self { dir: folder(), modules, daemon: None, players: Vec::new() })
    }

    /// Starts it and waits until it answers.
    pub fn begin(&mut self) {
        let socket = self.path("native");
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = Command::new("pulseaudio");
        // Use no configuration of the user or the system. (As root, PulseAudio prints a warning and runs.)
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]);
        // Load the socket's module last, so that clients find all other modules.
        let door = format!("module-native-protocol-unix socket={}", socket.display());
        for module in self.modules.iter().chain([&door]) {
            command.arg("-L").arg(module);
        }
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"] {
            command.env(name, self.dir.path());
        }
        command.env_remove("PULSE_SERVER").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().expect("pulseaudio starts"));
        eventually("a sound server", || {
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(ended.is_none(), "pulseaudio: {}", log());
            self.on(Command::new("pactl").arg("info")).output().is_ok_and(|o| o.status.success())
        });
    }

    /// Plays a tone into a sink and records it, both with low latency. Without such clients a null sink works in pieces
    /// of two seconds; the first piece after its start always has two seconds.
    pub fn plays(&mut self, sink: &str) {
        let path = self.path("tone.raw");
        if !path.exists() {
            let tone = (0..44_100 * 600).map(|i| 0.3 * (i as f32 * 0.0627).sin());
            std::fs::write(&path, tone.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
        }
        let mut pacat = Command::new("pacat");
        pacat.args(["--playback", "--raw", "--format=float32le", "--rate=44100", "--channels=1"]);
        pacat.args(["--latency-msec=10", &format!("--device={sink}")]).arg(path);
        pacat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let player = self.on(&mut pacat).spawn().unwrap();
        let mut pacat = Command::new("pacat");
        pacat.args(["--record", "--raw", "--latency-msec=10", &format!("--device={sink}.monitor")]);
        pacat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let recorder = self.on(&mut pacat).spawn().unwrap();
        self.players.extend([player, recorder]);
    }

    /// Kills it, like a crash.
    pub fn kill(&mut self) {
        for mut player in self.players.drain(..) {
            let _ = player.kill();
            let _ = player.wait();
        }
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// Stops it (SIGSTOP): it exists, but does nothing.
    pub fn stand_still(&self) {
        signal(self.daemon.as_ref().unwrap().id(), Signal::STOP);
    }

    /// Continues it.
    pub fn go_on(&self) {
        signal(self.daemon.as_ref().unwrap().id(), Signal::CONT);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a program use this server.
    pub fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PULSE_SERVER", format!("unix:{}", self.path("native").display()))
            .env("HOME", self.dir.path())
    }

    /// Runs `pactl` with these arguments; returns its output.
    pub fn pactl(&self, args: &[&str]) -> String {
        let done = self.on(Command::new("pactl").args(args)).output().unwrap();
        assert!(done.status.success(), "pactl {args:?}: {done:?}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// The index of K1's recording.
    pub fn recording(&self) -> String {
        let list = self.pactl(&["list", "short", "source-outputs"]);
        list.split_whitespace().next().unwrap_or_else(|| panic!("nobody records: {list}")).to_owned()
    }

    /// Plays the piece into the sink and waits for its end.
    pub fn play(&self) {
        let path = self.path("piece.raw");
        let bytes: Vec<u8> =
            music::at_rate(&music::piece(), 44_100).iter().flat_map(|x| x.to_le_bytes().repeat(2)).collect();
        std::fs::write(&path, bytes).unwrap();
        let mut pacat = Command::new("pacat");
        pacat.args([
            "--playback",
            "--raw",
            "--device=lights",
            "--format=float32le",
            "--rate=44100",
            "--channels=2",
        ]);
        let done = self.on(pacat.arg(&path)).output().unwrap();
        assert!(done.status.success(), "pacat: {done:?}");
    }

    /// Starts the program on a live input and waits until it hears.
    pub fn hears(&self, input: &str, more: &[&str]) -> Running {
        let mut command = k1(["run", input, "--headless", "--json"]);
        let mut running = start(self.on(command.args(more)));
        running.says("[AUDIO TASK]");
        running.says("[AUDIO SYNC]");
        running
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A running program, and the answers of its page.
pub struct Watched {
    pub running: Running,
    page: String,
}

impl Watched {
    /// Starts it with an input, and a server that may not run.
    pub fn start(server: &Server, input: &str, more: &[&str]) -> Self {
        let mut command = k1(["run", input, "--json", "--listen", "127.0.0.1:0"]);
        Self::of(start(server.on(command.args(more))))
    }

    /// Wraps a started program with a page.
    pub fn of(mut running: Running) -> Self {
        running.says("Light is on: ");
        let said = running.said();
        let page = said.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap().to_owned();
        Self { running, page }
    }

    pub fn text(&self, path: &str) -> String {
        loop {
            match ureq::get(format!("{}{path}", self.page)).call() {
                // K1 answers the same path only once per interval; try again soon.
                Err(ureq::Error::StatusCode(429)) => std::thread::sleep(Duration::from_millis(10)),
                answer => return answer.unwrap().body_mut().read_to_string().unwrap(),
            }
        }
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    /// True while it hears something and reports it.
    pub fn hears(&self) -> bool {
        let status = self.json("api/v1/status");
        let is_loud = status["heard"]["rms_db"].as_f64().is_some_and(|db| db > -50.0);
        is_loud && status["live_sound"]["connected"] == true
    }

    /// Waits until it hears; returns the time that it took.
    #[track_caller]
    pub fn hears_within(&mut self, seconds: u64) -> Duration {
        self.becomes(seconds, "hears", Self::hears)
    }

    /// Waits until it is connected; returns the time that it took.
    #[track_caller]
    pub fn connects_within(&mut self, seconds: u64) -> Duration {
        self.becomes(seconds, "connects", |k1| k1.json("api/v1/status")["live_sound"]["connected"] == true)
    }

    /// Waits until it reports that there is no sound; returns the time that it took.
    #[track_caller]
    pub fn waits_within(&mut self, seconds: u64) -> Duration {
        self.becomes(seconds, "waits", |k1| k1.json("api/v1/status")["live_sound"]["connected"] == false)
    }

    /// Waits until it hears the device with this name.
    #[track_caller]
    pub fn names_within(&mut self, seconds: u64, name: &str) -> Duration {
        self.becomes(seconds, name, |k1| {
            let status = k1.json("api/v1/status");
            status["source"].as_str().is_some_and(|s| s.contains(name)) && k1.hears()
        })
    }

    #[track_caller]
    fn becomes(&mut self, seconds: u64, what: &str, is_so: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        while !is_so(self) {
            assert!(self.running.runs(), "it has ended: {}", self.running.said());
            let late = began.elapsed() > Duration::from_secs(seconds);
            assert!(!late, "it {what} not within {seconds} s: {}", self.state());
            std::thread::sleep(Duration::from_millis(10));
        }
        began.elapsed()
    }

    fn state(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}\n{}", self.json("api/v1/status"), self.running.said());
        text
    }

    /// The figures of each second so far.
    pub fn seconds(&self) -> Vec<Value> {
        let lines = self.running.printed();
        // The last line may be incomplete.
        lines
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .filter(|v| v["kind"] == "second")
            .collect()
    }

    /// Number of times that it has printed a text.
    pub fn times_said(&self, text: &str) -> usize {
        self.running.said().matches(text).count()
    }
}
