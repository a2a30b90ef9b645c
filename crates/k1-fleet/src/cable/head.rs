//! The head of an image for a chip's ROM or bootloader (ESP-IDF, `esp_image_header_t`).

use espflash::target::Chip;

/// First byte of every image.
pub const MAGIC: u8 = 0xe9;
/// Length of the head in bytes.
const LENGTH: usize = 24;

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
    pub fn read(image: &[u8], chip: Chip) -> Option<Self> {
        let head: &[u8; LENGTH] = image.first_chunk()?;
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let fits = head[0] == MAGIC && number(12) == chip.id();
        fits.then(|| Self { flash: head[3] >> 4, least_revision: number(15) })
    }
}
