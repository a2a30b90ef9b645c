//! The bar: which beat is the first, and how many there are.
//!
//! A filter over metre and position in the bar, which takes one step per beat. It follows the bar pointer of Whiteley,
//! Cemgil & Godsill, "Bayesian modelling of temporal structure in musical audio" (ISMIR 2006), but apart from tempo and
//! beat phase, which the [`state_space`](super::state_space) knows: so a dozen numbers suffice.

use crate::math::{exp, reciprocal};

/// Beats per bar of the metres that are told apart.
pub(super) const METRES: [usize; 2] = [3, 4];
const PRIOR: [f32; METRES.len()] = [0.25, 0.75];
/// Number of positions of all metres.
const STATES: usize = METRES[0] + METRES[1];
/// First state of each metre, and the end of the last.
const FIRST: [usize; METRES.len() + 1] = [0, METRES[0], STATES];
/// Share of the belief that begins a bar anew at any position after each beat, and at the next downbeat in the other
/// metre.
const SLIP: f32 = 0.004;
const CHANGE: f32 = 0.004;
/// Weight of the network's log-likelihood: the beats of a bar are not heard independently of one another.
const TEMPER: f32 = 0.8;
/// Limit of the network's log-likelihood.
const MOST: f32 = 3.0;

/// Position of a beat in its bar.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// 1 on the downbeat; 0 before anything was heard.
    pub position: u32,
    /// Beats per bar.
    pub beats: u32,
    /// Probability of this position and metre.
    pub share: f32,
}

/// The filter.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// Belief in each position of the last judged beat, by metre.
    belief: [f32; STATES],
}

impl Bar {
    /// All zeros.
    pub(super) const BLANK: Self = Self { belief: [0.0; STATES] };

    /// Forgets the bar, as after silence.
    pub(super) fn forget(&mut self) {
        for (metre, beats) in METRES.iter().enumerate() {
            self.belief[FIRST[metre]..FIRST[metre + 1]].fill(PRIOR[metre] / *beats as f32);
        }
    }

    /// Goes on by `beats` beats, and then weighs the natural logarithm of how much more likely the last of them is a
    /// downbeat than another beat.
    pub(super) fn hear(&mut self, beats: usize, downbeat: f32) {
        for _ in 0..beats {
            self.turn();
        }
        let factor = exp(TEMPER * downbeat.clamp(-MOST, MOST));
        let mut sum = 0.0;
        for metre in 0..METRES.len() {
            for (position, belief) in self.belief[FIRST[metre]..FIRST[metre + 1]].iter_mut().enumerate() {
                *belief *= if position == 0 { factor } else { 1.0 };
                sum += *belief;
            }
        }
        let scale = reciprocal(sum.max(1e-20));
        self.belief.iter_mut().for_each(|belief| *belief *= scale);
    }

    /// Moves every position on by one beat.
    fn turn(&mut self) {
        let mut arrived = [0.0; METRES.len()];
        for metre in 0..METRES.len() {
            let belief = &mut self.belief[FIRST[metre]..FIRST[metre + 1]];
            belief.rotate_right(1);
            let mass: f32 = belief.iter().sum();
            let each = SLIP * mass / METRES[metre] as f32;
            belief.iter_mut().for_each(|b| *b = *b * (1.0 - SLIP) + each);
            arrived[metre] = belief[0];
        }
        for metre in 0..METRES.len() {
            let other = arrived[METRES.len() - 1 - metre];
            self.belief[FIRST[metre]] += CHANGE * (other - arrived[metre]);
        }
    }

    /// The most probable place of the beat after the last judged one.
    pub(super) fn next(&self) -> Place {
        let mut best = 0;
        for state in 1..STATES {
            if self.belief[state] > self.belief[best] {
                best = state;
            }
        }
        let metre = usize::from(best >= FIRST[1]);
        let position = (best - FIRST[metre] + 1) % METRES[metre];
        Place { position: position as u32 + 1, beats: METRES[metre] as u32, share: self.belief[best] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(beats: usize, downbeat_at: impl Fn(usize) -> bool) -> Bar {
        let mut bar = Bar::BLANK;
        bar.forget();
        for beat in 0..beats {
            bar.hear(1, if downbeat_at(beat) { 1.0 } else { -1.0 });
        }
        bar
    }

    #[test]
    fn bars_of_three_and_four_are_told_apart_and_their_first_beat_is_found() {
        for (beats, first) in [(3, 0), (3, 2), (4, 1), (4, 3)] {
            for heard_beats in 20..20 + beats {
                let place = heard(heard_beats, |beat| beat % beats == first).next();
                let position = (heard_beats + beats - first) % beats + 1;
                assert_eq!((place.beats, place.position), (beats as u32, position as u32));
                assert!(place.share > 0.8, "{place:?}");
            }
        }
    }

    #[test]
    fn a_beat_that_was_skipped_is_counted() {
        let mut bar = heard(24, |beat| beat % 4 == 0);
        bar.hear(2, -1.0);
        assert_eq!((bar.next().position, bar.next().beats), (3, 4));
    }

    #[test]
    fn without_downbeats_nothing_is_known_and_belief_keeps_its_sum() {
        let mut bar = heard(40, |_| false);
        assert!(bar.next().share < 0.3, "{:?}", bar.next());
        for beat in 0..1_000 {
            bar.hear(beat % 3, if beat % 7 == 0 { f32::INFINITY } else { f32::NEG_INFINITY });
            let sum: f32 = bar.belief.iter().sum();
            assert!(
                (sum - 1.0).abs() < 1e-3 && bar.belief.iter().all(|b| (0.0..=1.0).contains(b)),
                "{:?}",
                bar.belief
            );
        }
        bar.forget();
        assert!((bar.belief.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(bar.next().beats, 4);
    }
}
