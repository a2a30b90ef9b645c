//! The functions that `core` lacks, in single precision.
//!
//! `libm` computes most of these in double precision, which a microcontroller emulates in software. The polynomials
//! are least-squares fits at Chebyshev nodes. A constant states the largest error of each function, and the tests
//! assert it.

use core::f32::consts::{LN_2, LOG2_E, TAU};

/// Largest relative error of [`sqrt`].
pub const SQRT_ERROR: f32 = 2.5e-7;
/// Largest relative error of [`exp2`] for results above 0 and below its limit.
pub const EXP2_ERROR: f32 = 1.5e-7;
/// Largest relative error of [`exp`] for arguments within ±20; it grows with the argument, whose product with log₂ e is
/// rounded.
pub const EXP_ERROR: f32 = 1.2e-6;
/// Largest absolute error of [`log2`] for results within ±4. Beyond, add half a unit in the last place of the result: for
/// results near 126 the error reaches 3.9e-6.
pub const LOG2_ERROR: f32 = 2e-7;
/// Largest absolute error of [`sin_turns`] and [`cos_turns`] within ±1 turn. Beyond, the angle itself is rounded.
pub const SIN_ERROR: f32 = 5e-7;
/// Largest absolute error of [`turns_of`], in turns.
pub const TURNS_ERROR: f32 = 2e-7;
/// Largest absolute error of [`tanh`].
pub const TANH_ERROR: f32 = 2.5e-7;
/// Largest relative error of [`reciprocal`].
pub const RECIPROCAL_ERROR: f32 = 1.5e-7;

/// The larger of `x` and `limit`, which must be above 0. A NaN may become either.
///
/// `f32::max` gives the number where one of them is NaN. A processor without an instruction for that compares twice; the
/// ESP32-S3's has one for the larger of two integers, whose order is that of positive numbers.
#[inline]
pub(crate) fn at_least(x: f32, limit: f32) -> f32 {
    cfg_select! {
        target_arch = "xtensa" => { f32::from_bits((x.to_bits() as i32).max(limit.to_bits() as i32) as u32) }
        target_arch = "riscv32" => { x.max(limit) }
        _ => { if x > limit { x } else { limit } }
    }
}

/// `1 / x` for `x` within 2⁻¹²⁶ … 2¹²⁵. Relative error: [`RECIPROCAL_ERROR`].
///
/// A first guess from the negated exponent, then three Newton steps. The ESP32-S3's processor has no instruction for
/// division, which costs ten times as much there.
#[inline]
pub fn reciprocal(x: f32) -> f32 {
    let mut y = f32::from_bits(0x7ef1_27ea_u32.wrapping_sub(x.to_bits()));
    y *= 2.0 - x * y;
    y *= 2.0 - x * y;
    y *= 2.0 - x * y;
    y
}

/// Square root; 0 for arguments that are not above 0. Relative error: [`SQRT_ERROR`].
///
/// A first guess from the halved exponent, then three Newton steps for the reciprocal root. `core` does not offer the
/// instruction that some processors have, and libm's correct rounding costs four times as much.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    // Branch-free, so that a compiler can vectorise it.
    let half = 0.5 * x;
    let mut y = f32::from_bits(0x5f37_5a86_u32.wrapping_sub(x.to_bits() >> 1));
    y *= 1.5 - half * y * y;
    y *= 1.5 - half * y * y;
    y *= 1.5 - half * y * y;
    let root = if x > f32::MAX { x } else { x * y };
    if x < f32::MIN_POSITIVE { 0.0 } else { root }
}

/// A sum with this number has no room for a fraction, so it is rounded to an integer.
const NO_FRACTION: f32 = 12_582_912.0;
/// Numbers below this magnitude can be rounded so.
const ROUNDED_BELOW: f32 = 4_194_304.0;

/// The integer nearest to `x`, for `x` within ±2²²; beyond, it is `x`. Halves become even.
#[inline]
pub(crate) const fn nearest(x: f32) -> f32 {
    if x.abs() < ROUNDED_BELOW { (x + NO_FRACTION) - NO_FRACTION } else { x }
}

/// The largest integer not above `x`, for `x` within ±2²²; beyond, it is `x`.
///
/// A conversion to an integer and back would have to cope with NaN and with overflow.
#[inline]
pub(crate) const fn floor(x: f32) -> f32 {
    let whole = nearest(x);
    if whole > x { whole - 1.0 } else { whole }
}

/// The second of two constants if the condition holds, else the first.
///
/// LLVM up to 24 cannot compile `if condition { 1.0 } else { 0.0 }` for Xtensa, and it makes that of many other forms. A
/// look-up in a table stays one.
#[inline]
pub(crate) fn choose(condition: bool, constants: &'static [f32; 2]) -> f32 {
    constants[usize::from(condition)]
}

