//! What `k1 analyze` and other commands tell of sound: summaries, events, and tempi only once they are believed.
#![cfg(unix)]

mod support;
#[path = "support/wav.rs"]
mod wav;

use std::time::Duration;

use k1_engine::audio::BELIEVED;
use support::{folder, k1, run, start};

/// Clicks at a tempo that changes; 0 is silence.
fn clicks(parts: &[(f64, f64)]) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut phase = 0.0;
    for &(seconds, bpm) in parts {
        for _ in 0..(seconds * 16_000.0) as usize {
            let step = bpm / 60.0 / 16_000.0;
            phase = (phase + step) % 1.0;
            let since = phase / step.max(1e-9);
            let t = since / 16_000.0;
            // A kick on the beat, and a hat in between.
            let kick = (2.0 * std::f64::consts::PI * 60.0 * t).sin() * (-t * 25.0).exp();
            samples.push(if bpm > 0.0 { 0.7 * kick as f32 } else { 0.0 });
        }
    }
    samples
}

/// Noise without a beat.
fn noise(seconds: f64, loud: impl Fn(f64) -> f64) -> Vec<f32> {
    let mut dice = support::Dice::new(5);
    (0..(seconds * 16_000.0) as usize)
        .map(|i| ((dice.below(20_000) as f64 / 10_000.0 - 1.0) * loud(i as f64 / 16_000.0)) as f32)
        .collect()
}

#[test]
fn analyze_says_a_summary_first_and_events_on_request() {
    let dir = folder();
    let file = |name: &str, samples: &[f32]| {
        let path = dir.path().join(name);
        std::fs::write(&path, wav::wav(samples, 16_000, 1)).unwrap();
        path.display().to_string()
    };
    let steady = file("steady.wav", &clicks(&[(15.0, 120.0)]));
    let changing = file("changing.wav", &clicks(&[(12.0, 100.0), (18.0, 126.0)]));
    let hiss = file("hiss.wav", &noise(8.0, |_| 0.2));
    let surf = file("surf.wav", &noise(8.0, |t| 0.15 + 0.1 * (t * 0.9).sin()));
    let nothing = file("silence.wav", &clicks(&[(4.0, 0.0)]));
    let blip = file("blip.wav", &clicks(&[(0.3, 120.0)]));
    for (path, tempo, length) in [
        (&steady, "120.0 BPM; heard in", "15.0 s"),
        (&changing, " to 126 BPM, mostly 1", "30.0 s"),
        (&hiss, "no steady tempo", "8.0 s"),
        (&surf, "no steady tempo", "8.0 s"),
        (&nothing, "no steady tempo", "4.0 s"),
        (&blip, "no steady tempo", "0.3 s"),
    ] {
        let said = run(["analyze", path]);
        assert_eq!((said.code(), said.err.as_str()), (Some(0), ""), "{said:?}");
        let row = |name: &str| {
            let line =
                said.out.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}: {said:?}"));
            line[name.len()..].trim().to_owned()
        };
        let told = row("tempo");
        match tempo.strip_prefix(" to") {
            // The slowest tempo that was believed, while it was found.
            Some(rest) => {
                let (slowest, fastest) = told.split_once(" to").unwrap_or_else(|| panic!("{path}: {said:?}"));
                assert!(fastest.starts_with(rest), "{path}: {said:?}");
                assert!((95.0..=101.0).contains(&slowest.parse::<f64>().unwrap()), "{path}: {said:?}");
            }
            None => assert!(told.starts_with(tempo), "{path}: {said:?}"),
        }
        assert_eq!((row("length").as_str(), row("damage").as_str()), (length, "none"));
        assert!(said.out.lines().count() <= 10, "a summary is short: {said:?}");

        // The same in JSON, after the events that it counts.
        let json = run(["analyze", path, "--json"]);
        let (all, summary) = (json.json_lines(), json.summary());
        let of = |kind: &str| all.iter().filter(|e| e["kind"] == kind).count();
        assert_eq!((row("beats"), row("onsets")), (of("beat").to_string(), of("onset").to_string()));
        assert_eq!((&summary["beats"], &summary["onsets"]), (&of("beat").into(), &of("onset").into()));
        // A tempo is reported only when it is believed.
        for event in all.iter().filter(|e| e["kind"] == "tempo" && e["bpm"] != 0.0) {
            assert!(event["confidence"].as_f64().unwrap() >= f64::from(BELIEVED), "{path}: {event}");
        }
        if tempo == "no steady tempo" {
            assert!(of("tempo") == 0 && summary["tempo"].is_null(), "{path}: {json:?}");
        }

        // Events as text, one on each line, in the format that other programs read.
        let events = run(["analyze", path, "--events"]);
        assert_eq!(events.code(), Some(0));
        let number = |text: &str| text.trim().parse::<f64>().is_ok();
        for line in events.out.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let fits = match words.as_slice() {
                [t, "s", "beat" | "tempo", bpm, "BPM", "confidence", sure] => {
                    number(t) && number(bpm) && number(sure)
                }
                [t, "s", "beat", bpm, "BPM", "confidence", sure, n, "of", beats] => {
                    number(t) && number(bpm) && number(sure) && number(n) && number(beats)
                }
                [t, "s", "downbeat", "of", beats, "beats", "confidence", sure] => {
                    number(t) && number(beats) && number(sure)
                }
                [t, "s", "section", "steady" | "build" | "drop" | "break"] => number(t),
                [t, "s", "onset", "strength", x] => number(t) && number(x),
                [t, "s", "tempo", "none"] => number(t),
                _ => false,
            };
            assert!(fits && line.find(" s  ") == Some(9), "{line:?}");
        }
        assert_eq!(events.out.lines().count(), all.len() - 1, "the same events");
        assert!(events.err.contains(&format!("tempo       {}", row("tempo"))), "{events:?}");
    }
    let both = run(["analyze", &steady, "--events", "--json"]);
    assert!(both.code() == Some(2) && both.err.contains("--json"), "{both:?}");
}

#[test]
fn no_door_tells_a_tempo_before_it_is_believed() {
    let dir = folder();
    let path = dir.path().join("x.wav");
    std::fs::write(&path, wav::wav(&[noise(4.0, |_| 0.2), clicks(&[(20.0, 120.0)])].concat(), 16_000, 1))
        .unwrap();
    let args = ["run", path.to_str().unwrap(), "--listen", "127.0.0.1:0", "--name", "Desk"];
    let mut program = start(&mut k1(args));
    program.prints("Light is on: ");
    let printed = program.printed();
    let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let (mut told, mut silent) = (0, 0);
    while program.runs() {
        let Ok(mut answer) = ureq::get(format!("{page}api/v1/status")).call() else { break };
        let heard = answer.body_mut().read_json::<serde_json::Value>().unwrap()["heard"].clone();
        let (bpm, confidence) = (heard["bpm"].as_f64().unwrap(), heard["confidence"].as_f64().unwrap());
        assert_eq!(bpm > 0.0, confidence >= f64::from(BELIEVED), "{heard}");
        *(if bpm > 0.0 { &mut told } else { &mut silent }) += 1;
        std::thread::sleep(Duration::from_millis(120));
    }
    assert!(told > 5 && silent > 5, "{told} and {silent}");
    for line in program.end().out.lines().filter(|l| l.contains("% sure")) {
        let sure: f64 = line.split_once('(').unwrap().1.split_once(" % sure").unwrap().0.parse().unwrap();
        assert!(sure >= 100.0 * f64::from(BELIEVED), "{line}");
    }
}
