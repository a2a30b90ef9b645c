//! What each path of the API does.

use k1_device::answers::{
    AudioConfig, Backup, BackupOrigin, DeviceInfo, Heard, LinkOptions, LinkOptionsSet, Palettes, ParamTable,
    ParamValues, Patterns, Performance, Restored, Selected, Status, TestConnection,
};
use k1_device::error::Refusal;
use k1_device::requests::{self, ParamsPatch, Restore, Select};
use k1_device::routes::Action;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::PATTERNS;
use serde::Deserialize;

use super::server::App;
use crate::stage::exchange::Change;

/// Name by which scripts in the field know a K1.
const DEVICE: &str = "K1.reinvented";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what a request asks and answers as JSON.
pub fn answer(app: &App, action: Action, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let settings = app.settings();
    let now_ms = app.shared.clock.now_us() / 1000;
    match action {
        Action::Patterns => json(&Patterns::new(settings.pattern)),
        Action::Params => json(&ParamValues { params: settings.params, patch: None }),
        Action::SetParams => {
            let patch: ParamsPatch = parse(body)?;
            let changes: Vec<_> = patch.changes()?.map(|(p, v)| Change::Param(p, v)).collect();
            app.controls.post(changes);
            // The renderer takes it with its next frame; the answer is the set that it will then have.
            let mut params = settings.params;
            patch.apply(&mut params);
            json(&ParamValues { params, patch: Some(&patch) })
        }
        Action::Select => {
            let index = parse::<Select>(body)?.pattern()?;
            app.controls.post([Change::Pattern(index)]);
            json(&Selected::new(index))
        }
        Action::Reset => {
            let params = Params::default();
            app.controls.post(all_of(&params));
            json(&ParamValues { params, patch: None })
        }
        Action::AudioConfig => json(&AudioConfig { microphone_gain: settings.gain }),
        Action::SetAudioConfig => {
            let gain = parse::<requests::AudioConfig>(body)?.gain()?;
            app.controls.post([Change::Gain(gain)]);
            json(&AudioConfig { microphone_gain: gain })
        }
        Action::Palettes => json(&Palettes::default()),
        Action::DeviceInfo => json(&DeviceInfo {
            device: DEVICE,
            firmware: VERSION,
            uptime: now_ms / 1000,
            ip: &app.address.ip().to_string(),
            mac: None,
            board: "program",
            leds: app.leds,
        }),
        Action::Performance => json(&performance(app)),
        Action::TestConnection => json(&TestConnection { status: "ok", timestamp: now_ms }),
        Action::LinkOptions => json(&LinkOptions { force_bg_only: false, force_ht20: false }),
        Action::SetLinkOptions => {
            let (bg_only, ht20) = parse::<requests::LinkOptions>(body)?.changes()?;
            if bg_only == Some(true) || ht20 == Some(true) {
                return Err(Refusal::NotHere(
                    "this is the program k1, which uses the computer's network; only a lamp has Wi-Fi options",
                ));
            }
            json(&LinkOptionsSet { success: true, force_bg_only: false, force_ht20: false })
        }
        Action::Backup => json(&Backup {
            version: "1.0",
            device: DEVICE,
            timestamp: now_ms,
            uptime_seconds: now_ms / 1000,
            parameters: ParamValues { params: settings.params, patch: None },
            current_pattern: settings.pattern,
            microphone_gain: settings.gain,
            device_info: BackupOrigin { ip: &app.address.ip().to_string(), mac: None, firmware: VERSION },
        }),
        Action::Restore => {
            let r = parse_or::<Restore>(body, Refusal::InvalidBackup)?.check()?;
            let mut changes: Vec<_> = all_of(&r.params).collect();
            changes.extend(r.pattern.map(Change::Pattern));
            changes.extend(r.gain.map(Change::Gain));
            app.controls.post(changes);
            let warning = match (r.exact, r.pattern_unknown) {
                (true, false) => None,
                (false, false) => {
                    Some("some values were out of range and were brought to the nearest valid one")
                }
                (true, true) => Some("the pattern of the backup does not exist here; the current one stays"),
                (false, true) => Some("some values were out of range, and the pattern does not exist here"),
            };
            json(&Restored {
                success: true,
                parameters_restored: r.exact,
                pattern_restored: r.pattern.is_some(),
                timestamp: now_ms,
                warning,
            })
        }
        Action::ParamTable => json(&ParamTable::default()),
        Action::Status => json(&Status {
            version: VERSION,
            uptime_s: now_ms as f64 / 1000.0,
            source: &app.title,
            pattern: PATTERNS[settings.pattern].id,
            vitals: app.shared.vitals(),
            heard: Heard::from(app.sound.clone().latest()),
        }),
        Action::OpenApi => json(&super::description()),
        // A route of the table that this home does not know would be a defect; the client is told so.
        _ => Err(Refusal::NotHere("this home of K1 does not know that yet")),
    }
}

/// Every parameter of a set as changes.
fn all_of(params: &Params) -> impl Iterator<Item = Change> {
    let params = *params;
    Param::ALL.iter().map(move |p| Change::Param(*p, params.get(*p)))
}

/// Measured speed and memory.
pub fn performance(app: &App) -> Performance {
    let system = *app.hub.system.borrow();
    let history = app.shared.lock_history();
    let mut fps_history = [0.0; 16];
    for (slot, v) in fps_history.iter_mut().rev().zip(history.iter().rev()) {
        *slot = v.fps;
    }
    let newest = history.back().copied().unwrap_or_default();
    let memory_percent = match (system.free_kb, system.total_kb) {
        (Some(free), Some(total)) if total > 0 => Some(100.0 * (1.0 - free as f32 / total as f32)),
        _ => None,
    };
    Performance {
        fps: newest.fps,
        frame_time_us: newest.render_us,
        cpu_percent: system.cpu_percent,
        memory_percent,
        memory_free_kb: system.free_kb,
        memory_total_kb: system.total_kb,
        fps_history,
    }
}

/// What a JSON object asks.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    parse_or(body, Refusal::InvalidJson)
}

/// The same, with the refusal of an object in which something is of a wrong kind.
fn parse_or<'a, T: Deserialize<'a>>(body: &'a [u8], wrong_kind: Refusal) -> Result<T, Refusal> {
    // A list would be read as the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::InvalidJson);
    }
    serde_json::from_slice(body).map_err(|e| if e.is_data() { wrong_kind } else { Refusal::InvalidJson })
}

// Straight to text: through a `Value` the f32 0.4 would be written as 0.4000000059604645.
fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|_| Refusal::NotHere("the answer could not be written"))
}
