//! Live sound from a real sound server: the test starts its own PulseAudio with a null sink.
#![cfg(all(unix, not(feature = "native-audio")))]

mod inputs;
#[path = "../support/music.rs"]
mod music;
mod nights;
mod server;
mod stays;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use serde_json::Value;
use server::Server;
use support::host::Host;
use support::{brightness, eventually, frames, k1, start};

/// The reports of `k1 run --json` for seconds with loud sound.
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
    // Times are measured in written frames, because a busy machine writes fewer.
    let written = || std::fs::metadata(&light).unwrap().len() as usize / (180 * 3);
    eventually("frames before the music", || written() > 60);
    let before = written();
    server.play();
    server.play();
    let after = written();
    // K1 reports silence after two seconds, and then the light has a second to fade.
    let brightest = |of: &[Vec<u8>]| of.iter().map(|f| brightness(f)).fold(0.0, f32::max);
    eventually("it is dark again", || {
        let bytes = std::fs::read(&light).unwrap();
        let whole = bytes.len() / (180 * 3);
        let last: Vec<_> = bytes.chunks_exact(180 * 3).skip(whole - 60).map(<[u8]>::to_vec).collect();
        whole > after + 60 && brightest(&last) < 0.5
    });
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");

    let frames = frames(&light, 180);
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
    host.asserts("pulse-hop-rate", (120.0..130.0).contains(&hop_rate), || {
        format!("125 hops a second: {vitals}")
    });
    for none in ["torn", "allocations"] {
        assert_eq!(vitals[none], 0, "{none}: {vitals}");
    }
    host.asserts("pulse-overruns", vitals["overruns"] == 0, || {
        format!("nothing that was played is lost: {vitals}")
    });
}

#[test]
fn a_microphone_is_heard_by_a_part_of_its_name() {
    let Some(server) = Server::start() else { return };
    // A source other than a monitor that carries the played sound, such as a microphone in front of a loudspeaker.
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
    for (input, words) in [("mic", "there is no microphone"), ("monitor:hdmi", "called “hdmi”")] {
        let said = ask(&["run", input, "--headless", "--duration", "1"]);
        assert_eq!(said.code(), Some(0), "it is waited for: {said:?}");
        let line = said.err.lines().find(|l| l.contains(words)).unwrap_or_else(|| panic!("{said:?}"));
        assert!(line.starts_with("k1: ") && line.contains("lights.monitor"), "{line}");
        assert_eq!(said.err.matches("K1 listens").count(), 1, "{said:?}");
    }
}
