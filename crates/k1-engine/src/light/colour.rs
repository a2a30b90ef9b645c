//! Linear light, the perceptual space OKLab, and the sRGB transfer function.

use core::ops::{Add, AddAssign, Mul};

use crate::math;

/// A colour in linear light with sRGB primaries. 1 is the full light of a channel; more is allowed before the output
/// stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rgb {
    /// Red, linear.
    pub r: f32,
    /// Green, linear.
    pub g: f32,
    /// Blue, linear.
    pub b: f32,
}

impl Rgb {
    /// No light.
    pub const BLACK: Self = Self::new(0.0, 0.0, 0.0);
    /// All light.
    pub const WHITE: Self = Self::new(1.0, 1.0, 1.0);

    /// A colour from its channels.
    pub const fn new(r: f32, g: f32, b: f32) -> Self {
        Self { r, g, b }
    }

    /// Applies `f` to each channel.
    #[inline]
    pub fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Self::new(f(self.r), f(self.g), f(self.b))
    }

    /// The maximum per channel: overlapping lights do not add up.
    #[inline]
    pub fn max(self, other: Self) -> Self {
        Self::new(self.r.max(other.r), self.g.max(other.g), self.b.max(other.b))
    }

    /// Largest channel.
    #[inline]
    pub fn peak(self) -> f32 {
        self.r.max(self.g).max(self.b)
    }

    /// Mixes in linear light, from this colour (`t` = 0) to the other (`t` = 1).
    #[inline]
    pub fn mix(self, other: Self, t: f32) -> Self {
        self * (1.0 - t) + other * t
    }

    /// Relative luminance Y of the sRGB primaries (IEC 61966-2-1).
    pub fn luminance(self) -> f32 {
        0.2126 * self.r + 0.7152 * self.g + 0.0722 * self.b
    }
}

impl Add for Rgb {
    type Output = Self;
    #[inline]
    fn add(self, o: Self) -> Self {
        Self::new(self.r + o.r, self.g + o.g, self.b + o.b)
    }
}

impl AddAssign for Rgb {
    #[inline]
    fn add_assign(&mut self, o: Self) {
        *self = *self + o;
    }
}

impl Mul<f32> for Rgb {
    type Output = Self;
    #[inline]
    fn mul(self, k: f32) -> Self {
        Self::new(self.r * k, self.g * k, self.b * k)
    }
}

impl Mul for Rgb {
    type Output = Self;
    #[inline]
    fn mul(self, o: Self) -> Self {
        Self::new(self.r * o.r, self.g * o.g, self.b * o.b)
    }
}

/// A colour in OKLab: perceived lightness 0 … 1 and two opponent axes (B. Ottosson, "A perceptual color space for
/// image processing", 2020).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Oklab {
    /// Perceived lightness, 0 … 1.
    pub l: f32,
    /// Green (−) to red (+).
    pub a: f32,
    /// Blue (−) to yellow (+).
    pub b: f32,
}

/// OKLab in polar form, as people pick colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oklch {
    /// Perceived lightness 0 … 1.
    pub l: f32,
    /// Chroma: 0 for grey, about 0.3 at the edge of the sRGB gamut.
    pub c: f32,
    /// Hue in degrees: 20 red, 55 orange, 110 yellow, 145 green, 195 cyan, 265 blue, 325 magenta.
    pub h: f32,
}

impl From<Oklch> for Oklab {
    fn from(o: Oklch) -> Self {
        let turns = o.h * (1.0 / 360.0);
        Self { l: o.l, a: o.c * math::cos_turns(turns), b: o.c * math::sin_turns(turns) }
    }
}

impl Oklab {
    /// Linear interpolation, which looks evenly spaced in OKLab.
    #[inline]
    pub fn mix(self, o: Self, t: f32) -> Self {
        Self { l: math::lerp(self.l, o.l, t), a: math::lerp(self.a, o.a, t), b: math::lerp(self.b, o.b, t) }
    }

    /// Rotates the hue by `turns` (1 = a full circle) and multiplies the chroma.
    #[inline]
    pub fn turned(self, turns: f32, chroma: f32) -> Self {
        let (s, c) = (math::sin_turns(turns) * chroma, math::cos_turns(turns) * chroma);
        Self { l: self.l, a: self.a * c - self.b * s, b: self.a * s + self.b * c }
    }

