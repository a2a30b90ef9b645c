//! Scenes of a lamp, and its light as a whole: as requests have them, on the strip, and through power cuts.

use k1_sim::flash::Tear;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::machine::{Halves, Machine};
use crate::socket::Socket;

impl Machine {
    /// Sends one request below `/api/v1/` and returns its answer.
    #[track_caller]
    fn sends(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let (path, body) = (format!("/api/v1/{path}"), body.to_string());
        let answer =
            self.asks(20.0, async |c: Client| c.asks(method, &path, body.as_bytes()).await).flatten();
        answer.unwrap_or_else(|| panic!("no answer to {path}: {}", self.console()))
    }

    /// Sends one request that must be accepted, and returns the JSON of the answer.
    #[track_caller]
    fn done(&mut self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.sends(method, path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        answer.json()
    }

    /// The sum of all channels of the newest frame on the strip.
    fn glows(&self) -> u32 {
        self.frames.borrow().last().map_or(0, |frame| frame.iter().map(|byte| u32::from(*byte)).sum())
    }

    fn writes(&mut self) -> u64 {
        self.get("/api/v1/device")["settings_writes"].as_u64().unwrap()
    }
}

#[test]
fn a_scene_is_what_is_shown_and_comes_back_after_a_restart() {
    let mut lamp = Machine::started(Halves::Real);
    assert_eq!(lamp.get("/api/v1/scenes"), json!({"scenes": [], "current": null}));
    lamp.post("/api/params", json!({"warmth": 0.75, "palette_id": 9}));
    lamp.post("/api/select", json!({"id": "bloom"}));
    lamp.lives(0.2);
    let made = lamp.done("PUT", "scenes/First", json!({}));
    let look = &made["looks"][""];
    assert_eq!((&look["pattern"], &look["params"]["warmth"]), (&json!("bloom"), &json!(0.75)), "{made}");
    assert_eq!((&made["fade_s"], &made["brightness"]), (&json!(1.0), &Value::Null));
    assert_eq!(lamp.get("/api/v1/scenes")["current"], "First");
    let palette = lamp.get("/api/palettes")["palettes"][4]["name"].clone();
    let look = json!({"pattern": "lava", "palette": palette, "params": {"speed": 0.25}});
    let second = json!({"fade_s": 0.2, "brightness": 0.5, "looks": {"": look}});
    let made = lamp.done("PUT", "scenes/Late%20dinner", second);
    assert_eq!((&made["name"], &made["looks"][""]["palette"]), (&json!("Late dinner"), &palette));
    let recalled = lamp.done("POST", "scenes/Late%20dinner/recall", json!({}));
    assert_eq!(recalled["fade_s"].as_f64().map(|s| (s * 1000.0).round()), Some(200.0));
    assert_eq!((&recalled["scene"], &recalled["missing"]), (&json!("Late dinner"), &json!([])));
    lamp.lives(1.0);
    assert_eq!(lamp.get("/api/v1/status")["pattern"], "lava");
    assert_eq!(lamp.get("/api/params")["speed"], 0.25);
    // A look that is changed by hand is no longer the scene; back again, it is.
    lamp.post("/api/params", json!({"speed": 0.5}));
    lamp.lives(1.0);
    assert_eq!(lamp.get("/api/v1/scenes")["current"], Value::Null);
    lamp.done("POST", "scenes/Late%20dinner/recall", json!({"fade_s": 0}));
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    let scenes = lamp.get("/api/v1/scenes");
    assert_eq!(scenes["current"], "Late dinner", "{scenes}");
    assert_eq!((&scenes["scenes"][0]["name"], &scenes["scenes"][1]), (&json!("First"), &made));
    assert_eq!(lamp.get("/api/v1/status")["pattern"], "lava");
    assert_eq!(lamp.done("DELETE", "scenes/Late%20dinner", json!({})), json!({"deleted": "Late dinner"}));
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    let scenes = lamp.get("/api/v1/scenes");
    assert_eq!((scenes["scenes"].as_array().map(Vec::len), &scenes["current"]), (Some(1), &Value::Null));
}

#[test]
fn what_a_scene_cannot_be_is_refused_in_a_sentence_and_changes_nothing() {
    let mut lamp = Machine::started(Halves::Real);
    for n in 0..8 {
        lamp.done("PUT", &format!("scenes/{n}"), json!({"fade_s": n}));
    }
    for (method, path, body, status, says) in [
        ("PUT", "scenes/9", json!({}), 409, "a lamp keeps 8 scenes"),
        ("POST", "scenes/9/recall", json!({}), 404, "GET /api/v1/scenes lists"),
        ("DELETE", "scenes/9", json!({}), 404, "GET /api/v1/scenes lists"),
        ("POST", "scenes/1/recall", json!({"fade_s": -1}), 400, "`fade_s` must be a number of seconds"),
        ("PUT", "scenes/1", json!({"brightness": 3}), 400, "`brightness` must be a number from 0 to 1"),
        ("PUT", "scenes/1", json!({"looks": {"Left": {"pattern": "lava"}}}), 400, "the only one of a lamp"),
        ("PUT", "scenes/1", json!({"looks": {"": {"pattern": "rainbow"}}}), 404, "no such pattern"),
        ("PUT", "scenes/1", json!({"looks": {"": {"palette": "none"}}}), 400, "GET /api/palettes"),
        ("PUT", "scenes/%0A", json!({}), 400, "`name` must be"),
        ("PUT", "power", json!({"on": 1}), 400, "`on` must be true or false"),
        ("GET", "playlist", json!({}), 501, "neither a playlist nor timers"),
        ("GET", "timers", json!({}), 501, "neither a playlist nor timers"),
        ("GET", "lights", json!({}), 501, "no show file"),
    ] {
        let answer = lamp.sends(method, path, body);
        let said = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == status && said.contains(says), "{method} {path}: {} {said}", answer.status);
    }
    let scenes = lamp.get("/api/v1/scenes");
    let fades: Vec<_> = scenes["scenes"].as_array().unwrap().iter().map(|s| s["fade_s"].as_f64()).collect();
    assert_eq!(fades, (0..8).map(|n| Some(f64::from(n))).collect::<Vec<_>>());
    // The longest name, and a look whose every value is set.
    lamp.done("DELETE", "scenes/0", json!({}));
    let name = "x".repeat(64);
    lamp.done("PUT", &format!("scenes/{name}"), json!({"brightness": 0.5}));
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    assert_eq!(lamp.get("/api/v1/scenes")["scenes"][0]["name"], name);
}

