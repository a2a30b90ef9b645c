//! What is written to a chip, and in which order.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use k1_update::layout::{Layout, SECTOR, Slot};

use crate::bootloader::Bootloader;
use crate::chip::{Chip, Head};
use crate::settings::SETTINGS;
use crate::table::{self, TABLE_AT};
use crate::update::Update;

/// Bytes of flash that a K1 needs and uses.
pub const FLASH: u32 = 4 << 20;
/// Most bytes that are written and checked together; the chip erases them all before it answers.
const PIECE: usize = 16 * SECTOR as usize;

/// Whole sectors, and their address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Address of the first sector.
    pub at: u32,
    /// Content, padded with 0xff.
    pub bytes: Vec<u8>,
}

/// Checks that a chip can run a bootloader and an image: the size of its flash in bytes, if it says one, and its revision
/// as major · 100 + minor.
///
/// # Errors
///
/// The beginning of a sentence.
pub fn suits(
    chip: &Chip,
    bootloader: &Bootloader,
    image: &[u8],
    flash: Option<u32>,
    revision: u16,
) -> Result<(), String> {
    if let Some(size) = flash.filter(|size| *size < FLASH) {
        return Err(format!("its flash has {} MB, but a K1 needs 4", size >> 20));
    }
    let least = Head::read(image, chip).map_or(0, |head| head.least_revision);
    let least = least.max(bootloader.least_revision());
    if revision < least {
        let name = |revision: u16| format!("{}.{}", revision / 100, revision % 100);
        return Err(format!(
            "the firmware needs an {chip} of revision {} or later, but this one has {}",
            name(least),
            name(revision)
        ));
    }
    Ok(())
}

/// Everything that a blank chip needs, in the order in which it is written. The chip starts only when the last part, the
/// bootloader, is complete.
pub fn plan(bootloader: &Bootloader, update: &Update, erase_settings: bool) -> Vec<Piece> {
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
        (TABLE_AT, table::bytes()),
        (bootloader.at(), bootloader.bytes().to_vec()),
    ]);
    let mut pieces = Vec::new();
    for (at, mut bytes) in parts {
        bytes.resize(bytes.len().next_multiple_of(sector), 0xff);
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            pieces.push(Piece { at: at + (i * PIECE) as u32, bytes: piece.to_vec() });
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TABLE;

    /// Place and size of a partition, according to the table's text.
    fn place(name: &str) -> (u32, u32) {
        let line = TABLE.lines().find(|line| line.starts_with(name)).unwrap();
        let number = |text: &str| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).unwrap();
        let fields: Vec<&str> = line.split(',').collect();
        (number(fields[3]), number(fields[4]))
    }

    #[test]
    fn the_table_is_the_map_that_updates_go_by() {
        let map = Layout::K1;
        assert_eq!(place("nvs"), (SETTINGS.start, SETTINGS.len() as u32));
        assert_eq!(place("otadata"), (map.otadata, 2 * SECTOR));
        for slot in Slot::ALL {
            assert_eq!(place(slot.name()), (map.slot(slot), map.slot_size));
        }
        assert!(table::bytes().len() <= SECTOR as usize);
    }
}
