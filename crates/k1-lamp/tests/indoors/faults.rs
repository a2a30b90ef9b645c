//! A microphone and a strip that fail, parts that stop, a network that is lost, a clock after a long time.

use k1_device::guard::{Part, Progress, Watch};
use k1_lamp::guard;
use k1_sim::clock;
use serde_json::Value;

use crate::drivers::{Glow, Sound};
use crate::machine::{Halves, Machine};

impl Machine {
    /// A figure of the last second.
    #[track_caller]
    pub fn vital(&mut self, name: &str) -> f64 {
        self.get("/api/v1/status")["vitals"][name].as_f64().unwrap()
    }

    #[track_caller]
    fn check(&mut self, name: &str) -> Value {
        let device = self.get("/api/v1/device");
        device["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap().clone()
    }
}

#[test]
fn a_good_lamp_shows_every_frame_and_hears_every_hop() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.lives(6.0);
    // 180 LEDs of 30 µs, and the pause.
    let device = lamp.get("/api/v1/device");
    let due = 1e6 / device["wire_us"].as_f64().unwrap();
    let (fps, hops) = (lamp.vital("fps"), lamp.vital("hop_rate"));
    assert!((fps - due).abs() < 1.5 && (hops - 125.0).abs() < 1.5, "{fps} of {due}, {hops}");
    assert_eq!((device["shows_on_core"].as_u64(), device["hears_on_core"].as_u64()), (Some(0), Some(1)));
    assert_eq!((&device["microphone"], &device["healthy"]), (&"present".into(), &true.into()), "{device}");
    // From the last sample of a hop to the next frame: at most a hop and a frame.
    let age = lamp.vital("age_ms");
    assert!(age <= 8.0 + 1e3 / due, "{age}");
    let said = lamp.console();
    let order =
        ["[BOOT] K1 ", "[AUDIO SYNC] ", "[GPU TASK] ", "[AUDIO TASK] ", "[FPS] ", "[LATENCY] ", "[MEMORY]"];
    let places: Vec<_> =
        order.iter().map(|line| said.find(line).unwrap_or_else(|| panic!("{line}"))).collect();
    assert!(places.is_sorted(), "{said}");
    assert!(!said.contains("[ERROR]"), "{said}");
}

#[test]
fn every_length_of_strip_gets_the_frames_that_its_wire_carries() {
    let mut lamp = Machine::started(Halves::Real);
    for leds in [60_u32, 180, 300] {
        lamp.post("/api/v1/setup", serde_json::json!({"leds": leds, "reset_us": 300}));
        lamp.lives(4.0);
        lamp.power_off();
        lamp.comes_online();
        lamp.lives(4.0);
        let (fps, limit) = (lamp.vital("fps"), 1e6 / f64::from(30 * leds + 300));
        assert!((fps - limit).abs() <= 1.0, "{leds} LEDs: {fps} of {limit}");
    }
}

#[test]
fn a_microphone_in_the_wrong_slot_is_told_from_a_dead_one() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.sound.set(Sound::OtherSlot);
    lamp.lives(6.0);
    assert_eq!(lamp.get("/api/v1/device")["microphone"], "wrong slot");
    let check = lamp.check("the microphone hears");
    assert!(check["ok"] == false && check["advice"].as_str().unwrap().contains("SEL"), "{check}");
    assert_eq!(lamp.get("/api/v1/status")["heard"]["silent"], true, "nothing is heard of it");
    lamp.sound.set(Sound::Silence);
    lamp.lives(6.0);
    assert_eq!(lamp.get("/api/v1/device")["microphone"], "dead", "now neither slot moves");
    lamp.sound.set(Sound::Tone);
    lamp.lives(4.0);
    assert_eq!(lamp.get("/api/v1/device")["microphone"], "present");
}

#[test]
fn a_microphone_that_vanishes_returns_and_silence_keeps_its_cadence() {
    for fault in [Sound::Timeout, Sound::Bus] {
        let mut lamp = Machine::started(Halves::Real);
        lamp.lives(3.0);
        let heard = lamp.get("/api/v1/status")["heard"].clone();
        assert!(heard["rms_db"].as_f64() > Some(-40.0) && heard["silent"] == false, "{heard}");
        lamp.sound.set(fault);
        lamp.lives(3.0);
        let device = lamp.get("/api/v1/device");
        assert_eq!(device["microphone"], "absent", "{fault:?}");
        let failures = device["microphone_failures"].as_u64().unwrap();
        assert!(failures >= 3, "{fault:?}: {failures}");
        lamp.lives(5.0);
        // The lamp tries it once a second, which costs at most one hop.
        let after = lamp.get("/api/v1/device")["microphone_failures"].as_u64().unwrap();
        assert!((4..=6).contains(&(after - failures)), "{fault:?}: {failures} → {after}");
        let rate = lamp.vital("hop_rate");
        assert!(rate > 122.0, "{fault:?}: {rate}");
        assert_eq!(lamp.get("/api/v1/status")["heard"]["silent"], true);
        assert!(lamp.vital("fps") > 170.0, "light goes on");
        lamp.sound.set(Sound::Tone);
        lamp.lives(3.0);
        assert_eq!(lamp.get("/api/v1/device")["microphone"], "present", "{fault:?}: it has returned");
        assert_eq!(lamp.get("/api/v1/status")["heard"]["silent"], false);
    }
}

