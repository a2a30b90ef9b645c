//! Tempo, beat phase and the time of the next beat.
//!
//! The likelihoods of [`accent`](super::accent) move the hidden pulse of [`pulse`](super::pulse); here its likeliest
//! tempo and phase become beats that are announced in time, once each, with a confidence.

use super::accent::{JUDGED_AFTER_S, PLACES};
use super::level::{CURVES, Level};
use super::pulse::{Likeliest, Pulse};
use super::tables::{TEMPI, TRUST_LOOKS, period_of, tempo_near};
use super::tree::ask;
use super::trust_trees::TRUST_TREES;
use crate::HOP_RATE;
use crate::math::{Follower, exp, lerp};

/// Tempi that can be found, in beats per minute.
pub const BPM_RANGE: core::ops::RangeInclusive<f32> = 49.0..=215.0;

/// Tempo of an entry of [`BeatTracker::belief`] in beats per minute; the fastest is 0.
pub fn tempo_bpm(tempo: usize) -> f32 {
    60.0 * HOP_RATE / period_of(tempo) as f32
}

/// How fast the announced phase follows the pulse, share per hop; a larger error than a fifth of a beat is a jump.
const PULL: f32 = 0.35;
/// What is heard first counts so many times as much as later, fading within so many seconds of sound: there is nothing yet
/// that a mistake could spoil, and a listener nods along from the third beat on.
const FIRST_EAGERNESS: f32 = 2.0;
const FIRST_S: f32 = 1.5;
/// Where the pulse expects what it hears so much worse than it was used to, and hardly better than chance, the music has
/// changed, and what is heard counts twice. Both in natural logarithms per second. A breakbeat alone is no change: it is
/// still expected well.
const CHANGED: f32 = 3.0;
const LOST: f32 = 0.5;
/// Memories of how well the pulse expected what it heard: what it was used to, and what it has now, in seconds.
const USED_TO_S: f32 = 5.0;
const LATELY_S: f32 = 1.5;
/// How the music repeats counts so much, where all belief is remembered for [`pulse`](super::pulse)'s time: log-odds times
/// this, at most this much either way …
const LEVEL: f32 = 2.5;
const LEVEL_MOST: f32 = 3.0;
/// … from so many seconds after silence, and wholly from so many.
const LEVEL_FROM_S: f32 = 1.0;
const LEVEL_FULL_S: f32 = 5.0;
const DT: f32 = 1.0 / HOP_RATE;

/// What the tracker believes after a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BeatReading {
    /// Beats per minute, 0 when there is no beat.
    pub bpm: f32,
    /// 0 on the beat, approaching 1 before the next.
    pub phase: f32,
    /// Probability that the announced beats are right.
    pub confidence: f32,
    /// True in the hop in which a beat is announced.
    pub beat: bool,
    /// Seconds from the end of this hop to the announced beat; negative when it has passed.
    pub beat_in: f32,
    /// Seconds from the end of this hop to the next beat that has not been announced yet.
    pub next_in: f32,
}

/// The tracker. About 33 KiB, almost all of it the state space.
#[derive(Clone, Debug)]
pub struct BeatTracker {
    pulse: Pulse,
    level: Level,
    /// How much better than chance the pulse expects what is heard, per second.
    evidence: Follower,
    /// The same with a longer and a shorter memory.
    used_to: Follower,
    lately: Follower,
    /// How sharply the pulse has decided.
    decision: Follower,
    /// Seconds of sound since the last silence.
    awake: f32,
    /// What was last said of each tempo by how the music repeats, as log-odds that it is the beat's.
    odds: [f32; TEMPI],
    /// How far the announced beats are trusted, while there are any.
    trust: Follower,
    /// What the last confidence was judged by, in 1/[`TRUST_SCALE`].
    looks: [i16; TRUST_LOOKS],
    /// Continuous beat position that is announced: follows the pulse without jumping.
    phase: f32,
    /// Hops per beat.
    period: f32,
    since_beat: f32,
}

