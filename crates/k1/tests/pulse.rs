//! Live sound from a real sound server: a PulseAudio of the test's own, with a sink that plays to nobody.
#![cfg(all(unix, not(feature = "native-audio")))]

#[path = "support/music.rs"]
mod music;
mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::host::Host;
use support::{Running, brightness, eventually, folder, frames, k1, start};

/// A sound server that is gone when the test is over.
struct Server {
    dir: tempfile::TempDir,
    daemon: Child,
}

impl Server {
    /// Starts one; `None`, with the reason on the console, where PulseAudio is not installed.
    ///
    /// `K1_REQUIRE=pulse` (a list with commas) makes its absence a failure, for machines that are meant to have it.
    fn start() -> Option<Self> {
        let installed =
            |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
        if let Some(missing) = ["pulseaudio", "pacat", "pactl"].into_iter().find(|tool| !installed(tool)) {
            let required =
                std::env::var("K1_REQUIRE").unwrap_or_default().split(',').any(|r| r.trim() == "pulse");
            assert!(!required, "K1_REQUIRE wants pulse, and {missing} is not installed");
            println!("skipped: {missing} is not installed, so that there is no sound server to hear");
            return None;
        }
        let dir = folder();
        let socket = dir.path().join("native");
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new("pulseaudio");
        // No file of the user's or of the system's: only what is named here. As root it grumbles and runs.
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]);
        command.args(["-L", "module-null-sink sink_name=lights sink_properties=device.description=Lights"]);
        command.arg("-L").arg(format!("module-native-protocol-unix socket={}", socket.display()));
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"] {
            command.env(name, dir.path());
        }
        command.env_remove("PULSE_SERVER").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let daemon = command.spawn().expect("pulseaudio starts");
        let mut server = Self { dir, daemon };
        eventually("a sound server", || {
            let ended = server.daemon.try_wait().unwrap();
            assert!(ended.is_none(), "pulseaudio: {}", std::fs::read_to_string(server.path("log")).unwrap());
            server.on(Command::new("pactl").arg("info")).output().is_ok_and(|o| o.status.success())
        });
        Some(server)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Points a program at this server.
    fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PULSE_SERVER", format!("unix:{}", self.path("native").display()))
            .env("HOME", self.dir.path())
    }

    fn pactl(&self, args: &[&str]) {
        let done = self.on(Command::new("pactl").args(args)).output().unwrap();
        assert!(done.status.success(), "pactl {args:?}: {done:?}");
    }

    /// Plays the piece into the sink and waits until it is over.
    fn play(&self) {
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
    fn hears(&self, input: &str, more: &[&str]) -> Running {
        let mut command = k1(["run", input, "--headless", "--json"]);
        let mut running = start(self.on(command.args(more)));
        running.says("[AUDIO TASK]");
        running.says("[AUDIO SYNC]");
        running
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The reports of `k1 run --json` in whose second something was loud.
fn loud(reports: &[Value]) -> Vec<&Value> {
    reports.iter().filter(|r| r["heard"]["rms_db"].as_f64().is_some_and(|db| db > -40.0)).collect()
}

#[test]
fn what_the_computer_plays_becomes_light() {
    let Some(server) = Server::start() else { return };
    let host = Host::watch();
    let light = server.path("light");
    let to = format!("file:{}", light.display());
    let running = server.hears("monitor", &["--duration", "50", "--set", "background=0", "--to", &to]);
    // Moments are counted in frames that have been written, because a busy machine writes fewer.
    let written = || std::fs::metadata(&light).unwrap().len() as usize / (180 * 3);
    std::thread::sleep(Duration::from_millis(1500));
    let before = written();
    server.play();
    server.play();
    let after = written();
    // Silence is believed after two seconds, and then the light has a second to fade.
    std::thread::sleep(Duration::from_millis(5500));
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");

    let frames = frames(&light, 180);
    let brightest = |of: &[Vec<u8>]| of.iter().map(|f| brightness(f)).fold(0.0, f32::max);
    assert!(before > 50, "{before} frames before the music");
    assert!(brightest(&frames[..before]) < 0.5, "dark before: {}", brightest(&frames[..before]));
    let during = &frames[before..after];
    let lit = during.iter().filter(|f| brightness(f) > 2.0).count();
    assert!(lit > during.len() / 4 && brightest(during) > 10.0, "{lit} of {} frames are lit", during.len());
    let rest = &frames[frames.len() - 60..];
    assert!(brightest(rest) < 0.5, "dark after: {}", brightest(rest));

    let reports = said.json_lines();
    let loud = loud(&reports);
    assert!(loud.len() >= 2, "{reports:?}");
    assert!(loud.iter().all(|r| r["heard"]["input"] != "dead"), "{loud:?}");
    assert!(loud.last().unwrap()["heard"]["onsets"].as_u64() > Some(5), "{loud:?}");
    let vitals = &said.summary()["vitals"];
    let hop_rate = vitals["hop_rate"].as_f64().unwrap();
    host.asserts((120.0..130.0).contains(&hop_rate), || format!("125 hops a second: {vitals}"));
    for none in ["torn", "allocations"] {
        assert_eq!(vitals[none], 0, "{none}: {vitals}");
    }
    host.asserts(vitals["overruns"] == 0, || format!("nothing that was played is lost: {vitals}"));
}

#[test]
fn a_microphone_is_heard_by_a_part_of_its_name() {
    let Some(server) = Server::start() else { return };
    // A source that is no monitor and carries what is played: as good as a microphone in front of a loudspeaker.
    server.pactl(&["load-module", "module-remap-source", "master=lights.monitor", "source_name=room_mic"]);
    let running = server.hears("mic:Room", &["--duration", "50"]);
    server.play();
    std::thread::sleep(Duration::from_millis(500));
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    let reports = said.json_lines();
    assert!(reports.last().unwrap()["kind"] == "summary" && !loud(&reports).is_empty(), "{reports:?}");
}

#[test]
fn sources_are_listed_and_what_is_missing_is_named() {
    let Some(server) = Server::start() else { return };
    let ask = |args: &[&str]| start(server.on(&mut k1(args))).end();
    let said = ask(&["sources", "--json"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let list = said.json();
    assert_eq!(list["problem"], Value::Null);
    assert_eq!(list["live"][0]["input"], "monitor:lights.monitor");
    assert_eq!(list["live"][0]["default"], true);
    assert_eq!(list["live"].as_array().unwrap().len(), 1);
    let said = ask(&["sources"]);
    assert!(said.out.contains("monitor:lights.monitor") && said.out.contains("(default)"), "{}", said.out);
    ask(&["run", "mic", "--headless"]).failed_saying(&["there is no microphone", "lights.monitor"]);
    ask(&["run", "monitor:hdmi", "--headless"]).failed_saying(&["called “hdmi”", "lights.monitor"]);
}

#[test]
fn an_output_that_goes_away_ends_with_a_sentence() {
    let Some(server) = Server::start() else { return };
    let running = server.hears("monitor", &["--duration", "50"]);
    server.pactl(&["unload-module", "module-null-sink"]);
    gone(running, "Monitor of Lights has gone away");
}

#[test]
fn a_server_that_goes_away_ends_with_a_sentence() {
    let Some(server) = Server::start() else { return };
    let running = server.hears("monitor", &["--duration", "50"]);
    drop(server);
    gone(running, "the sound server has gone away");
}

/// It ends soon, with the boot log and one more sentence, and with a summary of what there was.
fn gone(running: Running, sentence: &str) {
    let began = Instant::now();
    let said = running.end();
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "not after {:?}", began.elapsed());
    assert_eq!(said.err.lines().last(), Some(&*format!("k1: the sound stopped: {sentence}")));
    said.summary();
}

/// Something listens at the place and never answers: a server that hangs.
#[test]
fn a_server_that_says_nothing_is_given_up() {
    let dir = folder();
    let path = dir.path().join("native");
    let listens = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let began = Instant::now();
    let said = start(k1(["run", "mic", "--headless"]).env("PULSE_SERVER", &path)).end();
    said.failed_saying(&["the one that listens says nothing"]);
    assert!(began.elapsed() < Duration::from_secs(15), "after {:?}", began.elapsed());
    // The same for a socket that a dead server has left, and for a server elsewhere.
    drop(listens);
    start(k1(["run", "mic", "--headless"]).env("PULSE_SERVER", &path)).end().failed_saying(&["refused"]);
    let elsewhere = start(k1(["run", "mic", "--headless"]).env("PULSE_SERVER", "tcp:192.0.2.1")).end();
    elsewhere.failed_saying(&["tcp:192.0.2.1", "sockets of this machine only"]);
}