    /// Converts to linear light; channels outside the gamut are cut at 0.
    pub fn to_rgb(self) -> Rgb {
        let cube = |x: f32| x * x * x;
        let l = cube(self.l + 0.396_337_78 * self.a + 0.215_803_76 * self.b);
        let m = cube(self.l - 0.105_561_346 * self.a - 0.063_854_17 * self.b);
        let s = cube(self.l - 0.089_484_18 * self.a - 1.291_485_5 * self.b);
        Rgb::new(
            4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
            -1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s,
            -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
        )
        .map(|x| x.max(0.0))
    }

    /// Converts from linear light.
    pub fn from_rgb(c: Rgb) -> Self {
        let l = libm::cbrtf(0.412_221_47 * c.r + 0.536_332_54 * c.g + 0.051_445_995 * c.b);
        let m = libm::cbrtf(0.211_903_5 * c.r + 0.680_699_5 * c.g + 0.107_396_96 * c.b);
        let s = libm::cbrtf(0.088_302_46 * c.r + 0.281_718_85 * c.g + 0.629_978_7 * c.b);
        Self {
            l: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }
}

/// The sRGB code (0 … 255) of a linear light value, rounded; clamped outside 0 … 1 (IEC 61966-2-1).
pub fn srgb_byte(linear: f32) -> u8 {
    // A NaN casts to 0.
    let x = linear.clamp(0.0, 1.0);
    // The guess comes from a table of the codes' lower edges. It is at most one step away from the answer in bright
    // light and a few steps in dark light, which is cheaper than a power per channel.
    let mut code = SRGB_GUESS[(x * GUESSES as f32) as usize];
    while code < 255 && x >= SRGB_EDGES[code as usize + 1] {
        code += 1;
    }
    code
}

const GUESSES: usize = 256;

/// For each code, the linear light from which it is the nearest code.
static SRGB_EDGES: [f32; 256] = srgb_edges();
/// The code at the start of each of 256 equal parts of linear light.
static SRGB_GUESS: [u8; GUESSES + 1] = srgb_guess();

/// `x^2.4` for 0 … 1 at compile time, as `x² · x^0.4`; the fifth root by Newton's method.
const fn pow_2_4(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let target = x * x;
    let mut root = 1.0_f64;
    let mut i = 0;
    while i < 200 {
        let fourth = root * root * root * root;
        root -= (fourth * root - target) / (5.0 * fourth);
        i += 1;
    }
    target * root
}

const fn srgb_edges() -> [f32; 256] {
    let mut edges = [0.0; 256];
    let mut code = 1;
    while code < 256 {
        let coded = (code as f64 - 0.5) / 255.0;
        let linear = if coded <= 0.040_45 { coded / 12.92 } else { pow_2_4((coded + 0.055) / 1.055) };
        edges[code] = linear as f32;
        code += 1;
    }
    edges
}

const fn srgb_guess() -> [u8; GUESSES + 1] {
    let mut guess = [0; GUESSES + 1];
    let mut i = 0;
    let mut code = 0;
    while i <= GUESSES {
        let x = i as f32 / GUESSES as f32;
        while code < 255 && x >= SRGB_EDGES[code + 1] {
            code += 1;
        }
        guess[i] = code as u8;
        i += 1;
    }
    guess
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklab_goes_there_and_back() {
        for c in [Rgb::WHITE, Rgb::new(1.0, 0.0, 0.0), Rgb::new(0.1, 0.5, 0.02), Rgb::new(0.0, 0.0, 1.0)] {
            let back = Oklab::from_rgb(c).to_rgb();
            for (x, y) in [(c.r, back.r), (c.g, back.g), (c.b, back.b)] {
                assert!((x - y).abs() < 2e-3, "{c:?} came back as {back:?}");
            }
        }
        let white = Oklab::from_rgb(Rgb::WHITE);
        assert!((white.l - 1.0).abs() < 1e-3 && white.a.abs() < 1e-3 && white.b.abs() < 1e-3);
    }

    #[test]
    fn srgb_codes_match_the_standard() {
        for (linear, code) in
            [(0.0, 0), (1.0, 255), (0.214_041_14, 127), (0.003_035, 10), (2.0, 255), (-1.0, 0)]
        {
            assert!((i32::from(srgb_byte(linear)) - code).abs() <= 1, "{linear}");
        }
        // Every code is reached, so no dark shade is missing.
        let codes: std::collections::BTreeSet<u8> =
            (0..=100_000).map(|i| srgb_byte(i as f32 / 1e5)).collect();
        assert_eq!(codes.len(), 256);
    }
}
