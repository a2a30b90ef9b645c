//! A browser tab as a back end of the API.

use alloc::string::String;
use alloc::vec::Vec;

use k1_device::answers::{
    BootLog, Check, Device, Heard, LinkOptions, LiveSound, Performance, SelfTest, Setup, Vitals,
};
use k1_device::backend::{Backend, Description, Identity};
use k1_device::error::Refusal;
use k1_device::exchange::{Change, Controls, SLOTS, Settings, SettingsRing};
use k1_device::firmware::{Firmware, GoingBack};
use k1_device::health::{checks, sound_arrives};
use k1_device::requests::SetupPatch;
use k1_device::routes::Action;
use k1_engine::audio::Snapshot;
use k1_handoff::Mailbox;
use k1_update::envelope::Envelope;

/// Most LEDs of a strip.
pub const MOST_LEDS: usize = 1_024;
/// The end of the settings that posts changes.
pub type TheControls = Controls<&'static Mailbox<SLOTS>, &'static SettingsRing>;

const NO_LAMP: Refusal = Refusal::NotHere("this K1 is a page in a browser; only a lamp takes firmware");
const NO_SHOW: Refusal = Refusal::NotHere(
    "this K1 is a page in a browser and keeps no show file; scenes, zones and lights are part of the program k1",
);

/// What the API needs, as it is at the time of a request.
pub struct Tab {
    pub now_us: u64,
    pub settings: Settings,
    pub controls: TheControls,
    pub leds: usize,
    pub sound: Snapshot,
    pub vitals: Vitals,
    pub past_fps: [f32; 16],
    /// Name of the source, and why it is silent if it is live and gives no sound.
    pub source: String,
    pub live_sound: Option<LiveSound<'static>>,
}

impl Tab {
    fn health(&self) -> Vec<Check> {
        let mut all = checks(&self.vitals, None, None);
        all.extend(self.live_sound.as_ref().map(sound_arrives));
        all
    }
}

impl Backend for Tab {
    fn now_us(&self) -> u64 {
        self.now_us
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn post(&self, changes: &mut dyn Iterator<Item = Change>) {
        self.controls.post(changes);
    }

    fn answer_of_show(&self, _: Action, _: &str, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        Err(NO_SHOW)
    }

    fn identity(&self) -> Identity<'_> {
        Identity { ip: "", mac: None, board: "browser", leds: self.leds, source: (&self.source).into() }
    }

    fn performance(&self) -> Performance {
        Performance {
            fps: self.vitals.fps,
            frame_time_us: self.vitals.render_us,
            cpu_percent: None,
            memory_percent: None,
            memory_free_kb: None,
            memory_total_kb: None,
            fps_history: self.past_fps,
        }
    }

    fn vitals(&self) -> Vitals {
        self.vitals
    }

    fn heard(&self) -> Heard {
        Heard::from(&self.sound)
    }

    fn live_sound(&self) -> Option<LiveSound<'static>> {
        self.live_sound.clone()
    }

    fn link_options(&self) -> LinkOptions {
        LinkOptions::default()
    }

    fn set_link_options(&self, bg_only: Option<bool>, ht20: Option<bool>) -> Result<LinkOptions, Refusal> {
        if bg_only == Some(true) || ht20 == Some(true) {
            return Err(Refusal::NotHere("this K1 is a page in a browser; only a lamp has Wi-Fi options"));
        }
        Ok(LinkOptions::default())
    }

    fn device(&self) -> Device<'_> {
        let checks = self.health();
        Device {
            board: "browser".into(),
            healthy: checks.iter().all(|check| check.ok),
            checks,
            live_sound: self.live_sound.clone(),
            ..Device::default()
        }
    }

    fn setup(&self) -> Setup<'_> {
        Setup::without_hardware(self.leds, MOST_LEDS, "k1")
    }

    fn set_setup(&self, _: &SetupPatch) -> Result<(), Refusal> {
        Err(Refusal::NotHere("this K1 is a page in a browser; only a lamp is set up here"))
    }

    fn firmware(&self) -> Result<Firmware, Refusal> {
        Err(NO_LAMP)
    }

    fn roll_back(&self) -> Result<GoingBack, Refusal> {
        Err(NO_LAMP)
    }

    fn drill(&self) -> Result<GoingBack, Refusal> {
        Err(NO_LAMP)
    }

    fn set_keys(&self, _: &Envelope) -> Result<(), Refusal> {
        Err(NO_LAMP)
    }

    fn boot_log(&self) -> BootLog {
        BootLog::default()
    }

    fn self_test(&self) -> SelfTest {
        SelfTest::default()
    }

    fn start_self_test(&self, _: u32) -> Result<(), Refusal> {
        Err(Refusal::NotHere("a browser runs both halves in turns; the self-test is for two cores"))
    }

    fn description(&self) -> Result<Description, Refusal> {
        Err(Refusal::NotHere(
            "the program k1 and every lamp describe the API; this page does not carry the text",
        ))
    }
}
