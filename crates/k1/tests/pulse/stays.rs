//! Live sound survives failures of its server and changes of its devices.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::server::{Server, Watched, signal};
use crate::support::{eventually, folder, k1, start};

/// Modules for two outputs, each playing a tone, and for a source that is not a monitor.
pub const STUDIO: [&str; 5] = [
    "module-null-sink sink_name=one sink_properties=device.description=One",
    "module-null-sink sink_name=two sink_properties=device.description=Two",
    "module-sine sink=one frequency=440",
    "module-sine sink=two frequency=880",
    "module-sine-source source_name=room rate=44100 frequency=330",
];

/// Asserts that K1 reports that its sound is away, for this reason.
fn tells_of_waiting(k1: &Watched, reason: &str) {
    let device = k1.json("api/v1/device");
    let live = &device["live_sound"];
    assert!(live["connected"] == false && live["reason"].as_str().unwrap().contains(reason), "{live}");
    assert!(live["for_s"].as_f64().unwrap() < 60.0, "{live}");
    let check = device["checks"].as_array().unwrap().iter().find(|c| c["name"] == "sound arrives").unwrap();
    assert!(check["ok"] == false && check["advice"].as_str().unwrap().contains(reason), "{check}");
    assert_eq!(device["healthy"], false, "{device}");
    assert!(k1.text("metrics").contains("\nk1_sound_connected 0\n"));
}

fn tells_of_hearing(k1: &Watched) {
    let device = k1.json("api/v1/device");
    assert!(
        device["live_sound"]["connected"] == true && device["live_sound"]["reason"].is_null(),
        "{device}"
    );
    assert!(k1.text("metrics").contains("\nk1_sound_connected 1\n"));
}

/// Asserts that frames and hops came at their usual rates while the sound was away.
fn light_went_on(k1: &Watched) {
    eventually("figures of some seconds", || k1.seconds().len() >= 3);
    let seconds = k1.seconds();
    let mean = |name: &str| {
        seconds.iter().map(|s| s["vitals"][name].as_f64().unwrap()).sum::<f64>() / seconds.len() as f64
    };
    // These limits hold even if the machine is away half of the time.
    assert!(mean("fps") > 50.0 && (60.0..135.0).contains(&mean("hop_rate")), "{seconds:?}");
}

#[test]
fn a_server_that_dies_and_comes_back_is_heard_again() {
    let Some(mut server) = Server::with(&STUDIO) else { return };
    for input in ["monitor", "monitor:one", "mic:room"] {
        let mut k1 = Watched::start(&server, input, &[]);
        k1.hears_within(20);
        tells_of_hearing(&k1);
        let gaps = || k1.json("api/v1/status")["vitals"]["underruns"].as_u64().unwrap();
        let before = gaps();
        server.kill();
        // Silence comes in time, and counts as a gap.
        eventually("the gap is counted", || gaps() > before);
        k1.waits_within(10);
        k1.running.says("the sound server has gone away; K1 listens again as soon as it is back");
        tells_of_waiting(&k1, "");
        std::thread::sleep(Duration::from_millis(2_500));
        light_went_on(&k1);
        server.begin();
        k1.hears_within(20);
        k1.running.says("listening again: ");
        tells_of_hearing(&k1);
        assert_eq!((k1.times_said("has gone away"), k1.times_said("listening again")), (1, 1));
        k1.running.interrupt();
        assert_eq!(k1.running.end().code(), Some(0));
    }
}

#[test]
fn a_server_or_a_device_that_comes_late_is_waited_for() {
    let Some(mut server) = Server::prepare(&STUDIO) else { return };
    // There is no server.
    let mut k1 = Watched::start(&server, "monitor:two", &[]);
    k1.running.says("no sound server answers");
    k1.running.says("K1 listens as soon as one answers");
    tells_of_waiting(&k1, "no sound server answers");
    assert!(!k1.running.said().contains("[AUDIO SYNC]"), "no sound is claimed");
    server.begin();
    k1.hears_within(20);
    k1.running.says("listening again: Monitor of Two");
    // For a server without the device, K1 lists the available ones.
    for (input, module, words) in [
        ("mic:desk", "module-sine-source source_name=desk", "there is no microphone called “desk”"),
        ("monitor:tv", "module-null-sink sink_name=tv", "there is no monitor of an output called “tv”"),
    ] {
        let mut k1 = Watched::start(&server, input, &[]);
        k1.running.says(words);
        assert!(k1.running.said().contains("one.monitor"), "{}", k1.running.said());
        k1.running.says("K1 listens as soon as it is there");
        tells_of_waiting(&k1, words);
        let words: Vec<_> = module.split(' ').collect();
        server.pactl(&[&["load-module"], &words[..]].concat());
        if input.starts_with("monitor") {
            server.pactl(&["load-module", "module-sine", "sink=tv"]);
        }
        k1.hears_within(20);
        assert_eq!(k1.times_said("listening again"), 1, "{}", k1.running.said());
    }
}

