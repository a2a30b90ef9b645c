//! The flash: settings, slots and their records, and which slot runs.
//!
//! A write or an erase stops both cores until the flash has finished. Settings are therefore written after a pause in
//! the changes, one page at a time, and only the erase of a sector is long enough to be visible.
//!
//! The driver parks the other core wherever it is, so the other core may hold a lock of the scheduler or the heap. An
//! interrupt on this core would then wait for that lock for ever, and such an interrupt is usually pending when the
//! driver ends its own critical section, which is before it lets the other core go on. [`undisturbed`] therefore keeps
//! interrupts off until both cores run.

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::peripherals::FLASH;
use esp_storage::{FlashStorage, FlashStorageError};
use k1_update::layout::Slot;

/// Number of bytes that are read or written at once: a page.
const PAGE: usize = 256;

/// Writes or erases without an interrupt on this core, from before the other core is parked until it runs again.
fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    static ALONE: CriticalSectionMutex<()> = CriticalSectionMutex::new(());
    ALONE.lock(|()| work())
}

/// The flash. There is only one.
pub struct Flash(FlashStorage<'static>);

/// A buffer that is aligned to words. Without it the driver would use 4 KiB of stack for its own buffer.
#[repr(align(4))]
struct Aligned([u8; PAGE]);

impl Flash {
    /// Takes ownership of the flash.
    pub fn new(flash: FLASH<'static>) -> Self {
        let storage = FlashStorage::new(flash);
        #[cfg(multi_core)]
        let storage = storage.multicore_auto_park();
        Self(storage)
    }

    /// The running slot; `None` if the chip does not report it. In this case neither slot may be overwritten.
    pub fn slot(&mut self) -> Option<Slot> {
        let mut table = alloc::vec![0; PARTITION_TABLE_MAX_LEN];
        let booted = read_partition_table(&mut self.0, &mut table).and_then(|table| table.booted_partition());
        let booted = booted.ok()??;
        Slot::ALL.into_iter().find(|slot| booted.label_as_str() == slot.name())
    }
}

impl ErrorType for Flash {
    type Error = FlashStorageError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = FlashStorage::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashStorageError> {
        let mut page = Aligned([0; PAGE]);
        for (at, piece) in (offset..).step_by(PAGE).zip(bytes.chunks_mut(PAGE)) {
            let page = &mut page.0[..piece.len()];
            self.0.read_nor(at, page)?;
            piece.copy_from_slice(page);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = FlashStorage::WRITE_SIZE;
    const ERASE_SIZE: usize = FlashStorage::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashStorageError> {
        for sector in (from..to).step_by(Self::ERASE_SIZE) {
            undisturbed(|| self.0.erase(sector, to.min(sector + Self::ERASE_SIZE as u32)))?;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashStorageError> {
        let mut page = Aligned([0; PAGE]);
        for (at, piece) in (offset..).step_by(PAGE).zip(bytes.chunks(PAGE)) {
            let page = &mut page.0[..piece.len()];
            page.copy_from_slice(piece);
            undisturbed(|| self.0.write_nor(at, page))?;
        }
        Ok(())
    }
}
