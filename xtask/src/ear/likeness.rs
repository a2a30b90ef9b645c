//! How similar the snapshots of a degraded sound are to those of the clean sound.

use super::listen::Moment;
use super::score::SKIP_S;

/// Similarity of two hearings, over the moments in which the clean sound is not silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Share of these moments that the second takes for silence, 0 … 1.
    pub lost: f64,
    /// Mean difference of the level, 0 … 1.
    pub level_off: f64,
    /// Mean cosine of the angle between the spectra: 1 if they differ in loudness only, 0 where the second is silent.
    pub spectrum: f64,
    /// The same for the pitch classes.
    pub chroma: f64,
}

/// Compares moment by moment; both sounds have the same length. `None` if the first is silent throughout.
pub fn likeness(clean: &[Moment], degraded: &[Moment]) -> Option<Likeness> {
    let moments: Vec<_> = clean.iter().zip(degraded).filter(|(c, _)| c.at >= SKIP_S && !c.silent).collect();
    if moments.is_empty() {
        return None;
    }
    let mean = |figure: &dyn Fn(&Moment, &Moment) -> f64| {
        moments.iter().map(|(c, s)| figure(c, s)).sum::<f64>() / moments.len() as f64
    };
    Some(Likeness {
        lost: mean(&|_, s| if s.silent { 1.0 } else { 0.0 }),
        level_off: mean(&|c, s| f64::from((c.level - s.level).abs())),
        spectrum: mean(&|c, s| cosine(&c.spectrum, &s.spectrum)),
        chroma: mean(&|c, s| cosine(&c.chroma, &s.chroma)),
    })
}

/// Cosine of the angle between two vectors; 0 if one of them is zero.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use k1_engine::audio::{BINS, CHROMA};

    use super::*;

    fn moment(at: f64, level: f32, bins: &[(usize, f32)]) -> Moment {
        let (mut spectrum, mut chroma) = ([0.0; BINS], [0.0; CHROMA]);
        for (bin, x) in bins {
            spectrum[*bin] = *x;
            chroma[bin % CHROMA] = *x;
        }
        Moment { at, silent: bins.is_empty(), level, spectrum, chroma }
    }

    #[test]
    fn angles_and_differences_are_averaged_over_what_was_heard() {
        let clean =
            [moment(1.0, 1.0, &[(0, 1.0)]), moment(6.0, 0.5, &[(3, 0.5)]), moment(7.0, 0.5, &[(3, 0.6)])];
        // Half as loud; then as much of another note: 45°, cosine 1/√2. The first 5 s do not count.
        let degraded =
            [moment(1.0, 0.0, &[]), moment(6.0, 0.3, &[(3, 0.25)]), moment(7.0, 0.5, &[(3, 0.3), (4, 0.3)])];
        let l = likeness(&clean, &degraded).unwrap();
        assert!((l.level_off - 0.1).abs() < 1e-6 && l.lost == 0.0, "{l:?}");
        let want = 0.5 * (1.0 + 0.5_f64.sqrt());
        assert!((l.spectrum - want).abs() < 1e-6 && (l.chroma - want).abs() < 1e-6, "{l:?}");
    }

    #[test]
    fn a_silent_hearing_counts_as_lost() {
        let (clean, silent) = ([moment(6.0, 0.5, &[(3, 0.5)])], [moment(6.0, 0.0, &[])]);
        let l = likeness(&clean, &silent).unwrap();
        assert_eq!((l.lost, l.spectrum, l.chroma, l.level_off), (1.0, 0.0, 0.0, 0.5));
        assert_eq!(likeness(&silent, &clean), None);
    }
}