/// `2^x`. Relative error: [`EXP2_ERROR`]. 0 below −126; arguments above 127 count as 127, so the result is finite.
#[inline]
pub const fn exp2(x: f32) -> f32 {
    if x < -126.0 {
        return 0.0;
    }
    let x = if x < 127.0 { x } else { 127.0 };
    // The integer nearest to x lies in the low bits of the sum.
    let sum = x + NO_FRACTION;
    let nearest = sum - NO_FRACTION;
    let above = nearest > x;
    let f = x - if above { nearest - 1.0 } else { nearest };
    let whole = sum.to_bits().wrapping_sub(NO_FRACTION.to_bits()).wrapping_sub(above as u32);
    let p = 1.0
        + f * (0.693_146_93
            + f * (0.240_230_5
                + f * (0.055_480_426 + f * (0.009_684_58 + f * (0.001_238_782_2 + f * 0.000_218_775_05)))));
    f32::from_bits(whole.wrapping_add(127) << 23) * p
}

/// [`exp2`] as a call on a lamp's processors: patterns alone would hold sixty copies of it, 8 KiB of the flash.
#[cfg_attr(any(target_arch = "xtensa", target_arch = "riscv32"), inline(never))]
#[cfg_attr(not(any(target_arch = "xtensa", target_arch = "riscv32")), inline)]
const fn exp2_called(x: f32) -> f32 {
    exp2(x)
}

/// Natural exponential, with the limits of [`exp2`]. Relative error: [`EXP_ERROR`].
#[inline]
pub const fn exp(x: f32) -> f32 {
    exp2(x * (1.0 / LN_2))
}

/// Base-2 logarithm; −126 for 0, subnormal and negative arguments. Absolute error: [`LOG2_ERROR`].
#[inline]
pub fn log2(x: f32) -> f32 {
    if x < f32::MIN_POSITIVE {
        return -126.0;
    }
    // Split into an exponent and a mantissa within √½ … √2, where the series converges fastest.
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let t = m - 1.0;
    let p = LOG2_E
        + t * (-0.721_347_33
            + t * (0.480_910_6
                + t * (-0.360_704_83
                    + t * (0.287_918_32
                        + t * (-0.238_920_34
                            + t * (0.215_669_86 + t * (-0.207_421_04 + t * 0.126_148_47)))))));
    exponent + t * p
}

/// Natural logarithm; see [`log2`].
#[inline]
pub fn ln(x: f32) -> f32 {
    log2(x) * LN_2
}

/// `base^exponent` for `base ≥ 0`; 0 for a base of 0.
#[inline]
pub fn pow(base: f32, exponent: f32) -> f32 {
    if base <= 0.0 { 0.0 } else { exp2(log2(base) * exponent) }
}

/// Fractional part within 0 ≤ x < 1, also for negative numbers.
#[inline]
pub fn fract(x: f32) -> f32 {
    let f = x - floor(x);
    // A tiny negative x rounds to exactly 1.
    if f >= 1.0 { 0.0 } else { f }
}

/// Sine of an angle in turns (1 = a full circle). Absolute error: [`SIN_ERROR`].
#[inline]
pub fn sin_turns(turns: f32) -> f32 {
    // Fold into −¼ … ¼, where the odd polynomial is accurate.
    let mut x = turns - floor(turns + 0.5);
    if x > 0.25 {
        x = 0.5 - x;
    } else if x < -0.25 {
        x = -0.5 - x;
    }
    let u = x * x;
    x * (TAU + u * (-41.341_68 + u * (81.602_48 + u * (-76.581_28 + u * 39.760_72))))
}

/// Cosine of an angle in turns; see [`sin_turns`].
#[inline]
pub fn cos_turns(turns: f32) -> f32 {
    sin_turns(turns + 0.25)
}

/// Direction of a vector in turns from the x axis, within 0 ≤ turns < 1; 0 for the zero vector. Absolute error:
/// [`TURNS_ERROR`].
#[inline]
pub fn turns_of(x: f32, y: f32) -> f32 {
    // Branch-free, so that a compiler can vectorise it. The polynomial covers an eighth of a turn.
    let (across, up) = (x.abs(), y.abs());
    let steep = up > across;
    let (less, more) = if steep { (across, up) } else { (up, across) };
    let ratio = less * reciprocal(at_least(more, f32::MIN_POSITIVE));
    let u = ratio * ratio;
    let eighth = ratio
        * (0.159_154_83
            + u * (-0.053_040_57
                + u * (0.031_639_8
                    + u * (-0.021_454_731
                        + u * (0.013_327_883 + u * (-0.005_872_599_3 + u * 0.001_245_464_3))))));
    let quarter = if steep { 0.25 - eighth } else { eighth };
    let half = if x < 0.0 { 0.5 - quarter } else { quarter };
    let share = if y < 0.0 { 1.0 - half } else { half };
    // A tiny negative y rounds to exactly 1.
    if share < 1.0 { share } else { 0.0 }
}

