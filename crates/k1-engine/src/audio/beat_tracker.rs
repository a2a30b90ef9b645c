//! The beat tracker: tempo, beat phase and the time of the next beat.
//!
//! The network's [`judgement`](super::judgement) drives the [`state_space`](super::state_space) and the [`bar`](super::bar).
//! This module turns the most probable tempo and phase into beats that are announced in time, once each, with a confidence
//! and their place in the bar.

use super::bar::{Bar, Place};
use super::confidence_trees::CONFIDENCE_TREES;
use super::judgement::{JUDGED_AFTER_S, Judgement, Judgements};
use super::state_space::{Estimate, StateSpace};
use super::tables::{CONFIDENCE_FEATURES, TEMPI, tempo_near};
use super::tree::evaluate;
use crate::HOP_RATE;
use crate::math::{Follower, choose, exp, lerp, ln, nearest, reciprocal};

/// Tempi that can be found, in beats per minute.
pub const BPM_RANGE: core::ops::RangeInclusive<f32> = 49.0..=215.0;

/// Share of the phase error that is corrected per hop. An error above a fifth of a beat is corrected at once.
const PULL: f32 = 0.35;
/// Weight of the first observations, falling to 1 within [`FIRST_S`] of sound. At first there is little that a
/// mistake could spoil, and a listener nods along from the third beat on.
const FIRST_EAGERNESS: f32 = 2.0;
const FIRST_S: f32 = 1.5;
/// Observations count twice where the music has changed: where the model predicts them worse than before by this
/// much, and hardly better than chance. Both in natural logarithms per second. A breakbeat does not count, because it
/// is still predicted well.
const CHANGED: f32 = 3.0;
const LOST: f32 = 0.5;
/// Time constants in seconds of the usual and of the recent quality of prediction.
const USED_TO_S: f32 = 5.0;
const LATELY_S: f32 = 1.5;
/// Least log-odds of a tempo in the prior.
const LEAST_ODDS: f32 = -4.0;
/// Seconds after silence from which the network's tempi count, and from which they count fully.
const TEMPI_FROM_S: f32 = 1.0;
const TEMPI_FULL_S: f32 = 5.0;
/// A frame within this many hops of a beat tells whether it is a downbeat.
const BEAT_HOPS: f32 = 4.0;
/// Sum of the probabilities near a beat that the network is sure of: it tells three frames of two hops.
const WHOLE_BEAT: f32 = 6.0;
/// Share of the newest beat in the mean over beats.
const HEARD_SHARE: f32 = 0.12;
/// Least probability of a bar that is told. The belief of the filter times the confidence of the beat is one: on music that
/// the networks had not heard, of downbeats announced at 0.25, 0.55 and 0.85, shares of 0.51, 0.54 and 0.83 were right.
const BAR_LEAST: f32 = 0.1;
/// Least share of a kind of beat, and the natural logarithm of how much rarer downbeats are than other beats.
const LEAST_SHARE: f32 = 1e-3;
const DOWNBEAT_RARITY: f32 = 0.3;
const DT: f32 = 1.0 / HOP_RATE;

/// The state of the tracker after a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BeatReading {
    /// Tempo in beats per minute; 0 without a beat.
    pub bpm: f32,
    /// Phase in the beat: 0 on the beat, approaching 1 before the next.
    pub phase: f32,
    /// Probability that the announced beats are right, 0 … 1.
    pub confidence: f32,
    /// True in the hop in which a beat is announced.
    pub beat: bool,
    /// Seconds from the end of this hop to the announced beat; negative if it has passed.
    pub beat_in: f32,
    /// Seconds from the end of this hop to the next beat that has not been announced.
    pub next_in: f32,
    /// Place in the bar of the last announced beat; zeros while unsure.
    pub place: Place,
}

