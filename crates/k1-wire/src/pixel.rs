//! Pixels on the wire.

/// Channels of a pixel, of 8 bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pixel {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Red, green, blue, white.
    Rgbw,
}

impl Pixel {
    /// Bytes of a pixel.
    pub const fn size(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgbw => 4,
        }
    }
}
