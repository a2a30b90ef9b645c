//! Very low light: a slow fade to black must step and band no more than light of 16 bits.
//!
//! Three wires carry the same fade: rounded to 8 bits, dithered to 8 bits as in K1, and rounded to 16 bits as the
//! ideal. They are compared as an eye sees them: averaged over about 50 ms and over the neighbours that a diffuser
//! and the distance blend, in CIE 1976 lightness L* (0 … 100; a difference of 1 is just visible side by side),
//! relative to the full white of the strip.

use k1_engine::light::{OutputSettings, OutputStage, Rgb, WHITE_BALANCE};
use k1_engine::params::Params;

const LEDS: usize = 60;
/// Start of the fade, in linear light.
const START: f32 = 0.02;
/// Duration of the fade in seconds.
const FADE_S: f64 = 20.0;
/// Time constant of the eye in seconds.
const EYE_S: f64 = 0.05;
/// Weights of an LED and its neighbours; about four of them blend.
const BLUR: [f64; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// CIE 1976 lightness of a luminance relative to white.
fn lightness(y: f64) -> f64 {
    if y > 0.008_856 { 116.0 * libm::cbrt(y) - 16.0 } else { 903.3 * y }
}

/// Relative luminance of a pixel; full white is 1.
fn luminance(channels: [f64; 3]) -> f64 {
    let weights = [0.212_6, 0.715_2, 0.072_2];
    channels.iter().zip(weights).map(|(x, w)| x * w).sum()
}

/// One wire as an eye sees it.
#[derive(Clone)]
struct Eye {
    retained: [f64; LEDS],
    seen: Vec<f64>,
    /// Largest change between two instants 50 ms apart, in L*.
    step: f64,
    /// Largest and mean square distance from the exact light, in L*.
    deviation: f64,
    square: f64,
    instants: f64,
}

impl Eye {
    fn new() -> Self {
        Self {
            retained: [0.0; LEDS],
            seen: Vec::new(),
            step: 0.0,
            deviation: 0.0,
            square: 0.0,
            instants: 0.0,
        }
    }

    fn expose(&mut self, emitted: impl Fn(usize) -> [f64; 3], dt: f64) {
        let keep = libm::exp(-dt / EYE_S);
        for (i, r) in self.retained.iter_mut().enumerate() {
            let y = luminance(emitted(i));
            *r = y + (*r - y) * keep;
        }
    }

    fn picture(&self) -> Vec<f64> {
        self.retained
            .windows(BLUR.len())
            .map(|near| lightness(near.iter().zip(BLUR).map(|(y, w)| y * w).sum()))
            .collect()
    }

    fn look(&mut self, exact: &Self) {
        let picture = self.picture();
        for (now, before) in picture.iter().zip(&self.seen) {
            self.step = self.step.max((now - before).abs());
        }
        for (now, exact) in picture.iter().zip(exact.picture()) {
            self.deviation = self.deviation.max((now - exact).abs());
            self.square += (now - exact) * (now - exact);
            self.instants += 1.0;
        }
        self.seen = picture;
    }

    fn figures(&self) -> [f64; 3] {
        [self.step, self.deviation, libm::sqrt(self.square / self.instants)]
    }
}

/// Fades to black at a frame rate (a multiple of 20). Returns the largest step, the largest and the RMS deviation in
/// L*, for the wires rounded to 8 bits, dithered to 8 bits and rounded to 16 bits.
fn fade(fps: u64) -> [[f64; 3]; 3] {
    let dt = 1.0 / fps as f64;
    let params = Params::default();
    let mut stage: Box<OutputStage<LEDS>> = Box::new(OutputStage::new(OutputSettings { limit_ma: None }));
    let grey = |level: f32| [Rgb::new(level, level, level); LEDS];
    // Brightness glides up first, and the eye adapts.
    let warm_up = fps * 2;
    let frames = (FADE_S * fps as f64) as u64;
    let mut exact = Eye::new();
    let mut eyes = [Eye::new(), Eye::new(), Eye::new()];
    let (mut rounded, mut dithered) = ([[0_u8; 3]; LEDS], [[0_u8; 3]; LEDS]);
    for k in 0..warm_up + frames + fps {
        let level = START * (1.0 - k.saturating_sub(warm_up) as f32 / frames as f32).max(0.0);
        stage.process(&grey(level), &params, dt as f32);
        stage.wire(false, &mut rounded);
        stage.wire(true, &mut dithered);
        let light = |i: usize| {
            let c = stage.light(LEDS)[i] * WHITE_BALANCE;
            [c.r, c.g, c.b].map(f64::from)
        };
        exact.expose(light, dt);
        eyes[0].expose(|i| rounded[i].map(|x| f64::from(x) / 255.0), dt);
        eyes[1].expose(|i| dithered[i].map(|x| f64::from(x) / 255.0), dt);
        eyes[2].expose(|i| light(i).map(|x| (x * 65_535.0).round() / 65_535.0), dt);
        if k >= warm_up && k % (fps / 20) == 0 {
            eyes.iter_mut().for_each(|eye| eye.look(&exact));
        }
    }
    assert!(rounded.iter().chain(&dithered).flatten().all(|x| *x == 0), "black is black, dithered or not");
    eyes.map(|eye| eye.figures())
}

/// An 8-bit wire cannot quite match a 16-bit one: one green step of one LED in one frame of 1/120 s moves this eye by
/// 0.15 L*. Dithering can keep every step well below the visible.
#[test]
fn a_slow_fade_to_black_is_far_smoother_than_eight_bits() {
    // Frame rate, then the limits of the dithered wire: step beyond the ideal's, largest and RMS deviation, in L*.
    for (fps, bounds) in [(60, [0.60, 0.50, 0.10]), (120, [0.35, 0.25, 0.06]), (180, [0.28, 0.20, 0.045])] {
        let [rounded, dithered, ideal] = fade(fps);
        for (name, [step, deviation, rms]) in [("8 bit", rounded), ("dithered", dithered), ("16 bit", ideal)]
        {
            println!("{fps:3} FPS {name:9} step {step:.3}, deviation {deviation:.3}, RMS {rms:.3} L*");
        }
        assert!(dithered[0] - ideal[0] < bounds[0], "{fps} FPS: steps of {} L*", dithered[0]);
        assert!(dithered[1] < bounds[1] && dithered[2] < bounds[2], "{fps} FPS: {dithered:?} L* off");
        // Plain rounding must look bad, or the eye of this test is blind.
        assert!(rounded[0] > 1.0 && rounded[1] > 1.0, "{rounded:?}");
        let factors = if fps < 100 { [2.4, 3.0, 7.0] } else { [4.0, 6.0, 12.0] };
        for (k, factor) in factors.into_iter().enumerate() {
            assert!(dithered[k] * factor < rounded[k], "{fps} FPS: {dithered:?} against {rounded:?}");
        }
    }
}