/// The beat tracker. About 31 KiB, almost all of it the state space.
#[derive(Clone, Debug)]
pub struct BeatTracker {
    state_space: StateSpace,
    bar: Bar,
    /// Sums of the shares of downbeats and of other beats near the last beat that is judged.
    near: [f32; 2],
    /// Hops since the last judged beat.
    since_judged: f32,
    /// Probability of a beat where one was judged, as a mean over the last ones.
    heard: f32,
    /// Number of judged beats since the last silence.
    judged: f32,
    place: Place,
    /// How much better than chance the model predicts the observations, in natural logarithms per second.
    evidence: Follower,
    /// The same with a longer and with a shorter memory.
    used_to: Follower,
    lately: Follower,
    /// How concentrated the belief is, 0 … 1.
    decision: Follower,
    /// Seconds of sound since the last silence.
    awake: f32,
    /// Confidence in the announced beats; 0 without beats.
    confidence: Follower,
    /// Features of the last confidence, in 1/[`FEATURE_SCALE`].
    features: [i16; CONFIDENCE_FEATURES],
    /// The announced phase, which follows the state space smoothly.
    phase: f32,
    /// Length of the beat in hops.
    period: f32,
    since_beat: f32,
}

impl Default for BeatTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl BeatTracker {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        state_space: StateSpace::BLANK,
        bar: Bar::BLANK,
        near: [0.0; 2],
        since_judged: 0.0,
        heard: 0.0,
        judged: 0.0,
        place: Place { position: 0, beats: 0, share: 0.0 },
        evidence: Follower::at(0.0),
        used_to: Follower::at(0.0),
        lately: Follower::at(0.0),
        decision: Follower::at(0.0),
        awake: 0.0,
        confidence: Follower::at(0.0),
        features: [0; CONFIDENCE_FEATURES],
        phase: 0.0,
        period: 0.0,
        since_beat: 0.0,
    };

    /// A tracker that has heard nothing.
    pub fn new() -> Self {
        let mut tracker = Self::BLANK;
        tracker.start();
        tracker
    }

    /// Makes a tracker that has heard nothing of [`BLANK`](Self::BLANK).
    pub(super) fn start(&mut self) {
        self.state_space.start();
        self.bar.forget();
        self.evidence = Follower::at(0.0).both_s(2.0);
        self.used_to = Follower::at(0.0).both_s(USED_TO_S);
        self.lately = Follower::at(0.0).both_s(LATELY_S);
        self.decision = Follower::at(0.0).both_s(1.0);
        self.confidence = Follower::at(0.0).both_s(CONFIDENCE_S);
        self.period = 60.0;
        self.since_beat = 10.0;
    }

    /// Share of the belief in each tempo (see [`tempo_bpm`](super::tempo_bpm)); the sum is 1. The announced tempo is the heaviest
    /// neighbourhood. For displays; a lamp never calls this.
    pub fn belief(&self) -> [f32; TEMPI] {
        self.state_space.shares()
    }

    /// Advances by one hop. In silence the tracker forgets everything.
    pub(super) fn process(
        &mut self,
        judgement: &Judgement,
        judgements: &Judgements,
        silent: bool,
    ) -> BeatReading {
        self.since_beat += DT;
        if silent {
            if self.awake > 0.0 {
                self.state_space.forget();
                self.bar.forget();
                self.place = Place::default();
                self.near = [0.0; 2];
                self.heard = 0.0;
                self.judged = 0.0;
                for memory in [&mut self.evidence, &mut self.used_to, &mut self.lately] {
                    memory.value = 0.0;
                }
                self.decision.value = 0.0;
                self.confidence.value = 0.0;
                self.awake = 0.0;
            }
            return BeatReading::default();
        }
        self.awake += DT;
        let known = ((self.awake - TEMPI_FROM_S) / (TEMPI_FULL_S - TEMPI_FROM_S)).clamp(0.0, 1.0);
        let eagerness = self.eagerness();
        let log_prior = |tempo: usize| known * judgements.odds(tempo).max(LEAST_ODDS);
        let gain = HOP_RATE * self.state_space.advance(&judgement.positions, eagerness, log_prior);
        for memory in [&mut self.evidence, &mut self.used_to, &mut self.lately] {
            memory.step(gain, DT);
        }
        self.announce(judgement, judgements)
    }

    /// Weight of this hop: larger at the beginning, and after predictions have failed.
    fn eagerness(&self) -> f32 {
        let first = lerp(FIRST_EAGERNESS, 1.0, (self.awake / FIRST_S).min(1.0));
        let worse = (self.used_to.value - self.lately.value) / CHANGED;
        let lost = 1.0 + LOST - self.lately.value;
        first * (1.0 + worse.clamp(0.0, 1.0) * lost.clamp(0.0, 1.0))
    }

    /// Features of the last confidence, in 1/1024. Only for fitting the confidence; a lamp never calls this.
    pub(super) fn confidence_features(&self) -> [i16; CONFIDENCE_FEATURES] {
        self.features
    }

    /// The features of the confidence: evidence for other phases, tempi and metrical levels; see
    /// `xtask/fit/confidence.py`.
    fn confidence_features_of(
        &self,
        found: &Estimate,
        decision: f32,
        judgements: &Judgements,
    ) -> [i16; CONFIDENCE_FEATURES] {
        let odds = |ratio: f32| {
            tempo_near(ratio * found.period)
                .map_or(LEAST_ODDS, |tempo| judgements.odds(tempo).max(LEAST_ODDS))
        };
        let share = |ratio: f32| {
            tempo_near(ratio * found.period).map_or(0.0, |tempo| self.state_space.share_near(found, tempo))
        };
        let own = odds(1.0);
        [
            self.evidence.value,
            decision,
            found.period * (1.0 / 16.0),
            own,
            odds(2.0) - own,
            odds(0.5) - own,
            odds(1.5) - own,
            odds(2.0 / 3.0) - own,
            share(2.0),
            share(0.5),
            share(1.5) + share(2.0 / 3.0),
            found.share,
            found.focus,
            self.state_space.half_beat_share(found),
            (self.awake * 0.25).min(8.0),
            self.heard,
        ]
        .map(|x| (x.clamp(-31.0, 31.0) * FEATURE_SCALE) as i16)
    }

    /// Confidence in the announced beats; 0 = no beat.
    ///
    /// Clarity is the concentration of the belief times the probability of a beat where one was judged, each 0 … 1. A clear
    /// beat may still be the off-beat or another metrical level; [`evaluate_confidence`] gives the probability that it is
    /// right.
    fn confidence(&mut self, decision: f32) -> f32 {
        let clarity = decision * self.heard;
        let least = choose(self.confidence.value > 0.0, &[BEAT_BEGINS, BEAT_STAYS]);
        if clarity >= least {
            let now = evaluate_confidence(&self.features);
            if self.confidence.value == 0.0 {
                self.confidence.value = now;
            }
            return self.confidence.step(now, DT);
        }
        self.confidence.value = 0.0;
        let is_early = self.awake < EAGER_S && self.heard >= EAGER_HEARD;
        if is_early { lerp(EAGER.0, EAGER.1, (clarity * (1.0 / BEAT_BEGINS)).min(1.0)) } else { 0.0 }
    }

    /// Sums up what is said near a beat, and judges the beat when the pointer has left it.
    fn hear_bar(&mut self, found: &Estimate, judgement: &Judgement) {
        self.since_judged += 1.0;
        let is_before = found.position > 0.5 * found.period;
        let from_beat = found.position - if is_before { found.period } else { 0.0 };
        if from_beat.abs() <= BEAT_HOPS {
            self.near[0] += judgement.downbeat;
            self.near[1] += judgement.beat;
        } else if from_beat > 0.0 && self.near != [0.0; 2] {
            let greatest = (self.near[0] + self.near[1]) * (1.0 / WHOLE_BEAT);
            self.judged += 1.0;
            let share = reciprocal(self.judged).max(HEARD_SHARE);
            self.heard += share * (greatest.min(1.0) - self.heard);
            let [downbeat, beat] = self.near.map(|sum| ln(sum + LEAST_SHARE));
            self.near = [0.0; 2];
            // A pointer that jumped may have skipped a beat, or met one twice.
            let beats = (self.since_judged / found.period + 0.5).min(8.0) as usize;
            self.bar.hear(beats, downbeat - beat + DOWNBEAT_RARITY);
            if beats > 0 {
                self.since_judged = from_beat;
            }
        }
    }

    fn announce(&mut self, judgement: &Judgement, judgements: &Judgements) -> BeatReading {
        let found = self.state_space.estimate();
        self.hear_bar(&found, judgement);
        let heard = (found.position * DT + JUDGED_AFTER_S) / (found.period * DT);

        // The announced phase advances at the tempo and is pulled towards the state space, the shorter way round.
        self.phase += 1.0 / self.period;
        self.period = found.period;
        let mut error = heard - self.phase;
        error -= nearest(error);
        let jump = error.abs() > 0.2;
        self.phase += error * choose(jump, &[PULL, 1.0]);

        let decision = self.decision.step(found.share * found.focus, DT);
        self.features = self.confidence_features_of(&found, decision, judgements);
        let confidence = self.confidence(decision);
        let period_s = self.period * DT;
        let mut reading = BeatReading { confidence, ..BeatReading::default() };
        // A beat within half a hop of now is announced now. A jump back must not announce it twice.
        let to_next = (1.0 - self.phase) * period_s;
        let due = to_next <= 0.5 * DT;
        if due {
            self.phase -= 1.0;
        }
        if self.phase < 0.0 - 0.5 * DT / period_s {
            self.phase += 1.0;
        }
        if due && self.since_beat > 0.45 * period_s && confidence > 0.0 {
            reading.beat = true;
            reading.beat_in = to_next;
            self.since_beat = 0.0;
            self.place = self.bar.next();
            self.place.share *= confidence;
            if self.place.share < BAR_LEAST {
                self.place = Place::default();
            }
        }
        if confidence > 0.0 {
            reading.place = self.place;
            reading.bpm = 60.0 / period_s;
            reading.phase = crate::math::fract(self.phase);
            reading.next_in = (1.0 - self.phase.max(0.0)) * period_s;
        }
        reading
    }
}

