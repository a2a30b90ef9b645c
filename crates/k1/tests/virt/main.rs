//! The virtual lamp: the lamp's own firmware, booted on an emulated machine with two harts.
//!
//! `K1_REQUIRE=virt` makes a missing emulator or firmware a failure; otherwise these tests print that they were
//! skipped.

#[path = "../support/mod.rs"]
mod support;

mod adverse;
mod doors;
mod lamp;
mod operate;
mod proof;
mod rate;
mod update;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use k1_engine::HOP;
use k1_wire::{ddp, rtp};
use lamp::{Lamp, firmware};
use serde_json::json;
use support::Dice;
use support::host::Host;

#[test]
fn it_boots_and_says_so_in_order() {
    let Some(mut lamp) = Lamp::start_steady(None, &firmware("lamp.bin")) else { return };
    let began = Instant::now();
    lamp.says("[LATENCY]");
    let console = lamp.console();
    let order = [
        "[BOOT] K1 ",
        "[AUDIO SYNC] Initialized successfully",
        "[GPU TASK] Running on Core 0",
        "[AUDIO TASK] Running on Core 1",
        "[FPS] ",
        "[LATENCY] ",
    ];
    let places: Vec<_> =
        order.iter().map(|line| console.find(line).unwrap_or_else(|| panic!("{line}"))).collect();
    assert!(places.is_sorted(), "{console}");
    println!("the first figures after {:.1} s", began.elapsed().as_secs_f64());

    let device = lamp.get("/api/v1/device");
    assert_eq!((device["shows_on_core"].as_u64(), device["hears_on_core"].as_u64()), (Some(0), Some(1)));
    assert_eq!(device["board"], "virt");
    assert_eq!(device["microphone"], "present", "it hears its tape");

    // Requests without the token are refused, except for the page itself.
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", lamp.http)).unwrap();
        stream
            .write_all(
                format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").as_bytes(),
            )
            .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(ask("/api/params").starts_with("HTTP/1.1 401"));
    assert!(ask("/").starts_with("HTTP/1.1 200"));
    assert_eq!(lamp.token.len(), 16);
}

#[test]
fn stacks_and_heap_have_room_under_the_heaviest_pattern() {
    let Some(lamp) = Lamp::start_steady(None, &firmware("lamp.bin")) else { return };
    lamp.post("/api/v1/setup", json!({"leds": 300}));
    for pattern in ["perlin", "lava", "hype"] {
        lamp.post("/api/select", json!({"id": pattern}));
        // The tape plays once from start to end.
        lamp.runs_for(3.5);
    }
    let device = lamp.get("/api/v1/device");
    for stack in ["render_stack", "audio_stack"] {
        let headroom = device[stack]["headroom"].as_u64().unwrap();
        println!("{stack}: {} B, {headroom} B never touched", device[stack]["size"]);
        assert!(headroom >= 4_096, "{stack}: {headroom}");
    }
    println!("heap: {}", device["heap"]);
    let vitals = lamp.get("/api/v1/status")["vitals"].clone();
    assert_eq!((&vitals["allocations"], &vitals["torn"]), (&json!(0), &json!(0)), "{vitals}");
}

#[test]
fn starting_takes_little_stack() {
    let Some(mut lamp) = Lamp::start_steady(None, &firmware("lamp.bin")) else { return };
    lamp.says("[LATENCY]");
    let budgets = include_str!("../../../../budgets.toml");
    let limit = budgets.lines().find_map(|l| l.strip_prefix("start_max = ")).unwrap().replace('_', "");
    let console = lamp.console();
    let said = console.split("[BOOT] starting took ").nth(1).unwrap_or_else(|| panic!("{console}"));
    let taken: u32 = said.split(' ').next().unwrap().parse().unwrap();
    println!("starting took {taken} B of stack, at most {limit}");
    // The paint was there, and was found.
    assert!((1_024..=limit.parse().unwrap()).contains(&taken), "{taken} B");
}

/// Sends sound to a lamp.
struct Music {
    socket: UdpSocket,
    number: u32,
}

impl Music {
    fn new(lamp: &Lamp) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", lamp.sound)).unwrap();
        Self { socket, number: 0 }
    }

    fn hop(&mut self, sample: impl Fn(usize) -> f32) {
        let mut packet = rtp::write_header(self.number as u16, self.number * HOP as u32, 1).to_vec();
        for i in 0..HOP {
            let s = sample(self.number as usize * HOP + i);
            packet.extend(((s * 32_767.0) as i16).to_be_bytes());
        }
        let _ = self.socket.send(&packet);
        self.number += 1;
    }
}

