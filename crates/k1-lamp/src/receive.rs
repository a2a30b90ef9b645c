//! New firmware that is arriving, over HTTP or espota.
//!
//! Both protocols end here: [`Upload`] accepts only firmware that a trusted key has signed.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use embassy_embedded_hal::flash::partition::Partition;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::NorFlash;
use k1_device::firmware::{self, Image, Outcome, Receiving, Rollback};
use k1_update::layout::{Layout, Slot};
use k1_update::otadata::{Pace, Records};
use k1_update::record::{self, Standing};
use k1_update::refusal::Refusal;
use k1_update::session::{Gate, Session};
use k1_update::slot::{self, Whole};
use k1_update::trust::Trust;

use crate::Lamp;
use crate::journal::{self, image};
use crate::state::{FirmwareCommand, LATELY};

/// The flash, which its parts share across both cores.
pub type SharedFlash<F> = Mutex<CriticalSectionRawMutex, F>;
/// A part of the flash.
pub type FlashPart<F> = Partition<'static, CriticalSectionRawMutex, F>;

/// Range of the settings in flash: `nvs` in the partition table.
pub const SETTINGS: core::ops::Range<u32> = 0x9000..0xe000;
/// The owner of the slots. There is only one.
pub struct Updater<F: 'static> {
    pub(crate) flash: &'static SharedFlash<F>,
    pub(crate) layout: Layout,
    pub(crate) running: Slot,
    is_busy: AtomicBool,
}

pub(crate) fn standing(records: &Records, running: Slot) -> (firmware::Standing, Rollback) {
    let rollback = |armed: bool| if armed { Rollback::Armed } else { Rollback::NotArmed };
    match record::standing(records, running) {
        Standing::Trial { armed, .. } => (firmware::Standing::OnTrial, rollback(armed)),
        Standing::Sure(note) if note.was_asked => (firmware::Standing::Confirmed, rollback(note.is_armed)),
        _ => (firmware::Standing::NotTried, Rollback::NotArmed),
    }
}

impl<F: NorFlash + 'static> Updater<F> {
    /// The owner of the slots of a flash in which `running` runs. If the running slot is not known, all updates are
    /// refused.
    pub const fn new(flash: &'static SharedFlash<F>, layout: Layout, running: Option<Slot>) -> Self {
        let is_busy = AtomicBool::new(running.is_none());
        let running = match running {
            Some(slot) => slot,
            None => Slot::App0,
        };
        Self { flash, layout, running, is_busy }
    }

    /// Reads the manifest of the running image into the lamp's state. Must run before anything else.
    pub async fn look(&self, lamp: &'static Lamp) {
        let mut flash = self.flash.lock().await;
        let manifest = slot::labelled(&mut *flash, &self.layout, self.running).await;
        let records = record::read(&mut *flash, &self.layout).await;
        lamp.note(|s| {
            s.firmware.chip = firmware::chip(s.facts.board);
            let manifest = manifest.ok().flatten();
            s.facts.image_bytes = s.facts.image_bytes.or(manifest.as_ref().map(|m| m.size));
            s.firmware.running = manifest.as_ref().map(image);
            if let Some(image) = &s.firmware.running {
                s.facts.firmware_hash = image.hash.0;
            }
            if let Ok(records) = records {
                (s.firmware.standing, s.firmware.rollback) = standing(&records, self.running);
            }
        });
    }

    /// The image in the other slot if it is whole and has not failed a trial, because the lamp must not roll back to a
    /// bad image.
    pub(crate) async fn other(&self, flash: &mut F) -> Result<Option<Whole>, Refusal> {
        let slot = self.running.other();
        let records = record::read(flash, &self.layout).await?;
        match records.of(slot) {
            Some((_, entry)) if !entry.may_boot() => Ok(None),
            _ => slot::find(flash, &self.layout, slot).await,
        }
    }

    /// A second safety net under the bootloader's: an image that crashes repeatedly gives way to the previous image, if
    /// there is one. True if the next start runs the other image.
    pub async fn give_way(&self) -> bool {
        let mut flash = self.flash.lock().await;
        let Ok(Some(other)) = self.other(&mut *flash).await else { return false };
        let Ok(records) = record::read(&mut *flash, &self.layout).await else { return false };
        match record::standing(&records, self.running) {
            Standing::Trial { .. } => record::give_up(&mut *flash, &self.layout, self.running).await.is_ok(),
            _ => {
                let activate =
                    record::activate(&mut *flash, &self.layout, self.running, &other, false, Pace::default());
                activate.await.is_ok()
            }
        }
    }

    /// Begins an update.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] while another update is arriving.
    pub fn begin(&'static self, lamp: &'static Lamp) -> Result<Upload<F>, Refusal> {
        if self.is_busy.swap(true, Relaxed) {
            return Err(Refusal::Busy);
        }
        let (trust, board, chip) = lamp.look(|s| (s.memory.trust, s.facts.board, s.firmware.chip));
        let session = Session::new(self.layout, self.running);
        Ok(Upload { lamp, updater: self, session: Some(session), trust, board, chip })
    }
}

/// An update that is arriving.
pub struct Upload<F: 'static> {
    lamp: &'static Lamp,
    updater: &'static Updater<F>,
    session: Option<Session>,
    trust: Trust,
    board: &'static str,
    chip: &'static str,
}

impl<F: 'static> Drop for Upload<F> {
    fn drop(&mut self) {
        self.lamp.note(|s| s.firmware.receiving = None);
        self.updater.is_busy.store(false, Relaxed);
    }
}

impl<F: NorFlash + 'static> Upload<F> {
    /// Writes the next bytes of the update.
    ///
    /// # Errors
    ///
    /// See [`Session::take`].
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let Some(session) = &mut self.session else { return Err(Refusal::Busy) };
        let gate = Gate { trust: &self.trust, board: self.board, chip: self.chip };
        let was_let_in = session.manifest().is_some();
        session.take(&mut *self.updater.flash.lock().await, &gate, bytes).await?;
        let size = session.manifest().map(|m| m.size);
        let received = session.received();
        self.lamp.note(|s| {
            if !was_let_in && size.is_some() {
                // The other slot no longer has its old image.
                s.firmware.other = None;
            }
            s.firmware.receiving = size.map(|size| Receiving { received, size });
        });
        Ok(())
    }

    /// Checks the whole update after its last byte, activates it for its trial, and requests the restart.
    ///
    /// # Errors
    ///
    /// See [`Session::finish`] and [`record::activate`].
    pub async fn finish(mut self) -> Result<(&'static str, Image), Refusal> {
        let Some(session) = self.session.take() else { return Err(Refusal::Busy) };
        let Updater { flash, layout, running, .. } = self.updater;
        let mut flash = flash.lock().await;
        let whole = session.finish(&mut *flash).await?;
        let had_network = self.lamp.look(|s| !s.ip.is_empty());
        record::activate(&mut *flash, layout, *running, &whole, had_network, self.lamp.pace(LATELY)).await?;
        let image = image(whole.manifest());
        self.lamp.note(|s| s.firmware.other = Some(image.clone()));
        // Written before the image runs, because an image that crashes at once could not write it.
        journal::write(self.lamp, Some(whole.manifest()), Outcome::OnTrial, "");
        self.lamp.command.signal(FirmwareCommand::Restart);
        Ok((whole.slot().name(), image))
    }
}