#[test]
fn a_server_that_stands_still_is_noticed_and_heard_without_delay_afterwards() {
    let Some(server) = Server::with(&STUDIO) else { return };
    for input in ["monitor:one", "mic"] {
        let mut k1 = Watched::start(&server, input, &[]);
        k1.hears_within(20);
        server.stand_still();
        let noticed = k1.waits_within(12);
        k1.running.says("the sound server does not answer; K1 listens again as soon as it does");
        tells_of_waiting(&k1, "does not answer");
        std::thread::sleep(Duration::from_millis(1_500));
        light_went_on(&k1);
        server.go_on();
        let back = k1.hears_within(15);
        println!("{input}: noticed after {noticed:?}, back after {back:?}");
        tells_of_hearing(&k1);
        assert_eq!(k1.times_said("does not answer"), 1, "{}", k1.running.said());
    }
}

/// A server that hangs for so long that K1 opens a new connection, and one that hangs before K1 starts.
#[test]
fn a_server_that_stands_still_for_long_gets_a_new_connection() {
    let Some(server) = Server::with(&STUDIO) else { return };
    let mut first = Watched::start(&server, "monitor:two", &[]);
    first.hears_within(20);
    server.stand_still();
    first.waits_within(12);
    let mut second = Watched::start(&server, "mic:room", &[]);
    second.running.says("the sound server does not answer; K1 listens as soon as it does");
    std::thread::sleep(Duration::from_secs(14));
    server.go_on();
    first.hears_within(20);
    second.hears_within(20);
    for k1 in [&first, &second] {
        assert!(k1.times_said("does not answer") == 1, "{}", k1.running.said());
        light_went_on(k1);
    }
}

/// A server that hangs from the start: it listens, but never answers.
#[test]
fn a_server_that_says_nothing_is_no_server() {
    let dir = folder();
    let path = dir.path().join("native");
    let listens = UnixListener::bind(&path).unwrap();
    let began = Instant::now();
    let ask = |server: &str, words: &[&str]| {
        let said = start(k1(["sources"]).env("PULSE_SERVER", server)).end();
        assert!(words.iter().all(|w| said.out.contains(w)), "{words:?}: {said:?}");
        let said =
            start(k1(["run", "mic", "--headless", "--duration", "4"]).env("PULSE_SERVER", server)).end();
        assert_eq!(said.code(), Some(0), "{said:?}");
        assert!(words.iter().all(|w| said.err.contains(w)), "{words:?}: {said:?}");
        assert_eq!(said.err.matches("K1 listens as soon as").count(), 1, "{said:?}");
    };
    let named = path.display().to_string();
    ask(&named, &["the sound server does not answer"]);
    assert!(began.elapsed() < Duration::from_secs(20), "after {:?}", began.elapsed());
    // The program starts nevertheless.
    let mut waits = Watched::of(start(
        k1(["run", "mic", "--json", "--listen", "127.0.0.1:0"]).env("PULSE_SERVER", &path),
    ));
    waits.running.says("does not answer; K1 listens as soon as it does");
    waits.running.interrupt();
    assert_eq!(waits.running.end().code(), Some(0));
    // The same for a socket that a dead server has left, and for invalid names.
    drop(listens);
    ask(&named, &["refused"]);
    ask("serial:/dev/x", &["serial:/dev/x", "tcp:HOST:PORT"]);
    // The same for a server of another protocol.
    for says in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0xff; 64], &[0; 7], b""] {
        let path = dir.path().join(format!("other-{}", says.len()));
        let listens = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            while let Ok((mut one, _)) = listens.accept() {
                let _ = one.write_all(says);
            }
        });
        ask(&path.display().to_string(), &["no sound server answers"]);
    }
}

