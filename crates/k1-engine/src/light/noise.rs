//! Noise without a seed: the same coordinates always give the same value.

use crate::math;

/// A well-mixed 32-bit hash (the finaliser of C. Wellons' "hash prospector" family, constants from its
/// published low-bias search).
#[inline]
pub fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Period of both coordinates of [`gradient_noise`]; a clock that wraps after a multiple of it does not jump.
pub const NOISE_PERIOD: u32 = 126;

/// Smooth two-dimensional gradient noise, about −1 … 1 (K. Perlin, "Improving noise", SIGGRAPH 2002: quintic fade).
///
/// It repeats after [`NOISE_PERIOD`] in both directions.
pub fn gradient_noise(x: f32, y: f32) -> f32 {
    let (xf, yf) = (math::floor(x), math::floor(y));
    let (fx, fy) = (x - xf, y - yf);
    // The cells on both sides; beyond the seam, the right cell is the first again.
    let cells = |whole: f32| {
        let left = (whole as i32).rem_euclid(NOISE_PERIOD as i32) as u32;
        [left, if left + 1 < NOISE_PERIOD { left + 1 } else { 0 }]
    };
    let (xi, yi) = (cells(xf), cells(yf));
    let corner = |dx: usize, dy: usize| {
        let h = hash(xi[dx].wrapping_mul(0x9e37_79b1) ^ hash(yi[dy]));
        // Eight directions around the circle.
        let (px, py) = (fx - dx as f32, fy - dy as f32);
        const D: f32 = core::f32::consts::FRAC_1_SQRT_2;
        match h & 7 {
            0 => px,
            1 => -px,
            2 => py,
            3 => -py,
            4 => (px + py) * D,
            5 => (px - py) * D,
            6 => (py - px) * D,
            _ => -(px + py) * D,
        }
    };
    let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let (u, v) = (fade(fx), fade(fy));
    let top = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * u;
    let bottom = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * u;
    // The magnitude reaches 1 in theory only; ×1.5 makes use of the range.
    ((top + (bottom - top) * v) * 1.5).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smooth_balanced_and_uses_its_range() {
        let (mut sum, mut low, mut high, mut steepest) = (0.0_f64, 1.0_f32, -1.0_f32, 0.0_f32);
        for i in 0..40_000 {
            let (x, y) = (i as f32 * 0.037 - 500.0, i as f32 * 0.0113);
            let n = gradient_noise(x, y);
            steepest = steepest.max((gradient_noise(x + 0.001, y) - n).abs() / 0.001);
            sum += f64::from(n);
            low = low.min(n);
            high = high.max(n);
        }
        assert!((sum / 40_000.0).abs() < 0.05, "mean {}", sum / 40_000.0);
        assert!(low < -0.8 && high > 0.8 && steepest < 6.0, "{low}..{high}, slope {steepest}");
    }

    #[test]
    fn noise_repeats_without_a_seam() {
        for i in 0..2_000 {
            let (x, y) = ((i % 500) as f32 * 0.25 - 3.0, (i / 7) as f32 * 0.5);
            let period = NOISE_PERIOD as f32;
            let n = gradient_noise(x, y);
            for again in
                [gradient_noise(x + period, y), gradient_noise(x, y + period), gradient_noise(x - period, y)]
            {
                assert!((n - again).abs() < 1e-4, "at {x}, {y}: {n} and {again}");
            }
            let across = gradient_noise(period - 1e-3, y) - gradient_noise(period + 1e-3, y);
            assert!(across.abs() < 0.02, "seam of {across} at {y}");
        }
    }
}