impl Default for BeatTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl BeatTracker {
    /// A tracker that has heard nothing.
    #[inline(never)]
    pub fn new() -> Self {
        Self {
            pulse: Pulse::new(),
            level: Level::new(),
            evidence: Follower::new(0.0, 2.0, 2.0),
            used_to: Follower::new(0.0, USED_TO_S, USED_TO_S),
            lately: Follower::new(0.0, LATELY_S, LATELY_S),
            decision: Follower::new(0.0, 1.0, 1.0),
            awake: 0.0,
            odds: [0.0; TEMPI],
            trust: Follower::new(0.0, TRUST_S, TRUST_S),
            looks: [0; TRUST_LOOKS],
            phase: 0.0,
            period: 60.0,
            since_beat: 10.0,
        }
    }

    /// Share of the tracker's belief in each tempo (see [`tempo_bpm`]); together 1. What is announced is the heaviest
    /// neighbourhood. For whoever wants to look: the lamp does not ask.
    pub fn belief(&self) -> [f32; TEMPI] {
        self.pulse.shares()
    }

    /// Advances by one hop. `places` are the log-likelihood ratios of the hop; in silence the tracker rests and forgets.
    pub(super) fn process(
        &mut self,
        places: &[f32; PLACES],
        repeating: &[f32; CURVES],
        silent: bool,
    ) -> BeatReading {
        self.since_beat += DT;
        if silent {
            if self.awake > 0.0 {
                self.pulse.forget();
                self.level.forget();
                for memory in [&mut self.evidence, &mut self.used_to, &mut self.lately] {
                    memory.value = 0.0;
                }
                self.decision.value = 0.0;
                self.trust.value = 0.0;
                self.awake = 0.0;
                self.odds = [0.0; TEMPI];
            }
            return BeatReading::default();
        }
        self.awake += DT;
        self.level.hear(repeating);
        let known = ((self.awake - LEVEL_FROM_S) / (LEVEL_FULL_S - LEVEL_FROM_S)).clamp(0.0, 1.0);
        let tempo = self.pulse.next();
        self.odds[tempo] = known * self.level.odds(tempo).clamp(-LEVEL_MOST, LEVEL_MOST);
        let level = LEVEL * self.odds[tempo];
        let gain = HOP_RATE * self.pulse.advance(places, self.eagerness(), level);
        for memory in [&mut self.evidence, &mut self.used_to, &mut self.lately] {
            memory.step(gain, DT);
        }
        self.announce()
    }

    /// How much this hop counts: more at the beginning, and where what was expected does not come.
    fn eagerness(&self) -> f32 {
        let first = lerp(FIRST_EAGERNESS, 1.0, (self.awake / FIRST_S).min(1.0));
        let worse = (self.used_to.value - self.lately.value) / CHANGED;
        let lost = 1.0 + LOST - self.lately.value;
        first * (1.0 + worse.clamp(0.0, 1.0) * lost.clamp(0.0, 1.0))
    }

    /// What the last confidence was judged by, in 1/1024: for whoever fits the judgement anew. The lamp does not ask.
    pub(super) fn trust_looks(&self) -> [i16; TRUST_LOOKS] {
        self.looks
    }

    /// Where in the beat, in tempo and in how the music repeats, an announced beat may be another's: see `xtask/fit/trust.py`.
    fn judged_by(&self, found: &Likeliest, decision: f32) -> [i16; TRUST_LOOKS] {
        let odds =
            |ratio: f32| tempo_near(ratio * found.period).map_or(-LEVEL_MOST, |tempo| self.odds[tempo]);
        let share = |ratio: f32| {
            tempo_near(ratio * found.period).map_or(0.0, |tempo| self.pulse.share_near(found, tempo))
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
            self.pulse.half_beat_share(found),
            (self.awake * 0.25).min(8.0),
            0.25 * self.lately.value,
        ]
        .map(|x| (x.clamp(-31.0, 31.0) * TRUST_SCALE) as i16)
    }

