//! Every path of the lamps in the field: status, fields, types, and refusals.

use std::thread::sleep;

use serde_json::{Value, json};

use crate::k1::{K1, SETTLED};

/// The list of patterns; an index refers to this order.
const PATTERNS: [&str; 21] = [
    "departure",
    "lava",
    "twilight",
    "spectrum",
    "octave",
    "bloom",
    "pulse",
    "tempiscope",
    "beat_tunnel",
    "perlin",
    "void_trail",
    "analog",
    "metronome",
    "hype",
    "chase",
    "bar_clock",
    "bars",
    "plasma",
    "radar",
    "sparks",
    "cascade",
];

/// Asserts that each field exists with its type: `s`tring, `n`umber, `i`nteger, `b`oolean, `a`rray, `o`bject; `?`
/// allows null.
#[track_caller]
fn has(value: &Value, fields: &[(&str, &str)]) {
    for (name, kind) in fields {
        let v = value.get(name).unwrap_or_else(|| panic!("no `{name}` in {value}"));
        let is = match kind.as_bytes()[0] {
            _ if kind.ends_with('?') && v.is_null() => true,
            b's' => v.is_string(),
            b'n' => v.is_number(),
            b'i' => v.is_u64(),
            b'b' => v.is_boolean(),
            b'a' => v.is_array(),
            b'o' => v.is_object(),
            _ => unreachable!(),
        };
        assert!(is, "`{name}` is {v}");
    }
}

const PARAMS: [(&str, &str); 13] = [
    ("brightness", "n"),
    ("softness", "n"),
    ("color", "n"),
    ("color_range", "n"),
    ("saturation", "n"),
    ("warmth", "n"),
    ("background", "n"),
    ("dithering", "n"),
    ("speed", "n"),
    ("palette_id", "i"),
    ("custom_param_1", "n"),
    ("custom_param_2", "n"),
    ("custom_param_3", "n"),
];

#[test]
fn what_can_be_read() {
    let k1 = K1::get_one();
    let patterns = k1.get("/api/patterns").ok();
    has(&patterns, &[("patterns", "a"), ("current_pattern", "i")]);
    let list = patterns["patterns"].as_array().unwrap();
    let ids: Vec<_> = list.iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(ids, PATTERNS);
    for (i, p) in list.iter().enumerate() {
        has(
            p,
            &[("index", "i"), ("id", "s"), ("name", "s"), ("description", "s"), ("is_audio_reactive", "b")],
        );
        assert_eq!(p["index"], i);
    }
    let params = k1.get("/api/params").ok();
    has(&params, &PARAMS);
    assert_eq!(params.as_object().unwrap().len(), PARAMS.len());
    assert_eq!(params["color"].to_string(), "0.33", "as it was set, not as binary fractions have it");
    has(&k1.get("/api/audio-config").ok(), &[("microphone_gain", "n")]);
    let palettes = k1.get("/api/palettes").ok();
    assert_eq!(palettes["count"], 33);
    let list = palettes["palettes"].as_array().unwrap();
    assert_eq!(list.len(), 33);
    for (i, p) in list.iter().enumerate() {
        has(p, &[("id", "i"), ("name", "s"), ("colors", "a"), ("num_keyframes", "i")]);
        assert_eq!(p["id"], i);
        let colors = p["colors"].as_array().unwrap();
        assert_eq!(colors.len(), 5);
        let byte = |v: &Value| v.as_u64().is_some_and(|b| b < 256);
        assert!(colors.iter().all(|c| ["r", "g", "b"].iter().all(|k| byte(&c[*k]))), "{p}");
        assert!(p["num_keyframes"].as_u64() > Some(1));
    }
    let info = k1.get("/api/device/info").ok();
    has(&info, &[("device", "s"), ("firmware", "s"), ("uptime", "i"), ("ip", "s"), ("mac", "s?")]);
    assert_eq!(info["device"], "K1.reinvented");
    let performance = k1.get("/api/device/performance").ok();
    let figures = [
        ("fps", "n"),
        ("frame_time_us", "n"),
        ("cpu_percent", "n?"),
        ("memory_percent", "n?"),
        ("memory_free_kb", "i?"),
        ("memory_total_kb", "i?"),
        ("fps_history", "a"),
    ];
    has(&performance, &figures);
    let history = performance["fps_history"].as_array().unwrap();
    assert!(history.len() == 16 && history.iter().all(Value::is_number), "{performance}");
    let test = k1.get("/api/test-connection").ok();
    has(&test, &[("status", "s"), ("timestamp", "i")]);
    assert_eq!(test["status"], "ok");
    has(&k1.get("/api/wifi/link-options").ok(), &[("force_bg_only", "b"), ("force_ht20", "b")]);
    has(
        &k1.get("/api/v1/status").ok(),
        &[("version", "s"), ("uptime_s", "n"), ("vitals", "o"), ("heard", "o")],
    );
    for p in k1.get("/api/v1/params").ok()["params"].as_array().unwrap() {
        has(p, &[("id", "s"), ("min", "n"), ("max", "n"), ("default", "n"), ("help", "s")]);
    }
    for path in ["/api/nothing", "/api", "/api/", "/metrics/", "/api/params/", "/API/params", "/%61pi/params"]
    {
        k1.get(path).refused(404, "not_found");
    }
}

