//! A half strip of fixed resolution, the memory of patterns that leave trails.
//!
//! Trails are simulated on this grid at a fixed rate, so that they look the same for any number of LEDs and any frame
//! rate.

use crate::light::Rgb;
use crate::math::floor;

/// Number of cells from the centre to the end.
pub const CELLS: usize = 128;
/// Simulation steps per second.
const STEPS_PER_SECOND: f32 = 200.0;

/// Light along the half strip. Cell `i` is at distance `i / (CELLS − 1)`.
#[derive(Clone, Debug)]
pub struct Field {
    cells: [Rgb; CELLS],
    owed: f32,
    /// Part of a cell by which [`stream`](Self::stream) still has to move everything, 0 … 1.
    ahead: f32,
}

impl Default for Field {
    fn default() -> Self {
        Self { cells: [Rgb::BLACK; CELLS], owed: 0.0, ahead: 0.0 }
    }
}

impl Field {
    /// Duration of one simulation step in seconds.
    pub const STEP: f32 = 1.0 / STEPS_PER_SECOND;

    /// Number of steps that are due after `dt` seconds. The remainder is carried over.
    pub fn steps(&mut self, dt: f32) -> usize {
        // The small addend keeps whole numbers of steps whole, although 1/60 is not exact in binary.
        self.owed += dt;
        let n = (self.owed * STEPS_PER_SECOND + 1e-3) as usize;
        self.owed -= n as f32 * Self::STEP;
        n
    }

    /// Moves everything outwards by `shift` (in units of distance; negative = inwards) and scales it by `keep`.
    pub fn advect(&mut self, shift: f32, keep: f32) {
        let before = self.cells;
        let by = shift * (CELLS - 1) as f32;
        for (i, cell) in self.cells.iter_mut().enumerate() {
            *cell = sample(&before, i as f32 - by) * keep;
        }
    }

    /// Moves everything as [`advect`](Self::advect) does, without a blur: by whole cells, and the rest when it is seen.
    pub fn stream(&mut self, shift: f32, keep: f32) {
        self.ahead += shift * (CELLS - 1) as f32;
        let whole = floor(self.ahead);
        self.ahead -= whole;
        let by = whole as isize;
        if by > 0 {
            let by = (by as usize).min(CELLS);
            self.cells.copy_within(..CELLS - by, by);
            self.cells[..by].fill(Rgb::BLACK);
        } else if by < 0 {
            let by = by.unsigned_abs().min(CELLS);
            self.cells.copy_within(by.., 0);
            self.cells[CELLS - by..].fill(Rgb::BLACK);
        }
        self.fade(keep);
    }

    /// Scales everything by `keep`.
    pub fn fade(&mut self, keep: f32) {
        self.cells.iter_mut().for_each(|cell| *cell = *cell * keep);
    }

    /// Raises the light around `at` to at least `colour`, with a bell of width `sigma` (both in units of distance).
    pub fn splat(&mut self, at: f32, sigma: f32, colour: Rgb) {
        let reach = 3.0 * sigma;
        let cell = |d: f32| (d * (CELLS - 1) as f32).clamp(0.0, (CELLS - 1) as f32) as usize;
        for i in cell(at - reach)..=cell(at + reach) {
            let d = (i as f32 + self.ahead) / (CELLS - 1) as f32;
            self.cells[i] = self.cells[i].max(colour * crate::math::bell(d - at, sigma));
        }
    }

    /// The light at a distance, 0 … 1.
    pub fn at(&self, d: f32) -> Rgb {
        sample(&self.cells, d * (CELLS - 1) as f32 - self.ahead)
    }
}

/// Linear interpolation between cells; dark beyond the end, mirrored at the centre.
fn sample(cells: &[Rgb; CELLS], position: f32) -> Rgb {
    let p = position.abs();
    if p >= (CELLS - 1) as f32 {
        return if p == (CELLS - 1) as f32 { cells[CELLS - 1] } else { Rgb::BLACK };
    }
    let i = p as usize;
    cells[i].mix(cells[i + 1], p - i as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_time_is_the_same_number_of_steps_at_any_frame_rate() {
        for fps in [24, 60, 120, 165, 200, 480] {
            let mut f = Field::default();
            let total: usize = (0..fps * 3).map(|_| f.steps(1.0 / fps as f32)).sum();
            assert!(total.abs_diff(600) <= 1, "{fps}: {total}");
        }
    }

    #[test]
    fn a_stream_carries_light_there_and_back_without_a_blur() {
        let mut f = Field::default();
        f.splat(0.3, 0.02, Rgb::WHITE);
        let before: Vec<f32> = (0..100).map(|i| f.at(i as f32 * 0.005).r).collect();
        for step in 0..600 {
            f.stream(if step < 300 { 0.001_7 } else { -0.001_7 }, 1.0);
            if step == 299 {
                assert!(f.at(0.81).r > 0.95 && f.at(0.3).r < 0.01, "{} {}", f.at(0.81).r, f.at(0.3).r);
            }
        }
        for (i, was) in before.iter().enumerate() {
            let is = f.at(i as f32 * 0.005).r;
            assert!((is - was).abs() < 0.02, "{is}, {was} before, at {i}");
        }
    }

    #[test]
    fn light_moves_outwards_and_leaves_the_strip() {
        let mut f = Field::default();
        f.splat(0.2, 0.03, Rgb::WHITE);
        for _ in 0..100 {
            f.advect(0.005, 1.0);
        }
        let brightest = (0..CELLS).max_by(|a, b| f.cells[*a].r.total_cmp(&f.cells[*b].r)).unwrap();
        assert!((brightest as f32 / 127.0 - 0.7).abs() < 0.02);
        (0..200).for_each(|_| f.advect(0.005, 1.0));
        assert!(f.cells.iter().all(|c| c.r < 0.01));
    }
}
