//! The pixels of one frame, written by coordinate.

use super::shape::{Place, Scale, Shape};
use super::{PaletteTable, Rgb};

/// The pixels of one frame, in linear light, on a shape. Patterns write through [`by_distance`](Self::by_distance) and
/// [`by_place`](Self::by_place), so that they know neither LEDs nor mirrors.
#[derive(Debug)]
pub struct Frame<'a> {
    pixels: &'a mut [Rgb],
    shape: &'a Shape<'a>,
    line: Line,
    scale: Scale,
}

/// The walk along a line or around a ring: LED `i` is at the distance `|start + i · step| · scale`.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: f32,
    step: f32,
    scale: f32,
    /// Number of steps.
    count: usize,
    /// The LED `last - i` mirrors LED `i`, if there is one.
    last: usize,
    /// False for areas, which have no such walk.
    exists: bool,
}

/// Steps whose coordinates are computed at once, apart from the patterns, so that each pattern's loop is compiled once and not
/// for each kind of shape.
const AT_ONCE: usize = 16;
/// No LED has this number.
const UNMIRRORED: usize = usize::MAX;

impl Line {
    fn of(shape: &Shape, n: usize) -> Self {
        let last = n.max(1) - 1;
        let to_end = 1.0 / last.max(1) as f32;
        let whole = Self { start: 0.0, step: 1.0, scale: to_end, count: n, last: UNMIRRORED, exists: true };
        let half = Self { step: 2.0, count: n.div_ceil(2), last, ..whole };
        match shape {
            Shape::Mirrored => Self { start: -(last as f32), ..half },
            Shape::BothEnds => half,
            Shape::Line => whole,
            Shape::LineReversed => Self { start: -(last as f32), ..whole },
            // The LED opposite the first one mirrors itself, and the first has no mirror image.
            Shape::Ring => Self { scale: 1.0 / n.max(1) as f32, count: (n / 2 + 1).min(n), last: n, ..half },
            Shape::Matrix(_) | Shape::Points(_) => Self { exists: false, ..whole },
        }
    }
}

impl<'a> Frame<'a> {
    /// Wraps a buffer with a pixel for each LED of a shape.
    pub fn new(pixels: &'a mut [Rgb], shape: &'a Shape<'a>) -> Self {
        let n = pixels.len();
        Self { line: Line::of(shape, n), scale: Scale::of(shape, n), pixels, shape }
    }

    /// True if the shape has an area, so that [`Place::up`] means something.
    pub fn has_area(&self) -> bool {
        self.shape.has_area()
    }

    /// Sets every LED to `colour` of its distance from where the light begins, 0 … 1. `colour` is called once for LEDs that
    /// mirror each other.
    #[inline]
    pub fn by_distance(&mut self, mut colour: impl FnMut(f32) -> Rgb) {
        let Line { count, last, .. } = self.line;
        for from in (0..count).step_by(AT_ONCE) {
            let distances = self.distances(from);
            for (d, i) in distances.iter().zip(from..count) {
                self.put(i, last, colour(*d));
            }
        }
    }

    /// Sets every LED to `colour` of its place. `colour` is called once for LEDs that mirror each other on a line.
    #[inline]
    pub fn by_place(&mut self, mut colour: impl FnMut(&Place) -> Rgb) {
        let (count, last) = if self.has_line_places() {
            (self.line.count, self.line.last)
        } else {
            (self.pixels.len(), UNMIRRORED)
        };
        for from in (0..count).step_by(AT_ONCE) {
            let places = self.places(from);
            for (place, i) in places.iter().zip(from..count) {
                self.put(i, last, colour(place));
            }
        }
    }

    /// Sets LED `i` and the one that mirrors it.
    #[inline]
    fn put(&mut self, i: usize, last: usize, colour: Rgb) {
        self.pixels[i] = colour;
        if let Some(mirrored) = self.pixels.get_mut(last.wrapping_sub(i)) {
            *mirrored = colour;
        }
    }

    /// Whether places come from the walk along a line.
    fn has_line_places(&self) -> bool {
        self.line.exists && !matches!(self.shape, Shape::Ring)
    }

    /// Distances of the next steps.
    #[inline(never)]
    fn distances(&self, from: usize) -> [f32; AT_ONCE] {
        let Line { start, step, scale, exists, .. } = self.line;
        if !exists {
            return core::array::from_fn(|k| self.place(from + k).distance);
        }
        // Whole numbers, so that the sum is exact.
        let first = start + step * from as f32;
        core::array::from_fn(|k| (first + step * k as f32).abs() * scale)
    }

    /// Places of the next steps.
    #[inline(never)]
    fn places(&self, from: usize) -> [Place; AT_ONCE] {
        if !self.has_line_places() {
            return core::array::from_fn(|k| self.place(from + k));
        }
        // A mirrored half begins at its centre, another line at its left.
        let is_half = self.line.last != UNMIRRORED;
        self.distances(from).map(|d| Place::on_line(d, if is_half { d } else { 2.0 * d - 1.0 }))
    }

