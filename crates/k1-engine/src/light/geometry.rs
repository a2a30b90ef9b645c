//! The shape of the light: one strip, mirrored at its centre.

use super::Rgb;

/// Distance of LED `i` from the centre of a strip of `n` LEDs: 0 at the centre, 1 at both ends.
///
/// The centre of 180 LEDs lies between 89 and 90, which have the same distance. A single LED is at the centre.
#[inline]
pub fn distance(i: usize, n: usize) -> f32 {
    if n < 2 {
        return 0.0;
    }
    let twice = (2 * i) as f32 - (n - 1) as f32;
    // As a product, because loops over LEDs take the division outside.
    twice.abs() * (1.0 / (n - 1) as f32)
}

/// The pixels of one frame, in linear light. Patterns write through [`mirror`](Self::mirror), which cannot be
/// asymmetric.
#[derive(Debug)]
pub struct Frame<'a>(&'a mut [Rgb]);

impl<'a> Frame<'a> {
    /// Wraps a buffer.
    pub fn new(pixels: &'a mut [Rgb]) -> Self {
        Self(pixels)
    }

    /// Number of LEDs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the strip has no LEDs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets every LED to `colour` of its distance from the centre; `colour` is called once per pair.
    #[inline]
    pub fn mirror(&mut self, mut colour: impl FnMut(f32) -> Rgb) {
        let n = self.0.len();
        for i in 0..n.div_ceil(2) {
            let c = colour(distance(i, n));
            self.0[i] = c;
            self.0[n - 1 - i] = c;
        }
    }

    /// Distance between two neighbours. Patterns draw nothing thinner, so that nothing falls between two LEDs.
    pub fn spacing(&self) -> f32 {
        2.0 / (self.0.len().max(2) - 1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_of_180_lies_between_89_and_90() {
        assert_eq!(distance(89, 180), distance(90, 180));
        assert_eq!(distance(0, 180), 1.0);
        assert_eq!(distance(179, 180), 1.0);
        assert!((distance(89, 180) - 0.5 / 89.5).abs() < 1e-7);
        assert_eq!(distance(0, 1), 0.0);
        assert_eq!(distance(7, 15), 0.0);
    }

    #[test]
    fn a_mirrored_frame_is_symmetric_at_any_length() {
        for n in 0..40 {
            let mut pixels = std::vec![Rgb::BLACK; n];
            let mut frame = Frame::new(&mut pixels);
            let mut calls = 0;
            frame.mirror(|d| {
                calls += 1;
                Rgb::new(d, 1.0 - d, calls as f32)
            });
            assert_eq!(calls, n.div_ceil(2));
            for i in 0..n {
                assert_eq!(pixels[i], pixels[n - 1 - i]);
            }
        }
    }
}
