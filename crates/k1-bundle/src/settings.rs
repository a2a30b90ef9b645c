//! What a chip that is a lamp already keeps: its settings, read with the lamp's own code.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use k1_device::settings::Store;
use k1_update::envelope::Envelope;
use k1_update::layout::SECTOR;
use k1_update::trust::Trust;

/// Place of the settings: `nvs` of the partition table.
pub const SETTINGS: core::ops::Range<u32> = 0x9000..0xe000;

/// The result of a future that never waits, such as a future on a flash whose functions return directly.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = core::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// The keys that a lamp with these settings trusts. If the lamp would repair its settings, only the copy is repaired.
pub fn trust(settings: Vec<u8>) -> Trust {
    let copy = Copy::new(SETTINGS.start, settings);
    Store::new(copy, SETTINGS).map_or(Trust::NOBODY, |mut store| block_on(store.load()).0.trust)
}

/// Checks that a key which a lamp already trusts has signed the update that will be installed.
///
/// # Errors
///
/// The beginning of a sentence if the chip is a lamp that trusts other keys.
pub fn respects(trust: &Trust, envelope: &Envelope) -> Result<(), String> {
    if trust.is_empty() {
        return Ok(());
    }
    trust.check(envelope).map(|_| ()).map_err(|e| format!("this chip is a lamp with keys of its own: {e}"))
}

/// Why an operation failed; the flash behind a cable also keeps the reason as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The range is outside the flash, or not aligned.
    Bounds,
    /// A bit would have to be set, which only erasing does.
    NotErased,
    /// The chip or the cable failed.
    Cable,
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Bounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::Cable => NorFlashErrorKind::Other,
        }
    }
}

/// A copy of a part of the flash. The lamp's code may change it; changes are not sent to the chip.
pub struct Copy {
    first: u32,
    bytes: Vec<u8>,
}

impl Copy {
    /// The copy of a part that was read from `first`.
    pub fn new(first: u32, bytes: Vec<u8>) -> Self {
        Self { first, bytes }
    }

    fn place(&mut self, at: u32, length: usize) -> Result<&mut [u8], Fault> {
        let from = at.checked_sub(self.first).ok_or(Fault::Bounds)? as usize;
        self.bytes.get_mut(from..from + length).ok_or(Fault::Bounds)
    }
}

impl ErrorType for Copy {
    type Error = Fault;
}

impl ReadNorFlash for Copy {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        bytes.copy_from_slice(self.place(at, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.first as usize + self.bytes.len()
    }
}

impl NorFlash for Copy {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        let length = to.checked_sub(from).ok_or(Fault::Bounds)?;
        self.place(from, length as usize)?.fill(0xff);
        Ok(())
    }

    async fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        for (old, new) in self.place(at, bytes.len())?.iter_mut().zip(bytes) {
            *old &= new;
        }
        Ok(())
    }
}
