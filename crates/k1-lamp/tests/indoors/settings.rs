//! What a lamp remembers: through restarts, power cuts and garbage.

use k1_engine::random::SplitMix64;
use k1_lamp::receive::SETTINGS;
use k1_sim::flash::Tear;
use serde_json::{Value, json};

use crate::client::Client;
use crate::machine::{Halves, Machine};

impl Machine {
    /// Sends one request with the token and returns the JSON of the answer.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Value {
        let answer = self.asks(20.0, async |c: Client| c.asks("GET", path, b"").await).flatten();
        let answer = answer.unwrap_or_else(|| panic!("no answer to {path}: {}", self.console()));
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        answer.json()
    }

    /// Sends one request with a body that must be accepted.
    #[track_caller]
    pub fn post(&mut self, path: &str, body: Value) -> Value {
        let body = body.to_string();
        let answer = self.asks(20.0, async |c: Client| c.asks("POST", path, body.as_bytes()).await).flatten();
        let answer = answer.unwrap_or_else(|| panic!("no answer to {path}: {}", self.console()));
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        answer.json()
    }
}

#[test]
fn settings_outlive_the_power() {
    let mut lamp = Machine::started(Halves::Real);
    let token = lamp.asks(1.0, async |c: Client| c.token()).unwrap();
    assert_eq!(token.len(), 16);
    lamp.post("/api/params", json!({"warmth": 0.75, "palette_id": 9}));
    lamp.post("/api/select", json!({"id": "bloom"}));
    let setup = json!({"leds": 60, "name": "shelf", "color_order": "RGB", "noise_floor_db": -55,
        "shape": "line-reversed"});
    lamp.post("/api/v1/setup", setup);
    lamp.post("/api/v1/setup", json!({"wifi_ssid": "home", "wifi_password": "never shown"}));
    lamp.lives(5.0);
    assert_eq!(lamp.get("/api/v1/device")["settings_writes"], 5);
    lamp.power_off();
    lamp.comes_online();
    assert!(lamp.console().contains("settings: 4 groups were stored"), "{}", lamp.console());
    assert_eq!(lamp.asks(1.0, async |c: Client| c.token()).unwrap(), token);
    assert_eq!(lamp.get("/api/params")["warmth"], 0.75);
    assert_eq!(lamp.get("/api/patterns")["current_pattern"], 5);
    let setup = lamp.get("/api/v1/setup");
    assert_eq!(
        (&setup["leds"], &setup["name"], &setup["shape"], &setup["wifi_ssid"]),
        (&json!(60), &json!("shelf"), &json!("line-reversed"), &json!("home"))
    );
    assert!(!setup.to_string().contains("never shown"));
    assert_eq!(lamp.get("/api/device/info")["leds"], 60);
    assert_eq!(lamp.frames.borrow().last().unwrap().len(), 180, "the strip has as many");
}

#[test]
fn a_strip_with_white_leds_gets_four_bytes_for_each_at_the_pace_of_its_wire() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.post("/api/params", json!({"background": 1.0, "saturation": 0.2}));
    lamp.post("/api/v1/setup", json!({"leds": 60, "color_order": "GRBW", "reset_us": 80}));
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    lamp.lives(3.0);
    let setup = lamp.get("/api/v1/setup");
    assert_eq!((&setup["color_order"], &setup["white"]), (&json!("GRBW"), &json!("accurate")));
    assert_eq!(lamp.get("/api/v1/device")["wire_us"], 60 * 40 + 80);
    let fps = lamp.get("/api/v1/status")["vitals"]["fps"].as_f64().unwrap();
    assert!((400.0..=404.0).contains(&fps), "{fps} of 403 a second");
    let frame = lamp.frames.borrow().last().unwrap().clone();
    assert_eq!(frame.len(), 240);
    let sum = |channel: usize| frame.chunks(4).map(|led| u32::from(led[channel])).sum::<u32>();
    assert!(sum(3) > 0 && sum(3) > sum(0).min(sum(1)).min(sum(2)), "white has what is common: {frame:?}");
}

#[test]
fn one_change_is_one_record_after_a_pause_and_many_changes_are_not_many() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.lives(3.0);
    let writes = lamp.get("/api/v1/device")["settings_writes"].as_u64().unwrap();
    for step in 0..40 {
        lamp.post("/api/params", json!({"warmth": f64::from(step) / 50.0}));
    }
    lamp.lives(5.0);
    let after = lamp.get("/api/v1/device")["settings_writes"].as_u64().unwrap();
    assert!((1..=3).contains(&(after - writes)), "{writes} → {after}");
}

#[test]
fn garbage_where_settings_were_takes_the_defaults_and_is_written_over() {
    let mut random = SplitMix64::new(7);
    for noise in [true, false] {
        let mut lamp = Machine::started(Halves::Counting);
        lamp.lives(2.0);
        lamp.power_off();
        lamp.flash.with(|f| {
            let area = SETTINGS.start as usize..SETTINGS.end as usize;
            f.bytes[area].fill_with(|| if noise { random.next_u64() as u8 } else { 0 });
        });
        lamp.comes_online();
        lamp.lives(4.0);
        assert_eq!(lamp.get("/api/v1/setup")["leds"], 180, "a default");
        lamp.post("/api/v1/setup", json!({"name": "again"}));
        lamp.lives(4.0);
        lamp.power_off();
        lamp.comes_online();
        assert_eq!(lamp.get("/api/v1/setup")["name"], "again", "noise {noise}: it stores again");
    }
}

/// Makes two changes and cuts the power in step `step` of the second one's record. Returns the number of steps.
fn cut(step: u64, tear: Tear) -> u64 {
    let mut lamp = Machine::started(Halves::Counting);
    lamp.lives(1.0);
    let token = lamp.asks(1.0, async |c: Client| c.token()).unwrap();
    lamp.post("/api/v1/setup", json!({"name": "first", "leds": 60}));
    lamp.lives(4.0);
    let from = lamp.flash.with(|f| f.steps);
    lamp.flash.with(|f| f.cut_at(from + step, tear));
    lamp.post("/api/v1/setup", json!({"name": "second", "leds": 90}));
    lamp.lives(4.0);
    let steps = lamp.flash.with(|f| f.steps) - from;
    lamp.comes_online();
    assert_eq!(lamp.asks(1.0, async |c: Client| c.token()).unwrap(), token, "step {step}, {tear:?}");
    let setup = lamp.get("/api/v1/setup");
    let both = (setup["name"].as_str().unwrap(), setup["leds"].as_u64().unwrap());
    assert!([("first", 60), ("second", 90)].contains(&both), "step {step}, {tear:?}: {setup}");
    lamp.post("/api/v1/setup", json!({"name": "third"}));
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    assert_eq!(lamp.get("/api/v1/setup")["name"], "third", "step {step}, {tear:?}");
    steps
}

#[test]
fn the_power_may_go_in_every_step_of_a_record() {
    let whole = cut(u64::MAX / 2, Tear::NotBegun);
    println!("a record has {whole} steps of the flash");
    assert!(whole >= 2);
    for step in 0..whole {
        Tear::ALL.into_iter().for_each(|tear| {
            cut(step, tear);
        });
    }
}
