//! The palettes, designed for this product, in OKLCH: lightness, chroma, hue in degrees.
//!
//! Presets in the field rely on the numbers. The patterns departure, lava and twilight use 11, 23 and 32.

use super::{Oklch, Palette, Stop};
use crate::params::LAST_PALETTE;

/// `name: "description" => position (lightness chroma hue), …`
macro_rules! palettes {
    ($($name:ident: $about:literal => $($at:literal ($l:literal $c:literal $h:literal)),+;)*) => {
        /// Every palette, in the order of `palette_id`.
        pub static PALETTES: [Palette; LAST_PALETTE + 1] = [
            $(Palette {
                name: stringify!($name),
                about: $about,
                stops: &[$(Stop { at: $at, colour: Oklch { l: $l, c: $c, h: $h } }),+],
            }),*
        ];
    };
}

palettes! {
    sunset_drive: "red, gold and violet: warm at heart, dusky at the rim" =>
        0.0 (0.88 0.15 92.0), 0.16 (0.76 0.18 62.0), 0.34 (0.63 0.22 32.0), 0.52 (0.54 0.24 8.0), 0.70 (0.46 0.24 338.0), 0.85 (0.38 0.21 305.0), 1.0 (0.32 0.19 278.0);
    moss_hollow: "forest floor, from shade to lichen" =>
        0.0 (0.16 0.04 150.0), 0.3 (0.38 0.10 145.0), 0.6 (0.58 0.14 135.0), 0.85 (0.78 0.13 118.0), 1.0 (0.88 0.08 110.0);
    sea_glass: "teal to foam" =>
        0.0 (0.22 0.05 215.0), 0.35 (0.50 0.10 200.0), 0.65 (0.72 0.10 190.0), 0.85 (0.90 0.05 185.0), 1.0 (0.60 0.10 210.0);
    ember_night: "coals breathing in blue darkness" =>
        0.0 (0.14 0.09 275.0), 0.25 (0.28 0.12 330.0), 0.45 (0.56 0.21 30.0), 0.55 (0.70 0.18 55.0), 0.7 (0.46 0.18 22.0), 1.0 (0.16 0.09 280.0);
    bronze: "one metal, bright to dark" =>
        0.0 (0.86 0.12 88.0), 0.4 (0.64 0.13 70.0), 0.75 (0.42 0.11 52.0), 1.0 (0.22 0.07 42.0);
    cobalt_cherry: "blue through violet into red" =>
        0.0 (0.46 0.26 264.0), 0.35 (0.44 0.25 290.0), 0.65 (0.47 0.23 345.0), 1.0 (0.62 0.24 26.0);
    orchid: "violet petals with a pale throat" =>
        0.0 (0.92 0.05 320.0), 0.3 (0.72 0.17 325.0), 0.6 (0.52 0.22 315.0), 1.0 (0.32 0.18 295.0);
    lagoon: "shallow turquoise over deep water" =>
        0.0 (0.88 0.10 185.0), 0.25 (0.74 0.12 195.0), 0.55 (0.54 0.13 225.0), 0.8 (0.38 0.14 255.0), 1.0 (0.24 0.11 268.0);
    fjord: "cold water between cliffs" =>
        0.0 (0.80 0.05 220.0), 0.4 (0.56 0.09 230.0), 0.7 (0.38 0.10 245.0), 1.0 (0.18 0.06 255.0);
    neon_kiss: "hot pink, electric magenta" =>
        0.0 (0.70 0.22 5.0), 0.3 (0.64 0.28 350.0), 0.6 (0.66 0.29 328.0), 0.85 (0.58 0.27 340.0), 1.0 (0.60 0.25 15.0);
    foundry: "black iron with a molten seam" =>
        0.0 (0.10 0.03 30.0), 0.25 (0.34 0.13 35.0), 0.42 (0.66 0.18 55.0), 0.5 (0.88 0.14 85.0), 0.58 (0.66 0.18 55.0), 0.75 (0.34 0.13 32.0), 1.0 (0.10 0.03 25.0);
    departure: "dark earth, gold, white, emerald: waking up" =>
        0.0 (0.10 0.03 50.0), 0.16 (0.22 0.06 55.0), 0.25 (0.36 0.08 60.0), 0.33 (0.58 0.11 68.0), 0.42 (0.80 0.10 80.0), 0.46 (1.0 0.0 90.0), 0.54 (0.92 0.14 140.0), 0.60 (0.84 0.25 143.0), 0.70 (0.72 0.23 143.0), 0.80 (0.50 0.17 143.0), 0.90 (0.32 0.11 144.0), 1.0 (0.26 0.09 146.0);
    highland: "meadow, mist and sky" =>
        0.0 (0.12 0.04 145.0), 0.2 (0.46 0.15 142.0), 0.45 (0.76 0.19 132.0), 0.6 (0.90 0.06 200.0), 0.8 (0.68 0.13 245.0), 1.0 (0.48 0.20 262.0);
    canyon: "red rock against a green river" =>
        0.0 (0.14 0.04 30.0), 0.25 (0.40 0.14 32.0), 0.5 (0.68 0.16 52.0), 0.65 (0.80 0.12 80.0), 0.72 (0.56 0.11 165.0), 1.0 (0.20 0.05 180.0);
    sherbet: "raspberry, cream and lime" =>
        0.0 (0.66 0.22 18.0), 0.35 (0.76 0.15 12.0), 0.6 (0.96 0.04 90.0), 0.8 (0.88 0.18 130.0), 1.0 (0.78 0.20 150.0);
    lilac_bay: "lilac above a teal sea" =>
        0.0 (0.86 0.09 322.0), 0.3 (0.70 0.19 322.0), 0.5 (0.50 0.20 300.0), 0.7 (0.44 0.16 258.0), 1.0 (0.54 0.10 190.0);
    olive_mist: "muted greens and yellows" =>
        0.0 (0.48 0.09 175.0), 0.3 (0.44 0.08 140.0), 0.5 (0.64 0.12 112.0), 0.7 (0.44 0.08 130.0), 1.0 (0.32 0.07 180.0);
    monsoon: "dry earth to heavy rain" =>
        0.0 (0.36 0.08 70.0), 0.2 (0.72 0.14 80.0), 0.4 (0.78 0.18 135.0), 0.58 (0.76 0.13 190.0), 0.76 (0.46 0.18 258.0), 1.0 (0.18 0.09 268.0);
    holly: "berries and leaves" =>
        0.0 (0.52 0.21 26.0), 0.35 (0.34 0.10 30.0), 0.55 (0.50 0.14 148.0), 0.75 (0.34 0.10 150.0), 1.0 (0.50 0.20 24.0);
    old_brass: "candle light on brass" =>
        0.0 (0.12 0.03 60.0), 0.3 (0.40 0.11 48.0), 0.6 (0.74 0.15 75.0), 0.8 (0.54 0.11 90.0), 1.0 (0.24 0.06 110.0);
    dusk_rose: "rose, terracotta, slate" =>
        0.0 (0.58 0.09 330.0), 0.3 (0.58 0.13 15.0), 0.5 (0.64 0.18 38.0), 0.65 (0.60 0.20 25.0), 1.0 (0.34 0.08 300.0);
    fuchsia: "violet blue into fuchsia" =>
        0.0 (0.36 0.21 285.0), 0.3 (0.42 0.20 315.0), 0.6 (0.58 0.24 355.0), 0.8 (0.50 0.20 335.0), 1.0 (0.48 0.21 315.0);
    emerald: "a gem, lit from inside" =>
        0.0 (0.94 0.14 150.0), 0.2 (0.82 0.22 145.0), 0.5 (0.58 0.17 150.0), 0.8 (0.34 0.10 158.0), 1.0 (0.18 0.05 165.0);
    lava: "black, red, orange, white heat" =>
        0.0 (0.0 0.0 25.0), 0.18 (0.16 0.06 25.0), 0.38 (0.38 0.15 28.0), 0.52 (0.52 0.20 29.0), 0.64 (0.63 0.22 35.0), 0.74 (0.73 0.19 55.0), 0.84 (0.83 0.17 82.0), 0.93 (0.95 0.16 105.0), 1.0 (1.0 0.02 100.0);
    fire: "smoke, flame and sparks" =>
        0.0 (0.05 0.01 30.0), 0.3 (0.30 0.11 26.0), 0.55 (0.55 0.21 30.0), 0.77 (0.74 0.18 60.0), 0.93 (0.93 0.15 102.0), 1.0 (0.99 0.04 100.0);
    meadow: "grass, poppies and evening air" =>
        0.0 (0.42 0.13 142.0), 0.25 (0.60 0.15 130.0), 0.42 (0.56 0.19 22.0), 0.52 (0.78 0.14 70.0), 0.62 (0.94 0.10 105.0), 0.8 (0.70 0.11 170.0), 1.0 (0.54 0.10 225.0);
    wine_dark: "burgundy with a crimson crest" =>
        0.0 (0.24 0.08 5.0), 0.3 (0.44 0.18 8.0), 0.5 (0.62 0.25 14.0), 0.65 (0.46 0.19 2.0), 1.0 (0.18 0.08 340.0);
    frost_bloom: "ice with violet shadows" =>
        0.0 (0.20 0.10 295.0), 0.25 (0.48 0.13 290.0), 0.45 (0.80 0.08 240.0), 0.55 (0.96 0.03 220.0), 0.68 (0.70 0.12 285.0), 1.0 (0.38 0.18 310.0);
    autumn: "maple and oak leaves" =>
        0.0 (0.26 0.10 28.0), 0.3 (0.50 0.18 32.0), 0.5 (0.68 0.15 62.0), 0.65 (0.72 0.12 98.0), 0.8 (0.46 0.15 36.0), 1.0 (0.22 0.08 25.0);
    ultraviolet: "blue and violet rising to white" =>
        0.0 (0.04 0.02 265.0), 0.2 (0.28 0.18 266.0), 0.4 (0.46 0.28 268.0), 0.6 (0.52 0.28 300.0), 0.78 (0.68 0.28 325.0), 1.0 (0.99 0.01 320.0);
    nightclub: "black, magenta, red" =>
        0.0 (0.05 0.02 320.0), 0.3 (0.38 0.18 322.0), 0.55 (0.66 0.29 328.0), 0.8 (0.58 0.25 5.0), 1.0 (0.62 0.25 28.0);
    carnival: "red, magenta and yellow lamps" =>
        0.0 (0.46 0.19 28.0), 0.25 (0.62 0.25 27.0), 0.5 (0.66 0.28 340.0), 0.7 (0.68 0.22 15.0), 0.85 (0.80 0.17 75.0), 1.0 (0.95 0.18 108.0);
    twilight: "amber heart, purple air, midnight rim" =>
        0.0 (0.83 0.16 75.0), 0.17 (0.74 0.16 62.0), 0.34 (0.62 0.18 40.0), 0.50 (0.52 0.17 355.0), 0.67 (0.42 0.18 305.0), 0.84 (0.30 0.16 278.0), 1.0 (0.20 0.11 268.0);
}

