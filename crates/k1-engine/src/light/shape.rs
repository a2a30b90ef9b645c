//! Shapes: where the LEDs of a light are.

use crate::math::{self, reciprocal};

/// How the LEDs of a light are arranged. Each shape gives a [`Place`] for each LED.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shape<'a> {
    /// A line, drawn from its centre to both ends and mirrored.
    #[default]
    Mirrored,
    /// A line, drawn from its first LED to its last.
    Line,
    /// A line, drawn from its last LED to its first.
    LineReversed,
    /// A line, drawn from both ends to its centre and mirrored.
    BothEnds,
    /// A ring, clockwise; its first LED is at the top.
    Ring,
    /// Rows or columns of LEDs.
    Matrix(Matrix),
    /// LEDs at any points.
    Points(Points<'a>),
}

impl Shape<'_> {
    /// Number of LEDs that the shape has; `None` if it can have any number.
    pub fn leds(&self) -> Option<usize> {
        match self {
            Self::Matrix(matrix) => Some(usize::from(matrix.columns) * usize::from(matrix.rows)),
            Self::Points(points) => Some(points.list.len()),
            _ => None,
        }
    }

    /// True if the shape has an area and not only a length.
    pub fn has_area(&self) -> bool {
        match self {
            Self::Matrix(matrix) => matrix.columns > 1 && matrix.rows > 1,
            Self::Points(_) => true,
            _ => false,
        }
    }
}

/// Rows or columns of LEDs, and how their wire runs. Without any turn the first LED is at the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Number of columns, before it is turned.
    pub columns: u16,
    /// Number of rows, before it is turned.
    pub rows: u16,
    /// Every second row (or column) runs backwards.
    pub serpentine: bool,
    /// The wire runs along the columns; otherwise, along the rows.
    pub by_columns: bool,
    /// Left and right are exchanged, before it is turned.
    pub flipped: bool,
    /// Clockwise quarter turns.
    pub quarter_turns: u8,
}

impl Matrix {
    /// A matrix whose wire runs along each row from left to right.
    pub const fn new(columns: u16, rows: u16) -> Self {
        Self { columns, rows, serpentine: false, by_columns: false, flipped: false, quarter_turns: 0 }
    }

    /// Column and row of LED `i`, before it is turned.
    fn cell(&self, i: usize) -> (usize, usize) {
        let run = usize::from(if self.by_columns { self.rows } else { self.columns }).max(1);
        let (major, minor) = (i / run, i % run);
        let minor = if self.serpentine && major % 2 == 1 { run - 1 - minor } else { minor };
        if self.by_columns { (major, minor) } else { (minor, major) }
    }

    /// The point of LED `i`, in half steps from the centre.
    fn point(&self, i: usize) -> Point {
        let (column, row) = self.cell(i);
        let across = (2 * column) as f32 - self.columns.saturating_sub(1) as f32;
        let up = self.rows.saturating_sub(1) as f32 - (2 * row) as f32;
        let across = if self.flipped { -across } else { across };
        match self.quarter_turns % 4 {
            0 => Point { x: across, y: up },
            1 => Point { x: up, y: -across },
            2 => Point { x: -across, y: -up },
            _ => Point { x: -up, y: across },
        }
    }

    /// Half of the width and of the height as it hangs, in half steps.
    fn halves(&self) -> (f32, f32) {
        let (w, h) = (self.columns.saturating_sub(1) as f32, self.rows.saturating_sub(1) as f32);
        if self.quarter_turns.is_multiple_of(2) { (w, h) } else { (h, w) }
    }
}

/// A point in any unit; `x` grows to the right and `y` upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Distance to the right, in any unit.
    pub x: f32,
    /// Distance upwards, in the same unit.
    pub y: f32,
}

/// A list of points, one for each LED, with its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Points<'a> {
    list: &'a [Point],
    centre: Point,
    half_width: f32,
    half_height: f32,
    spacing: f32,
}

impl<'a> Points<'a> {
    /// Measures the points. Coordinates that are not finite count as 0.
    pub fn new(list: &'a [Point]) -> Self {
        let finite = |x: f32| if x.is_finite() { x.clamp(-1e9, 1e9) } else { 0.0 };
        let span = |axis: fn(&Point) -> f32| {
            let mut all = list.iter().map(|p| finite(axis(p)));
            let first = all.next().unwrap_or(0.0);
            let (low, high) = all.fold((first, first), |(low, high), x| (low.min(x), high.max(x)));
            (0.5 * (low + high), 0.5 * (high - low))
        };
        let ((x, half_width), (y, half_height)) = (span(|p| p.x), span(|p| p.y));
        // Neighbours in the list are neighbours on the wire.
        let step = |w: &[Point]| {
            (finite(w[1].x) - finite(w[0].x)).abs().max((finite(w[1].y) - finite(w[0].y)).abs())
        };
        let way: f32 = list.windows(2).map(step).sum();
        let spacing = way * reciprocal((list.len().max(2) - 1) as f32);
        Self { list, centre: Point { x, y }, half_width, half_height, spacing }
    }

