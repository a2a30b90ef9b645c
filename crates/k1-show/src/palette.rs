//! Palettes of the user's own.

use k1_engine::light::{Oklab, Oklch, Rgb, Stop, palette_by_name};
use k1_engine::params::LAST_PALETTE;
pub use k1_engine::params::MOST_OWN_PALETTES;

/// Largest number of colours of a palette.
pub const MOST_STOPS: usize = 64;

/// A palette of the user's own.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnPalette {
    /// Its name, which no other palette has.
    pub name: String,
    /// Position 0 to 1 and colour in sRGB; at least two, with positions that never fall.
    pub stops: Vec<(f32, [u8; 3])>,
}

impl OwnPalette {
    /// The stops as the engine has them.
    pub fn oklch(&self) -> Vec<Stop> {
        self.stops.iter().map(|(at, rgb)| Stop { at: *at, colour: oklch(*rgb) }).collect()
    }
}

/// A colour of sRGB in OKLCH.
fn oklch(rgb: [u8; 3]) -> Oklch {
    let linear = |byte: u8| {
        let value = f32::from(byte) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let [r, g, b] = rgb.map(linear);
    let Oklab { l, a, b } = Oklab::from_rgb(Rgb::new(r, g, b));
    Oklch { l, c: a.hypot(b), h: b.atan2(a).to_degrees() }
}

/// The number of the palette with a name; those of `own` follow those of every K1.
pub fn number_of<'a>(name: &str, mut own: impl Iterator<Item = &'a str>) -> Option<usize> {
    palette_by_name(name).or_else(|| Some(LAST_PALETTE + 1 + own.position(|other| other == name)?))
}

/// A colour as it is written: `#ff8800`.
pub fn hex(rgb: [u8; 3]) -> String {
    let [r, g, b] = rgb;
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The colour that a text such as `#ff8800` or `#f80` says; `None` for another text.
pub fn colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#')?;
    let nibble =
        |i: usize| digits.as_bytes().get(i).and_then(|b| char::from(*b).to_digit(16)).map(|n| n as u8);
    match digits.len() {
        3 => Some([nibble(0)? * 17, nibble(1)? * 17, nibble(2)? * 17]),
        6 => {
            let byte = |i: usize| Some(nibble(i)? * 16 + nibble(i + 1)?);
            Some([byte(0)?, byte(2)?, byte(4)?])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_engine::light::{PALETTES, srgb_byte};

    #[test]
    fn a_colour_is_shown_as_it_was_written() {
        for rgb in [[0, 0, 0], [255, 255, 255], [255, 136, 0], [1, 2, 250], [17, 200, 90]] {
            assert_eq!(colour(&hex(rgb)), Some(rgb));
            let shown = Oklab::from(oklch(rgb)).to_rgb();
            let bytes = [shown.r, shown.g, shown.b].map(srgb_byte);
            assert!(bytes.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 1), "{rgb:?} {bytes:?}");
        }
        assert_eq!(colour("#f80"), Some([255, 136, 0]));
        for wrong in ["", "ff8800", "#ff880", "#gg0000", "#ff88000", "#é0"] {
            assert_eq!(colour(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn own_numbers_follow_those_of_every_k1() {
        let own = || ["sea", "night"].into_iter();
        assert_eq!(number_of("night", own()), Some(PALETTES.len() + 1));
        assert_eq!((number_of("lava", own()), number_of("no", own())), (Some(23), None));
    }
}
