//! An incoming update: checked before the flash is touched, written as it arrives, and read back.

use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest, Sha256};

use crate::envelope::{ENVELOPE, Envelope};
use crate::layout::{Layout, SECTOR, Slot};
use crate::manifest::Manifest;
use crate::record;
use crate::refusal::Refusal;
use crate::slot::{Whole, seal};
use crate::trust::Trust;

/// Bytes programmed at once.
const PAGE: usize = 256;

/// What an incoming update is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// The keys whose signatures count.
    pub trust: &'a Trust,
    /// Board of the lamp.
    pub board: &'a str,
    /// Chip of the lamp.
    pub chip: &'a str,
}

impl Gate<'_> {
    /// Checks a manifest.
    ///
    /// # Errors
    ///
    /// Every [`Refusal`] that can be determined without the image.
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

/// An image that is being received.
struct Intake {
    envelope: Envelope,
    manifest: Manifest,
    hash: Sha256,
    page: [u8; PAGE],
    received: u32,
}

#[allow(
    clippy::large_enum_variant,
    reason = "there is only one, and nearly all the time it is the largest variant"
)]
enum Phase {
    Manifest { envelope: [u8; ENVELOPE], got: usize },
    Image(Intake),
    Refused(Refusal),
}

/// An incoming update. Only the owner of the flash can have one, so there is one at a time.
pub struct Session {
    layout: Layout,
    running: Slot,
    phase: Phase,
}

impl Session {
    /// A session for a lamp that runs the image in `running`; the update is written to the other slot.
    pub fn new(layout: Layout, running: Slot) -> Self {
        Self { layout, running, phase: Phase::Manifest { envelope: [0; ENVELOPE], got: 0 } }
    }

    /// The manifest of the update, once it has been accepted.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.phase {
            Phase::Image(intake) => Some(&intake.manifest),
            _ => None,
        }
    }

    /// Bytes of the image received so far.
    pub fn received(&self) -> u32 {
        match &self.phase {
            Phase::Image(intake) => intake.received,
            _ => 0,
        }
    }

    /// Takes the next bytes, in pieces of any size. Does not touch the flash before the manifest has been accepted, or
    /// after a refusal.
    ///
    /// # Errors
    ///
    /// Every [`Refusal`] of [`Gate::admit`] and of [`record::settle`], [`Refusal::TooLong`], [`Refusal::Flash`]. After
    /// an error, every further call returns the same error.
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

    /// Prepares the other slot before its first byte is overwritten: makes the running image the one that starts next,
    /// and invalidates the image in the other slot.
    async fn prepare<F: NorFlash>(&self, flash: &mut F) -> Result<(), Refusal> {
        record::settle(flash, &self.layout, self.running).await?;
        let at = self.layout.manifest(self.running.other());
        flash.erase(at, at + SECTOR).await.map_err(|_| Refusal::Flash)
    }

    /// Finishes the update after its last byte: checks the image in flash and writes its manifest behind it.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooShort`], [`Refusal::WrongHash`], [`Refusal::ReadBack`], [`Refusal::Flash`], or the earlier
    /// refusal.
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

    /// Writes the rest that did not fill a page.
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
