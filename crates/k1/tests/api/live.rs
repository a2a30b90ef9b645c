//! The two WebSockets.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::host::Host;
use crate::k1::{K1, PATIENCE, Socket};

/// Bytes of a frame message before its pixels, and behind them.
const HEAD: usize = 140;
const TAIL: usize = 8;

fn f64_at(message: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(message[at..at + 8].try_into().unwrap())
}

fn f32_at(message: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(message[at..at + 4].try_into().unwrap())
}

fn u16_at(message: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(message[at..at + 2].try_into().unwrap())
}

#[test]
fn the_socket_of_the_lamps_in_the_field() {
    let k1 = K1::get_one();
    let mut socket = k1.socket("/ws");
    let next = |socket: &mut Socket| -> Value {
        serde_json::from_str(socket.0.read().unwrap().to_text().unwrap()).unwrap()
    };
    let welcome = next(&mut socket);
    assert_eq!(welcome["type"], "welcome");
    assert!(welcome["client_id"].is_u64() && welcome["timestamp"].is_u64());

    socket.0.send(Message::text("hé, \"K1\"")).unwrap();
    let echo = socket.wait_for("an echo", |m| m["type"] == "echo");
    assert_eq!(echo["message"], "hé, \"K1\"");
    assert!(echo["timestamp"].is_u64());

    socket.wait_for("figures", |m| m["type"] == "realtime");
    // Two seconds by K1's own clock, because messages may have waited for this test.
    let (host, mut times) = (Host::watch(), Vec::<u64>::new());
    while times.last().zip(times.first()).is_none_or(|(last, first)| last - first < 2_000) {
        let m = socket.wait_for("figures", |m| m["type"] == "realtime");
        times.push(m["timestamp"].as_u64().unwrap());
        for name in ["fps", "frame_time_us"] {
            assert!(m["performance"][name].is_number(), "{m}");
        }
        for name in ["cpu_percent", "memory_percent", "memory_free_kb"] {
            assert!(m["performance"].get(name).is_some_and(|v| v.is_number() || v.is_null()), "{m}");
        }
        assert_eq!(m["parameters"].as_object().unwrap().len(), 13);
        assert!(m["parameters"].as_object().unwrap().values().all(Value::is_number));
        assert!(m["current_pattern"].is_u64());
    }
    assert!(times.is_sorted());
    assert!(times.len() <= 23, "{} in 2 s; ten a second are due", times.len());
    host.asserts("api-state-messages", times.len() >= 14, || {
        format!("{} in 2 s; ten a second are due", times.len())
    });

    // A client's number is not used again, even after the client has left.
    let mut other = k1.socket("/ws");
    let second = next(&mut other)["client_id"].clone();
    drop(socket);
    std::thread::sleep(Duration::from_millis(100));
    let third = next(&mut k1.socket("/ws"))["client_id"].clone();
    assert!(welcome["client_id"] != second && second != third && third != welcome["client_id"]);
}

#[test]
fn the_live_socket_shows_what_is_shown() {
    let k1 = K1::get_one();
    let mut socket = k1.socket("/api/v1/live");
    let Message::Text(first) = socket.0.read().unwrap() else { panic!("the first message is a greeting") };
    let hello = serde_json::from_str::<Value>(&first).unwrap()["hello"].clone();
    let leds = hello["leds"].as_u64().unwrap() as usize;
    assert!(
        hello["version"].is_string() && hello["source"].is_string() && hello["history"].is_array(),
        "{hello}"
    );
    assert!(hello["fps"].is_u64() && hello["server_us"].is_u64());
    let settings = socket.wait_for("settings", |m| m["settings"].is_object())["settings"].clone();
    assert_eq!(settings["params"].as_object().unwrap().len(), 13);
    assert!(settings["pattern"].is_string() && settings["gain"] == 1.0, "{settings}");
    let status = socket.wait_for("figures", |m| m["status"].is_object())["status"].clone();
    assert!(
        status["vitals"]["frames"].is_u64() && status["uptime_s"].is_number() && status["sockets"].is_u64()
    );

    // Two seconds by K1's own clock, here and below.
    let host = Host::watch();
    let (mut frames, mut first, mut last, mut lit) = (0, f64::NAN, 0.0, 0);
    while frames == 0 || last - first < 2e6 {
        let m = socket.wait_for_kind(1);
        frames += 1;
        assert_eq!(m.len(), HEAD + 3 * leds + TAIL);
        assert_eq!(usize::from(u16_at(&m, 2)), leds);
        assert!(m[1] <= 1 && m[60] <= 2, "silent {}, input {}", m[1], m[60]);
        let at = f64_at(&m, 4);
        assert!(at > last, "frames come in their order");
        last = at;
        first = if frames == 1 { at } else { first };
        let figures: Vec<_> = (0..10).map(|i| f32_at(&m, 12 + 4 * i)).collect();
        assert!(figures.iter().all(|f| f.is_finite()), "{figures:?}");
        let [level, rms, peak, floor, bpm, phase, confidence, ..] = figures[..] else { unreachable!() };
        assert!(
            (0.0..=1.0).contains(&level) && (0.0..1.0).contains(&phase) && (0.0..=1.0).contains(&confidence)
        );
        assert!(rms <= peak && peak <= 1.0 && floor < 0.0 && (0.0..300.0).contains(&bpm), "{figures:?}");
        lit = lit.max(*m[HEAD..HEAD + 3 * leds].iter().max().unwrap());
        let tail = &m[HEAD + 3 * leds..];
        let (position, beats_per_bar) = (f32_at(tail, 0), f32::from(tail[4]));
        assert!(
            (0.0..=beats_per_bar).contains(&position) && beats_per_bar <= 6.0 && tail[6] <= 4,
            "{tail:?}"
        );
    }
    // An emulated lamp can send fewer.
    let least = if k1.is_program() { 60 } else { 25 };
    host.asserts("api-frame-messages", frames > least, || format!("{frames} frames in 2 s"));
    assert!(lit > 60 || !k1.is_program(), "the music is seen");

    socket.say(json!({"fps": 10, "ping": 7}));
    socket.wait_for("a pong", |m| m["pong"] == 7.0);
    let (host, mut frames) = (Host::watch(), 0);
    let first = f64_at(&socket.wait_for_kind(1), 4);
    while f64_at(&socket.wait_for_kind(1), 4) - first <= 1e6 {
        frames += 1;
    }
    assert!(frames <= 13, "{frames} frames in a second where ten are wished");
    host.asserts("api-wished-frames", frames >= 5, || {
        format!("{frames} frames in a second where ten are wished")
    });
}

