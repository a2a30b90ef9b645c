//! What the lamp would decide, decided with its own code and its own settings; and the update through the cable.
//!
//! The session, the records and the check of the signature are those that every other door ends in
//! ([`k1_update::session`]); here is only what a lamp knows of itself and a cable must find out.

use embedded_storage_async::nor_flash::ReadNorFlash;
use k1_device::firmware::BOARDS;
use k1_device::settings::Store;
use k1_update::layout::{Layout, Slot};
use k1_update::manifest::Manifest;
use k1_update::otadata::{Entry, Pace, Records, State};
use k1_update::record::{self, Standing};
use k1_update::refusal::Refusal;
use k1_update::session::{Gate, Session};
use k1_update::slot::{self, Whole};
use k1_update::trust::Trust;

use super::flash::{CableFlash, Copy};
use super::{Loader, block_on};
use crate::signing::package::Update;

/// Where the settings are: the table's `nvs`.
pub const SETTINGS: std::ops::Range<u32> = 0x9000..0xe000;
/// What an image of Espressif's begins with.
const IMAGE: u8 = 0xe9;
/// Bytes that a session takes at once.
const CHUNK: usize = 4_096;

/// What a lamp on a cable is.
#[derive(Clone, Debug)]
pub struct CableLamp {
    /// Whose firmware is let in.
    pub trust: Trust,
    /// The slot that ran; `None` if no slot holds an image.
    pub running: Option<Slot>,
    /// What runs, if it came with a manifest.
    pub manifest: Option<Manifest>,
    /// How it stands.
    pub standing: Standing,
    /// Chip, as manifests name it.
    pub chip: String,
}

impl CableLamp {
    /// True if a bad image goes back by itself.
    pub fn is_armed(&self) -> bool {
        matches!(self.standing, Standing::Sure(note) if note.was_asked && note.is_armed)
    }

    /// Board, as the image that runs says; else the one board with this chip.
    pub fn board(&self) -> &str {
        let by_chip =
            BOARDS.iter().find(|(_, chip)| *chip == self.chip).map_or("unknown", |(board, _)| board);
        self.manifest.as_ref().map_or(by_chip, |m| m.board.as_str())
    }
}

/// The slot that ran, as the records tell those who do not run themselves: what was activated and not started yet did not.
fn running(
    records: &Records,
    mut has_image: impl FnMut(Slot) -> Result<bool, String>,
) -> Result<Option<Slot>, String> {
    let ran = |e: &&Entry| e.may_boot() && e.state != State::New;
    let mut entries: Vec<_> = records.0.iter().flatten().filter(ran).collect();
    entries.sort_by_key(|e| std::cmp::Reverse(e.sequence));
    // Without a record a bootloader begins with the first slot.
    for slot in entries.iter().map(|e| e.slot()).chain(Slot::ALL) {
        if has_image(slot)? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// Finds out what a lamp on a cable is.
///
/// # Errors
///
/// A sentence if its flash cannot be read.
pub fn look<L: Loader>(flash: &mut CableFlash<L>, chip: &str) -> Result<CableLamp, String> {
    let layout = Layout::K1;
    let mut settings = vec![0; SETTINGS.len()];
    read(flash, SETTINGS.start, &mut settings)?;
    let trust = trust(settings);
    let records = block_on(record::read(flash, &layout)).map_err(|e| words(flash, e))?;
    let running = running(&records, |slot| {
        let mut first = [0];
        read(flash, layout.slot(slot), &mut first)?;
        Ok(first == [IMAGE])
    })?;
    let manifest = match running {
        Some(slot) => block_on(slot::labelled(flash, &layout, slot)).map_err(|e| words(flash, e))?,
        None => None,
    };
    let standing = running.map_or(Standing::Unrecorded, |slot| record::standing(&records, slot));
    Ok(CableLamp { trust, running, manifest, standing, chip: chip.to_owned() })
}

/// Whom a lamp with these settings trusts. Where the lamp would mend them, only the copy is mended.
fn trust(settings: Vec<u8>) -> Trust {
    let copy = Copy::new(SETTINGS.start, settings);
    Store::new(copy, SETTINGS).map_or(Trust::NOBODY, |mut store| block_on(store.load()).0.trust)
}

/// Lets an update in by the lamp's own decision, or says why not. Nothing is written.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn admit(inside: &CableLamp, update: &Update) -> Result<Slot, String> {
    let running = inside.running.ok_or("there is no K1 on this chip yet: `k1 install` puts it there")?;
    let gate = Gate { trust: &inside.trust, board: inside.board(), chip: &inside.chip };
    gate.admit(&update.envelope, &Layout::K1).map_err(|e| match e {
        Refusal::WrongBoard => {
            format!("the image is for {}, and this is {}", update.manifest.board.as_str(), inside.board())
        }
        Refusal::NoKeys if inside.manifest.is_none() => {
            format!("{e}. If what runs on it is another maker's firmware, `k1 install` replaces that")
        }
        e => e.to_string(),
    })?;
    match inside.standing {
        Standing::Trial { .. } => Err(
            "its firmware was on trial, and the restart that a cable needs has ended that: the image before comes back \
             now. Send it again then"
                .into(),
        ),
        _ => Ok(running),
    }
}

/// Puts an update into the slot that does not run, as the lamp itself does. `progress` is told the bytes that have gone.
///
/// # Errors
///
/// A sentence; then the image that ran before is the one that starts.
pub fn send<L: Loader>(
    flash: &mut CableFlash<L>,
    inside: &CableLamp,
    update: &Update,
    mut progress: impl FnMut(usize),
) -> Result<Whole, String> {
    let running = admit(inside, update)?;
    let layout = Layout::K1;
    let gate = Gate { trust: &inside.trust, board: inside.board(), chip: &inside.chip };
    let mut session = Session::new(layout, running);
    let mut gone = 0;
    for bytes in update.bytes().chunks(CHUNK) {
        block_on(session.take(flash, &gate, bytes)).map_err(|e| words(flash, e))?;
        gone += bytes.len();
        progress(gone);
    }
    block_on(session.finish(flash)).map_err(|e| words(flash, e))
}

/// Lets what was sent be tried at the next start.
///
/// # Errors
///
/// A sentence; then the image that ran before starts, unless the last word has reached the chip all the same.
pub fn activate<L: Loader>(
    flash: &mut CableFlash<L>,
    inside: &CableLamp,
    whole: &Whole,
) -> Result<(), String> {
    let running = inside.running.unwrap_or(whole.slot().other());
    // Nobody can tell from here whether it had a network or how well it did.
    let done = block_on(record::activate(flash, &Layout::K1, running, whole, false, Pace::default()));
    done.map_err(|e| words(flash, e))
}

fn read<L: Loader>(flash: &mut CableFlash<L>, at: u32, bytes: &mut [u8]) -> Result<(), String> {
    block_on(flash.read(at, bytes)).map_err(|_| words(flash, Refusal::Flash))
}

/// Why, with what the cable knows of it.
fn words<L: Loader>(flash: &mut CableFlash<L>, why: Refusal) -> String {
    flash.trouble().unwrap_or_else(|| why.to_string())
}
