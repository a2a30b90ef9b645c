//! What each path of the API does. It is the same in the program and in the lamp.

use alloc::vec::Vec;

use k1_engine::params::{Param, Params};
use k1_engine::patterns::PATTERNS;
use serde::{Deserialize, Serialize};

use crate::answers::{
    AudioConfig, Backup, BackupOrigin, DeviceInfo, LinkOptionsSet, Palettes, ParamTable, ParamValues,
    Patterns, Restored, Selected, Status, TestConnection, Zones,
};
use crate::backend::{Backend, DEVICE, Description, Identity, VERSION};
use crate::error::Refusal;
use crate::exchange::Change;
use crate::metrics;
use crate::requests::{self, ParamsPatch, Restore, Select, SetKeys, SetupPatch, ZonePatch};
use crate::routes::Action;

/// Does what a request asks and returns the answer: JSON, or text for metrics. `name` is the part of the path that names
/// something.
///
/// # Errors
///
/// The [`Refusal`] to answer with; in this case nothing was changed.
pub fn answer(backend: &dyn Backend, action: Action, name: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let settings = backend.settings();
    let now_ms = backend.now_us() / 1000;
    match action {
        Action::Patterns => json(&Patterns::new(settings.pattern)),
        Action::Params => json(&ParamValues { params: settings.params, patch: None }),
        Action::SetParams => {
            let patch = parse::<ParamsPatch>(body)?.with_own_palettes(backend.own_palettes().len());
            backend.post(&mut patch.changes()?.map(|(p, v)| Change::Param(p, v)));
            // The renderer applies the change with its next frame; the answer is the set that it will have then.
            let mut params = settings.params;
            patch.apply(&mut params);
            json(&ParamValues { params, patch: Some(&patch) })
        }
        Action::Select => {
            let index = parse::<Select>(body)?.pattern()?;
            backend.post(&mut core::iter::once(Change::Pattern(index)));
            json(&Selected::new(index))
        }
        Action::Reset => {
            let params = Params::default();
            backend.post(&mut all_of(&params));
            json(&ParamValues { params, patch: None })
        }
        Action::Zones => json(&Zones { zones: backend.zones() }),
        Action::SetZone => {
            let patch = parse::<ZonePatch>(body)?.with_own_palettes(backend.own_palettes().len());
            let name = patch.zone()?;
            backend.post_to(name, &mut patch.changes()?)?;
            let mut zones = backend.zones();
            // The renderer applies the change with its next frame; the answer is the look that the zone will have then.
            let zone = zones.iter_mut().find(|zone| zone.name() == name).ok_or(Refusal::ZoneNotFound)?;
            patch.changes()?.for_each(|change| zone.apply(change));
            json(zone)
        }
        Action::Lights
        | Action::AddLight
        | Action::ChangeLight
        | Action::TestLight
        | Action::FoundLights
        | Action::FindLights
        | Action::ShowFile
        | Action::SetShowFile
        | Action::Plan
        | Action::ChangeZone
        | Action::Inputs
        | Action::ListenInputs
        | Action::SetInput
        | Action::Scenes
        | Action::SetScene
        | Action::DeleteScene
        | Action::RecallScene
        | Action::Playlist
        | Action::SetPlaylist
        | Action::NextScene
        | Action::Timers
        | Action::SetTimers
        | Action::Power
        | Action::SetPower => backend.answer_of_show(action, name, body),
        Action::AudioConfig => json(&AudioConfig { microphone_gain: settings.gain }),
        Action::SetAudioConfig => {
            let gain = parse::<requests::AudioConfig>(body)?.gain()?;
            backend.post(&mut core::iter::once(Change::Gain(gain)));
            json(&AudioConfig { microphone_gain: gain })
        }
        Action::Palettes => json(&Palettes::new(backend.own_palettes())),
        Action::DeviceInfo => {
            let Identity { ip, mac, board, leds, .. } = backend.identity();
            let uptime = now_ms / 1000;
            json(&DeviceInfo {
                device: DEVICE.into(),
                firmware: VERSION.into(),
                uptime,
                ip: ip.into(),
                id: mac.map(|mac| mac.replace(':', "").into()).or_else(|| backend.id().map(Into::into)),
                mac: mac.map(Into::into),
                board: board.into(),
                leds,
            })
        }
        Action::Performance => json(&backend.performance()),
        Action::TestConnection => json(&TestConnection { status: "ok", timestamp: now_ms }),
        Action::LinkOptions => json(&backend.link_options()),
        Action::SetLinkOptions => {
            let (bg_only, ht20) = parse::<requests::LinkOptions>(body)?.changes()?;
            let crate::answers::LinkOptions { force_bg_only, force_ht20 } =
                backend.set_link_options(bg_only, ht20)?;
            json(&LinkOptionsSet { success: true, force_bg_only, force_ht20 })
        }
        Action::Backup => {
            let Identity { ip, mac, .. } = backend.identity();
            json(&Backup {
                version: "1.0",
                device: DEVICE,
                timestamp: now_ms,
                uptime_seconds: now_ms / 1000,
                parameters: ParamValues { params: settings.params, patch: None },
                current_pattern: settings.pattern,
                microphone_gain: settings.gain,
                device_info: BackupOrigin { ip, mac, firmware: VERSION },
            })
        }
        Action::Restore => {
            let own = backend.own_palettes().len();
            let r = parse_or::<Restore>(body, Refusal::InvalidBackup)?.check(own)?;
            let rest = r.pattern.map(Change::Pattern).into_iter().chain(r.gain.map(Change::Gain));
            backend.post(&mut all_of(&r.params).chain(rest));
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
            version: VERSION.into(),
            uptime_s: now_ms as f64 / 1000.0,
            source: backend.identity().source,
            pattern: PATTERNS[settings.pattern].id.into(),
            vitals: backend.vitals(),
            heard: backend.heard(),
            lights: backend.lights(),
            live_sound: backend.live_sound(),
        }),
        Action::Device => json(&backend.device()),
        Action::Setup => json(&backend.setup()),
        Action::SetSetup => {
            let patch: SetupPatch = parse(body)?;
            patch.check()?;
            backend.set_setup(&patch)?;
            json(&backend.setup())
        }
        Action::Firmware => json(&backend.firmware()?),
        // A lamp handles an update before this point, because it processes the body while it arrives.
        Action::Install => Err(Refusal::NotHere("firmware is for lamps; this is the program k1")),
        Action::RollBack => json(&backend.roll_back()?),
        Action::Drill => json(&backend.drill()?),
        Action::SetKeys => {
            backend.set_keys(&parse::<SetKeys>(body)?.envelope()?)?;
            json(&backend.firmware()?)
        }
        Action::BootLog => json(&backend.boot_log()),
        Action::SelfTest => json(&backend.self_test()),
        Action::StartSelfTest => {
            backend.start_self_test(parse::<requests::SelfTest>(body)?.reads()?)?;
            json(&backend.self_test())
        }
        Action::Metrics => Ok(metrics::Sample::of(backend).text().into_bytes()),
        Action::OpenApi => backend.description().map(Description::into_text),
    }
}