#[test]
fn the_live_socket_obeys() {
    let k1 = K1::get_one();
    let mut socket = k1.socket("/api/v1/live");
    socket.wait_for("a greeting", |m| m["hello"].is_object());
    socket.say(json!({"ping": 1234.5}));
    let pong = socket.wait_for("a pong", |m| !m["pong"].is_null());
    assert_eq!(pong["pong"], 1234.5);
    assert!(pong["server_us"].is_u64());

    socket.say(
        json!({"params": {"warmth": 0.5, "palette_id": 9}, "pattern": "bloom", "gain": 1.25, "ping": 1}),
    );
    let (host, said) = (Host::watch(), Instant::now());
    let is_new = |m: &Value| m["settings"]["params"]["warmth"] == 0.5 && m["settings"]["pattern"] == "bloom";
    let settings = socket.wait_for("the new settings", is_new)["settings"].clone();
    let after = said.elapsed();
    host.asserts("api-settings-are-told", after < Duration::from_millis(500), || format!("after {after:?}"));
    assert_eq!((&settings["params"]["palette_id"], &settings["gain"]), (&json!(9), &json!(1.25)));
    assert_eq!(k1.get("/api/params").ok()["warmth"], 0.5);
    assert_eq!(k1.get("/api/audio-config").ok()["microphone_gain"], 1.25);
    assert_eq!(k1.get("/api/patterns").ok()["current_pattern"], 5);

    // Other pages see the change, too, and so do changes by scripts.
    let mut other = k1.socket("/api/v1/live");
    other.wait_for("the settings", is_new);
    k1.post("/api/params", json!({"warmth": 0.75})).ok();
    for page in [&mut socket, &mut other] {
        page.wait_for("a script's change", |m| m["settings"]["params"]["warmth"] == 0.75);
    }

    // K1 names the error, changes nothing, and keeps the connection.
    let wrong = [
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("", "invalid_json"),
        ("hello", "invalid_json"),
        (r#"{"params":{"warmth":"hot"}}"#, "invalid_value"),
        (r#"{"params":{"warmth":0.1},"pattern":"nope"}"#, "pattern_not_found"),
        (r#"{"params":{"warmth":0.1},"gain":9}"#, "invalid_value"),
        (r#"{"params":{"warmth":0.1},"pattern":4}"#, "invalid_value"),
        (r#"{"params":{"warmth":0.1},"fps":"many"}"#, "invalid_value"),
        (r#"{"params":{"warmth":0.1},"audio":1}"#, "invalid_value"),
    ];
    for (message, code) in wrong {
        socket.0.send(Message::text(message)).unwrap();
        let error = socket.wait_for("an error", |m| m["error"].is_object())["error"].clone();
        assert_eq!(error["code"], code, "{message}");
        assert!(error["message"].as_str().is_some_and(|m| m.len() > 10));
    }
    socket.0.send(Message::binary(vec![1, 2, 3])).unwrap();
    socket.0.send(Message::Ping(vec![7; 100].into())).unwrap();
    socket.say(json!({"something": "new", "fps": 1e9, "params": {"sparkle": 1, "speed": 9}}));
    let settings =
        socket.wait_for("the settings", |m| m["settings"]["params"]["speed"] == 1.0)["settings"].clone();
    assert_eq!(settings["params"]["warmth"], 0.75, "refused commands changed nothing");

    // An invalid message ends its own connection and no other.
    let mut flood = k1.socket("/api/v1/live");
    flood.say(json!({"note": "x".repeat(10_000)}));
    while flood.0.read().is_ok() {}
    socket.say(json!({"ping": 2}));
    socket.wait_for("a pong", |m| m["pong"] == 2.0);
    socket.say(json!({"gain": 1}));
}

#[test]
fn sound_and_thumbnails_come_when_wished() {
    let k1 = K1::get_one();
    let mut socket = k1.socket("/api/v1/live");
    let hello = socket.wait_for("a greeting", |m| m["hello"].is_object())["hello"].clone();
    // A lamp has no memory for a renderer of each pattern, and says so.
    let has_thumbnails = hello["thumbnails"].as_bool().expect("a flag");
    assert!(has_thumbnails || !k1.is_program());
    // Pages that do not ask for thumbnails get none.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        if let Message::Binary(b) = socket.0.read().unwrap() {
            assert_eq!(b[0], 1);
        }
    }
    socket.say(json!({"audio": true, "thumbnails": true}));
    let (mut packets, mut pictures, mut loudest) = (Vec::new(), Vec::new(), 0);
    // Two seconds by K1's own clock, from the first frame to the last.
    let (host, mut first, mut last) = (Host::watch(), None::<f64>, 0.0_f64);
    while first.is_none_or(|first| last - first < 2e6) {
        let Message::Binary(b) = socket.0.read().unwrap() else { continue };
        match b[0] {
            2 => {
                let samples = usize::from(u16_at(&b, 2));
                assert!(
                    samples > 0 && b.len() == 12 + 2 * samples,
                    "{} bytes for {samples} samples",
                    b.len()
                );
                packets.push((f64_at(&b, 4), samples));
                let pcm = b[12..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs());
                loudest = pcm.max().unwrap().max(loudest);
            }
            3 => {
                let (patterns, leds) = (usize::from(b[1]), usize::from(u16_at(&b, 2)));
                assert_eq!(patterns, 21);
                assert_eq!(b.len(), 4 + patterns * leds * 3);
                pictures.push(b);
            }
            kind => {
                assert_eq!(kind, 1);
                last = f64_at(&b, 4);
                first.get_or_insert(last);
            }
        }
    }
    // Each message begins where the previous one ended, except where K1 itself counts an underrun.
    let gaps = packets.windows(2).filter(|w| {
        let end = w[0].0 + w[0].1 as f64 * 1e6 / 16_000.0;
        (w[1].0 - end).abs() > 2_000.0
    });
    let gaps = gaps.count();
    let heard: usize = packets.iter().filter(|p| first.is_some_and(|first| p.0 >= first)).map(|p| p.1).sum();
    let least = if k1.is_program() { 24_000 } else { 6_000 };
    assert!(heard <= 34_000, "{heard} samples in 2 s");
    host.asserts("api-sound-messages", heard >= least, || format!("{heard} samples in 2 s"));
    assert!(loudest > 1_000 || !k1.is_program(), "music is heard");
    host.asserts("api-thumbnails", pictures.len() > 15 || !has_thumbnails, || {
        format!("{} thumbnails in 2 s", pictures.len())
    });
    assert!(pictures.windows(2).any(|w| w[0] != w[1]) || !has_thumbnails, "they move");

    socket.say(json!({"audio": false, "thumbnails": false, "ping": 3}));
    socket.wait_for("a pong", |m| m["pong"] == 3.0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_200) {
        if let Message::Binary(b) = socket.0.read().unwrap() {
            assert_eq!(b[0], 1);
        }
    }
    let late = k1.get("/api/v1/status").ok()["vitals"]["underruns"].as_u64().unwrap() as usize;
    assert!(gaps <= late, "{gaps} gaps and {late} times late: {packets:?}");
}

#[test]
fn one_too_many_is_turned_away() {
    let mut k1 = K1::get_one();
    let mut open = Vec::new();
    let first_words = |i: usize| {
        let path = if i.is_multiple_of(2) { "/api/v1/live" } else { "/ws" };
        let mut socket = k1.socket(path);
        let first = socket.0.read().unwrap();
        (socket, first)
    };
    loop {
        let (socket, first) = first_words(open.len());
        if !first.is_text() {
            break;
        }
        open.push(socket);
        assert!(open.len() <= 32, "there is no end");
    }
    assert!(open.len() == 32 || !k1.is_program(), "{} places", open.len());
    for i in 0..4 {
        open.iter_mut().for_each(Socket::keep_up);
        let (_socket, first) = first_words(i);
        let Message::Close(Some(frame)) = first else { panic!("{i}: {first}") };
        assert_eq!(frame.code, CloseCode::Again);
        assert!(frame.reason.contains("too many"));
    }
    // A place that becomes free is used again.
    open.pop();
    let began = Instant::now();
    while !first_words(33).1.is_text() {
        assert!(began.elapsed() < PATIENCE, "the place stays taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A plain request to a WebSocket's path gets an error that says so.
    k1.get("/ws").refused(501, "not_available");
    assert_eq!(k1.get("/api/test-connection").ok()["status"], "ok");
    k1.lives();
}
