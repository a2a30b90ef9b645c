//! The times of beats.

/// Beats of a section of music, in seconds.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    beats: Vec<f64>,
}

impl Grid {
    /// Beats from `from` s up to `to` s. `bpm` gives the tempo from each beat to the next.
    pub(super) fn new(from: f64, to: f64, bpm: impl Fn(f64) -> f64) -> Self {
        let mut beats = Vec::new();
        let mut t = from;
        while t < to {
            beats.push(t);
            t += 60.0 / bpm(t);
        }
        Self { beats }
    }

    /// A constant tempo from `from` s to `to` s.
    pub(super) fn steady(from: f64, to: f64, bpm: f64) -> Self {
        Self::new(from, to, |_| bpm)
    }

    /// Number of beats.
    pub(super) fn len(&self) -> usize {
        self.beats.len()
    }

    /// The beats themselves.
    pub(super) fn beats(&self) -> &[f64] {
        &self.beats
    }

    /// Time of a position, counted in beats from the first; `None` after the last beat. Between two beats time
    /// advances evenly.
    pub(super) fn at(&self, position: f64) -> Option<f64> {
        let k = position as usize;
        let from = *self.beats.get(k)?;
        let share = position - k as f64;
        match self.beats.get(k + 1) {
            Some(to) => Some(from + share * (to - from)),
            None => (share < 1e-9).then_some(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_comes_on_a_beat_and_off_beats_lie_between() {
        // 60 BPM, then 120 from the third beat on.
        let grid = Grid::new(0.5, 4.1, |t| if t < 2.5 { 60.0 } else { 120.0 });
        assert_eq!(grid.beats(), [0.5, 1.5, 2.5, 3.0, 3.5, 4.0]);
        assert_eq!(grid.at(0.5), Some(1.0));
        assert_eq!(grid.at(2.5), Some(2.75));
        assert_eq!(grid.at(5.0), Some(4.0));
        assert_eq!(grid.at(5.5), None);
        assert_eq!(grid.len(), 6);
    }
}
