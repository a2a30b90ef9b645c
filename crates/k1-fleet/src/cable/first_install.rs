//! The parts that a blank chip needs besides an image: a bootloader and a partition table.

use std::path::Path;

use esp_idf_part::PartitionTable;
use espflash::flasher::{FlashData, FlashSettings, FlashSize};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::Chip;
use k1_update::layout::{Layout, SECTOR, Slot};
use sha2::{Digest, Sha256};

use super::admission::SETTINGS;
use super::head::Head;
use super::{Loader, flash::CableFlash};
use crate::signing::package::Update;

/// The firmware's partition table, which is its only source.
const TABLE: &str = include_str!("../../../../firmware/boards/esp/partitions.csv");
/// Address at which the chips' bootloaders look for the table, and before which they must end.
const TABLE_AT: u32 = 0x8000;

/// The size of the flash in the head of a bootloader for 4 MB.
const FLASH_4MB: u8 = 2;

/// A bootloader and its address.
pub struct Bootloader {
    at: u32,
    bytes: Vec<u8>,
    /// First revision of the chip that it runs on.
    least_revision: u16,
}

impl Bootloader {
    /// The bytes that the chip gets.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// First revision of the chip that it runs on, as major · 100 + minor.
    pub fn least_revision(&self) -> u16 {
        self.least_revision
    }

    /// A bootloader that is configured for 4 MB already, as those of [`bootloader()`] are.
    ///
    /// # Errors
    ///
    /// A sentence if it is not one for this chip with 4 MB, or is too large.
    pub fn made(chip: Chip, bytes: &[u8]) -> Result<Self, String> {
        let head = Head::read(bytes, chip).filter(|head| head.flash == FLASH_4MB);
        let head = head.ok_or_else(|| format!("it is not a bootloader for {chip} with 4 MB of flash"))?;
        let at = chip.boot_address();
        if at as usize + bytes.len() > TABLE_AT as usize {
            return Err(format!("the bootloader for {chip} overlaps the partition table"));
        }
        Ok(Self { at, bytes: bytes.to_vec(), least_revision: head.least_revision })
    }
}

/// The partition table in the format of the chips.
///
/// # Errors
///
/// A sentence if the table in the sources is wrong, which a test excludes.
pub fn table() -> Result<Vec<u8>, String> {
    let table = PartitionTable::try_from_str(TABLE);
    table.and_then(|table| table.to_bin()).map_err(|e| format!("the partition table is wrong: {e}"))
}

/// Checks that the file of a bootloader is the intended one and fits this chip.
///
/// # Errors
///
/// A sentence if the file cannot be read, has another hash, or is for another chip.
pub fn check(path: &Path, sha256: &str, chip: Chip) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    if !hash.eq_ignore_ascii_case(sha256.trim()) {
        return Err(format!("{} has the SHA-256 {hash} instead of the given one", path.display()));
    }
    if bytes.len() > TABLE_AT as usize || Head::read(&bytes, chip).is_none() {
        return Err(format!("{} is not a bootloader for {chip}", path.display()));
    }
    Ok(())
}

/// The bootloader for a chip of `revision` (major · 100 + minor), configured for 4 MB: from a file that has been
/// checked, or espflash's own.
///
/// # Errors
///
/// A sentence if there is none.
pub fn bootloader(chip: Chip, revision: u16, file: Option<&Path>) -> Result<Bootloader, String> {
    let settings = FlashSettings::new(None, Some(FlashSize::_4Mb), None);
    let data = FlashData::new(settings, revision, None, chip, chip.default_xtal_frequency());
    // The library only provides a bootloader together with a program, so pass it an empty one.
    let nothing = empty_program();
    let format = IdfBootloaderFormat::new(&nothing, &data, None, file, Some(TABLE_AT), None)
        .map_err(|e| format!("no bootloader for {chip}: {e}"))?;
    let first = format.flash_segments().next().ok_or_else(|| format!("no bootloader for {chip}"))?;
    Bootloader::made(chip, first.data())
}