#[test]
fn parameters_change_and_are_seen() {
    let k1 = K1::get_one();
    let change = json!({"brightness": 0.4, "warmth": 1, "palette_id": 7, "custom_param_2": 0.125});
    let answer = k1.post("/api/params", change.clone()).ok();
    has(&answer, &PARAMS);
    assert!(answer.get("clamped").is_none() && answer.get("unknown_fields").is_none(), "{answer}");
    let seen = k1.becomes("/api/params", |now| *now == answer);
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(seen[name].as_f64(), value.as_f64(), "{name}");
    }
    assert_eq!(seen["softness"], 0.25, "what was not named stays");

    // K1 clamps values that are out of range and names them; it ignores unknown parameters.
    let change =
        json!({"speed": 7, "softness": -3, "palette_id": 4e9, "color": 1e300, "sparkle": {"a": [1, null]}});
    let answer = k1.post("/api/params", change).ok();
    assert_eq!(answer["clamped"], json!(["softness", "color", "speed", "palette_id"]));
    assert_eq!(answer["unknown_fields"], 1);
    let values = |seen: &Value| {
        ["speed", "softness", "palette_id", "color", "brightness"].map(|p| seen[p].as_f64().unwrap())
    };
    let seen = k1.becomes("/api/params", |now| values(now) == [1.0, 0.0, 32.0, 1.0, 0.4]);

    // A value that is not a number changes nothing, not even other parameters in the same request.
    for wrong in
        [json!("hot"), json!("NaN"), json!("0.5"), json!(true), json!(null), json!([0.5]), json!({"v": 1})]
    {
        let answer = k1.post("/api/params", json!({"brightness": 0.9, "warmth": wrong}));
        answer.refused(400, "invalid_value");
        assert!(answer.body["message"].as_str().unwrap().contains("warmth"));
    }
    let doors = ["/api/params", "/api/select", "/api/audio-config", "/api/wifi/link-options"];
    let wrong = [
        "",
        " ",
        "{",
        "[]",
        "[0.5]",
        "3",
        "null",
        "\"x\"",
        "{\"warmth\":NaN}",
        "{} {}",
        "{'warmth':1}",
        "\u{feff}{}",
        &"{\"a\":".repeat(300),
        &"[".repeat(2000),
    ];
    for (wrong, door) in wrong.into_iter().zip(doors.into_iter().cycle()) {
        k1.post_text(door, wrong).refused(400, "invalid_json");
    }
    k1.post_text("/api/params", "{\"warmth\":1e999}").refused(400, "invalid_json");
    sleep(SETTLED);
    assert_eq!(k1.get("/api/params").ok(), seen);

    let defaults = k1.post("/api/reset", json!({})).ok();
    k1.becomes("/api/params", |now| *now == defaults);
    for p in k1.get("/api/v1/params").ok()["params"].as_array().unwrap() {
        let now = &defaults[p["id"].as_str().unwrap()];
        assert_eq!(now.as_f64(), p["default"].as_f64(), "{p}");
    }
}

