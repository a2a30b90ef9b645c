//! The parts that a blank chip needs besides an image: a bootloader and a partition table.

use std::path::Path;

use espflash::flasher::{FlashData, FlashSettings, FlashSize};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::Chip as Target;
pub use k1_bundle::bootloader::Bootloader;
use k1_bundle::chip::{Chip, Head};
use k1_bundle::plan::plan;
use k1_bundle::settings;
use k1_bundle::table::TABLE_AT;
use k1_update::layout::SECTOR;
use sha2::{Digest, Sha256};

use super::{Loader, flash::CableFlash};
use crate::signing::package::Update;

/// Checks that the file of a bootloader is the intended one and fits this chip.
///
/// # Errors
///
/// A sentence if the file cannot be read, has another hash, or is for another chip.
pub fn check(path: &Path, sha256: &str, chip: &Chip) -> Result<(), String> {
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
pub fn bootloader(chip: &Chip, revision: u16, file: Option<&Path>) -> Result<Bootloader, String> {
    let target: Target = chip.name.parse().map_err(|_| format!("no bootloader for {chip}"))?;
    let settings = FlashSettings::new(None, Some(FlashSize::_4Mb), None);
    let data = FlashData::new(settings, revision, None, target, target.default_xtal_frequency());
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
    let mut gone = 0;
    for piece in plan(bootloader, update, erase_settings) {
        loader.put(piece.at, &piece.bytes)?;
        gone += piece.bytes.len();
        progress(gone);
    }
    Ok(())
}

/// Approximate number of bytes that [`install`] writes.
pub fn bytes(bootloader: &Bootloader, update: &Update) -> usize {
    bootloader.bytes().len() + update.image.len() + 6 * SECTOR as usize
}

/// Checks that a key which the lamp already trusts has signed the update that will be installed.
///
/// # Errors
///
/// A sentence if the chip holds a lamp that trusts other keys, or its flash cannot be read.
pub fn respects<L: Loader>(flash: &mut CableFlash<L>, chip: &str, update: &Update) -> Result<(), String> {
    let inside = super::admission::look(flash, chip)?;
    settings::respects(&inside.trust, &update.envelope)
        .map_err(|e| format!("{e}. --erase-settings erases them with all other settings"))
}

#[cfg(test)]
mod tests {
    use k1_bundle::bootloader::FLASH_4MB;
    use k1_bundle::chip::CHIPS;
    use k1_bundle::table;

    use super::*;

    /// The library of Espressif's format agrees with the table that bundles hold.
    #[test]
    fn the_table_is_in_the_format_of_the_chips() {
        let table = esp_idf_part::PartitionTable::try_from_str(table::TABLE).unwrap();
        assert_eq!(table::bytes(), table.to_bin().unwrap());
    }

    /// And its list of chips agrees with the one in bundles.
    #[test]
    fn the_chips_are_as_the_library_knows_them() {
        for chip in &CHIPS {
            let known: Target = chip.name.parse().unwrap();
            assert_eq!((chip.id, chip.boot_at), (known.id(), known.boot_address()), "{chip}");
            assert_eq!(chip.watchdog, known.wdt_wprotect().zip(known.wdt_config0()), "{chip}");
        }
    }

    #[test]
    fn there_is_a_bootloader_for_every_chip_of_a_lamp() {
        for chip in &CHIPS {
            let loader = bootloader(chip, 301, None).unwrap();
            assert_eq!((loader.at(), loader.bytes()[0]), (chip.boot_at, 0xe9), "{chip}");
            // Configured for 4 MB, with a correct hash: the last 32 bytes, over everything before.
            assert_eq!(loader.bytes()[3] >> 4, FLASH_4MB, "{chip}");
            let (body, hash) = loader.bytes().split_at(loader.bytes().len() - 32);
            assert_eq!(Sha256::digest(body)[..], *hash, "{chip}");
        }
    }
}