/// Every parameter of a set as changes.
fn all_of(params: &Params) -> impl Iterator<Item = Change> {
    let params = *params;
    Param::ALL.iter().map(move |p| Change::Param(*p, params.get(*p)))
}

/// Parses a body that must be a JSON object.
// A function of its own for each kind of body, and for each kind of answer: together in `answer` they would need a frame of
// 9 KiB, whose places an ESP32-S3 cannot address in one instruction.
#[inline(never)]
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    parse_or(body, Refusal::InvalidJson)
}

/// The same as [`parse`]; `wrong_kind` is the refusal of an object that holds a value of a wrong kind.
fn parse_or<'a, T: Deserialize<'a>>(body: &'a [u8], wrong_kind: Refusal) -> Result<T, Refusal> {
    // The parser would read a list as the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::InvalidJson);
    }
    serde_json::from_slice(body).map_err(|e| if e.is_data() { wrong_kind } else { Refusal::InvalidJson })
}

/// An answer as JSON text.
///
/// # Errors
///
/// [`Refusal::NotHere`] if the value has no JSON form; every answer of the API has one.
// Directly to text, because through a `Value` the f32 0.4 would be written as 0.4000000059604645.
#[inline(never)]
pub fn json(value: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|_| Refusal::NotHere("the answer could not be written"))
}