/// Fixed-point scales of the confidence's features and of its trees' leaves.
const FEATURE_SCALE: f32 = 1024.0;
const LEAF_SCALE: f32 = 8192.0;

/// In the first seconds of sound, beats are announced before the tracker is certain, with a low confidence: a
/// listener nods along early, too.
const EAGER_S: f32 = 4.0;
/// Confidence from which a tempo is shown to people: it is right more often than not. With less, the announced beat
/// is a guess to nod along to.
pub const BELIEVED: f32 = 0.5;
/// Clarity from which there is a beat, and below which there is none any more. Noise, drones and speech lie below, music
/// above.
const BEAT_BEGINS: f32 = 0.20;
const BEAT_STAYS: f32 = 0.10;
/// Least probability of the judged beats for that.
const EAGER_HEARD: f32 = 0.35;
/// Confidence in the first seconds, from no clarity to [`BEAT_BEGINS`]. It stays below [`BELIEVED`].
const EAGER: (f32, f32) = (0.15, 0.45);
/// Least and greatest confidence in a clear beat.
const CLEAR: (f32, f32) = (0.05, 0.97);
/// Time constant in seconds of the mean over the trees' results, so that a tempo near [`BELIEVED`] does not come and
/// go.
const CONFIDENCE_S: f32 = 1.0;

