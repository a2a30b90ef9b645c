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
        let x = if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) };
        self.between(self.stops.iter().position(|s| s.at > x).unwrap_or(self.stops.len())).at(x)
    }

    /// The colours at `steps + 1` evenly spaced positions. It converts each stop once, which [`at`](Self::at) cannot.
    pub(super) fn in_steps(&self, steps: usize) -> impl Iterator<Item = Oklab> {
        let (mut next, mut gradient) = (0, self.between(0));
        (0..=steps).map(move |i| {
            let x = i as f32 * (1.0 / steps as f32);
            let before = next;
            while self.stops.get(next).is_some_and(|stop| stop.at <= x) {
                next += 1;
            }
            if next != before {
                gradient = self.between(next);
            }
            gradient.at(x)
        })
    }

    /// The gradient that ends at a stop; with the number of stops, that behind the last.
    fn between(&self, next: usize) -> Gradient {
        let stop = |i: usize| self.stops.get(i).map(|stop| (stop.at, Oklab::from(stop.colour)));
        let (before, after) = (next.checked_sub(1).and_then(stop), stop(next));
        let ((from, a), (to, b)) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (Some((_, only)), None) | (None, Some((_, only))) => ((0.0, only), (1.0, only)),
            (None, None) => Default::default(),
        };
        Gradient { a, b, from, steepness: 1.0 / (to - from) }
    }
}

/// The part of a palette between two stops.
struct Gradient {
    a: Oklab,
    b: Oklab,
    from: f32,
    steepness: f32,
}

impl Gradient {
    fn at(&self, x: f32) -> Oklab {
        self.a.mix(self.b, (x - self.from) * self.steepness)
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
