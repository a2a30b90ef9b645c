//! The first step: makes raw samples safe to analyse and reports a broken input.

use crate::{HOP, HOP_RATE, SAMPLE_RATE};

/// Microphone gain that users may set, as a factor (−6 dB to +6 dB).
pub const GAIN_RANGE: core::ops::RangeInclusive<f32> = 0.5..=2.0;

/// Corner of the DC blocker in hertz: far below the lowest note, yet high enough to settle within 0.1 s.
const DC_CORNER_HZ: f32 = 10.0;
/// A sample of this magnitude or more counts as full scale.
const FULL_SCALE: f32 = 0.999;
/// This many full-scale samples in a row are clipping; fewer may be a peak.
const CLIP_RUN: u32 = 3;
/// An input that is constant for this many hops (1 s) is dead.
const DEAD_HOPS: u32 = HOP_RATE as u32;
/// Hops for which clipping is reported after the last clipped hop (0.5 s).
const CLIP_HOLD_HOPS: u32 = HOP_RATE as u32 / 2;

/// Electrical state of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputState {
    /// Samples change and stay within full scale.
    #[default]
    Fine,
    /// Samples reached full scale and were flattened within the last 0.5 s. Turn the source down.
    Clipping,
    /// The same value for 1 s or longer: no signal, a dead microphone or the wrong slot of its bus.
    Dead,
}

impl InputState {
    /// The state as a number, for a wire or a word of a snapshot.
    pub const fn code(self) -> u32 {
        match self {
            Self::Fine => 0,
            Self::Clipping => 1,
            Self::Dead => 2,
        }
    }

    /// The inverse of [`code`](Self::code); unknown numbers become [`Fine`](Self::Fine).
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Clipping,
            2 => Self::Dead,
            _ => Self::Fine,
        }
    }

    /// The state as one lower-case word, for interfaces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Clipping => "clipping",
            Self::Dead => "dead",
        }
    }
}

/// Removes DC, applies the gain, replaces samples that are not finite, and watches for clipping and dead inputs.
///
/// The gain comes before every analysis, so it sets the sensitivity.
#[derive(Clone, Debug)]
pub struct Conditioner {
    gain: f32,
    previous_in: f32,
    previous_out: f32,
    last_raw: f32,
    constant_hops: u32,
    clip_run: u32,
    clip_hold: u32,
    /// Samples since the start that were NaN or infinite and were replaced by 0.
    pub replaced: u64,
    /// Clipped hops since the start.
    pub clipped_hops: u64,
}

impl Default for Conditioner {
    fn default() -> Self {
        Self { gain: 1.0, ..Self::BLANK }
    }
}

