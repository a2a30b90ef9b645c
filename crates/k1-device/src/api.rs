//! What each path of the API does, the same in the program and in the lamp.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use k1_engine::params::{Param, Params};
use k1_engine::patterns::PATTERNS;
use serde::{Deserialize, Serialize};

use crate::answers::{
    AudioConfig, Backup, BackupOrigin, BootLog, Device, DeviceInfo, Heard, Light, LinkOptions,
    LinkOptionsSet, LiveSound, Palettes, ParamTable, ParamValues, Patterns, Performance, Restored, Selected,
    SelfTest, Setup, Status, TestConnection, Vitals,
};
use crate::error::Refusal;
use crate::exchange::{Change, Settings};
use crate::firmware::{Firmware, GoingBack};
use crate::metrics;
use crate::requests::{self, ParamsPatch, Restore, Select, SetKeys, SetupPatch};
use crate::routes::Action;

/// Name by which scripts in the field know a K1.
pub const DEVICE: &str = "K1.reinvented";
/// Version of K1.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who a K1 is.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// Address.
    pub ip: &'a str,
    /// Hardware address; `None` where there is none of its own.
    pub mac: Option<&'a str>,
    /// The board, or "program".
    pub board: &'a str,
    /// Number of LEDs.
    pub leds: usize,
    /// Name of the source of sound, as it is now.
    pub source: Cow<'a, str>,
}

/// What the API needs of the home that it serves: the program, or a lamp.
pub trait Home {
    /// Microseconds since the start.
    fn now_us(&self) -> u64;
    /// The settings in force.
    fn settings(&self) -> Settings;
    /// Posts changes as one batch.
    fn post(&self, changes: &mut dyn Iterator<Item = Change>);
    /// Who this is.
    fn identity(&self) -> Identity<'_>;
    /// What no other K1 is called, where that is not its hardware address.
    fn id(&self) -> Option<&str> {
        None
    }
    /// Measured speed and memory.
    fn performance(&self) -> Performance;
    /// Measured figures.
    fn vitals(&self) -> Vitals;
    /// What is heard now.
    fn heard(&self) -> Heard;
    /// Where light goes besides the page; `None` where the strip is all there is.
    fn lights(&self) -> Option<Vec<Light>> {
        None
    }

    /// Whether live sound arrives; `None` where the sound is not live.
    fn live_sound(&self) -> Option<LiveSound<'static>> {
        None
    }
    /// The Wi-Fi work-arounds in force.
    fn link_options(&self) -> LinkOptions;
    /// Changes the Wi-Fi work-arounds, 802.11b/g only and 20 MHz only.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] where there is no Wi-Fi of ours.
    fn set_link_options(&self, bg_only: Option<bool>, ht20: Option<bool>) -> Result<LinkOptions, Refusal>;
    /// State of the hardware: memory, stacks, microphone, storage, why it started.
    fn device(&self) -> Device<'_>;
    /// How the hardware is set up.
    fn setup(&self) -> Setup<'_>;
    /// Changes how the hardware is set up.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] where it is not set up this way.
    fn set_setup(&self, patch: &SetupPatch) -> Result<(), Refusal>;
    /// The firmware, its trial, and an update on its way in.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] where firmware is not updated this way; so for the three below.
    fn firmware(&self) -> Result<Firmware, Refusal>;
    /// Goes back to the firmware before, with a restart.
    ///
    /// # Errors
    ///
    /// [`Refusal::Update`] if there is none.
    fn roll_back(&self) -> Result<GoingBack, Refusal>;
    /// Asks the bootloader for a proof that it knows of trials, with a restart.
    ///
    /// # Errors
    ///
    /// [`Refusal::Update`] during a trial or an update.
    fn drill(&self) -> Result<GoingBack, Refusal>;
    /// Says whose signature counts.
    ///
    /// # Errors
    ///
    /// [`Refusal::Update`] if the statement may not replace what is in force.
    fn set_keys(&self, statement: &k1_update::envelope::Envelope) -> Result<(), Refusal>;
    /// The first lines of the console.
    fn boot_log(&self) -> BootLog;
    /// How the self-test stands.
    fn self_test(&self) -> SelfTest;
    /// Starts the self-test with so many reads; it goes on behind everything that is urgent.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] while one runs.
    fn start_self_test(&self, reads: u32) -> Result<(), Refusal>;
    /// The machine-readable description, as JSON.
    fn description(&self) -> Result<Vec<u8>, Refusal>;
}

