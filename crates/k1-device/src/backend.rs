//! The back end of the API, which the program and the lamp provide.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use k1_engine::light::Palette;

use crate::answers::{
    BootLog, Device, Heard, Light, LinkOptions, LiveSound, Performance, SelfTest, Setup, Vitals, Zone,
};
use crate::error::Refusal;
use crate::exchange::{Change, Settings};
use crate::firmware::{Firmware, GoingBack};
use crate::packed::Packed;
use crate::requests::SetupPatch;
use crate::routes::Action;

/// Device name that scripts in the field expect.
pub const DEVICE: &str = "K1.reinvented";
/// Version of K1.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Identity of a K1.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// IP address.
    pub ip: &'a str,
    /// Hardware (MAC) address; `None` for the program, which does not have its own.
    pub mac: Option<&'a str>,
    /// The board, or "program".
    pub board: &'a str,
    /// Number of LEDs.
    pub leds: usize,
    /// Name of the current source of sound.
    pub source: Cow<'a, str>,
}

/// The description of the API, as a back end has it.
#[derive(Clone, Debug)]
pub enum Description {
    /// JSON text.
    Text(Vec<u8>),
    /// Compressed text, which a lamp unpacks while it sends it.
    Packed(Packed),
}

impl Description {
    /// The description as text.
    pub fn into_text(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text,
            Self::Packed(packed) => packed.text().into_bytes(),
        }
    }
}

/// The back end of the API: what it needs from the K1 that it serves, the program or a lamp.
pub trait Backend {
    /// Microseconds since the start.
    fn now_us(&self) -> u64;
    /// The settings in force.
    fn settings(&self) -> Settings;
    /// Posts changes as one batch.
    fn post(&self, changes: &mut dyn Iterator<Item = Change>);
    /// The user's own palettes, whose numbers follow those of every K1.
    fn own_palettes(&self) -> &'static [Palette] {
        &[]
    }
    /// The zones. A K1 without a show file has one zone without a name.
    fn zones(&self) -> Vec<Zone> {
        let Settings { params, pattern, .. } = self.settings();
        vec![Zone::new(String::new(), self.identity().leds, pattern, params)]
    }
    /// Posts changes to a zone as one batch.
    ///
    /// # Errors
    ///
    /// [`Refusal::ZoneNotFound`] if no zone has this name.
    fn post_to(&self, zone: &str, changes: &mut dyn Iterator<Item = Change>) -> Result<(), Refusal> {
        match zone {
            "" => self.post(changes),
            _ => return Err(Refusal::ZoneNotFound),
        }
        Ok(())
    }
    /// Does what a request asks of scenes, of the light as a whole, of the show file or of its lights: a K1 that runs shows
    /// calls [`shows::answer`], a lamp [`scenery::answer`].
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to answer with; in this case nothing was changed.
    ///
    /// [`shows::answer`]: crate::shows::answer
    /// [`scenery::answer`]: crate::scenery::answer
    // A lamp that does not call the first has no code for the show file and its answers in its flash.
    fn answer_of_show(&self, action: Action, name: &str, body: &[u8]) -> Result<Vec<u8>, Refusal>;
    /// Identity of this K1.
    fn identity(&self) -> Identity<'_>;
    /// Identifier that no other K1 has, if it is not the hardware address.
    fn id(&self) -> Option<&str> {
        None
    }
    /// Measured speed and memory.
    fn performance(&self) -> Performance;
    /// Measured figures.
    fn vitals(&self) -> Vitals;
    /// The newest results of the analysis.
    fn heard(&self) -> Heard;
    /// The lights besides the page; `None` on a lamp, which has only its strip.
    fn lights(&self) -> Option<Vec<Light>> {
        None
    }

    /// Whether live sound arrives; `None` if the sound is not live.
    fn live_sound(&self) -> Option<LiveSound<'static>> {
        None
    }
    /// The Wi-Fi work-arounds in force.
    fn link_options(&self) -> LinkOptions;
    /// Changes the Wi-Fi work-arounds, 802.11b/g only and 20 MHz only.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] if this K1 does not control Wi-Fi.
    fn set_link_options(&self, bg_only: Option<bool>, ht20: Option<bool>) -> Result<LinkOptions, Refusal>;
    /// State of the hardware: memory, stacks, microphone, storage, reason of the last start.
    fn device(&self) -> Device<'_>;
    /// How the hardware is set up.
    fn setup(&self) -> Setup<'_>;
    /// Changes how the hardware is set up.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] if the hardware is not set up this way.
    fn set_setup(&self, patch: &SetupPatch) -> Result<(), Refusal>;
    /// The firmware, its trial, and an update that is arriving.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] if firmware is not updated this way. The next three methods have the same error.
    fn firmware(&self) -> Result<Firmware, Refusal>;
    /// Restarts with the previous firmware.
    ///
    /// # Errors
    ///
    /// [`Refusal::Update`] if there is no previous firmware.
    fn roll_back(&self) -> Result<GoingBack, Refusal>;
    /// Restarts to prove that the bootloader supports trials.
    ///
    /// # Errors
    ///
    /// [`Refusal::Update`] during a trial or an update.
    fn drill(&self) -> Result<GoingBack, Refusal>;
    /// Sets the keys whose signatures count.
    ///
    /// # Errors
    ///
    /// [`Refusal::Update`] if the statement may not replace the keys in force.
    fn set_keys(&self, statement: &k1_update::envelope::Envelope) -> Result<(), Refusal>;
    /// The first lines of the console.
    fn boot_log(&self) -> BootLog;
    /// State of the self-test.
    fn self_test(&self) -> SelfTest;
    /// Starts the self-test with this number of reads. It runs with the lowest priority.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] while a self-test runs.
    fn start_self_test(&self, reads: u32) -> Result<(), Refusal>;
    /// The machine-readable description of the API, as JSON.
    fn description(&self) -> Result<Description, Refusal>;
}