#[test]
fn frames_that_do_not_arrive_are_counted_and_told_and_cost_nobody_else_anything() {
    for fault in [Glow::Torn, Glow::Refused] {
        let mut lamp = Machine::started(Halves::Real);
        lamp.lives(3.0);
        assert_eq!(lamp.get("/api/v1/device")["strip_underruns"], 0);
        lamp.glow.set(fault);
        lamp.lives(3.0);
        let failed = lamp.get("/api/v1/device")["strip_underruns"].as_u64().unwrap();
        // At most one refusal for each frame: a strip that refuses immediately does not occupy the core.
        assert!((100..900).contains(&failed), "{fault:?}: {failed}");
        assert!(lamp.console().contains("frames were not sent or sent late"), "{}", lamp.console());
        assert!(lamp.vital("hop_rate") > 122.0);
        lamp.glow.set(Glow::Whole);
        lamp.lives(3.0);
        let (after, fps) =
            (lamp.get("/api/v1/device")["strip_underruns"].as_u64().unwrap(), lamp.vital("fps"));
        assert!(after - failed < 5 && fps > 170.0, "{fault:?}: {after}, {fps}");
    }
}

#[test]
fn a_part_that_stands_still_ends_the_run_and_is_named_by_the_next() {
    for part in ["ear", "renderer"] {
        let mut lamp = Machine::started(Halves::Real);
        lamp.lives(3.0);
        match part {
            "ear" => lamp.sound.set(Sound::Stuck),
            _ => lamp.glow.set(Glow::Stuck),
        }
        lamp.lives(3.0);
        assert_eq!(lamp.starts, 1, "it is given time");
        lamp.lives(3.2);
        assert_eq!(lamp.starts, 2, "and not for ever: {}", lamp.console());
        lamp.sound.set(Sound::Tone);
        lamp.glow.set(Glow::Whole);
        let said = lamp.console();
        assert!(said.contains(&format!("reset: watchdog: the {part} stood still")), "{said}");
        let device = lamp.get("/api/v1/device");
        assert_eq!(device["reset_reason"], format!("watchdog: the {part} stood still"));
        assert!(device["last_panic"].as_str().unwrap().starts_with(&format!("starved: the {part}")));
    }
}

#[test]
fn a_network_that_does_not_go_round_is_starved_and_one_that_never_began_is_not() {
    clock::reset(0);
    let lamp: &'static k1_lamp::Lamp = Box::leak(Box::new(k1_lamp::Lamp::new(Box::leak(Box::default()))));
    let progress = |lamp: &k1_lamp::Lamp, beats: u32| {
        clock::reset(0);
        let watch = Watch::new();
        let mut last = Progress::All;
        for second in 0..12_u64 {
            clock::move_to(second * 1_000_000);
            lamp.meters.count(k1_device::meter::Count::Frames, 100);
            lamp.meters.count(k1_device::meter::Count::Hops, 100);
            lamp.network_beats.store(beats, std::sync::atomic::Ordering::Relaxed);
            last = guard::look(lamp, &watch);
        }
        last
    };
    assert_eq!(progress(lamp, 0), Progress::All);
    assert_eq!(progress(lamp, 3), Progress::Starved(Part::Network));
}

#[test]
fn a_minute_without_a_network_and_a_clock_past_32_bits_of_microseconds() {
    let mut lamp = Machine::new(Halves::Real);
    lamp.begin_at((1 << 32) - 30_000_000);
    lamp.comes_online();
    lamp.lives(3.0);
    let addresses = |lamp: &Machine| lamp.console().matches("[NET] address").count();
    let figures = |lamp: &Machine| lamp.console().matches("[FPS] ").count();
    assert!(lamp.get("/api/v1/status")["uptime_s"].as_f64() > Some(4_264.0));
    lamp.set_link(false);
    lamp.lives(1.0);
    assert!(lamp.console().contains("[NET] no address"), "{}", lamp.console());
    let before = figures(&lamp);
    lamp.lives(60.0);
    let alone = figures(&lamp) - before;
    assert!((59..=61).contains(&alone), "it reports every second: {alone}");
    assert_eq!(addresses(&lamp), 1);
    lamp.set_link(true);
    lamp.lives(15.0);
    assert_eq!(addresses(&lamp), 2, "the address returns");
    let status = lamp.get("/api/v1/status");
    assert!(status["uptime_s"].as_f64() > Some(4_294.967 + 30.0), "the clock went on: {status}");
    let (fps, hops) = (lamp.vital("fps"), lamp.vital("hop_rate"));
    assert!(fps > 170.0 && (hops - 125.0).abs() < 1.5, "{fps} {hops}");
    assert_eq!((lamp.vital("torn"), lamp.starts), (0.0, 1));
    assert!(
        lamp.console()
            .lines()
            .filter_map(|l| l.strip_prefix("[FPS] "))
            .skip(2)
            .all(|l| { l.split(' ').next().unwrap().parse::<f64>().unwrap() > 160.0 })
    );
}
