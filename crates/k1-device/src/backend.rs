//! The back end of the API, which the program and the lamp provide.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::answers::{
    BootLog, Device, Heard, Light, LinkOptions, LiveSound, Performance, SelfTest, Setup, Vitals,
};
use crate::error::Refusal;
use crate::exchange::{Change, Settings};
use crate::firmware::{Firmware, GoingBack};
use crate::requests::SetupPatch;

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

/// The back end of the API: what it needs of the K1 that it serves, the program or a lamp.
pub trait Backend {
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
    /// Starts the self-test with this number of reads; it goes on behind everything that is urgent.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] while one runs.
    fn start_self_test(&self, reads: u32) -> Result<(), Refusal>;
    /// The machine-readable description, as JSON.
    fn description(&self) -> Result<Vec<u8>, Refusal>;
}
