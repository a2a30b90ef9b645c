//! The output stage, the one place for brightness, gamma and the wire. Its order: softness, soft clip, warmth,
//! brightness, current limit; then per sink white balance and dither, or sRGB.

use super::{Rgb, White, srgb_byte};
use crate::math;
use crate::params::{Param, Params};

/// Factors that make white on a WS2812 look white: its green and blue are brighter than its red.
pub const WHITE_BALANCE: Rgb = Rgb::new(1.0, 0.9375, 0.84);
/// Colour of an incandescent bulb; full warmth multiplies by it.
const INCANDESCENT: Rgb = Rgb::new(1.0, 0.445, 0.156);
/// Current of one fully lit channel of one LED in mA (WS2812B data sheet: 20 mA, rounded up by vendors).
pub const CHANNEL_MA: f32 = 20.0;
/// Current of a dark LED's controller in mA.
pub const IDLE_MA: f32 = 0.7;
/// Time constant in seconds with which the brightness follows its setting.
const BRIGHTNESS_GLIDE_S: f32 = 0.06;

/// The hardware, as far as the output stage needs to know it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputSettings {
    /// Greatest current of the whole strip in mA; `None` for a sink with a supply of its own.
    pub limit_ma: Option<f32>,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self { limit_ma: Some(5_000.0) }
    }
}

/// The output stage for up to `N` LEDs.
#[derive(Clone, Debug)]
pub struct OutputStage<const N: usize> {
    settings: OutputSettings,
    white: White,
    soft: [Rgb; N],
    light: [Rgb; N],
    brightness: f32,
    /// Share of the wanted light that the current limit allows in this frame, 0 … 1.
    pub limited_to: f32,
    /// Current of the strip in mA, estimated from the data sheet.
    pub milliamps: f32,
    tick: u32,
}

impl<const N: usize> OutputStage<N> {
    /// All zeros.
    pub(crate) const BLANK: Self = Self {
        settings: OutputSettings { limit_ma: None },
        white: White::None,
        soft: [Rgb::BLACK; N],
        light: [Rgb::BLACK; N],
        brightness: 0.0,
        limited_to: 0.0,
        milliamps: 0.0,
        tick: 0,
    };

    /// A dark output stage. Brightness glides up from 0, so that a lamp does not flash when it starts.
    pub fn new(settings: OutputSettings) -> Self {
        let mut stage = Self::BLANK;
        stage.start(settings);
        stage
    }

    /// Makes a dark output stage of [`BLANK`](Self::BLANK).
    pub(crate) fn start(&mut self, settings: OutputSettings) {
        (self.settings, self.limited_to) = (settings, 1.0);
    }

    /// Says how the white LEDs of the strip are used; [`White::None`] if it has none.
    pub fn set_white(&mut self, white: White) {
        self.white = white;
    }

    /// Processes a frame of linear light, `dt` seconds after the previous one.
    pub fn process(&mut self, pixels: &[Rgb], params: &Params, dt: f32) {
        let n = pixels.len().min(N);
        // The cutoff runs from 15 Hz (crisp) to ½ Hz (soft). Light rises four times as fast as it falls, because the
        // eye notices a late flash but not a late fade.
        let softness = params.get(Param::Softness);
        let cutoff = 0.5 + (1.0 - math::sqrt(softness)) * 14.5;
        let tau = if softness <= 0.0 { 0.0 } else { 1.0 / (core::f32::consts::TAU * cutoff) };
        let (rise, fall) = (math::decay(dt, tau * 0.25), math::decay(dt, tau));
        let tint = Rgb::WHITE.mix(INCANDESCENT, params.get(Param::Warmth));
        let slider = params.get(Param::Brightness);
        self.brightness = slider + (self.brightness - slider) * math::decay(dt, BRIGHTNESS_GLIDE_S);
        let master = tint * perceptual(self.brightness);
        let mut draw = 0.0;
        for ((p, soft), light) in pixels.iter().zip(&mut self.soft).zip(&mut self.light).take(n) {
            let follow = |now: f32, past: f32| now + (past - now) * if now > past { rise } else { fall };
            // An invalid value of a pattern must not stay in the filter.
            let p = p.map(|x| if x.is_finite() { x.clamp(0.0, 16.0) } else { 0.0 });
            *soft = Rgb::new(follow(p.r, soft.r), follow(p.g, soft.g), follow(p.b, soft.b));
            *light = soft_clip(*soft) * master;
            let wire = *light * WHITE_BALANCE;
            draw += wire.r + wire.g + wire.b;
        }
        if self.white != White::None {
            draw = self.light[..n].iter().fold(0.0, |sum, light| {
                let (colour, white) = balanced(*light, self.white);
                sum + (colour.r + colour.g + colour.b + white)
            });
        }
        let lit = draw * CHANNEL_MA;
        let idle = n as f32 * IDLE_MA;
        self.limited_to = limited_to(self.settings.limit_ma, lit, idle);
        if self.limited_to < 1.0 {
            self.light[..n].iter_mut().for_each(|c| *c = *c * self.limited_to);
        }
        self.milliamps = idle + lit * self.limited_to;
        self.tick = self.tick.wrapping_add(1);
    }