/// The header of a 32-bit, little-endian ELF file without any segments.
fn empty_program() -> Vec<u8> {
    let mut head = vec![0; 52];
    head[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    head[16] = 2;
    head[18] = 243;
    head[20] = 1;
    head[40] = 52;
    head[42] = 32;
    head[46] = 40;
    head
}

/// Writes everything to a chip. The chip starts only when the last part, the bootloader, is complete. Calls `progress`
/// with the number of bytes written, out of [`bytes()`].
///
/// # Errors
///
/// A sentence. The chip does not start then, and the installation must be repeated.
pub fn install<L: Loader>(
    loader: &mut L,
    bootloader: &Bootloader,
    update: &Update,
    erase_settings: bool,
    mut progress: impl FnMut(usize),
) -> Result<(), String> {
    let map = Layout::K1;
    let sector = SECTOR as usize;
    let blank = |n: usize| vec![0xff; n];
    let mut parts = vec![(map.otadata, blank(2 * sector))];
    if erase_settings {
        parts.push((SETTINGS.start, blank(SETTINGS.len())));
    }
    parts.extend([
        // Invalidate an image that may have been there.
        (map.manifest(Slot::App1), blank(sector)),
        (map.slot(Slot::App0), update.image.clone()),
        (map.manifest(Slot::App0), update.envelope.0.to_vec()),
        (TABLE_AT, table()?),
        (bootloader.at, bootloader.bytes.clone()),
    ]);
    let mut gone = 0;
    for (at, mut bytes) in parts {
        bytes.resize(bytes.len().next_multiple_of(sector), 0xff);
        for (i, piece) in bytes.chunks(16 * sector).enumerate() {
            let at = at + (i * 16 * sector) as u32;
            loader.put(at, piece)?;
            gone += piece.len();
            progress(gone);
        }
    }
    Ok(())
}

/// Approximate number of bytes that [`install`] writes.
pub fn bytes(bootloader: &Bootloader, update: &Update) -> usize {
    bootloader.bytes.len() + update.image.len() + 6 * SECTOR as usize
}

/// Checks that a key which the lamp already trusts has signed the update that will be installed.
///
/// # Errors
///
/// A sentence if the chip holds a lamp that trusts other keys, or its flash cannot be read.
pub fn respects<L: Loader>(flash: &mut CableFlash<L>, chip: &str, update: &Update) -> Result<(), String> {
    let inside = super::admission::look(flash, chip)?;
    if inside.trust.is_empty() {
        return Ok(());
    }
    inside.trust.check(&update.envelope).map_err(|e| {
        format!("this chip is a lamp with keys of its own: {e}. --erase-settings erases them with all other settings")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_map_that_updates_go_by() {
        let table = PartitionTable::try_from_str(TABLE).unwrap();
        let place = |name: &str| table.find(name).map(|p| (p.offset(), p.size())).unwrap();
        let map = Layout::K1;
        assert_eq!(place("nvs"), (SETTINGS.start, SETTINGS.len() as u32));
        assert_eq!(place("otadata"), (map.otadata, 2 * SECTOR));
        for slot in Slot::ALL {
            assert_eq!(place(slot.name()), (map.slot(slot), map.slot_size));
        }
        assert!(super::table().unwrap().len() <= SECTOR as usize);
    }

    #[test]
    fn there_is_a_bootloader_for_every_chip_of_a_lamp() {
        for (_, chip) in k1_device::firmware::BOARDS.iter().filter(|(board, _)| *board != "virt") {
            let chip: Chip = chip.parse().unwrap();
            let loader = bootloader(chip, 301, None).unwrap();
            assert_eq!((loader.at, loader.bytes[0]), (chip.boot_address(), 0xe9), "{chip}");
            // Configured for 4 MB, with a correct hash: the last 32 bytes, over everything before.
            assert_eq!(loader.bytes[3] >> 4, FLASH_4MB, "{chip}");
            let (body, hash) = loader.bytes.split_at(loader.bytes.len() - 32);
            assert_eq!(Sha256::digest(body)[..], *hash, "{chip}");
        }
    }
}