    /// The point of LED `i`, from the centre.
    fn point(&self, i: usize) -> Point {
        let p = self.list.get(i).or(self.list.last()).copied().unwrap_or(self.centre);
        let off = |x: f32, centre: f32, half: f32| {
            let x = x - centre;
            if x.is_finite() { x.clamp(-half, half) } else { 0.0 }
        };
        Point { x: off(p.x, self.centre.x, self.half_width), y: off(p.y, self.centre.y, self.half_height) }
    }
}

/// The coordinates of an LED. A pattern uses the one that it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Distance from where the light begins, 0 … 1: from the centre, from an end of a line, or from the top of a ring, whose
    /// sides both count up to the bottom.
    pub distance: f32,
    /// Place along the line or around the ring, 0 … 1; on an area, from left to right.
    pub along: f32,
    /// Height, from 0 at the bottom to 1 at the top; 0 on a line.
    pub up: f32,
    /// To the right, −1 … 1; on a mirrored line, 0 … 1 from the centre.
    pub x: f32,
    /// Upwards, −1 … 1. The longer side of an area has the full range. 0 on a line.
    pub y: f32,
    /// Angle in turns, clockwise from the top, 0 … 1; on a line, the place along it.
    pub turn: f32,
    /// Whether it is on an area, where [`up`](Self::up) means something.
    pub on_area: bool,
}

impl Place {
    /// The place at a share of a line, 0 … 1, with its `x`.
    #[inline]
    pub(super) fn on_line(along: f32, x: f32) -> Self {
        Self { distance: along, along, up: 0.0, x, y: 0.0, turn: along, on_area: false }
    }
}

/// What all LEDs of a ring or an area have in common, so that no LED needs a division.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Half of the width and height.
    halves: (f32, f32),
    /// 1 / the larger half.
    to_unit: f32,
    /// 1 / the farthest distance from the centre.
    to_distance: f32,
    /// 1 / width and 1 / height.
    to_share: (f32, f32),
    /// Distance between two neighbours, as a [`Place::distance`].
    pub(super) spacing: f32,
}

impl Scale {
    /// The scale of a shape with `leds` LEDs. Lines need none.
    pub(super) fn of(shape: &Shape, leds: usize) -> Self {
        let one_over = |x: f32| if x > 1e-12 { reciprocal(x) } else { 0.0 };
        let ((w, h), step) = match shape {
            Shape::Matrix(matrix) => (matrix.halves(), 2.0),
            Shape::Points(points) => ((points.half_width, points.half_height), points.spacing),
            _ => ((1.0, 1.0), 2.0 * one_over(leds.max(1) as f32)),
        };
        let farthest = one_over(math::sqrt(w * w + h * h));
        Self {
            halves: (w, h),
            to_unit: one_over(w.max(h)),
            to_distance: farthest,
            to_share: (0.5 * one_over(w), 0.5 * one_over(h)),
            // Distances of an area's LEDs lie closer than its LEDs, by half at least.
            spacing: (0.5 * step * farthest).clamp(1e-3, 1.0),
        }
    }

    /// The place of LED `i` of a ring or an area.
    #[inline(never)]
    pub(super) fn place(&self, shape: &Shape, leds: usize, i: usize) -> Place {
        let point = match shape {
            Shape::Matrix(matrix) => matrix.point(i),
            Shape::Points(points) => points.point(i),
            _ => return around(i as f32 * reciprocal(leds.max(1) as f32)),
        };
        let (w, h) = self.halves;
        // LEDs beyond the last row of a matrix are in the last row.
        let (x, y) = (point.x.clamp(-w, w), point.y.clamp(-h, h));
        let share = |x: f32, half: f32, scale: f32| ((x + half) * scale).clamp(0.0, 1.0);
        Place {
            distance: (math::sqrt(x * x + y * y) * self.to_distance).min(1.0),
            along: share(x, w, self.to_share.0),
            up: share(y, h, self.to_share.1),
            x: x * self.to_unit,
            y: y * self.to_unit,
            // Clockwise from the top is the direction with both axes exchanged.
            turn: math::turns_of(y, x),
            on_area: shape.has_area(),
        }
    }
}