/// Hyperbolic tangent. Absolute error: [`TANH_ERROR`].
#[inline]
pub fn tanh(x: f32) -> f32 {
    let e = exp2(x.clamp(-9.0, 9.0) * (2.0 / LN_2));
    (e - 1.0) * reciprocal(e + 1.0)
}

/// Factor by which an exponential with the time constant `tau` (seconds) falls within `dt` seconds.
///
/// It makes a decay independent of the frame rate: `decay(a + b, τ) = decay(a, τ)·decay(b, τ)`.
#[inline]
pub const fn decay(dt: f32, tau: f32) -> f32 {
    decay_at(dt, rate_of(tau))
}

/// Rate of a decay with the time constant `tau` (seconds), in 1/s; for a time constant of 0 it is 0, too, which means at
/// once, so that a follower that was never set is all zeros.
const fn rate_of(tau: f32) -> f32 {
    if tau <= 0.0 { 0.0 } else { 1.0 / tau }
}

/// [`decay`] with a rate instead of a time constant.
const fn decay_at(dt: f32, rate: f32) -> f32 {
    if rate == 0.0 { 0.0 } else { exp2_called(-dt * rate * (1.0 / LN_2)) }
}

/// Linear interpolation: `a` at `t = 0`, `b` at `t = 1`.
#[inline]
pub fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Smooth step from 0 at `edge0` to 1 at `edge1` (cubic Hermite).
#[inline]
pub fn smoothstep(edge0: f32, edge1: f32, x: f32) -> f32 {
    let t = ((x - edge0) * (1.0 / (edge1 - edge0))).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Gaussian bell of unit height.
#[inline]
pub fn bell(x: f32, sigma: f32) -> f32 {
    // As a product, because loops over LEDs take the division outside.
    let z = x * (1.0 / sigma);
    exp2_called(-0.5 * z * z * (1.0 / LN_2))
}

/// An amplitude in decibels, at least `floor_db`.
#[inline]
pub fn db(amplitude: f32, floor_db: f32) -> f32 {
    (log2(amplitude) * 6.020_6).max(floor_db)
}

/// The amplitude of a value in decibels.
#[inline]
pub fn from_db(db: f32) -> f32 {
    exp2(db * (1.0 / 6.020_6))
}

/// A one-pole low-pass with separate time constants for rise and fall.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    /// Current value, in the unit of the input.
    pub value: f32,
    /// Rates in 1/s; see [`rate_of`].
    rise: f32,
    fall: f32,
}

impl Follower {
    /// A follower that starts at `value`, with both time constants 0.
    pub const fn at(value: f32) -> Self {
        Self { value, rise: 0.0, fall: 0.0 }
    }

    /// Sets the time constant of a rise, in seconds; 0 = at once.
    pub const fn rise_s(self, rise: f32) -> Self {
        Self { rise: rate_of(rise), ..self }
    }

    /// Sets the time constant of a fall, in seconds; 0 = at once.
    pub const fn fall_s(self, fall: f32) -> Self {
        Self { fall: rate_of(fall), ..self }
    }

    /// Sets both time constants, in seconds; 0 = at once.
    pub const fn both_s(self, tau: f32) -> Self {
        self.rise_s(tau).fall_s(tau)
    }

