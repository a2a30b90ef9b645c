//! Pitch classes: which notes sound, in any octave.

use super::ConstantQ;
use super::tables::BINS;
use crate::math::reciprocal;

/// Number of pitch classes.
pub const CHROMA: usize = 12;
/// Names of the pitch classes in the order of every chroma array; index 0 is C.
pub const NOTE_NAMES: [&str; CHROMA] = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

/// Bin 0 of the spectrum is an A, nine semitones above C.
const FIRST_CLASS: usize = 9;

/// Folds a spectrum into twelve pitch classes.
#[derive(Clone, Debug)]
pub struct Chroma {
    /// Undoes the noise-flat scale, so that a note weighs the same in every octave, and averages over the octaves.
    weight: [f32; BINS],
}

impl Chroma {
    /// A placeholder with all weights 0, until [`new`](Self::new) has replaced it.
    pub(super) const SILENT: Self = Self { weight: [0.0; BINS] };

    /// Computes the weights that match the spectra of `bank`.
    pub fn new(bank: &ConstantQ) -> Self {
        let octaves = |bin: usize| ((BINS - 1 - bin % CHROMA) / CHROMA + 1) as f32;
        Self { weight: core::array::from_fn(|bin| reciprocal(bank.tone_gain(bin) * octaves(bin))) }
    }

    /// Mean amplitude per pitch class, divided by the largest of them or by `reference`, whichever is larger. Each
    /// value is within 0 … 1; index 0 is C.
    pub fn fold(&self, spectrum: &[f32; BINS], reference: f32) -> [f32; CHROMA] {
        let mut chroma = [0.0; CHROMA];
        for (bin, (m, w)) in spectrum.iter().zip(&self.weight).enumerate() {
            chroma[(bin + FIRST_CLASS) % CHROMA] += m * w;
        }
        let largest = chroma.iter().copied().fold(reference.max(1e-9), f32::max);
        let scale = 1.0 / largest;
        chroma.map(|c| c * scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::bin_hz;
    use crate::{HOP, SAMPLE_RATE};

    #[test]
    fn index_zero_is_c_in_every_octave() {
        let mut bank = ConstantQ::new();
        let fold = Chroma::new(&bank);
        // Bin + 9 is the pitch class of C3, C4 (261.63 Hz), A4 and so on.
        for bin in 0..BINS {
            let hz = bin_hz(bin) as f64;
            let mut m = [0.0; BINS];
            for h in 0..60 {
                let block = core::array::from_fn(|i| {
                    (core::f64::consts::TAU * hz * (h * HOP + i) as f64 / SAMPLE_RATE as f64).sin() as f32
                });
                bank.process(&block, &mut m);
            }
            let chroma = fold.fold(&m, 0.0);
            let best = (0..CHROMA).max_by(|a, b| chroma[*a].total_cmp(&chroma[*b])).unwrap();
            assert_eq!(best, (bin + 9) % 12, "{hz:.1} Hz is a {}", NOTE_NAMES[best]);
        }
        // Middle C is 3 semitones above A3, which is bin 12.
        assert_eq!(NOTE_NAMES[(15 + 9) % 12], "C");
        assert!((bin_hz(15) - 261.63).abs() < 0.01);
    }
}