/// The place at an angle on a ring, in turns.
fn around(turn: f32) -> Place {
    let (x, y) = (math::sin_turns(turn).clamp(-1.0, 1.0), math::cos_turns(turn).clamp(-1.0, 1.0));
    Place {
        distance: 1.0 - (2.0 * turn - 1.0).abs(),
        along: turn,
        up: 0.5 + 0.5 * y,
        x,
        y,
        turn,
        on_area: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(shape: &Shape, leds: usize) -> Vec<Place> {
        let scale = Scale::of(shape, leds);
        (0..leds).map(|i| scale.place(shape, leds, i)).collect()
    }

    #[test]
    fn a_matrix_follows_its_wire_however_it_is_turned() {
        // x and y of the LEDs of a matrix of 3 × 2, in whole steps of half its width.
        let wire = |matrix: Matrix| -> Vec<(f32, f32)> {
            places(&Shape::Matrix(matrix), 6).iter().map(|p| (p.x, p.y)).collect()
        };
        let plain = Matrix::new(3, 2);
        let (top, bottom) = (0.5, -0.5);
        assert_eq!(
            wire(plain),
            [(-1.0, top), (0.0, top), (1.0, top), (-1.0, bottom), (0.0, bottom), (1.0, bottom)]
        );
        assert_eq!(
            wire(Matrix { serpentine: true, ..plain })[3..],
            [(1.0, bottom), (0.0, bottom), (-1.0, bottom)]
        );
        let columns = Matrix { by_columns: true, serpentine: true, ..plain };
        assert_eq!(wire(columns)[..4], [(-1.0, top), (-1.0, bottom), (0.0, bottom), (0.0, top)]);
        assert_eq!(wire(Matrix { flipped: true, ..plain })[..2], [(1.0, top), (0.0, top)]);
        // A clockwise quarter turn brings the top left to the top right, and the row runs down.
        assert_eq!(wire(Matrix { quarter_turns: 1, ..plain })[..3], [(0.5, 1.0), (0.5, 0.0), (0.5, -1.0)]);
        assert_eq!(wire(Matrix { quarter_turns: 2, ..plain })[0], (1.0, bottom));
        assert_eq!(wire(Matrix { quarter_turns: 3, ..plain })[0], (-0.5, -1.0));
    }

    #[test]
    fn every_place_is_within_its_range_and_corners_are_farthest() {
        let list = [(3.0, 4.0), (-2.0, 1.0), (f32::NAN, 9.0), (0.0, f32::INFINITY), (1e30, 2.0)];
        let list = list.map(|(x, y)| Point { x, y });
        let shapes = [
            Shape::Ring,
            Shape::Matrix(Matrix::new(16, 16)),
            Shape::Matrix(Matrix { quarter_turns: 1, serpentine: true, ..Matrix::new(7, 3) }),
            Shape::Matrix(Matrix::new(1, 1)),
            Shape::Matrix(Matrix::new(0, 0)),
            Shape::Points(Points::new(&list)),
            Shape::Points(Points::new(&[])),
        ];
        for shape in &shapes {
            for leds in [1, 2, 21, 256, 300] {
                for (i, p) in places(shape, leds).iter().enumerate() {
                    for share in [p.distance, p.along, p.up, p.turn] {
                        assert!((0.0..=1.0).contains(&share), "{shape:?}, LED {i} of {leds}: {p:?}");
                    }
                    for side in [p.x, p.y] {
                        assert!(
                            (-1.000_001..=1.000_001).contains(&side),
                            "{shape:?}, LED {i} of {leds}: {p:?}"
                        );
                    }
                }
            }
        }
        let square = places(&shapes[1], 256);
        assert!((square[0].distance - 1.0).abs() < 1e-6 && square[7 * 16 + 7].distance < 0.07);
    }

    #[test]
    fn angles_run_clockwise_from_the_top() {
        for p in places(&Shape::Ring, 12) {
            assert!((math::turns_of(p.y, p.x) - p.turn).abs() < 1e-5 || p.turn == 0.0, "{p:?}");
        }
        let quarter = places(&Shape::Ring, 4)[1];
        assert!((quarter.x - 1.0).abs() < 1e-6 && quarter.distance == 0.5, "{quarter:?}");
        let matrix = places(&Shape::Matrix(Matrix::new(3, 3)), 9);
        assert_eq!([1, 5, 7, 3].map(|i: usize| matrix[i].turn), [0.0, 0.25, 0.5, 0.75]);
    }

    #[test]
    fn points_keep_their_proportions_in_any_unit() {
        let list = [(10.0, 20.0), (50.0, 20.0), (50.0, 40.0), (10.0, 40.0)].map(|(x, y)| Point { x, y });
        let p = places(&Shape::Points(Points::new(&list)), 4);
        assert!((p[0].x + 1.0).abs() < 1e-6 && (p[0].y + 0.5).abs() < 1e-6, "{:?}", p[0]);
        assert!(p.iter().all(|p| (p.distance - 1.0).abs() < 1e-5));
        assert!(p[2].along > 0.999 && p[2].up > 0.999 && p[0].along == 0.0 && p[0].up == 0.0);
    }
}