    /// Multiplies the light of the last frame by `factor` (0 to 1), for a dimmer over all zones.
    pub(crate) fn dim(&mut self, leds: usize, factor: f32) {
        let n = leds.min(N);
        self.light[..n].iter_mut().for_each(|light| *light = *light * factor);
        let idle = n as f32 * IDLE_MA;
        self.milliamps = idle + (self.milliamps - idle) * factor;
    }

    /// The linear light of the last frame before white balance: what an eye should see.
    pub fn light(&self, leds: usize) -> &[Rgb] {
        &self.light[..leds.min(N)]
    }

    /// Bytes for a wire that is linear in light (WS2812, DDP): white-balanced and dithered to 8 bits, in the order R,
    /// G, B.
    ///
    /// Without dithering, values are rounded to the nearest step.
    pub fn wire(&self, dithering: bool, out: &mut [[u8; 3]]) {
        let n = out.len().min(N);
        for (i, (light, out)) in self.light.iter().zip(out.iter_mut()).enumerate().take(n) {
            let c = *light * WHITE_BALANCE;
            let byte = |x, channel| byte(x, dithering, i.min(n - 1 - i), self.tick, channel);
            *out = [byte(c.r, 0), byte(c.g, 1), byte(c.b, 2)];
        }
    }

    /// The same for a strip with white LEDs, in the order R, G, B, W.
    pub fn wire_with_white(&self, dithering: bool, out: &mut [[u8; 4]]) {
        let n = out.len().min(N);
        for (i, (light, out)) in self.light.iter().zip(out.iter_mut()).enumerate().take(n) {
            let (c, white) = balanced(*light, self.white);
            let byte = |x, channel| byte(x, dithering, i.min(n - 1 - i), self.tick, channel);
            *out = [byte(c.r, 0), byte(c.g, 1), byte(c.b, 2), byte(white, 3)];
        }
    }

    /// Bytes for a screen in sRGB, in the order R, G, B.
    pub fn screen(&self, out: &mut [[u8; 3]]) {
        for (light, out) in self.light.iter().zip(out) {
            *out = [light.r, light.g, light.b].map(srgb_byte);
        }
    }
}

/// The byte of a channel with the light `x` (0 to 1). `rank` is the distance from the nearer end of the strip: both LEDs of a
/// pair share a threshold, so that the wire is as symmetric as the light.
#[inline]
fn byte(x: f32, dithering: bool, rank: usize, tick: u32, channel: u32) -> u8 {
    let threshold = if dithering { dither_threshold(rank as u32, tick, channel) } else { 0.5 };
    (x.clamp(0.0, 1.0) * 255.0 + threshold) as u8
}

/// The light of coloured and white LEDs, so that the coloured ones look white together.
#[inline]
fn balanced(light: Rgb, white: White) -> (Rgb, f32) {
    let (colour, white) = white.split(light);
    (colour * WHITE_BALANCE, white)
}

/// Factor on the light of LEDs that draw `lit` mA for it and `idle` mA without it, so that they stay within a limit in
/// mA, if there is one.
#[inline]
pub fn limited_to(limit_ma: Option<f32>, lit: f32, idle: f32) -> f32 {
    match limit_ma {
        Some(limit) if lit + idle > limit => ((limit - idle) / lit).max(0.0),
        _ => 1.0,
    }
}

