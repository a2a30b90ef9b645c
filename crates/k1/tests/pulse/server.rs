//! A sound server of a test's own, that can be killed, stopped, and started again in its place.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::music;
use crate::support::{Running, eventually, folder, k1, start};

/// Sends a signal to a process of ours.
pub fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process as i32).expect("a process has a number");
    kill_process(pid, signal).expect("it takes a signal");
}

/// A sound server that is gone when the test is over.
pub struct Server {
    dir: tempfile::TempDir,
    modules: Vec<String>,
    daemon: Option<Child>,
    players: Vec<Child>,
}

impl Server {
    /// Starts one with a sink that plays to nobody; `None`, with the reason on the console, where there is no PulseAudio.
    pub fn start() -> Option<Self> {
        Self::with(&["module-null-sink sink_name=lights sink_properties=device.description=Lights"])
    }

    /// Starts one with these modules.
    pub fn with(modules: &[&str]) -> Option<Self> {
        let mut server = Self::prepare(modules)?;
        server.begin();
        Some(server)
    }

    /// A place for one that does not run yet; `None`, with the reason on the terminal, where PulseAudio is not installed.
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
        // No file of the user's or of the system's: only what is named here. As root it grumbles and runs.
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]);
        // The door comes last, so that a client finds everything behind it.
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

    /// Plays a tone into a sink, and records it, as programs do that want to be heard and to hear without delay: a sink
    /// that plays to nobody works in pieces of two seconds unless it is asked for shorter ones, and the first piece
    /// after its start has two seconds in any case.
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

    /// Kills it, as a crash does.
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

    /// Lets it stand still: it is there, and does nothing.
    pub fn stand_still(&self) {
        signal(self.daemon.as_ref().unwrap().id(), Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        signal(self.daemon.as_ref().unwrap().id(), Signal::CONT);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Points a program at this server.
    pub fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PULSE_SERVER", format!("unix:{}", self.path("native").display()))
            .env("HOME", self.dir.path())
    }

    /// Asks the server for something; returns what it printed.
    pub fn pactl(&self, args: &[&str]) -> String {
        let done = self.on(Command::new("pactl").args(args)).output().unwrap();
        assert!(done.status.success(), "pactl {args:?}: {done:?}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// The number of the recording of K1.
    pub fn recording(&self) -> String {
        let list = self.pactl(&["list", "short", "source-outputs"]);
        list.split_whitespace().next().unwrap_or_else(|| panic!("nobody records: {list}")).to_owned()
    }

    /// Plays the piece into the sink and waits until it is over.
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

/// The program with its page, and what it answers there.
pub struct Watched {
    pub running: Running,
    page: String,
}

impl Watched {
    /// Starts it on an input, with a server that may not be there.
    pub fn start(server: &Server, input: &str, more: &[&str]) -> Self {
        let mut command = k1(["run", input, "--json", "--listen", "127.0.0.1:0"]);
        Self::of(start(server.on(command.args(more))))
    }

    /// One that was started, with a page.
    pub fn of(mut running: Running) -> Self {
        running.says("Light is on: ");
        let said = running.said();
        let page = said.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap().to_owned();
        Self { running, page }
    }

    pub fn text(&self, path: &str) -> String {
        loop {
            match ureq::get(format!("{}{path}", self.page)).call() {
                // A route answers so and so often; the next answer is soon due.
                Err(ureq::Error::StatusCode(429)) => std::thread::sleep(Duration::from_millis(10)),
                answer => return answer.unwrap().body_mut().read_to_string().unwrap(),
            }
        }
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    /// True while it hears something and knows of it.
    pub fn hears(&self) -> bool {
        let status = self.json("api/v1/status");
        let is_loud = status["heard"]["rms_db"].as_f64().is_some_and(|db| db > -50.0);
        is_loud && status["live_sound"]["connected"] == true
    }

    /// Waits until it hears; returns how long that took.
    #[track_caller]
    pub fn hears_within(&mut self, seconds: u64) -> Duration {
        self.becomes(seconds, "hears", Self::hears)
    }

    /// Waits until it has a connection; returns how long that took.
    #[track_caller]
    pub fn connects_within(&mut self, seconds: u64) -> Duration {
        self.becomes(seconds, "connects", |k1| k1.json("api/v1/status")["live_sound"]["connected"] == true)
    }

    /// Waits until it knows that there is no sound; returns how long that took.
    #[track_caller]
    pub fn waits_within(&mut self, seconds: u64) -> Duration {
        self.becomes(seconds, "waits", |k1| k1.json("api/v1/status")["live_sound"]["connected"] == false)
    }

    /// Waits until it hears this by name.
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

    /// Figures of each second so far.
    pub fn seconds(&self) -> Vec<Value> {
        let lines = self.running.printed();
        // The last line may be on its way.
        lines
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .filter(|v| v["kind"] == "second")
            .collect()
    }

    /// How often it has said something.
    pub fn times_said(&self, text: &str) -> usize {
        self.running.said().matches(text).count()
    }
}