/// Does what a request asks and answers as JSON.
///
/// # Errors
///
/// The [`Refusal`] to be answered; nothing was changed then.
pub fn answer(home: &dyn Home, action: Action, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let settings = home.settings();
    let now_ms = home.now_us() / 1000;
    match action {
        Action::Patterns => json(&Patterns::new(settings.pattern)),
        Action::Params => json(&ParamValues { params: settings.params, patch: None }),
        Action::SetParams => {
            let patch: ParamsPatch = parse(body)?;
            home.post(&mut patch.changes()?.map(|(p, v)| Change::Param(p, v)));
            // The renderer takes it with its next frame; the answer is the set that it will then have.
            let mut params = settings.params;
            patch.apply(&mut params);
            json(&ParamValues { params, patch: Some(&patch) })
        }
        Action::Select => {
            let index = parse::<Select>(body)?.pattern()?;
            home.post(&mut core::iter::once(Change::Pattern(index)));
            json(&Selected::new(index))
        }
        Action::Reset => {
            let params = Params::default();
            home.post(&mut all_of(&params));
            json(&ParamValues { params, patch: None })
        }
        Action::AudioConfig => json(&AudioConfig { microphone_gain: settings.gain }),
        Action::SetAudioConfig => {
            let gain = parse::<requests::AudioConfig>(body)?.gain()?;
            home.post(&mut core::iter::once(Change::Gain(gain)));
            json(&AudioConfig { microphone_gain: gain })
        }
        Action::Palettes => json(&Palettes::default()),
        Action::DeviceInfo => {
            let Identity { ip, mac, board, leds, .. } = home.identity();
            let uptime = now_ms / 1000;
            json(&DeviceInfo {
                device: DEVICE.into(),
                firmware: VERSION.into(),
                uptime,
                ip: ip.into(),
                id: mac.map(|mac| mac.replace(':', "").into()).or_else(|| home.id().map(Into::into)),
                mac: mac.map(Into::into),
                board: board.into(),
                leds,
            })
        }
        Action::Performance => json(&home.performance()),
        Action::TestConnection => json(&TestConnection { status: "ok", timestamp: now_ms }),
        Action::LinkOptions => json(&home.link_options()),
        Action::SetLinkOptions => {
            let (bg_only, ht20) = parse::<requests::LinkOptions>(body)?.changes()?;
            let LinkOptions { force_bg_only, force_ht20 } = home.set_link_options(bg_only, ht20)?;
            json(&LinkOptionsSet { success: true, force_bg_only, force_ht20 })
        }
        Action::Backup => {
            let Identity { ip, mac, .. } = home.identity();
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
            let r = parse_or::<Restore>(body, Refusal::InvalidBackup)?.check()?;
            let rest = r.pattern.map(Change::Pattern).into_iter().chain(r.gain.map(Change::Gain));
            home.post(&mut all_of(&r.params).chain(rest));
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
            source: home.identity().source,
            pattern: PATTERNS[settings.pattern].id.into(),
            vitals: home.vitals(),
            heard: home.heard(),
            lights: home.lights(),
            live_sound: home.live_sound(),
        }),
        Action::Device => json(&home.device()),
        Action::Setup => json(&home.setup()),
        Action::SetSetup => {
            let patch: SetupPatch = parse(body)?;
            patch.check()?;
            home.set_setup(&patch)?;
            json(&home.setup())
        }
        Action::Firmware => json(&home.firmware()?),
        // The homes that can take it take it before it comes here, as it streams.
        Action::Install => Err(Refusal::NotHere("firmware is for lamps; this is the program k1")),
        Action::RollBack => json(&home.roll_back()?),
        Action::Drill => json(&home.drill()?),
        Action::SetKeys => {
            home.set_keys(&parse::<SetKeys>(body)?.envelope()?)?;
            json(&home.firmware()?)
        }
        Action::BootLog => json(&home.boot_log()),
        Action::SelfTest => json(&home.self_test()),
        Action::StartSelfTest => {
            home.start_self_test(parse::<requests::SelfTest>(body)?.reads()?)?;
            json(&home.self_test())
        }
        Action::Metrics => Ok(metrics::Sample::of(home).text().into_bytes()),
        Action::OpenApi => home.description(),
    }
}

/// Every parameter of a set as changes.
fn all_of(params: &Params) -> impl Iterator<Item = Change> {
    let params = *params;
    Param::ALL.iter().map(move |p| Change::Param(*p, params.get(*p)))
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

/// An answer as JSON text.
///
/// # Errors
///
/// [`Refusal::NotHere`] if the value has no JSON form, which no answer of ours is without.
// Straight to text: through a `Value` the f32 0.4 would be written as 0.4000000059604645.
pub fn json(value: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|_| Refusal::NotHere("the answer could not be written"))
}
