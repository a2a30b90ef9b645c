//! The interface for requests: bodies of HTTP requests and messages on the WebSocket.

use k1_device::answers::{Backup, BackupOrigin, ParamValues};
use k1_device::error::{ErrorBody, Refusal};
use k1_device::requests::{AudioConfig, Command, LinkOptions, ParamsPatch, Restore, Select};
use k1_device::routes::{Method, find};
use k1_engine::audio::GAIN_RANGE;
use k1_engine::params::{MOST_OWN_PALETTES, Param, Params};
use k1_engine::patterns::PATTERNS;
use serde::Deserialize;

/// Any bytes as the body of every request and as a path. Accepted input is valid; refused input gets an answer.
pub fn api_body(bytes: &[u8]) {
    if let Some(patch) = parse::<ParamsPatch>(bytes) {
        check_patch(&patch);
    }
    if let Some(select) = parse::<Select>(bytes)
        && let Some(index) = accepted(select.pattern())
    {
        assert!(index < PATTERNS.len());
    }
    if let Some(config) = parse::<AudioConfig>(bytes)
        && let Some(gain) = accepted(config.gain())
    {
        assert!(GAIN_RANGE.contains(&gain));
    }
    if let Some(restore) = parse::<Restore>(bytes)
        && let Some(restored) = accepted(restore.check(MOST_OWN_PALETTES))
    {
        check_params(&restored.params);
        assert!(restored.pattern.is_none_or(|p| p < PATTERNS.len()));
        assert!(!(restored.pattern_unknown && restored.pattern.is_some()));
        let gain = restored.gain.unwrap_or(1.0);
        assert!(GAIN_RANGE.contains(&gain));
        there_and_back(&restored.params, restored.pattern.unwrap_or(0), gain);
    }
    if let Some(command) = parse::<Command>(bytes) {
        if let Some(patch) = command.params {
            check_patch(&patch);
        }
        if let Some(Some(gain)) = accepted(command.gain()) {
            assert!(GAIN_RANGE.contains(&gain));
        }
        if let Some(Some(index)) = accepted(command.pattern()) {
            assert!(index < PATTERNS.len());
        }
        if let Some(Some(fps)) = accepted(command.fps()) {
            assert!((1.0..=120.0).contains(&fps));
        }
        accepted(command.audio());
        accepted(command.thumbnails());
        assert!(command.ping.is_none_or(f64::is_finite), "an echo can be written as JSON");
    }
    if let Some(options) = parse::<LinkOptions>(bytes)
        && let Some(changes) = accepted(options.changes())
    {
        assert_ne!(changes, (None, None), "a change changes something");
    }
    if let Ok(path) = str::from_utf8(bytes) {
        for method in [Method::Get, Method::Post] {
            if let Some((_, route)) = accepted(find(method, path).map_err(Refusal::Http)) {
                assert_eq!((route.path, route.method), (path, method));
            }
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// The accepted value, if any. A refusal must be an answer that programs and people can read.
fn accepted<T>(result: Result<T, Refusal>) -> Option<T> {
    let refusal = match result {
        Ok(value) => return Some(value),
        Err(refusal) => refusal,
    };
    let body = serde_json::to_vec(&ErrorBody::new(refusal, 1)).expect("a refusal is JSON");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("a refusal is JSON");
    assert_eq!(body["error"], refusal.code());
    assert_eq!(body["status"], refusal.status());
    assert!((400..=599).contains(&refusal.status()));
    assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()));
    None
}

fn check_patch(patch: &ParamsPatch) {
    let Some(changes) = accepted(patch.changes()) else { return };
    let mut params = Params::default();
    patch.apply(&mut params);
    check_params(&params);
    for (param, value) in changes {
        assert_eq!(value, param.nearest(value), "{}", param.spec().id);
        assert_eq!(value, params.get(param));
        let _ = patch.was_clamped(param);
    }
}

fn check_params(params: &Params) {
    for param in Param::ALL {
        let (spec, value) = (param.spec(), params.get(*param));
        let own = if *param == Param::PaletteId { MOST_OWN_PALETTES as f32 } else { 0.0 };
        assert!((spec.min..=spec.max + own).contains(&value), "{} is {value}", spec.id);
    }
    assert_eq!(params.get(Param::PaletteId).fract(), 0.0);
}

/// K1 restores its own backup exactly.
fn there_and_back(params: &Params, pattern: usize, gain: f32) {
    let backup = Backup {
        version: "1.0",
        device: "K1.reinvented",
        timestamp: 1,
        uptime_seconds: 1,
        parameters: ParamValues { params: *params, patch: None },
        current_pattern: pattern,
        microphone_gain: gain,
        device_info: BackupOrigin { ip: "127.0.0.1", mac: None, firmware: "test" },
    };
    let text = serde_json::to_vec(&backup).expect("a backup is JSON");
    let read =
        parse::<Restore>(&text).expect("a backup is a backup").check(MOST_OWN_PALETTES).expect("it is valid");
    assert_eq!(read.params, *params);
    assert_eq!((read.exact, read.pattern, read.gain), (true, Some(pattern), Some(gain)));
}