/// A program in place of the server that sends data without end.
#[test]
fn a_server_that_only_talks_is_waited_for_and_said_once() {
    let Some(mut server) = Server::prepare(&STUDIO) else { return };
    let place = server.path("native");
    // Send large pieces, so that there is always more to read.
    let unknown = [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let kinds = [vec![0; 1 << 20], unknown.repeat(50_000)];
    for says in kinds {
        let listens = UnixListener::bind(&place).unwrap();
        let calls = Arc::new(AtomicU32::new(0));
        let counted = calls.clone();
        std::thread::spawn(move || {
            while let Ok((mut one, _)) = listens.accept() {
                counted.fetch_add(1, Relaxed);
                let says = says.clone();
                std::thread::spawn(move || while one.write_all(&says).is_ok() {});
            }
        });
        let began = Instant::now();
        let said = start(server.on(&mut k1(["sources"]))).end();
        assert!(said.out.contains("No live sound"), "{said:?}");
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        let mut k1 = Watched::start(&server, "monitor:one", &[]);
        k1.running.says("K1 listens as soon as");
        tells_of_waiting(&k1, "sound server");
        let before = calls.load(Relaxed);
        std::thread::sleep(Duration::from_secs(6));
        let attempts = calls.load(Relaxed) - before;
        assert!((1..=8).contains(&attempts), "{attempts} attempts in 6 s");
        assert_eq!(k1.times_said("K1 listens as soon as"), 1, "{}", k1.running.said());
        light_went_on(&k1);
        std::fs::remove_file(&place).unwrap();
        server.begin();
        k1.hears_within(20);
        server.kill();
        let _ = std::fs::remove_file(&place);
    }
}

/// K1 ignores a cookie that is a pipe, a device or a folder; a server of the same user accepts K1 nevertheless.
#[test]
fn a_cookie_that_is_no_file_keeps_nobody_waiting() {
    let Some(server) = Server::with(&STUDIO) else { return };
    let pipe = server.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for cookie in [pipe, "/dev/zero".into(), server.path(".")] {
        let mut command = k1(["run", "monitor:one", "--json", "--listen", "127.0.0.1:0"]);
        let mut k1 = Watched::of(start(server.on(command.env("PULSE_COOKIE", &cookie))));
        k1.hears_within(20);
    }
}

#[test]
fn a_default_that_changes_is_followed_and_a_name_is_kept() {
    let Some(server) = Server::with(&STUDIO) else { return };
    server.pactl(&["load-module", "module-sine-source", "source_name=desk", "frequency=500"]);
    server.pactl(&["set-default-sink", "one"]);
    server.pactl(&["set-default-source", "room"]);
    let mut monitor = Watched::start(&server, "monitor", &[]);
    let mut named = Watched::start(&server, "monitor:one", &[]);
    let mut mic = Watched::start(&server, "mic", &[]);
    monitor.names_within(20, "Monitor of One");
    named.names_within(20, "Monitor of One");
    mic.hears_within(20);
    let room = mic.json("api/v1/status")["source"].clone();
    server.pactl(&["set-default-sink", "two"]);
    server.pactl(&["set-default-source", "desk"]);
    let took = monitor.names_within(10, "Monitor of Two");
    println!("followed after {took:?}");
    monitor.running.says("listening now: Monitor of Two");
    eventually("the other microphone", || mic.json("api/v1/status")["source"] != room && mic.hears());
    server.pactl(&["set-default-sink", "one"]);
    monitor.names_within(10, "Monitor of One");
    // Every move is quick, and K1 stays connected.
    assert_eq!(monitor.times_said("gone away"), 0, "{}", monitor.running.said());
    named.names_within(20, "Monitor of One");
    assert_eq!(named.times_said("listening now"), 0, "{}", named.running.said());
}

#[test]
fn a_device_that_is_unplugged_and_comes_back_is_heard_again() {
    let Some(server) = Server::with(&STUDIO[1..2]) else { return };
    // Without and with the module that moves streams whose device is gone.
    for rescues in [false, true] {
        if rescues {
            server.pactl(&["load-module", "module-rescue-streams"]);
        }
        for (input, name) in
            [("monitor:one", "Monitor of One"), ("monitor", "Monitor of One"), ("mic:room", "Sine")]
        {
            let plug = || {
                let properties = "sink_properties=device.description=One";
                let device = match input {
                    "mic:room" => vec!["load-module", "module-sine-source", "source_name=room"],
                    _ => vec!["load-module", "module-null-sink", "sink_name=one", properties],
                };
                let modules = [server.pactl(&device)];
                if input != "mic:room" {
                    server.pactl(&["load-module", "module-sine", "sink=one"]);
                    server.pactl(&["set-default-sink", "one"]);
                }
                modules
            };
            let modules = plug();
            let mut k1 = Watched::start(&server, input, &[]);
            k1.names_within(20, name);
            for module in modules {
                server.pactl(&["unload-module", &module]);
            }
            if input == "monitor" {
                // Another output has become the default.
                eventually("the other output", || {
                    let status = k1.json("api/v1/status");
                    status["source"] == "Monitor of Two" && status["live_sound"]["connected"] == true
                });
            } else {
                k1.waits_within(10);
                k1.running.says(" has gone away; K1 listens again as soon as it is back");
            }
            let modules = plug();
            k1.names_within(20, name);
            tells_of_hearing(&k1);
            for module in modules {
                server.pactl(&["unload-module", &module]);
            }
        }
    }
}

/// A device that disappears and returns under its name before K1 checks: the server moved the recording, not a person.
#[test]
fn a_device_that_is_replaced_under_its_name_is_heard_again_and_the_default_followed() {
    let Some(server) = Server::with(&STUDIO) else { return };
    server.pactl(&["unload-module", "module-null-sink"]);
    let load = |name: &str, description: &str| {
        let (name, description) =
            (format!("sink_name={name}"), format!("sink_properties=device.description={description}"));
        server.pactl(&["load-module", "module-null-sink", &name, &description])
    };
    let mut one = load("one", "One");
    load("two", "Two");
    server.pactl(&["set-default-sink", "one"]);
    let mut named = Watched::start(&server, "monitor:one", &[]);
    let mut unnamed = Watched::start(&server, "monitor", &[]);
    let hears_of = |k1: &mut Watched, name: &str| {
        eventually(name, || {
            let status = k1.json("api/v1/status");
            status["source"].as_str().is_some_and(|s| s.contains(name))
                && status["live_sound"]["connected"] == true
        });
    };
    for _ in 0..3 {
        hears_of(&mut named, "Monitor of One");
        hears_of(&mut unnamed, "Monitor of One");
        server.pactl(&["unload-module", &one]);
        one = load("one", "One");
        let player = server.pactl(&["load-module", "module-sine", "sink=one"]);
        named.names_within(20, "Monitor of One");
        unnamed.names_within(20, "Monitor of One");
        // K1 hears the new device and stays with it.
        std::thread::sleep(Duration::from_millis(500));
        named.names_within(20, "Monitor of One");
        server.pactl(&["unload-module", &player]);
    }
    for (sink, name) in [("two", "Monitor of Two"), ("one", "Monitor of One"), ("two", "Monitor of Two")] {
        server.pactl(&["set-default-sink", sink]);
        hears_of(&mut unnamed, name);
    }
    hears_of(&mut named, "Monitor of One");
}

/// If a person moves the recording to another device, it stays there until another default is chosen.
#[test]
fn a_recording_that_somebody_moves_stays_where_it_was_moved() {
    let Some(server) = Server::with(&STUDIO) else { return };
    server.pactl(&["set-default-sink", "one"]);
    for input in ["monitor:one", "monitor"] {
        let mut k1 = Watched::start(&server, input, &[]);
        k1.names_within(20, "Monitor of One");
        server.pactl(&["move-source-output", &server.recording(), "two.monitor"]);
        k1.names_within(10, "Monitor of Two");
        // Unrelated events change nothing.
        let other = server.pactl(&["load-module", "module-null-sink", "sink_name=other"]);
        server.pactl(&["unload-module", &other]);
        std::thread::sleep(Duration::from_millis(700));
        // A null sink works in pieces of two seconds until a client asks for shorter ones.
        k1.names_within(10, "Monitor of Two");
        assert_eq!(k1.times_said("gone away"), 0);
        if input == "monitor" {
            // Choosing another default takes effect, even if it was the default before. The tones follow the default,
            // too, so this comes last.
            for (sink, name) in [("two", "Monitor of Two"), ("one", "Monitor of One")] {
                server.pactl(&["set-default-sink", sink]);
                std::thread::sleep(Duration::from_millis(700));
                k1.names_within(10, name);
            }
        }
        k1.running.interrupt();
        k1.running.end();
    }
}

#[test]
fn whatever_format_a_device_takes_it_is_heard_and_a_suspended_one_is_silent() {
    let Some(server) = Server::with(&STUDIO[..1]) else { return };
    let formats = [
        "rate=8000 channels=1 format=s16le",
        "rate=192000 channels=8 format=float32le",
        "rate=44100 channels=2 format=s24le",
    ];
    server.pactl(&["unload-module", "module-null-sink"]);
    let plug = |format: &str| {
        let words: Vec<_> = format.split(' ').collect();
        let sink =
            server.pactl(&[&["load-module", "module-null-sink", "sink_name=odd"], &words[..]].concat());
        server.pactl(&["load-module", "module-sine", "sink=odd"]);
        sink
    };
    let mut sink = plug(formats[0]);
    let mut k1 = Watched::start(&server, "monitor:odd", &[]);
    for format in &formats[1..] {
        k1.hears_within(20);
        server.pactl(&["unload-module", &sink]);
        k1.waits_within(10);
        sink = plug(format);
    }
    k1.hears_within(20);
    // A monitor is suspended together with its sink.
    server.pactl(&["suspend-sink", "odd", "1"]);
    eventually("silence", || k1.json("api/v1/status")["heard"]["rms_db"].as_f64().unwrap() < -80.0);
    std::thread::sleep(Duration::from_millis(3_500));
    tells_of_hearing(&k1);
    light_went_on(&k1);
    server.pactl(&["suspend-sink", "odd", "0"]);
    k1.hears_within(10);
}

#[test]
fn a_stop_and_continue_costs_the_stop_and_nothing_else() {
    let Some(server) = Server::with(&STUDIO) else { return };
    let mut k1 = Watched::start(&server, "monitor:one", &[]);
    k1.hears_within(20);
    for stop in [100, 1_100, 4_000] {
        signal(k1.running.id(), Signal::STOP);
        std::thread::sleep(Duration::from_millis(stop));
        signal(k1.running.id(), Signal::CONT);
        let back = k1.hears_within(10);
        println!("stopped for {stop} ms: heard after {back:?}");
    }
    assert_eq!(
        (k1.times_said("gone away"), k1.times_said("does not answer")),
        (0, 0),
        "{}",
        k1.running.said()
    );
    // A tracer interrupts every system call.
    let began = k1.seconds().len();
    let mut tracer = Command::new("strace");
    tracer.args(["-f", "-o", "/dev/null", "-p", &k1.running.id().to_string()]).stderr(Stdio::null());
    match tracer.spawn() {
        Ok(mut tracer) => {
            std::thread::sleep(Duration::from_secs(1));
            let _ = tracer.kill();
            let _ = tracer.wait();
        }
        Err(e) => println!("strace does not start ({e})"),
    }
    eventually("seconds as before", || {
        let seconds = k1.seconds();
        seconds.len() > began + 3 && seconds.last().unwrap()["vitals"]["hop_rate"].as_f64().unwrap() > 100.0
    });
    k1.hears_within(10);
    assert_eq!(k1.times_said("listening again"), 0, "{}", k1.running.said());
}

#[test]
fn a_server_on_another_machine_is_heard_and_its_loss_survived() {
    let Some(mut server) = Server::with(&STUDIO) else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let door = ["listen=127.0.0.1".to_owned(), format!("port={port}"), "auth-anonymous=1".into()];
    let open = |server: &Server| {
        let door: Vec<_> = door.iter().map(String::as_str).collect();
        server.pactl(&[&["load-module", "module-native-protocol-tcp"], &door[..]].concat())
    };
    open(&server);
    let mut command = k1(["run", "monitor:two", "--json", "--listen", "127.0.0.1:0"]);
    let mut k1 = Watched::of(start(command.env("PULSE_SERVER", format!("tcp:127.0.0.1:{port}"))));
    k1.hears_within(20);
    server.kill();
    k1.waits_within(10);
    server.begin();
    open(&server);
    k1.hears_within(20);
}