#[test]
fn patterns_are_selected_by_index_and_id() {
    let k1 = K1::get_one();
    let becomes = |index: u8| {
        k1.becomes("/api/patterns", |now| now["current_pattern"] == index);
    };
    let answer = k1.post("/api/select", json!({"index": 5})).ok();
    assert_eq!((&answer["current_pattern"], &answer["id"]), (&json!(5), &json!("bloom")));
    has(&answer, &[("name", "s")]);
    becomes(5);
    let answer = k1.post("/api/select", json!({"id": "hype"})).ok();
    assert_eq!(answer["current_pattern"], 13);
    assert_eq!(
        k1.post_text("/api/select", r#"{"id":"lav\u0061"}"#).ok()["current_pattern"],
        1,
        "as JSON may write it"
    );
    becomes(1);
    let unknown =
        [json!(21), json!(-1), json!(255), json!(256), json!(65536), json!(4_294_967_296_u64), json!(1.5)];
    for index in unknown {
        k1.post("/api/select", json!({"index": index})).refused(404, "pattern_not_found");
    }
    for id in ["", "Lava", "nope", "grün", &"x".repeat(500)] {
        k1.post("/api/select", json!({"id": id})).refused(404, "pattern_not_found");
    }
    k1.post_text("/api/select", r#"{"id":"gr\u00fcn"}"#).refused(404, "pattern_not_found");
    for body in [json!({}), json!({"pattern": 3}), json!({"index": null})] {
        k1.post("/api/select", body).refused(400, "missing_field");
    }
    for body in [json!({"index": "3"}), json!({"id": 3}), json!({"index": [3]})] {
        k1.post("/api/select", body).refused(400, "invalid_value");
    }
    for text in ["", "3", "[3]", "{\"index\":3", "index=3"] {
        k1.post_text("/api/select", text).refused(400, "invalid_json");
    }
    sleep(SETTLED);
    assert_eq!(k1.get("/api/patterns").ok()["current_pattern"], 1, "refusals change nothing");
}

#[test]
fn the_gain_has_its_range_and_the_network_its_options() {
    let k1 = K1::get_one();
    assert_eq!(
        k1.post("/api/audio-config", json!({"microphone_gain": 1.5})).ok(),
        json!({"microphone_gain": 1.5})
    );
    k1.becomes("/api/audio-config", |now| *now == json!({"microphone_gain": 1.5}));
    for wrong in [json!(0.49), json!(2.01), json!(-1), json!("1"), json!(1e300), json!([1])] {
        k1.post("/api/audio-config", json!({"microphone_gain": wrong})).refused(400, "invalid_value");
    }
    k1.post("/api/audio-config", json!({})).refused(400, "missing_field");
    k1.post_text("/api/audio-config", "[1.5]").refused(400, "invalid_json");
    sleep(SETTLED);
    assert_eq!(k1.get("/api/audio-config").ok(), json!({"microphone_gain": 1.5}));
    k1.post("/api/audio-config", json!({"microphone_gain": 1})).ok();

    let now = k1.get("/api/wifi/link-options").ok();
    // If a lamp changed its network here, it would leave the current one for a moment.
    let answer = k1.post("/api/wifi/link-options", json!({"force_ht20": now["force_ht20"]})).ok();
    assert_eq!(answer["success"], true);
    assert_eq!(
        (&answer["force_bg_only"], &answer["force_ht20"]),
        (&now["force_bg_only"], &now["force_ht20"])
    );
    k1.post("/api/wifi/link-options", json!({})).refused(400, "missing_field");
    k1.post("/api/wifi/link-options", json!({"force_ht20": "yes"})).refused(400, "invalid_value");
    k1.post_text("/api/wifi/link-options", "[true]").refused(400, "invalid_json");
    if k1.is_program() {
        k1.post("/api/wifi/link-options", json!({"force_bg_only": true})).refused(501, "not_available");
    }
}

#[test]
fn a_backup_brings_everything_back() {
    let k1 = K1::get_one();
    let becomes = |wanted: &(Value, Value, Value)| {
        k1.becomes("/api/params", |now| *now == wanted.0);
        k1.becomes("/api/audio-config", |now| *now == wanted.1);
        k1.becomes("/api/patterns", |now| now["current_pattern"] == wanted.2);
    };
    let set = |value: f64, palette: u8, pattern: &str, gain: f64| {
        let mut params: Value = PARAMS.iter().map(|(p, _)| ((*p).to_owned(), json!(value))).collect();
        params["palette_id"] = json!(palette);
        let params = k1.post("/api/params", params).ok();
        let index = k1.post("/api/select", json!({"id": pattern})).ok()["current_pattern"].clone();
        let gain = k1.post("/api/audio-config", json!({"microphone_gain": gain})).ok();
        let all = (params, gain, index);
        becomes(&all);
        all
    };
    let before = set(0.375, 21, "octave", 1.75);
    assert_eq!(before.0["dithering"], 0.375);
    let backup = k1.get("/api/config/backup").ok();
    let fields = [
        ("version", "s"),
        ("device", "s"),
        ("timestamp", "i"),
        ("uptime_seconds", "i"),
        ("parameters", "o"),
        ("current_pattern", "i"),
        ("device_info", "o"),
    ];
    has(&backup, &fields);
    assert_eq!((&backup["version"], &backup["device"]), (&json!("1.0"), &json!("K1.reinvented")));
    has(&backup["parameters"], &PARAMS);
    has(&backup["device_info"], &[("ip", "s"), ("mac", "s?"), ("firmware", "s")]);
    let between = set(0.875, 4, "pulse", 0.5);
    assert!(between.0 != before.0 && between.1 != before.1 && between.2 != before.2);
    let answer = k1.post("/api/config/restore", backup).ok();
    assert!(answer.get("warning").is_none() && answer["timestamp"].is_u64(), "{answer}");
    for done in ["success", "parameters_restored", "pattern_restored"] {
        assert_eq!(answer[done], true, "{done}");
    }
    becomes(&before);

    // A backup from an old lamp: dithering, gain and pattern are missing, one value is out of range.
    let old =
        json!({"version": "1.0", "parameters": {"brightness": 3, "speed": 0.75}, "current_pattern": 99});
    let answer = k1.post("/api/config/restore", old).ok();
    assert_eq!((&answer["parameters_restored"], &answer["pattern_restored"]), (&json!(false), &json!(false)));
    assert!(answer["warning"].is_string());
    // What is missing takes its default.
    let params = ["brightness", "speed", "dithering", "softness"];
    k1.becomes("/api/params", |now| params.map(|p| now[p].as_f64().unwrap()) == [1.0, 0.75, 1.0, 0.25]);
    let pattern = k1.get("/api/patterns").ok()["current_pattern"].clone();
    assert_eq!((k1.get("/api/audio-config").ok(), pattern), (before.1, before.2), "these have none and stay");
    k1.post("/api/audio-config", json!({"microphone_gain": 1})).ok();
}

#[test]
fn what_is_no_backup_is_refused() {
    let k1 = K1::get_one();
    k1.post("/api/config/restore", json!({"parameters": {}})).refused(400, "invalid_backup_format");
    k1.post("/api/config/restore", json!({"version": "1.0", "parameters": [1]}))
        .refused(400, "invalid_backup_format");
    // A backup may be larger than other requests.
    let large = json!({"version": "1.0", "parameters": {}, "note": "x".repeat(3500)});
    k1.post("/api/config/restore", large).ok();
}
