//! The lamp's own decision on an update, made with its code and its settings; and the update through the cable.
//!
//! The session, the records and the check of the signature are the same as for every other update
//! ([`k1_update::session`]). This module finds out through the cable what a lamp would know about itself.

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

use k1_bundle::chip::MAGIC;
pub use k1_bundle::settings::SETTINGS;
use k1_bundle::settings::{Copy, block_on, trust};

use super::Loader;
use super::flash::CableFlash;
use crate::signing::package::Update;
use crate::validate::transcript::Secrets;

/// Bytes that a session takes at once.
const CHUNK: usize = 4_096;

/// State of a lamp on a cable.
#[derive(Clone, Debug)]
pub struct CableLamp {
    /// The keys that the lamp trusts.
    pub trust: Trust,
    /// The slot that was running; `None` if no slot holds an image.
    pub running: Option<Slot>,
    /// Manifest of the running image, if it has one.
    pub manifest: Option<Manifest>,
    /// State of the running image.
    pub standing: Standing,
    /// Chip, in the spelling of manifests.
    pub chip: String,
}

impl CableLamp {
    /// True if the lamp would roll a bad image back by itself.
    pub fn is_armed(&self) -> bool {
        matches!(self.standing, Standing::Sure(note) if note.was_asked && note.is_armed)
    }

    /// Board, according to the running image; otherwise the only board with this chip.
    pub fn board(&self) -> &str {
        let by_chip =
            BOARDS.iter().find(|(_, chip)| *chip == self.chip).map_or("unknown", |(board, _)| board);
        self.manifest.as_ref().map_or(by_chip, |m| m.board.as_str())
    }
}

/// The slot that was running, according to the records. An image that was activated but not started yet was not
/// running.
fn running(
    records: &Records,
    mut has_image: impl FnMut(Slot) -> Result<bool, String>,
) -> Result<Option<Slot>, String> {
    let ran = |e: &&Entry| e.may_boot() && e.state != State::New;
    let mut entries: Vec<_> = records.0.iter().flatten().filter(ran).collect();
    entries.sort_by_key(|e| std::cmp::Reverse(e.sequence));
    // Without a record a bootloader tries the first slot first.
    for slot in entries.iter().map(|e| e.slot()).chain(Slot::ALL) {
        if has_image(slot)? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// Finds out the state of a lamp on a cable.
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
        Ok(first == [MAGIC])
    })?;
    let manifest = match running {
        Some(slot) => block_on(slot::labelled(flash, &layout, slot)).map_err(|e| words(flash, e))?,
        None => None,
    };
    let standing = running.map_or(Standing::Unrecorded, |slot| record::standing(&records, slot));
    Ok(CableLamp { trust, running, manifest, standing, chip: chip.to_owned() })
}

/// What a report on this lamp must not contain.
///
/// # Errors
///
/// A sentence if its flash cannot be read.
pub fn secrets<L: Loader>(flash: &mut CableFlash<L>) -> Result<Secrets, String> {
    let mut settings = vec![0; SETTINGS.len()];
    read(flash, SETTINGS.start, &mut settings)?;
    let copy = Copy::new(SETTINGS.start, settings);
    Ok(Store::new(copy, SETTINGS).map_or_else(Secrets::default, |mut store| {
        let memory = block_on(store.load()).0;
        let words = [memory.hardware.token.as_str(), memory.wifi.password.as_str()].map(str::to_owned);
        Secrets { words: words.into(), network: memory.wifi.ssid.as_str().to_owned() }
    }))
}

/// Checks an update like the lamp itself; returns the running slot. Does not write anything.
///
/// # Errors
///
/// A sentence that says what to do if the lamp would refuse the update.
pub fn admit(inside: &CableLamp, update: &Update) -> Result<Slot, String> {
    let running = inside.running.ok_or("there is no K1 on this chip yet: `k1 install` puts it there")?;
    let gate = Gate { trust: &inside.trust, board: inside.board(), chip: &inside.chip };
    gate.admit(&update.envelope, &Layout::K1).map_err(|e| match e {
        Refusal::WrongBoard => {
            format!("the image is for {}, but this is {}", update.manifest.board.as_str(), inside.board())
        }
        Refusal::NoKeys if inside.manifest.is_none() => {
            format!("{e}. If the chip runs another maker's firmware, replace it with `k1 install`")
        }
        e => e.to_string(),
    })?;
    match inside.standing {
        Standing::Trial { .. } => Err(
            "its firmware was on trial, and the restart for the cable has ended the trial: the lamp now returns to \
             its previous image. Send the update again after that"
                .into(),
        ),
        _ => Ok(running),
    }
}

/// Writes an update to the other slot, as the lamp itself would. Calls `progress` with the number of bytes sent.
///
/// # Errors
///
/// A sentence. The image that was running starts then.
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

/// Activates the sent image for a trial at the next start.
///
/// # Errors
///
/// A sentence. The image that was running starts then, unless the last word reached the chip despite the error.
pub fn activate<L: Loader>(
    flash: &mut CableFlash<L>,
    inside: &CableLamp,
    whole: &Whole,
) -> Result<(), String> {
    let running = inside.running.unwrap_or(whole.slot().other());
    // A cable cannot tell whether the lamp had a network, or how well it ran.
    let done = block_on(record::activate(flash, &Layout::K1, running, whole, false, Pace::default()));
    done.map_err(|e| words(flash, e))
}

fn read<L: Loader>(flash: &mut CableFlash<L>, at: u32, bytes: &mut [u8]) -> Result<(), String> {
    block_on(flash.read(at, bytes)).map_err(|_| words(flash, Refusal::Flash))
}

/// The reason, with the cable's own error if there is one.
fn words<L: Loader>(flash: &mut CableFlash<L>, why: Refusal) -> String {
    flash.trouble().unwrap_or_else(|| why.to_string())
}
