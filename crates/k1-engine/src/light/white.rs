//! The white LEDs of an RGBW light.

use super::Rgb;

/// How white LEDs are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum White {
    /// They stay dark. All zeros, so that a renderer that was not started is all zeros.
    None = 0,
    /// They show what red, green and blue have in common, in place of those: the same colour.
    Accurate,
    /// They show it in addition to red, green and blue: more light, paler colours.
    Brighter,
}

impl White {
    /// Every use with its name.
    pub const NAMES: [(&'static str, Self); 3] =
        [("none", Self::None), ("accurate", Self::Accurate), ("brighter", Self::Brighter)];

    /// Its name.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// The light of the coloured LEDs and of the white one that together show a colour.
    #[inline]
    pub fn split(self, colour: Rgb) -> (Rgb, f32) {
        let white = colour.r.min(colour.g).min(colour.b);
        match self {
            Self::None => (colour, 0.0),
            Self::Accurate => (colour.map(|x| x - white), white),
            Self::Brighter => (colour, white),
        }
    }
}
