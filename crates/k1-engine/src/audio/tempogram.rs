//! A tempogram: the strength and phase of every candidate tempo, for patterns that show more than one tempo.
//!
//! A bank of leaky resonators on the onset curve, one per candidate. The magnitude gives the periodicity at that
//! tempo, the angle the phase in its beat (the idea of predominant local pulse, Grosche & Müller, "Extracting
//! predominant local pulse information from music recordings", IEEE TASLP 19(6), 2011, made causal).

use crate::HOP_RATE;
use crate::math::{Follower, sqrt, turns_of};

/// Number of candidate tempi.
pub const CANDIDATES: usize = 32;
const SLOWEST_BPM: f32 = 50.0;
const OCTAVES: f32 = 2.0;
/// Memory of a resonator, in seconds.
const MEMORY_S: f32 = 4.0;
const DT: f32 = 1.0 / HOP_RATE;

/// Tempo of a candidate in beats per minute: two octaves from 50 to 200, evenly spaced in ratio.
pub fn candidate_bpm(candidate: usize) -> f32 {
    SLOWEST_BPM * libm::exp2f(OCTAVES * candidate as f32 / (CANDIDATES - 1) as f32)
}

/// The resonator bank.
#[derive(Clone, Debug)]
pub struct Tempogram {
    turn: [(f32, f32); CANDIDATES],
    state: [(f32, f32); CANDIDATES],
    mean: Follower,
    reference: Follower,
}

impl Default for Tempogram {
    fn default() -> Self {
        Self {
            turn: core::array::from_fn(|k| {
                let keep = libm::exp(-(DT / MEMORY_S) as f64);
                let (s, c) =
                    libm::sincos(core::f64::consts::TAU * candidate_bpm(k) as f64 / 60.0 * DT as f64);
                ((keep * c) as f32, (keep * s) as f32)
            }),
            mean: Follower::at(0.0).both_s(1.5),
            reference: Follower::at(0.0).rise_s(0.5).fall_s(6.0),
            ..Self::BLANK
        }
    }
}

impl Tempogram {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        turn: [(0.0, 0.0); CANDIDATES],
        state: [(0.0, 0.0); CANDIDATES],
        mean: Follower::at(0.0),
        reference: Follower::at(0.0),
    };

    /// Takes one hop of onset flux. Writes magnitudes (0 … 1, the strongest near 1) and phases (turns, 0 on the
    /// beat).
    pub fn process(&mut self, flux: f32, magnitude: &mut [f32; CANDIDATES], phase: &mut [f32; CANDIDATES]) {
        let x = flux - self.mean.step(flux, DT);
        for (z, t) in self.state.iter_mut().zip(&self.turn) {
            let next = (z.0 * t.0 - z.1 * t.1 + x, z.0 * t.1 + z.1 * t.0);
            // Long silence must end in zeros rather than denormals.
            *z = if next.0.abs() + next.1.abs() < 1e-12 { (0.0, 0.0) } else { next };
        }
        for ((z, magnitude), phase) in self.state.iter().zip(&mut *magnitude).zip(phase) {
            *magnitude = sqrt(z.0 * z.0 + z.1 * z.1);
            *phase = turns_of(z.0, z.1);
        }
        let largest = magnitude.iter().copied().fold(1e-9, f32::max);
        let scale = 1.0 / self.reference.step(largest, DT).max(0.5);
        magnitude.iter_mut().for_each(|m| *m = (*m * scale).min(1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_train_lights_its_own_candidate_with_its_own_phase() {
        for candidate in [4, 12, 19, 27] {
            let period = 60.0 / candidate_bpm(candidate);
            let mut t = Tempogram::default();
            let (mut m, mut p) = ([0.0; CANDIDATES], [0.0; CANDIDATES]);
            let mut next = 0.0;
            let mut now = 0.0;
            for _ in 0..1500 {
                now += DT;
                let hit = now >= next;
                if hit {
                    next += period;
                }
                t.process(if hit { 1.0 } else { 0.0 }, &mut m, &mut p);
            }
            let best = (0..CANDIDATES).max_by(|a, b| m[*a].total_cmp(&m[*b])).unwrap();
            assert!(best.abs_diff(candidate) <= 1, "{candidate}: {best}");
            let expected = crate::math::fract((now - (next - period)) / period);
            let off = (p[candidate] - expected + 1.5).fract() - 0.5;
            assert!(off.abs() < 0.06, "phase {} for {expected}", p[candidate]);
        }
    }
}