/// Light of a brightness setting: relative luminance of the CIE 1976 lightness L* = 100 × setting.
pub fn perceptual(slider: f32) -> f32 {
    let l = slider.clamp(0.0, 1.0) * 100.0;
    if l > 8.0 {
        let f = (l + 16.0) / 116.0;
        f * f * f
    } else {
        l / 903.3
    }
}

/// Linear up to ¾, then bends towards 1 and never exceeds it. It scales the whole colour, so hues stay.
fn soft_clip(c: Rgb) -> Rgb {
    let peak = c.peak();
    if peak <= 0.75 {
        c
    } else {
        c * ((0.75 + 0.25 * math::tanh(4.0 * (peak - 0.75))) * math::reciprocal(peak))
    }
}

/// Dither threshold in (0, 1). Over 256 frames each LED meets 256 evenly spaced thresholds, and in any 16 frames 16
/// neighbours meet all of them, so that time and neighbourhood together resolve 16 bits of light.
///
/// In 1/256: a frame steps by 157, close to the golden ratio, so that few frames are evenly spread already; an LED by
/// 176, which sets neighbours far apart and 16 of them evenly; a channel by 127, half the range. A search found these
/// steps to flicker least in a slow fade near black, as an eye sees it (tests/slow_fade.rs).
pub fn dither_threshold(rank: u32, tick: u32, channel: u32) -> f32 {
    let index = tick.wrapping_mul(157).wrapping_add(rank.wrapping_mul(176)).wrapping_add(channel * 127);
    ((index & 255) as f32 + 0.5) * (1.0 / 256.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn steady(pixel: Rgb, n: usize, params: &Params, limit_ma: Option<f32>) -> OutputStage<256> {
        let mut stage = OutputStage::new(OutputSettings { limit_ma });
        let pixels = std::vec![pixel; n];
        for _ in 0..600 {
            stage.process(&pixels, params, 1.0 / 120.0);
        }
        stage
    }

    #[test]
    fn brightness_is_applied_once_and_by_the_eye() {
        let mut params = Params::default();
        for (slider, light) in [(1.0, 1.0), (0.5, 0.184), (0.0, 0.0)] {
            params.set(Param::Brightness, slider);
            let stage = steady(Rgb::new(0.5, 0.5, 0.5), 10, &params, None);
            assert!((stage.light(10)[3].g - 0.5 * light).abs() < 0.002, "{slider}");
        }
    }

    #[test]
    fn full_white_is_full_white_and_nothing_wraps() {
        let params = Params::default();
        let stage = steady(Rgb::new(9.0, 9.0, 9.0), 10, &params, None);
        let mut out = [[0; 3]; 10];
        stage.screen(&mut out);
        assert_eq!(out[0], [255; 3]);
        stage.wire(false, &mut out);
        assert_eq!(out[4], [255, 239, 214]);
    }

    #[test]
    fn the_current_limit_holds_and_is_reported() {
        let params = Params::default();
        for limit in [500.0, 2_000.0, 5_000.0] {
            let mut stage = steady(Rgb::WHITE, 180, &params, Some(limit));
            // Mean output of the wire, dither included.
            let mut drawn = 180.0 * IDLE_MA;
            for _ in 0..16 {
                stage.process(&[Rgb::WHITE; 180], &params, 1.0 / 120.0);
                let mut out = [[0_u8; 3]; 180];
                stage.wire(true, &mut out);
                drawn += out.iter().flatten().map(|b| f32::from(*b) / 255.0 * CHANNEL_MA / 16.0).sum::<f32>();
            }
            assert!(drawn <= limit * 1.01 && drawn > limit * 0.97, "{drawn} mA of {limit}");
            assert!((stage.milliamps - drawn).abs() < limit * 0.02 && stage.limited_to < 1.0);
        }
        let calm = steady(Rgb::new(0.05, 0.05, 0.05), 180, &params, Some(2_000.0));
        assert_eq!(calm.limited_to, 1.0);
    }

    #[test]
    fn white_leds_take_over_what_the_colours_have_in_common_within_the_limit() {
        let params = Params::default();
        let pixel = Rgb::new(0.6, 0.3, 0.11);
        for (white, bytes) in [
            (White::None, [153, 72, 24, 0]),
            (White::Accurate, [125, 45, 0, 28]),
            (White::Brighter, [153, 72, 24, 28]),
        ] {
            for limit_ma in [None, Some(300.0)] {
                let mut stage = steady(pixel, 100, &params, limit_ma);
                stage.set_white(white);
                stage.process(&[pixel; 100], &params, 1.0 / 120.0);
                let mut out = [[0; 4]; 100];
                stage.wire_with_white(false, &mut out);
                let drawn: f32 = out.iter().flatten().map(|b| f32::from(*b) / 255.0 * CHANNEL_MA).sum();
                assert!((stage.milliamps - drawn - 100.0 * IDLE_MA).abs() < 20.0, "{white:?}: {drawn} mA");
                match limit_ma {
                    None => assert_eq!(out[7], bytes, "{white:?}"),
                    Some(limit) => assert!(stage.milliamps < limit + 1.0 && stage.limited_to < 1.0),
                }
            }
        }
    }

    #[test]
    fn softness_depends_on_time_and_not_on_frames() {
        let mut params = Params::default();
        for softness in [0.1, 0.5, 1.0] {
            params.set(Param::Softness, softness);
            let after = |fps: usize| {
                let mut stage: OutputStage<4> = OutputStage::new(OutputSettings { limit_ma: None });
                let lit = [Rgb::WHITE * 0.5; 4];
                (0..fps).for_each(|_| stage.process(&lit, &params, 1.0 / fps as f32));
                (0..fps / 10).for_each(|_| stage.process(&[Rgb::BLACK; 4], &params, 1.0 / fps as f32));
                stage.light(4)[0].r
            };
            let [a, b, c] = [60, 120, 180].map(after);
            assert!((a - b).abs() < 0.005 && (b - c).abs() < 0.005, "{softness}: {a} {b} {c}");
        }
    }

    #[test]
    fn dither_keeps_the_mean_to_sixteen_bits_and_its_phase_differs_between_neighbours() {
        let params = Params::default();
        let mut stage: OutputStage<32> = OutputStage::new(OutputSettings { limit_ma: None });
        for level in [0.000_05_f32, 0.000_7, 0.004_1, 0.1234, 0.7] {
            let pixels = [Rgb::new(level, level, level); 32];
            (0..240).for_each(|_| stage.process(&pixels, &params, 1.0 / 120.0));
            // A pixel's thresholds repeat their spread every 16 frames, so measure whole blocks.
            while stage.tick % 16 != 15 {
                stage.process(&pixels, &params, 1.0 / 120.0);
            }
            let mut sum = 0.0_f64;
            let mut patterns = Vec::new();
            for _ in 0..16 {
                stage.process(&pixels, &params, 1.0 / 120.0);
                let mut out = [[0; 3]; 32];
                stage.wire(true, &mut out);
                sum += out[..16].iter().map(|c| f64::from(c[0])).sum::<f64>();
                patterns.push(out);
            }
            let want = f64::from(stage.light(32)[0].r) * 255.0;
            let mean = sum / 256.0;
            assert!((mean - want).abs() <= 1.01 / 256.0, "{level}: {mean} for {want}");
            if level > 0.1 {
                let together = patterns.iter().filter(|f| f[..16].iter().all(|c| c[0] == f[0][0])).count();
                assert!(together < 4, "neighbours flicker together in {together} of 16 frames");
            }
        }
    }

    #[test]
    fn a_poisoned_pixel_is_dark_and_heals() {
        let params = Params::default();
        let mut stage: OutputStage<4> = OutputStage::new(OutputSettings::default());
        stage.process(&[Rgb::new(f32::NAN, f32::INFINITY, -3.0); 4], &params, 0.01);
        assert_eq!(stage.light(4)[0], Rgb::BLACK);
        (0..300).for_each(|_| stage.process(&[Rgb::WHITE * 0.3; 4], &params, 0.01));
        assert!((stage.light(4)[2].g - 0.3).abs() < 0.01);
    }
}