/// Number of the palette with this name.
pub fn palette_by_name(name: &str) -> Option<usize> {
    PALETTES.iter().position(|p| p.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::Oklab;

    #[test]
    fn the_patterns_palettes_stand_where_presets_expect_them() {
        assert_eq!(palette_by_name("departure"), Some(11));
        assert_eq!(palette_by_name("lava"), Some(23));
        assert_eq!(palette_by_name("twilight"), Some(32));
        assert_eq!(palette_by_name("no such"), None);
    }

    #[test]
    fn every_palette_is_well_formed_and_can_be_shown() {
        for (i, p) in PALETTES.iter().enumerate() {
            assert!(PALETTES.iter().skip(i + 1).all(|q| q.name != p.name), "{} twice", p.name);
            assert!(!p.about.is_empty() && p.stops.len() >= 2);
            assert_eq!((p.stops[0].at, p.stops[p.stops.len() - 1].at), (0.0, 1.0), "{}", p.name);
            assert!(p.stops.windows(2).all(|w| w[0].at <= w[1].at), "{}", p.name);
            let brightest = p.stops.iter().map(|s| s.colour.l).fold(0.0, f32::max);
            assert!(brightest > 0.5, "{} cannot be seen", p.name);
            for s in p.stops {
                // A colour outside the gamut would shift its hue, so allow rounding only.
                let asked = Oklab::from(s.colour);
                let rgb = asked.to_rgb();
                assert!(rgb.peak() < 1.08, "{}: stop {} asks for {rgb:?}", p.name, s.at);
                let made = Oklab::from_rgb(rgb);
                let off = (asked.a - made.a).hypot(asked.b - made.b);
                assert!(off < 0.06, "{}: stop {} comes out {off:.3} off", p.name, s.at);
            }
        }
    }
}