#[test]
fn the_light_fades_dark_and_back_while_the_lamp_hears_and_stays_off_through_a_restart() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.post("/api/params", json!({"background": 1.0}));
    lamp.lives(3.0);
    let lit = lamp.glows();
    assert!(lit > 1_000, "{lit}");
    let whole = json!({"on": true, "fade_s": 1.0, "brightness": 1.0});
    assert_eq!(lamp.get("/api/v1/power"), whole);
    let off = lamp.done("PUT", "power", json!({"on": false, "fade_s": 2}));
    assert_eq!((&off["on"], &off["fade_s"]), (&json!(false), &json!(2.0)));
    lamp.lives(1.0);
    let half = lamp.glows();
    lamp.lives(2.0);
    assert!(half > 0 && half < lit * 3 / 4 && lamp.glows() == 0, "{lit} → {half} → {}", lamp.glows());
    let vitals = lamp.get("/api/v1/status")["vitals"].clone();
    assert!((124.0..=126.0).contains(&vitals["hop_rate"].as_f64().unwrap()), "{vitals}");
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    lamp.lives(2.0);
    assert_eq!((lamp.glows(), &lamp.get("/api/v1/power")["on"]), (0, &json!(false)), "it is still off");
    lamp.done("PUT", "power", json!({"on": true, "brightness": 0.5, "fade_s": 0.5}));
    lamp.lives(2.0);
    let dimmed = lamp.glows();
    // Half as bright for the eye is a fifth of the light.
    assert!(dimmed > lit / 10 && dimmed < lit / 3, "{lit} → {dimmed}");
    // A scene turns the light on and brings a brightness of its own.
    lamp.done("PUT", "scenes/Night", json!({"brightness": 0.5}));
    lamp.done("PUT", "power", json!({"on": false, "fade_s": 0}));
    lamp.lives(0.5);
    assert_eq!(lamp.glows(), 0);
    lamp.done("POST", "scenes/Night/recall", json!({"fade_s": 0}));
    lamp.lives(1.0);
    let night = lamp.glows();
    assert!(night > 0 && night < dimmed / 2, "{dimmed} → {night}");
    assert_eq!(lamp.get("/api/v1/power")["on"], true);
}