    /// Moves towards `target` for `dt` seconds and returns the new value.
    pub fn step(&mut self, target: f32, dt: f32) -> f32 {
        let rate = if target > self.value { self.rise } else { self.fall };
        self.value = target + (self.value - target) * decay_at(dt, rate);
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_whole_numbers_are_those_of_the_library() {
        let (mut x, mut largest) = (1.2e-38_f32, 0.0_f64);
        while x < 3e38 {
            largest = largest.max((f64::from(sqrt(x)) / f64::from(x).sqrt() - 1.0).abs());
            x *= 1.0009;
        }
        assert_stated("sqrt", largest, SQRT_ERROR);
        assert_eq!((sqrt(0.0), sqrt(-1.0), sqrt(f32::INFINITY)), (0.0, 0.0, f32::INFINITY));
        for i in -4_000..4_000 {
            let x = i as f32 * 0.37;
            assert_eq!((floor(x), nearest(x)), (x.floor(), x.round_ties_even()));
        }
    }

    /// Asserts that an error stays below the stated one, and is close enough to it that the statement means something.
    fn assert_stated(name: &str, error: f64, stated: f32) {
        let stated = f64::from(stated);
        assert!(error < stated && error > 0.4 * stated, "{name}: {error:e}, stated {stated:e}");
    }

    fn sweep(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
        (0..=100_000).map(|i| f(from + (to - from) * i as f64 / 100_000.0).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn approximations_keep_their_stated_errors() {
        let exp2_error =
            sweep(-125.9, 126.9, |x| f64::from(exp2(x as f32)) / f64::from(x as f32).exp2() - 1.0);
        assert_stated("exp2", exp2_error, EXP2_ERROR);
        let exp_error = sweep(-20.0, 20.0, |x| f64::from(exp(x as f32)) / f64::from(x as f32).exp() - 1.0);
        assert_stated("exp", exp_error, EXP_ERROR);
        let near = sweep(-4.0, 4.0, |y| {
            let x = y.exp2() as f32;
            f64::from(log2(x)) - f64::from(x).log2()
        });
        assert_stated("log2", near, LOG2_ERROR);
        let far = sweep(-125.9, 127.9, |y| {
            let x = y.exp2() as f32;
            let half_a_unit = 0.5 * (y.abs() as f32).next_up() as f64 - 0.5 * f64::from(y.abs() as f32);
            ((f64::from(log2(x)) - f64::from(x).log2()).abs() - half_a_unit).max(0.0)
        });
        assert!(far < f64::from(LOG2_ERROR), "log2 far from 1 {far:e}");
        let sin_error = sweep(-1.0, 1.0, |x| {
            sin_turns(x as f32) as f64 - (x as f32 as f64 * std::f64::consts::TAU).sin()
        });
        assert_stated("sin", sin_error, SIN_ERROR);
        let reciprocal_error = sweep(-125.9, 124.9, |x| {
            let x = x.exp2() as f32;
            f64::from(reciprocal(x)) * f64::from(x) - 1.0
        });
        assert_stated("reciprocal", reciprocal_error, RECIPROCAL_ERROR);
        let tanh_error = sweep(-12.0, 12.0, |x| tanh(x as f32) as f64 - (x as f32 as f64).tanh());
        assert_stated("tanh", tanh_error, TANH_ERROR);
    }

    #[test]
    fn directions_are_those_of_the_library_all_around() {
        for length in [1e-12, 0.3, 1.0, 1e9] {
            let error = sweep(0.0, 1.0, |turn| {
                let (s, c) = (turn * std::f64::consts::TAU).sin_cos();
                let (x, y) = ((length * c) as f32, (length * s) as f32);
                let exact = (f64::from(y).atan2(f64::from(x)) / std::f64::consts::TAU).rem_euclid(1.0);
                let off = f64::from(turns_of(x, y)) - exact;
                off - off.round()
            });
            assert_stated("turns_of", error, TURNS_ERROR);
        }
        assert_eq!([turns_of(0.0, 0.0), turns_of(1.0, -1e-30), turns_of(-1.0, 0.0)], [0.0, 0.0, 0.5]);
    }

    #[test]
    fn fract_never_reaches_one() {
        for x in [-1e-9_f32, -0.25, 0.0, 0.999_999_94, 1.0, 1e7, -1e7] {
            let f = fract(x);
            assert!((0.0..1.0).contains(&f), "fract({x}) = {f}");
        }
    }

    #[test]
    fn a_follower_rises_and_falls_with_its_own_time_constants() {
        let follower = Follower::at(0.5).rise_s(0.1).fall_s(0.4);
        let (mut up, mut down) = (follower, follower);
        assert_eq!(up.step(1.0, 0.1), 1.0 - 0.5 * decay(0.1, 0.1));
        assert_eq!(down.step(0.0, 0.1), 0.5 * decay(0.1, 0.4));
        assert_eq!(Follower::at(0.5).step(3.0, 0.1), 3.0);
        let (mut both, mut each) = (Follower::at(1.0).both_s(0.2), Follower::at(1.0).rise_s(0.2).fall_s(0.2));
        assert_eq!([both.step(2.0, 0.1), both.step(0.0, 0.1)], [each.step(2.0, 0.1), each.step(0.0, 0.1)]);
    }

    #[test]
    fn decay_composes_over_any_split_of_time() {
        let whole = decay(1.0, 0.3);
        let parts: f32 = (0..165).map(|_| decay(1.0 / 165.0, 0.3)).product();
        assert!((whole - parts).abs() < 1e-5);
        assert_eq!(decay(1.0, 0.0), 0.0);
    }
}
