//! The bootloader of a chip, configured for the flash of a K1.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::chip::{Chip, Head};
use crate::table::TABLE_AT;

/// The size of the flash in the head of a bootloader for 4 MB.
pub const FLASH_4MB: u8 = 2;

/// A bootloader and its address.
#[derive(Clone, Debug)]
pub struct Bootloader {
    at: u32,
    bytes: Vec<u8>,
    /// First revision of the chip that it runs on.
    least_revision: u16,
}

impl Bootloader {
    /// Address in flash at which the chip looks for it.
    pub fn at(&self) -> u32 {
        self.at
    }

    /// The bytes that the chip gets.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// First revision of the chip that it runs on, as major · 100 + minor.
    pub fn least_revision(&self) -> u16 {
        self.least_revision
    }

    /// A bootloader that is configured for 4 MB already.
    ///
    /// # Errors
    ///
    /// A sentence if it is not one for this chip with 4 MB, or is too large.
    pub fn made(chip: &Chip, bytes: &[u8]) -> Result<Self, String> {
        let head = Head::read(bytes, chip).filter(|head| head.flash == FLASH_4MB);
        let head = head.ok_or_else(|| format!("it is not a bootloader for {chip} with 4 MB of flash"))?;
        let at = chip.boot_at;
        if at as usize + bytes.len() > TABLE_AT as usize {
            return Err(format!("the bootloader for {chip} overlaps the partition table"));
        }
        Ok(Self { at, bytes: bytes.to_vec(), least_revision: head.least_revision })
    }
}