impl Conditioner {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        gain: 0.0,
        previous_in: 0.0,
        previous_out: 0.0,
        last_raw: 0.0,
        constant_hops: 0,
        clip_run: 0,
        clip_hold: 0,
        replaced: 0,
        clipped_hops: 0,
    };

    /// Sets the gain as a factor. Returns `false` and changes nothing if it is outside [`GAIN_RANGE`] or not finite.
    pub fn set_gain(&mut self, gain: f32) -> bool {
        let ok = GAIN_RANGE.contains(&gain);
        if ok {
            self.gain = gain;
        }
        ok
    }

    /// Processes one hop from `input` (nominally within −1 … 1) into `output`.
    pub fn process(&mut self, input: &[f32; HOP], output: &mut [f32; HOP]) -> InputState {
        // One-pole DC blocker, y = x − x₁ + r·y₁ (J. O. Smith, Introduction to Digital Filters, "DC Blocker").
        const R: f32 = 1.0 - core::f32::consts::TAU * DC_CORNER_HZ / SAMPLE_RATE as f32;
        let mut constant = true;
        let mut clipped = false;
        for (x, y) in input.iter().zip(output.iter_mut()) {
            let raw = if x.is_finite() {
                // A huge but finite value must not overflow the energies downstream.
                x.clamp(-8.0, 8.0)
            } else {
                self.replaced += 1;
                0.0
            };
            constant &= raw == self.last_raw;
            self.last_raw = raw;
            self.clip_run = if raw.abs() >= FULL_SCALE { self.clip_run + 1 } else { 0 };
            clipped |= self.clip_run >= CLIP_RUN;
            let mut out = raw - self.previous_in + R * self.previous_out;
            // Arithmetic on denormals costs about a hundred times as much on many processors.
            if out.abs() < 1e-15 {
                out = 0.0;
            }
            self.previous_in = raw;
            self.previous_out = out;
            *y = out * self.gain;
        }
        self.constant_hops = if constant { self.constant_hops.saturating_add(1) } else { 0 };
        self.clip_hold = if clipped { CLIP_HOLD_HOPS } else { self.clip_hold.saturating_sub(1) };
        self.clipped_hops += u64::from(clipped);
        if self.constant_hops >= DEAD_HOPS {
            InputState::Dead
        } else if self.clip_hold > 0 {
            InputState::Clipping
        } else {
            InputState::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(f: impl Fn(usize) -> f32) -> [f32; HOP] {
        core::array::from_fn(f)
    }

    #[test]
    fn a_dc_offset_is_gone_within_a_tenth_of_a_second() {
        let mut c = Conditioner::default();
        let mut out = [0.0; HOP];
        for h in 0..13 {
            c.process(&hop(|i| 0.4 + 0.001 * ((h * HOP + i) as f32).sin()), &mut out);
        }
        let mean = out.iter().sum::<f32>() / HOP as f32;
        assert!(mean.abs() < 0.002, "mean {mean}");
    }

    #[test]
    fn gain_scales_before_analysis_and_refuses_nonsense() {
        let mut c = Conditioner::default();
        let mut one = [0.0; HOP];
        let mut two = [0.0; HOP];
        let input = hop(|i| if i % 2 == 0 { 0.1 } else { -0.1 });
        c.clone().process(&input, &mut one);
        assert!(c.set_gain(2.0));
        for bad in [0.49, 2.01, f32::NAN, f32::INFINITY, -1.0] {
            assert!(!c.set_gain(bad));
        }
        c.process(&input, &mut two);
        assert!(one.iter().zip(&two).all(|(a, b)| (2.0 * a - b).abs() < 1e-6));
    }

    #[test]
    fn non_finite_samples_become_silence_and_are_counted() {
        let mut c = Conditioner::default();
        let mut out = [0.0; HOP];
        c.process(&hop(|i| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30][i % 4]), &mut out);
        assert!(out.iter().all(|x| x.is_finite()));
        assert_eq!(c.replaced, 96);
    }

    #[test]
    fn a_flattened_wave_is_called_clipping_and_a_peak_is_not() {
        let mut c = Conditioner::default();
        let mut out = [0.0; HOP];
        assert_eq!(
            c.process(&hop(|i| if i == 7 { 1.0 } else { 0.001 * i as f32 }), &mut out),
            InputState::Fine
        );
        let square = hop(|i| if i % 40 < 20 { 1.0 } else { -1.0 });
        assert_eq!(c.process(&square, &mut out), InputState::Clipping);
        let calm = hop(|i| 0.1 * (i as f32).sin());
        let back = (0..100).position(|_| c.process(&calm, &mut out) == InputState::Fine);
        assert_eq!(back, Some(CLIP_HOLD_HOPS as usize - 1));
    }

    #[test]
    fn a_stuck_input_is_called_dead_after_a_second() {
        for stuck in [0.0, 0.37, -1.0] {
            let mut c = Conditioner::default();
            let mut out = [0.0; HOP];
            let first = (0..200).position(|_| c.process(&[stuck; HOP], &mut out) == InputState::Dead);
            assert!((124..=126).contains(&first.expect("never dead")), "{stuck}: {first:?}");
            assert_ne!(c.process(&hop(|i| 0.1 * (i as f32).sin()), &mut out), InputState::Dead);
        }
    }
}