#[test]
fn a_scene_is_one_record_and_the_same_again_is_none() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.lives(3.0);
    let first = lamp.writes();
    lamp.done("PUT", "scenes/One", json!({"looks": {"": {"pattern": "lava"}}}));
    lamp.lives(5.0);
    assert_eq!(lamp.writes(), first + 1);
    lamp.done("PUT", "scenes/One", json!({"looks": {"": {"pattern": "lava"}}}));
    lamp.done("PUT", "power", json!({"on": true, "fade_s": 0.3}));
    lamp.lives(5.0);
    assert_eq!(lamp.writes(), first + 1, "nothing has changed");
    // The look and the scene that is shown are a record each.
    lamp.done("POST", "scenes/One/recall", json!({}));
    lamp.lives(5.0);
    assert_eq!(lamp.writes(), first + 3);
    // A finger on the brightness is one more.
    for step in 0..20 {
        lamp.done("PUT", "power", json!({"brightness": f64::from(step) / 20.0, "fade_s": 0.1}));
    }
    lamp.lives(5.0);
    let after = lamp.writes() - first;
    assert!((4..=5).contains(&after), "{after}");
}

/// Saves a scene twice and cuts the power in step `step` of the second time. Returns the number of steps.
fn cut(step: u64, tear: Tear) -> u64 {
    let mut lamp = Machine::started(Halves::Counting);
    lamp.done("PUT", "scenes/Other", json!({"fade_s": 9, "looks": {"": {"pattern": "bloom"}}}));
    lamp.done("PUT", "scenes/Mine", json!({"fade_s": 1, "looks": {"": {"pattern": "lava"}}}));
    lamp.lives(4.0);
    let from = lamp.flash.with(|f| f.steps);
    lamp.flash.with(|f| f.cut_at(from + step, tear));
    lamp.done("PUT", "scenes/Mine", json!({"fade_s": 2, "looks": {"": {"pattern": "plasma"}}}));
    lamp.done("PUT", "power", json!({"on": false}));
    lamp.lives(4.0);
    let steps = lamp.flash.with(|f| f.steps) - from;
    lamp.comes_online();
    let scenes = lamp.get("/api/v1/scenes")["scenes"].clone();
    let said = format!("step {step}, {tear:?}: {scenes}");
    assert_eq!((&scenes[0]["name"], &scenes[0]["fade_s"]), (&json!("Other"), &json!(9.0)), "{said}");
    let mine = (scenes[1]["fade_s"].as_f64().unwrap(), scenes[1]["looks"][""]["pattern"].as_str().unwrap());
    assert!([(1.0, "lava"), (2.0, "plasma")].contains(&mine), "{said}");
    assert_eq!(lamp.console().matches("could not be read").count(), 0, "{said}");
    lamp.done("PUT", "scenes/Mine", json!({"fade_s": 3}));
    lamp.lives(4.0);
    lamp.power_off();
    lamp.comes_online();
    assert_eq!(lamp.get("/api/v1/scenes")["scenes"][1]["fade_s"], 3.0, "{said}");
    steps
}

#[test]
fn the_power_may_go_in_every_step_of_a_scenes_record() {
    let whole = cut(u64::MAX / 2, Tear::NotBegun);
    println!("the records of a scene and of the power have {whole} steps of the flash");
    assert!(whole >= 4);
    for step in 0..whole {
        Tear::ALL.into_iter().for_each(|tear| {
            cut(step, tear);
        });
    }
}

#[test]
fn pages_are_told_of_scenes_and_power_when_they_change() {
    let mut lamp = Machine::started(Halves::Real);
    let told = lamp.asks(40.0, async |c: Client| {
        let (mut socket, _) = Socket::open(c, "/api/v1/live").await;
        socket.send(1, b"{\"zones\": true}").await;
        let first = (socket.text_with("scene").await, socket.text_with("power").await);
        let put = async |path: &str, body: &[u8]| c.asks("PUT", path, body).await.unwrap().status;
        assert_eq!(put("/api/v1/scenes/Dinner", b"").await, 200);
        let made = socket.text_with("scene").await;
        assert_eq!(put("/api/v1/power", b"{\"on\": false, \"fade_s\": 3}").await, 200);
        (first, made, socket.text_with("power").await)
    });
    let ((scene, power), made, off) = told.unwrap();
    assert_eq!(scene["scene"], json!({"current": null, "scenes": []}));
    assert_eq!(power["power"], json!({"on": true, "fade_s": 1.0, "brightness": 1.0}));
    assert_eq!(made["scene"], json!({"current": "Dinner", "scenes": ["Dinner"]}));
    assert_eq!(off["power"], json!({"on": false, "fade_s": 3.0, "brightness": 1.0}));
}