#[test]
fn sound_becomes_light_across_the_whole_lamp() {
    // A burst each second after the first four. K1_BURSTS sets the number; a 99th percentile needs many.
    let wanted: u64 = std::env::var("K1_BURSTS").map_or(18, |n| n.parse().unwrap());
    let length = Duration::from_secs(wanted + 4);
    let Some(lamp) = Lamp::start(None) else { return };
    let light = UdpSocket::bind("127.0.0.1:0").unwrap();
    light.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // In the emulator's network, this machine has this address.
    let to = format!("10.0.2.2:{}", light.local_addr().unwrap().port());
    lamp.post("/api/v1/setup", json!({"mirror": to}));
    lamp.post("/api/select", json!({"id": "analog"}));
    lamp.post("/api/params", json!({"softness": 0, "background": 0, "dithering": 0}));
    let host = Host::watch();
    // Collect each frame with its time and brightness.
    let began = Instant::now();
    let seen = std::thread::spawn(move || {
        let (mut receiver, mut frames) = (ddp::Receiver::<180>::default(), Vec::new());
        let mut packet = [0; 2_000];
        while began.elapsed() < length + Duration::from_secs(1) {
            let Ok(n) = light.recv(&mut packet) else { continue };
            if let Some(pixels) = receiver.accept(&ddp::Packet::check(&packet[..n]).expect("DDP")) {
                let sum: u32 = pixels.as_flattened().iter().map(|b| u32::from(*b)).sum();
                frames.push((began.elapsed().as_secs_f64() * 1000.0, sum));
            }
        }
        frames
    });
    // Silence with a tone of 0.2 s each second.
    let mut music = Music::new(&lamp);
    let (mut hops, mut bursts) = (0_u64, Vec::new());
    while began.elapsed() < length {
        while hops < began.elapsed().as_micros() as u64 / 8_000 {
            let loud = hops > 500 && hops % 125 < 25;
            if loud && hops.is_multiple_of(125) {
                bursts.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            music.hop(|i| if loud { 0.7 * (i as f32 * 0.2).sin() } else { 0.0 });
            hops += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let frames = seen.join().unwrap();
    host.asserts("lamp-mirrored-frames", frames.len() > 500, || format!("{} frames came", frames.len()));
    // From the packet with the first loud sample to the first frame that is brighter than all frames of the previous
    // 100 ms.
    let mut delays: Vec<f64> = bursts
        .iter()
        .filter_map(|burst| {
            let before = frames.iter().filter(|(t, _)| (burst - 100.0..*burst).contains(t));
            let dark = before.map(|(_, sum)| *sum).max()?;
            let (lit, _) = frames.iter().find(|(t, sum)| *t > *burst && *sum > dark + 300)?;
            Some(lit - burst).filter(|ms| *ms < 400.0)
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let vitals = lamp.get("/api/v1/status")["vitals"].clone();
    let at = |share: f64| delays.get((delays.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "sound (RTP) to light (DDP): {} of {} bursts, median {:.1} ms, p99 {:.1} ms, the worst {:.1} ms; {} frames",
        delays.len(),
        bursts.len(),
        at(0.5),
        at(0.99),
        delays.last().copied().unwrap_or(f64::NAN),
        frames.len(),
    );
    let figure = |name: &str| vitals[name].as_f64().unwrap();
    let wire_ms = lamp.get("/api/v1/device")["wire_us"].as_f64().unwrap() / 1000.0;
    println!(
        "of that: a hop's samples 8.0 ms at most; hearing, hand-off and the wait for a frame {:.1} ms median, {:.1} p99 \
     (hearing a hop {:.2} ms mean); rendering {:.2} ms mean; the wire {wire_ms:.1} ms, which the mirror does not wait \
     for",
        figure("age_ms"),
        figure("age_p99_ms"),
        figure("hop_us") / 1000.0,
        figure("render_us") / 1000.0,
    );
    host.asserts("lamp-bursts-seen", 2 * delays.len() > bursts.len(), || format!("{delays:?}"));
    // Usually 8 and 13 ms.
    let is_soon = at(0.5) < 25.0 && at(0.9) < 50.0;
    host.asserts("lamp-burst-latency", is_soon, || format!("{delays:?}"));
}

#[test]
fn a_flood_of_requests_costs_no_memory() {
    let Some(lamp) = Lamp::start_steady(None, &firmware("lamp.bin")) else { return };
    lamp.says_eventually("[FPS]");
    let calm = lamp.get("/api/v1/status")["vitals"].clone();
    let heap = lamp.get("/api/v1/device")["heap"]["free"].as_i64().unwrap();
    let began = Instant::now();
    for i in 0..1_000 {
        let path = ["/api/test-connection", "/", "/api/v1/status", "/app.js"][i % 4];
        let _ = lamp.try_get(path);
    }
    let took = began.elapsed().as_secs_f64();
    // Two seconds by its own clock contain the figures of one whole second.
    lamp.runs_for(2.0);
    let after = lamp.get("/api/v1/status")["vitals"].clone();
    println!("1000 requests in {took:.1} s; before {calm}, after {after}");
    let left = lamp.get("/api/v1/device")["heap"]["free"].as_i64().unwrap();
    assert!((heap - left).abs() < 8_192, "{heap} bytes were free, and now {left}");
    assert_eq!(after["torn"], 0);
    // Its clock counts instructions, so a slow machine does not explain a failure.
    let (rate, target) = (after["fps"].as_f64().unwrap(), after["fps_target"].as_f64().unwrap());
    assert!(rate > 0.97 * target, "{rate} frames a second of {target}");
}

#[test]
fn malformed_input_costs_neither_light_nor_memory() {
    let Some(lamp) = Lamp::start(None) else { return };
    lamp.says_eventually("[FPS]");
    let seconds = std::env::var("K1_HOSTILE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(8);
    let heap = lamp.get("/api/v1/device")["heap"]["free"].as_i64().unwrap();
    let frames = |lamp: &Lamp| lamp.get("/api/v1/status")["vitals"]["frames"].as_u64().unwrap();
    let (before, began) = (frames(&lamp), Instant::now());
    let host = Host::watch();
    let mut dice = Dice::new(99);
    let sound = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0_u64;
    while began.elapsed() < Duration::from_secs(seconds) {
        let noise: Vec<u8> = (0..1 + dice.below(900)).map(|_| dice.below(256) as u8).collect();
        let rtp = [&rtp::write_header(dice.below(65_536) as u16, dice.below(1 << 20) as u32, 3)[..], &noise]
            .concat();
        let mut bent = rtp.clone();
        let at = dice.below(bent.len());
        bent[at] ^= 1 << dice.below(8);
        for bytes in [&noise, &rtp, &bent] {
            let _ = sound.send_to(bytes, ("127.0.0.1", lamp.sound));
        }
        let head = [
            "GET / HTTP/1.1\r\n",
            "POST /api/params HTTP/1.1\r\nHost: k1\r\nContent-Length: 9\r\n\r\n",
            "",
            "\u{16}\u{3}",
        ];
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", lamp.http)) {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            let _ = stream.write_all(head[dice.below(4)].as_bytes());
            let _ = stream.write_all(&noise);
            let _ = stream.read(&mut [0; 256]);
        }
        let mut socket = format!(
        "GET /api/v1/live?token={} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        lamp.token
    )
    .into_bytes();
        socket.extend(&noise);
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", lamp.http)) {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            let _ = stream.write_all(&socket);
            let _ = stream.read(&mut [0; 2_048]);
        }
        sent += 5;
    }
    support::eventually("what hung on is let go", || {
        let left = lamp.get("/api/v1/device")["heap"]["free"].as_i64().unwrap();
        (heap - left).abs() < 12_000
    });
    let rate = (frames(&lamp) - before) as f64 / began.elapsed().as_secs_f64();
    let vitals = lamp.get("/api/v1/status")["vitals"].clone();
    let device = lamp.get("/api/v1/device");
    println!(
        "{sent} malformed packets and connections in {seconds} s: {rate:.1} frames a second, {} counted",
        device["malformed"]
    );
    host.asserts("lamp-frames-in-garbage", rate > 0.4 * vitals["fps_target"].as_f64().unwrap(), || {
        format!("{rate} frames a second")
    });
    assert_eq!((&vitals["torn"], &vitals["allocations"]), (&json!(0), &json!(0)));
    assert!(device["malformed"].as_u64() > Some(10));
}