    /// How far what is announced can be trusted; 0 = there is no beat.
    ///
    /// Clarity is how sharply the pulse has decided (0 … 1) plus how much better than chance it expects what is heard
    /// (a tenth of natural logarithms per second: 0 in noise, about 0.5 in music). What is clear may still be another level
    /// of the metre, or its off-beat: [`trust_in`] says how likely.
    fn confidence(&mut self, decision: f32) -> f32 {
        let clarity = decision + 0.1 * self.evidence.value;
        if clarity >= NO_BEAT {
            let now = trust_in(&self.looks);
            if self.trust.value == 0.0 {
                self.trust.value = now;
            }
            return self.trust.step(now, DT);
        }
        self.trust.value = 0.0;
        if self.awake < EAGER_S { lerp(EAGER.0, EAGER.1, (clarity / NO_BEAT).max(0.0)) } else { 0.0 }
    }

    fn announce(&mut self) -> BeatReading {
        let found = self.pulse.likeliest();
        let heard = (found.position * DT + JUDGED_AFTER_S) / (found.period * DT);

        // The announced phase runs at the tempo and is pulled to the pulse, by the shorter way round.
        self.phase += 1.0 / self.period;
        self.period = found.period;
        let mut error = heard - self.phase;
        error -= libm::roundf(error);
        let jump = error.abs() > 0.2;
        self.phase += error * if jump { 1.0 } else { PULL };

        let decision = self.decision.step(found.share * found.focus, DT);
        self.looks = self.judged_by(&found, decision);
        let confidence = self.confidence(decision);
        let period_s = self.period * DT;
        let mut reading = BeatReading { confidence, ..BeatReading::default() };
        // A beat within half a hop of now is announced now; a jump back must not announce it twice.
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
        }
        if confidence > 0.0 {
            reading.bpm = 60.0 / period_s;
            reading.phase = crate::math::fract(self.phase);
            reading.next_in = (1.0 - self.phase.max(0.0)) * period_s;
        }
        reading
    }
}

/// What a confidence is judged by is counted in so many to one, and the leaves of its trees in so many.
const TRUST_SCALE: f32 = 1024.0;
const LEAF_SCALE: f32 = 8192.0;

/// In the first seconds of sound the pulse is announced before it is sure, and says so: a listener nods along early, too.
const EAGER_S: f32 = 4.0;
/// Confidence from which on a tempo is believed and may be told to people as such: it is right more often than not. What is
/// announced with less is a guess to nod along to.
pub const BELIEVED: f32 = 0.5;
/// Clarity below which there is no beat: noise, drones and speech lie below, music above.
const NO_BEAT: f32 = 0.71;
/// Confidence of an eager pulse, from none to what is nearly clear: it is not believed yet.
const EAGER: (f32, f32) = (0.15, 0.45);
/// Confidence of a pulse that is clear, at the least and at the most.
const CLEAR: (f32, f32) = (0.05, 0.97);
/// The trees' judgement is the mean of the last seconds, so that a tempo near belief is not told and untold.
const TRUST_S: f32 = 1.0;

/// Probability that an announced beat is right: within 70 ms of a true one, and at its tempo.
///
/// Trees that `xtask/fit/trust.py` fitted on announced beats weigh the tempi and places beside the announced one, so that
/// straight eighths at 70 BPM, heard at 140, are announced as doubtful.
fn trust_in(looks: &[i16; TRUST_LOOKS]) -> f32 {
    let sum: i32 = TRUST_TREES.iter().map(|tree| i32::from(ask(tree, looks))).sum();
    let odds = exp(-(sum as f32) * (1.0 / LEAF_SCALE));
    (1.0 / (1.0 + odds)).clamp(CLEAR.0, CLEAR.1)
}

#[cfg(test)]
mod tests {
    use super::super::tree::assert_whole;
    use super::*;

    #[test]
    fn every_tree_ends_in_each_of_its_leaves_and_nowhere_else() {
        for (splits, leaves) in &TRUST_TREES {
            assert_whole(splits, leaves, TRUST_LOOKS);
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
