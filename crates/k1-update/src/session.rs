//! An update on its way in: checked before the flash is touched, written as it comes, and read back.

use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest, Sha256};

use crate::envelope::{ENVELOPE, Envelope};
use crate::layout::{Layout, SECTOR, Slot};
use crate::manifest::Manifest;
use crate::record;
use crate::refusal::Refusal;
use crate::slot::{Whole, seal};
use crate::trust::Trust;

/// Bytes that are programmed at once.
const PAGE: usize = 256;

/// Who asks at the door.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// Whose signature counts.
    pub trust: &'a Trust,
    /// Board of the lamp.
    pub board: &'a str,
    /// Its chip.
    pub chip: &'a str,
}

impl Gate<'_> {
    /// Lets a manifest in, or says why not.
    ///
    /// # Errors
    ///
    /// Every [`Refusal`] that does not need the image.
    pub fn admit(&self, envelope: &Envelope, layout: &Layout) -> Result<Manifest, Refusal> {
        let manifest = Manifest::read(envelope)?;
        self.trust.check(envelope)?;
        if manifest.board.as_str() != self.board {
            return Err(Refusal::WrongBoard);
        }
        if manifest.chip.as_str() != self.chip {
            return Err(Refusal::WrongChip);
        }
        if manifest.counter < self.trust.floor {
            return Err(Refusal::TooOld { counter: manifest.counter, floor: self.trust.floor });
        }
        if manifest.size > layout.most() {
            return Err(Refusal::TooLarge { most: layout.most() });
        }
        Ok(manifest)
    }
}

/// An image on its way into a slot.
struct Intake {
    envelope: Envelope,
    manifest: Manifest,
    hash: Sha256,
    page: [u8; PAGE],
    received: u32,
}

#[allow(
    clippy::large_enum_variant,
    reason = "there is one, and for nearly all of its life it is the largest"
)]
enum Phase {
    Manifest { envelope: [u8; ENVELOPE], got: usize },
    Image(Intake),
    Refused(Refusal),
}

/// An update on its way in. There is one at a time: whoever holds the flash holds it.
pub struct Session {
    layout: Layout,
    running: Slot,
    phase: Phase,
}

impl Session {
    /// A session of the image in `running`; what comes goes into the other slot.
    pub fn new(layout: Layout, running: Slot) -> Self {
        Self { layout, running, phase: Phase::Manifest { envelope: [0; ENVELOPE], got: 0 } }
    }

    /// What comes, as soon as its manifest was let in.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.phase {
            Phase::Image(intake) => Some(&intake.manifest),
            _ => None,
        }
    }

    /// Bytes of the image that have come.
    pub fn received(&self) -> u32 {
        match &self.phase {
            Phase::Image(intake) => intake.received,
            _ => 0,
        }
    }

    /// Takes the next bytes, cut anywhere. The flash is not touched before the manifest was let in, and after a
    /// refusal not any more.
    ///
    /// # Errors
    ///
    /// Every [`Refusal`] of [`Gate::admit`], of [`record::settle`], [`Refusal::TooLong`], [`Refusal::Flash`]; then the
    /// same again.
    pub async fn take<F: NorFlash>(
        &mut self,
        flash: &mut F,
        gate: &Gate<'_>,
        mut bytes: &[u8],
    ) -> Result<(), Refusal> {
        const { assert!(PAGE.is_multiple_of(F::WRITE_SIZE) && SECTOR.is_multiple_of(F::ERASE_SIZE as u32)) };
        if let Phase::Refused(why) = self.phase {
            return Err(why);
        }
        let result = async {
            if let Phase::Manifest { envelope, got } = &mut self.phase {
                let n = bytes.len().min(ENVELOPE - *got);
                envelope[*got..*got + n].copy_from_slice(&bytes[..n]);
                *got += n;
                bytes = &bytes[n..];
                if *got < ENVELOPE {
                    return Ok(());
                }
                let envelope = Envelope(*envelope);
                let manifest = gate.admit(&envelope, &self.layout)?;
                self.prepare(flash).await?;
                let (hash, page) = (Sha256::new(), [0xff; PAGE]);
                self.phase = Phase::Image(Intake { envelope, manifest, hash, page, received: 0 });
            }
            let start = self.layout.slot(self.running.other());
            match &mut self.phase {
                Phase::Image(intake) => intake.take(flash, start, bytes).await,
                _ => Ok(()),
            }
        }
        .await;
        if let Err(why) = result {
            self.phase = Phase::Refused(why);
        }
        result
    }

    /// Before the first byte of the other slot goes: the running image is the one that comes back, and the other is no
    /// image any more.
    async fn prepare<F: NorFlash>(&self, flash: &mut F) -> Result<(), Refusal> {
        record::settle(flash, &self.layout, self.running).await?;
        let at = self.layout.manifest(self.running.other());
        flash.erase(at, at + SECTOR).await.map_err(|_| Refusal::Flash)
    }

    /// The last byte has come: checks the image as it stands in flash and puts its manifest behind it.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooShort`], [`Refusal::WrongHash`], [`Refusal::ReadBack`], [`Refusal::Flash`], or why it was refused
    /// before.
    pub async fn finish<F: NorFlash>(self, flash: &mut F) -> Result<Whole, Refusal> {
        let slot = self.running.other();
        let mut intake = match self.phase {
            Phase::Image(intake) => intake,
            Phase::Refused(why) => return Err(why),
            Phase::Manifest { .. } => return Err(Refusal::NotAnUpdate),
        };
        let Manifest { size, hash: expected, .. } = intake.manifest;
        if intake.received < size {
            return Err(Refusal::TooShort { got: intake.received, size });
        }
        let start = self.layout.slot(slot);
        intake.flush(flash, start).await?;
        if <[u8; 32]>::from(intake.hash.finalize()) != expected {
            return Err(Refusal::WrongHash);
        }
        seal(flash, &self.layout, slot, &intake.envelope, intake.manifest).await
    }
}

impl Intake {
    async fn take<F: NorFlash>(
        &mut self,
        flash: &mut F,
        start: u32,
        mut bytes: &[u8],
    ) -> Result<(), Refusal> {
        if bytes.len() as u64 > u64::from(self.manifest.size - self.received) {
            return Err(Refusal::TooLong);
        }
        self.hash.update(bytes);
        while !bytes.is_empty() {
            let filled = self.received as usize % PAGE;
            let n = bytes.len().min(PAGE - filled);
            self.page[filled..filled + n].copy_from_slice(&bytes[..n]);
            self.received += n as u32;
            bytes = &bytes[n..];
            if filled + n == PAGE {
                self.program(flash, start, self.received - PAGE as u32).await?;
            }
        }
        Ok(())
    }

    /// What did not fill a page.
    async fn flush<F: NorFlash>(&mut self, flash: &mut F, start: u32) -> Result<(), Refusal> {
        match self.received % PAGE as u32 {
            0 => Ok(()),
            rest => self.program(flash, start, self.received - rest).await,
        }
    }

    async fn program<F: NorFlash>(&mut self, flash: &mut F, start: u32, at: u32) -> Result<(), Refusal> {
        let to = start + at;
        if at.is_multiple_of(SECTOR) {
            flash.erase(to, to + SECTOR).await.map_err(|_| Refusal::Flash)?;
        }
        flash.write(to, &self.page).await.map_err(|_| Refusal::Flash)?;
        self.page.fill(0xff);
        Ok(())
    }
}