/// Probability that an announced beat is right: within 70 ms of a true one, and at its tempo.
///
/// The trees were fitted on announced beats by `xtask/fit/confidence.py`. They compare the announced tempo and phase
/// with the alternatives, so that straight eighths at 70 BPM that are heard at 140 get a low confidence.
fn evaluate_confidence(features: &[i16; CONFIDENCE_FEATURES]) -> f32 {
    let sum: i32 = CONFIDENCE_TREES.iter().map(|tree| i32::from(evaluate(tree, features))).sum();
    let odds = exp(-(sum as f32) * (1.0 / LEAF_SCALE));
    (1.0 / (1.0 + odds)).clamp(CLEAR.0, CLEAR.1)
}

#[cfg(test)]
mod tests {
    use super::super::tables::period_of;
    use super::super::tree::assert_whole;
    use super::*;

    #[test]
    fn every_tree_ends_in_each_of_its_leaves_and_nowhere_else() {
        for (splits, leaves) in &CONFIDENCE_TREES {
            assert_whole(splits, leaves, CONFIDENCE_FEATURES);
        }
    }

    #[test]
    fn a_tempo_is_found_by_the_length_of_its_beat() {
        for tempo in 0..TEMPI {
            assert_eq!(tempo_near(period_of(tempo) as f32), Some(tempo));
        }
        for beyond in [0.0, 34.4, period_of(TEMPI - 1) as f32 + 1.0, 1e6] {
            assert_eq!(tempo_near(beyond), None, "{beyond}");
        }
    }
}
