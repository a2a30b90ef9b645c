//! The last step on the way to a light: fits the strip to its LEDs, and applies its white, white balance, brightness, current
//! limit, dither and order.

use k1_engine::light::{CHANNEL_MA, IDLE_MA, Rgb, White, dither_threshold, limited_to, perceptual};

use super::settings::LightSettings;

/// Fits frames to one light.
#[derive(Debug)]
pub struct Fit {
    settings: LightSettings,
    limit_ma: Option<f32>,
    /// Red, green, blue and white of each LED.
    pixels: Vec<[f32; 4]>,
    channels: Vec<u8>,
    /// The channels of the frame before.
    before: Vec<u8>,
    tick: u32,
}

impl Fit {
    /// A light with these settings on a strip of `strip` LEDs, whose current limit it has unless it has one of its own.
    pub fn new(settings: LightSettings, strip: usize, strip_limit_ma: Option<f32>) -> Self {
        let limit_ma = match settings.limit_ma {
            None => strip_limit_ma,
            Some(0) => None,
            Some(limit) => Some(limit as f32),
        };
        let pixels = vec![[0.0; 4]; settings.leds_of(strip)];
        let channels = vec![0; settings.channels_of(strip)];
        Self { settings, limit_ma, pixels, before: channels.clone(), channels, tick: 0 }
    }

    /// The channels of a dark frame.
    pub fn dark(&mut self) -> &[u8] {
        self.channels.fill(0);
        &self.channels
    }

    /// The channels of the last frame.
    pub fn last(&self) -> &[u8] {
        &self.channels
    }

    /// Computes the channels for a frame of linear light. True if they differ from those of the frame before.
    pub fn fit(&mut self, light: &[Rgb], is_dithered: bool) -> bool {
        let Self { settings, limit_ma, pixels, channels, before, tick } = self;
        std::mem::swap(channels, before);
        let leds = pixels.len();
        let master = perceptual(settings.brightness);
        let colour = settings.balance * master;
        let white = if settings.order.has_white() { settings.white } else { White::None };
        let mut draw = 0.0;
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (c, white) = white.split(resampled(light, i, leds));
            let c = c * colour;
            *pixel = [c.r, c.g, c.b, white * master];
            draw += pixel.iter().sum::<f32>();
        }
        let (lit, idle) = (draw * CHANNEL_MA, leds as f32 * IDLE_MA);
        let scale = limited_to(*limit_ma, lit, idle) * 255.0;
        *tick = tick.wrapping_add(1);
        let order = settings.order.channels();
        for (i, (pixel, out)) in pixels.iter().zip(channels.chunks_exact_mut(order.len())).enumerate() {
            // Both LEDs of a pair share a threshold, as in the engine.
            let rank = i.min(leds - 1 - i) as u32;
            for (out, channel) in out.iter_mut().zip(order) {
                let threshold =
                    if is_dithered { dither_threshold(rank, *tick, u32::from(*channel)) } else { 0.5 };
                *out = (pixel[usize::from(*channel)].clamp(0.0, 1.0) * scale + threshold) as u8;
            }
        }
        channels != before
    }
}

