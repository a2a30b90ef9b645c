//! The partition table, in the format of the chips (ESP-IDF, `esp_partition_info_t`).

use alloc::vec::Vec;

use md5::{Digest, Md5};

/// The firmware's partition table, which is its only source.
pub const TABLE: &str = include_str!("../../../firmware/boards/esp/partitions.csv");
/// Address at which the chips' bootloaders look for the table, and before which they must end.
pub const TABLE_AT: u32 = 0x8000;
/// Size of the table in bytes.
const SIZE: usize = 0xc00;

/// Numbers of the types and subtypes that the table uses.
const NAMES: [(&str, u8); 6] =
    [("app", 0), ("data", 1), ("nvs", 2), ("ota", 0), ("ota_0", 0x10), ("ota_1", 0x11)];
/// Subtype of a file system; its name is also the partition's.
const SPIFFS: u8 = 0x82;

/// The partition table in the format of the chips.
pub fn bytes() -> Vec<u8> {
    let mut table = Vec::with_capacity(SIZE);
    for line in TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        table.extend(entry(line));
    }
    let sum = Md5::digest(&table);
    table.extend([0xeb, 0xeb]);
    table.extend([0xff; 14]);
    table.extend(sum);
    table.resize(SIZE, 0xff);
    table
}

/// An entry: mark, type, subtype, place, size, name in 16 bytes, and no flags.
fn entry(line: &str) -> [u8; 32] {
    let mut fields = line.split(',').map(str::trim);
    let mut next = || fields.next().unwrap_or_default();
    let number =
        |name: &str| NAMES.iter().find(|(known, _)| *known == name).map_or(SPIFFS, |(_, number)| *number);
    let hex = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default();
    let (name, kind, subtype) = (next(), number(next()), number(next()));
    let (at, size) = (hex(next()), hex(next()));
    let mut entry = [0; 32];
    entry[..4].copy_from_slice(&[0xaa, 0x50, kind, subtype]);
    entry[4..8].copy_from_slice(&at.to_le_bytes());
    entry[8..12].copy_from_slice(&size.to_le_bytes());
    entry[12..12 + name.len()].copy_from_slice(name.as_bytes());
    entry
}
