//! The machine's NOR flash: of 32 MiB or more, in a file on the host.
//!
//! It has two chips with 16 bits side by side (CFI, Intel commands), so that a word contains every command twice; the
//! emulator takes the same words for one chip with 16 bits. The emulator overwrites data where a real NOR flash can only clear bits, so the driver combines the bits itself. The
//! flash erases whole blocks of 128 or 256 KiB; the driver erases the lamp's sectors of 4 KiB by programming.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Number of bytes that the lamp uses.
const SIZE: u32 = 0x0200_0000;
const SECTOR: u32 = 4_096;
/// Number of bytes that are programmed together, aligned to this size. It is the size of a chip's page, and the
/// emulator writes its file once for each page.
const PAGE: u32 = 256;

const READ_ARRAY: u32 = 0x00ff_00ff;
const PROGRAM_WORD: u32 = 0x0040_0040;
const PROGRAM_BUFFER: u32 = 0x00e8_00e8;
const CONFIRM: u32 = 0x00d0_00d0;
const CLEAR_STATUS: u32 = 0x0050_0050;

/// An address that is outside the flash or not aligned.
#[derive(Clone, Copy, Debug)]
pub struct OutOfBounds;

impl NorFlashError for OutOfBounds {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

/// The flash. There is only one.
pub struct Flash {
    /// Address at which it can be read as memory.
    base: usize,
}

impl Flash {
    /// The flash at an address, for its owner.
    ///
    /// # Safety
    ///
    /// Call this once, because two owners would mix their commands, with the address of such a flash.
    pub const unsafe fn take(base: usize) -> Self {
        Self { base }
    }

    /// Address at which an offset in the flash can be read as memory.
    pub fn mapped(&self, offset: u32) -> *const u8 {
        (self.base + offset as usize) as *const u8
    }

    fn word(&self, offset: u32) -> *mut u32 {
        (self.base + offset as usize) as *mut u32
    }

    /// Programs words from `offset` on, all in one page.
    fn program(&mut self, offset: u32, words: impl ExactSizeIterator<Item = u32>) {
        let last = words.len() as u32 - 1;
        // SAFETY: the caller has checked `offset`, which is aligned; this flash has no other owner.
        unsafe {
            if last == 0 {
                // Newer emulators refuse a buffer of one word.
                self.word(offset).write_volatile(PROGRAM_WORD);
            } else {
                self.word(offset).write_volatile(PROGRAM_BUFFER);
                self.word(offset).write_volatile(last | last << 16);
            }
            for (i, word) in words.enumerate() {
                self.word(offset + i as u32 * 4).write_volatile(word);
            }
            if last > 0 {
                self.word(offset).write_volatile(CONFIRM);
            }
            // Back to the mode in which reads return data.
            self.word(offset).write_volatile(CLEAR_STATUS);
            self.word(offset).write_volatile(READ_ARRAY);
        }
    }
}

impl ErrorType for Flash {
    type Error = OutOfBounds;
}

fn check(offset: u32, length: usize, align: u32) -> Result<(), OutOfBounds> {
    let end = u64::from(offset) + length as u64;
    let fits =
        end <= u64::from(SIZE) && offset.is_multiple_of(align) && length.is_multiple_of(align as usize);
    if fits { Ok(()) } else { Err(OutOfBounds) }
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), OutOfBounds> {
        check(offset, bytes.len(), 1)?;
        for (i, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: checked above; in array mode reads return data.
            *byte = unsafe { ((self.base + offset as usize + i) as *const u8).read_volatile() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), OutOfBounds> {
        check(from, to.checked_sub(from).ok_or(OutOfBounds)? as usize, SECTOR)?;
        for page in (from..to).step_by(PAGE as usize) {
            self.program(page, (0..PAGE / 4).map(|_| u32::MAX));
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        check(offset, bytes.len(), 4)?;
        let mut old = [0; PAGE as usize];
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = offset + (bytes.len() - rest.len()) as u32;
            let (new, behind) = rest.split_at(rest.len().min((PAGE - at % PAGE) as usize));
            rest = behind;
            let old = &mut old[..new.len()];
            self.read(at, old).await?;
            let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            // A NOR flash can only clear bits.
            self.program(
                at,
                old.chunks_exact(4).zip(new.chunks_exact(4)).map(|(old, new)| word(old) & word(new)),
            );
        }
        Ok(())
    }
}