    /// Adds a glow of `strength` in the palette's colours; its half remains at the distance 1.
    pub(crate) fn add_glow(&mut self, palette: &PaletteTable, strength: f32) {
        let Line { count, last, .. } = self.line;
        for from in (0..count).step_by(AT_ONCE) {
            let distances = self.distances(from);
            for (d, i) in distances.iter().zip(from..count) {
                let glow = palette.at(*d) * (strength * (1.0 - 0.5 * *d));
                self.pixels[i] += glow;
                let other = last.wrapping_sub(i);
                if let Some(mirrored) = self.pixels.get_mut(other).filter(|_| other != i) {
                    *mirrored += glow;
                }
            }
        }
    }

    /// Distance between two neighbours. Patterns draw nothing thinner, so that nothing falls between two LEDs.
    pub fn spacing(&self) -> f32 {
        if self.line.exists { self.line.step * self.line.scale } else { self.scale.spacing }
    }

    fn place(&self, i: usize) -> Place {
        self.scale.place(self.shape, self.pixels.len(), i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distances(shape: Shape, n: usize) -> Vec<f32> {
        let mut pixels = std::vec![Rgb::WHITE; n];
        Frame::new(&mut pixels, &shape).by_distance(|d| Rgb::new(d, 0.0, 0.0));
        pixels.iter().map(|c| c.r).collect()
    }

    #[test]
    fn the_centre_of_180_lies_between_89_and_90() {
        let d = distances(Shape::Mirrored, 180);
        assert_eq!((d[89], d[0], d[179]), (d[90], 1.0, 1.0));
        assert!((d[89] - 0.5 / 89.5).abs() < 1e-7);
        assert_eq!(distances(Shape::Mirrored, 1), [0.0]);
        assert_eq!(distances(Shape::Mirrored, 15)[7], 0.0);
    }

    #[test]
    fn each_line_begins_where_it_says() {
        assert_eq!(distances(Shape::Line, 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(distances(Shape::LineReversed, 5), [1.0, 0.75, 0.5, 0.25, 0.0]);
        assert_eq!(distances(Shape::BothEnds, 5), [0.0, 0.5, 1.0, 0.5, 0.0]);
        assert_eq!(distances(Shape::Ring, 4), [0.0, 0.5, 1.0, 0.5]);
        assert_eq!(distances(Shape::Ring, 5), [0.0, 0.4, 0.8, 0.8, 0.4]);
        for shape in [Shape::Mirrored, Shape::Line, Shape::LineReversed, Shape::BothEnds, Shape::Ring] {
            assert!(distances(shape, 0).is_empty());
            assert_eq!(distances(shape, 1), [0.0]);
        }
    }

    #[test]
    fn a_mirrored_frame_is_symmetric_at_any_length_and_asks_once_for_each_pair() {
        for n in 0..40 {
            let mut pixels = std::vec![Rgb::BLACK; n];
            let (mut calls, mut placed) = (0, 0);
            Frame::new(&mut pixels, &Shape::Mirrored).by_distance(|d| {
                calls += 1;
                Rgb::new(d, 1.0 - d, calls as f32)
            });
            assert!(calls == n.div_ceil(2) && pixels.iter().eq(pixels.iter().rev()), "{n}");
            Frame::new(&mut pixels, &Shape::Mirrored).by_place(|p| {
                placed += 1;
                Rgb::new(p.x, p.along, placed as f32)
            });
            assert!(placed == n.div_ceil(2) && pixels.iter().eq(pixels.iter().rev()), "{n}");
        }
    }

    #[test]
    fn every_led_of_every_shape_is_written_and_gets_one_glow() {
        let matrix = super::super::Matrix::new(5, 3);
        let shapes = [
            Shape::Mirrored,
            Shape::Line,
            Shape::LineReversed,
            Shape::BothEnds,
            Shape::Ring,
            Shape::Matrix(matrix),
        ];
        let mut palette = PaletteTable::default();
        palette.update(0, &[], &Default::default());
        for shape in shapes {
            for n in [1, 2, 14, 15] {
                let mut pixels = std::vec![Rgb::WHITE * 9.0; n];
                let mut frame = Frame::new(&mut pixels, &shape);
                frame.by_place(|_| Rgb::BLACK);
                frame.add_glow(&palette, 1.0);
                let glows: Vec<_> = pixels.clone();
                Frame::new(&mut pixels, &shape).by_distance(|d| palette.at(d) * (1.0 - 0.5 * d));
                assert_eq!(glows, pixels, "{shape:?} of {n}");
            }
        }
    }

    #[test]
    fn distance_and_place_agree_on_every_shape() {
        for shape in [Shape::Mirrored, Shape::Line, Shape::LineReversed, Shape::BothEnds, Shape::Ring] {
            for n in [1, 2, 7, 60] {
                let by_distance = distances(shape, n);
                let mut pixels = std::vec![Rgb::BLACK; n];
                Frame::new(&mut pixels, &shape).by_place(|p| Rgb::new(p.distance, 0.0, 0.0));
                for (d, pixel) in by_distance.iter().zip(&pixels) {
                    assert!((d - pixel.r).abs() < 1e-6, "{shape:?} of {n}: {d} and {}", pixel.r);
                }
            }
        }
    }
}