/// Light of LED `i` of `leds`, as the mean of the part of the strip that it covers.
fn resampled(light: &[Rgb], i: usize, leds: usize) -> Rgb {
    if light.len() == leds {
        return light[i];
    }
    // In parts of an LED of the strip, of which each has `leds` and each LED of the light covers `light.len()`.
    let (begin, end) = (i * light.len(), (i + 1) * light.len());
    let mut sum = Rgb::BLACK;
    for (at, pixel) in light.iter().enumerate().take(end.div_ceil(leds)).skip(begin / leds) {
        let covered = end.min((at + 1) * leds) - begin.max(at * leds);
        sum += *pixel * (covered as f32 / light.len() as f32);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Order, Stop};
    use super::*;

    fn fit(settings: LightSettings, strip: usize) -> Fit {
        Fit::new(LightSettings { balance: Rgb::WHITE, ..settings }, strip, None)
    }

    /// The channels of one frame.
    fn channels(mut fit: Fit, light: &[Rgb]) -> Vec<u8> {
        fit.fit(light, false);
        fit.last().to_vec()
    }

    fn of(order: &str, white: White) -> LightSettings {
        LightSettings { order: Order::parse(order).unwrap(), white, stop: Stop::Dark, ..Default::default() }
    }

    fn level(byte: u8) -> f32 {
        f32::from(byte) / 255.0
    }

    #[test]
    fn colours_are_in_the_order_of_the_light() {
        let light = [Rgb::new(level(10), level(20), level(30))];
        for (order, bytes) in [("rgb", [10, 20, 30]), ("grb", [20, 10, 30]), ("bgr", [30, 20, 10])] {
            assert_eq!(channels(fit(of(order, White::None), 1), &light), bytes, "{order}");
        }
    }

    #[test]
    fn white_is_made_as_asked_for() {
        let light = [Rgb::new(level(110), level(120), level(130))];
        for (white, bytes) in [
            (White::None, [120, 110, 130, 0]),
            (White::Accurate, [10, 0, 20, 110]),
            (White::Brighter, [120, 110, 130, 110]),
        ] {
            assert_eq!(channels(fit(of("grbw", white), 1), &light), bytes, "{white:?}");
        }
    }

    #[test]
    fn the_strip_is_stretched_and_shrunk_and_stays_symmetric() {
        let grey = |x: f32| Rgb::new(x, x, x);
        let strip = [0.0, 0.5, 1.0, 0.5, 0.0].map(grey);
        for leds in [1, 2, 3, 5, 10, 13] {
            let settings = LightSettings { leds: Some(leds), ..Default::default() };
            let bytes = channels(fit(settings, strip.len()), &strip);
            assert_eq!(bytes.len(), leds * 3);
            let red: Vec<u8> = bytes.iter().step_by(3).copied().collect();
            assert!(red.iter().eq(red.iter().rev()), "{leds} LEDs: {red:?}");
            let mean = red.iter().map(|b| level(*b)).sum::<f32>() / leds as f32;
            assert!((mean - 0.4).abs() < 0.01, "{leds} LEDs have the light of the strip: {mean}");
        }
        let ten = fit(LightSettings { leds: Some(10), ..Default::default() }, 5);
        let red: Vec<u8> = channels(ten, &strip).iter().step_by(3).copied().collect();
        assert_eq!(red, [0, 0, 128, 128, 255, 255, 128, 128, 0, 0]);
    }

    #[test]
    fn brightness_and_balance_are_factors() {
        let settings = LightSettings { brightness: 0.5, ..Default::default() };
        // Half as bright to the eye is 0.184 of the light.
        assert_eq!(channels(fit(settings, 1), &[Rgb::WHITE]), [47; 3]);
        let settings = LightSettings { balance: Rgb::new(1.0, 0.5, 0.0), ..Default::default() };
        assert_eq!(channels(Fit::new(settings, 1, None), &[Rgb::WHITE]), [255, 128, 0]);
    }

    #[test]
    fn the_current_limit_holds() {
        for (order, white) in [("rgb", White::None), ("rgbw", White::Brighter)] {
            for (own, strip, limit) in [(Some(2_000), Some(9_000.0), 2_000.0), (None, Some(900.0), 900.0)] {
                let settings = LightSettings { limit_ma: own, ..of(order, white) };
                let light = Fit::new(LightSettings { balance: Rgb::WHITE, ..settings }, 100, strip);
                let bytes = channels(light, &[Rgb::WHITE; 100]);
                let drawn: f32 = bytes.iter().map(|b| level(*b) * CHANNEL_MA).sum::<f32>() + 100.0 * IDLE_MA;
                assert!(drawn < limit * 1.02 && drawn > limit * 0.95, "{drawn} of {limit} mA");
            }
        }
        let settings = LightSettings { limit_ma: Some(0), ..Default::default() };
        let free = Fit::new(LightSettings { balance: Rgb::WHITE, ..settings }, 100, Some(500.0));
        assert_eq!(channels(free, &[Rgb::WHITE; 100])[0], 255);
    }

    #[test]
    fn dither_keeps_the_mean() {
        let mut light = fit(LightSettings::default(), 16);
        let dim = [Rgb::WHITE * (0.3 / 255.0); 16];
        let mut sum = 0;
        for _ in 0..256 {
            assert!(light.fit(&dim, true), "it changes all the time");
            sum += light.last().iter().map(|b| u32::from(*b)).sum::<u32>();
        }
        let mean = sum as f32 / (256.0 * 48.0);
        assert!((mean - 0.3).abs() < 0.01, "{mean}");
        assert!(light.fit(&dim, false) && !light.fit(&dim, false), "without dither, only the first time");
        assert!(light.dark().iter().all(|b| *b == 0) && light.last().len() == 48);
    }
}
