//! Palettes: gradients, interpolated perceptually.

use super::colour::{Oklab, Oklch};

/// One colour of a palette with its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// Position 0 … 1, never below that of the stop before. Two stops at one position make a hard edge.
    pub at: f32,
    /// The colour.
    pub colour: Oklch,
}

/// A named gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Palette {
    /// Identifier, lower case with underscores.
    pub name: &'static str,
    /// A description in a few words.
    pub about: &'static str,
    /// The stops; at least one.
    pub stops: &'static [Stop],
}

impl Palette {
    /// The colour at `x`, clamped to 0 … 1.
    pub fn at(&self, x: f32) -> Oklab {
        let stops = self.stops;
        let x = if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) };
        let next = stops.iter().position(|s| s.at > x).unwrap_or(stops.len());
        match (next.checked_sub(1).map(|i| stops[i]), stops.get(next)) {
            (Some(a), Some(b)) => {
                Oklab::from(a.colour).mix(Oklab::from(b.colour), (x - a.at) / (b.at - a.at))
            }
            (Some(last), None) => last.colour.into(),
            (None, Some(first)) => first.colour.into(),
            (None, None) => Oklab::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::PALETTES;

    #[test]
    fn both_ends_show_their_own_colour() {
        for palette in &PALETTES {
            let (first, last) = (palette.stops[0], palette.stops[palette.stops.len() - 1]);
            assert_eq!(palette.at(0.0), first.colour.into(), "{}", palette.name);
            assert_eq!(palette.at(1.0), last.colour.into(), "{}", palette.name);
            assert_eq!(palette.at(7.0), last.colour.into());
            assert_eq!(palette.at(-7.0), first.colour.into());
            assert_eq!(palette.at(f32::NAN), first.colour.into());
        }
    }

    #[test]
    fn two_stops_at_one_place_are_a_hard_edge() {
        const RED: Oklch = Oklch { l: 0.6, c: 0.2, h: 25.0 };
        const BLUE: Oklch = Oklch { l: 0.4, c: 0.2, h: 265.0 };
        let p = Palette {
            name: "edge",
            about: "",
            stops: &[
                Stop { at: 0.0, colour: RED },
                Stop { at: 0.5, colour: RED },
                Stop { at: 0.5, colour: BLUE },
                Stop { at: 1.0, colour: BLUE },
            ],
        };
        assert_eq!(p.at(0.499_99), RED.into());
        assert_eq!(p.at(0.5), BLUE.into());
    }
}
