//! The chips that bundles are for, and the heads of their images (ESP-IDF, `esp_image_header_t`).

use core::fmt;

/// First byte of every image.
pub const MAGIC: u8 = 0xe9;
/// Length of the head in bytes.
const LENGTH: usize = 24;

/// A chip with a loader in ROM that a cable reaches.
#[derive(Debug, PartialEq, Eq)]
pub struct Chip {
    /// Its name, as manifests spell it.
    pub name: &'static str,
    /// Its number in heads of images and in answers of its loader.
    pub id: u16,
    /// Address in flash at which its ROM looks for a bootloader.
    pub boot_at: u32,
    /// Registers of the watchdog that runs on while the loader answers on the chip's own USB: protection and
    /// configuration. `None` if it does not run then.
    pub watchdog: Option<(u32, u32)>,
}

/// The chips of the boards that have a cable ([`k1_device::firmware::BOARDS`]).
pub static CHIPS: [Chip; 4] = [
    Chip { name: "esp32s3", id: 9, boot_at: 0, watchdog: Some((0x6000_80b0, 0x6000_8098)) },
    Chip { name: "esp32s31", id: 32, boot_at: 0x2000, watchdog: Some((0x2080_1018, 0x2080_1000)) },
    Chip { name: "esp32p4", id: 18, boot_at: 0x2000, watchdog: Some((0x5011_6018, 0x5011_6000)) },
    Chip { name: "esp32c6", id: 13, boot_at: 0, watchdog: None },
];

impl Chip {
    /// The chip with this name; `None` for the virtual lamp's processor and for unknown ones.
    pub fn named(name: &str) -> Option<&'static Self> {
        CHIPS.iter().find(|chip| chip.name == name)
    }

    /// The chip with this number.
    pub fn numbered(id: u16) -> Option<&'static Self> {
        CHIPS.iter().find(|chip| chip.id == id)
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What the head of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Size of the flash: 0 is 1 MB, and each further number twice as much.
    pub flash: u8,
    /// First revision of the chip that the image runs on, as major · 100 + minor.
    pub least_revision: u16,
}

impl Head {
    /// Reads the head of an image. `None` if it is not an image for this chip.
    pub fn read(image: &[u8], chip: &Chip) -> Option<Self> {
        let head: &[u8; LENGTH] = image.first_chunk()?;
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let fits = head[0] == MAGIC && number(12) == chip.id;
        fits.then(|| Self { flash: head[3] >> 4, least_revision: number(15) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_device::firmware::BOARDS;

    #[test]
    fn every_board_with_a_cable_has_its_chip_here() {
        for (board, chip) in BOARDS.iter().filter(|(board, _)| *board != "virt") {
            let found = Chip::named(chip).unwrap_or_else(|| panic!("{board}"));
            assert_eq!(Chip::numbered(found.id), Some(found));
        }
        assert_eq!(CHIPS.len() + 1, BOARDS.len());
    }
}
