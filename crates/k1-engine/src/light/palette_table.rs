//! A palette with the user's hue, range and saturation, as a table for one look-up per LED.

use super::colour::Rgb;
use super::palette::Palette;
use super::palettes::PALETTES;
use crate::math;
use crate::params::{Param, Params};

const ENTRIES: usize = 128;

/// A palette with the user's hue, range and saturation applied, for one look-up per LED.
#[derive(Clone, Debug)]
pub struct PaletteTable {
    entries: [Rgb; ENTRIES + 1],
    key: Option<(usize, [u32; 3])>,
}

impl Default for PaletteTable {
    fn default() -> Self {
        Self::BLANK
    }
}

impl PaletteTable {
    /// A table that was never computed: all zeros.
    pub(crate) const BLANK: Self = Self { entries: [Rgb::BLACK; ENTRIES + 1], key: None };

    /// The table has to be computed anew, because the user's own palettes have changed.
    pub(crate) fn forget(&mut self) {
        self.key = None;
    }

    /// Recomputes the table if `id` or a colour parameter has changed since the last call. The numbers of the user's `own`
    /// palettes follow those of the table.
    pub fn update(&mut self, id: usize, own: &[Palette], params: &Params) {
        let (hue, range, saturation) =
            (params.get(Param::Color), params.get(Param::ColorRange), params.get(Param::Saturation));
        let key = Some((id, [hue.to_bits(), range.to_bits(), saturation.to_bits()]));
        if self.key == key {
            return;
        }
        self.key = key;
        let last = PALETTES.len() - 1;
        let palette = match id.checked_sub(PALETTES.len()).and_then(|id| own.get(id)) {
            Some(own) => own,
            None => &PALETTES[id.min(last)],
        };
        let chroma = saturation / Param::Saturation.spec().default;
        for ((i, entry), colour) in self.entries.iter_mut().enumerate().zip(palette.in_steps(ENTRIES)) {
            let x = i as f32 / ENTRIES as f32;
            let turn = hue - Param::Color.spec().default + range * (x - 0.5);
            *entry = colour.turned(turn, chroma).to_rgb();
        }
    }

    /// The colour at `x`, clamped to 0 … 1.
    #[inline]
    pub fn at(&self, x: f32) -> Rgb {
        // A NaN casts to 0.
        let p = x.clamp(0.0, 1.0) * ENTRIES as f32;
        let i = (p as usize).min(ENTRIES - 1);
        self.entries[i].mix(self.entries[i + 1], p - i as f32)
    }

    /// The colour at `x` on a closed circle: the gradient forwards and backwards, so that it has no seam.
    #[inline]
    pub fn around(&self, x: f32) -> Rgb {
        let f = math::fract(x);
        self.at(1.0 - (2.0 * f - 1.0).abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::Oklab;

    #[test]
    fn the_table_follows_the_palette_and_the_three_colour_parameters() {
        let mut params = Params::default();
        let mut table = PaletteTable::default();
        for (id, palette) in PALETTES.iter().enumerate() {
            table.update(id, &[], &params);
            for x in [0.0, 0.013, 0.25, 0.5, 0.77, 1.0] {
                let (a, b) = (table.at(x), palette.at(x).to_rgb());
                let off = (a.r - b.r).abs().max((a.g - b.g).abs()).max((a.b - b.b).abs());
                assert!(off < 0.03, "{} at {x}: {a:?} {b:?}", palette.name);
            }
        }
        params.set(Param::Saturation, 0.0);
        table.update(0, &[], &params);
        let grey = table.at(0.4);
        assert!((grey.r - grey.g).abs() < 0.01 && (grey.g - grey.b).abs() < 0.01, "{grey:?}");
        params.set(Param::Saturation, 0.75);
        params.set(Param::Color, 0.83);
        table.update(0, &[], &params);
        let opposite = Oklab::from_rgb(table.at(0.5));
        let painted = Oklab::from_rgb(PALETTES[0].at(0.5).to_rgb());
        assert!(opposite.a * painted.a + opposite.b * painted.b < 0.0, "half a turn is the opposite hue");
    }

    #[test]
    fn own_palettes_follow_those_of_the_table() {
        let own = [PALETTES[7], PALETTES[3]];
        let (mut table, mut same) = (PaletteTable::default(), PaletteTable::default());
        // A number that nobody has shows the last palette of the table.
        let last = PALETTES.len() - 1;
        for (id, shown) in [(last + 1, 7), (last + 2, 3), (last + 3, last), (usize::MAX, last)] {
            table.update(id, &own, &Params::default());
            same.update(shown, &[], &Params::default());
            assert_eq!(table.at(0.3), same.at(0.3), "{id}");
        }
        table.update(last + 1, &own, &Params::default());
        table.forget();
        table.update(last + 1, &own[1..], &Params::default());
        same.update(3, &[], &Params::default());
        assert_eq!(table.at(0.3), same.at(0.3));
    }

    #[test]
    fn the_circle_has_no_seam() {
        let mut table = PaletteTable::default();
        table.update(5, &[], &Params::default());
        let (a, b) = (table.around(0.999_999), table.around(0.0));
        assert!((a.r - b.r).abs() + (a.g - b.g).abs() + (a.b - b.b).abs() < 1e-3);
    }
}
