//! Tempo, beat phase and the time of the next beat.
//!
//! A beat-pointer state space filtered forward, after Krebs, Böck & Widmer, "An efficient state-space model for
//! joint tempo and meter tracking" (ISMIR 2015): a hidden pointer moves through the beat by one step per hop;
//! each whole number of hops per beat is a tempo of its own; the tempo may change only on a beat. The
//! observation is the onset strength, without a network. Nothing is smoothed over the future: the filter is
//! causal and its answer for a hop is final.
//!
//! Moving the pointer costs nothing here: a tempo's states form a ring and the hop counter is the hand on it.
//! Only the states near a beat are touched in a hop, about one in eight.

use crate::HOP_RATE;
use crate::math::Follower;

/// Tempi that can be found, in beats per minute.
pub const BPM_RANGE: core::ops::RangeInclusive<f32> = 50.0..=215.0;

/// Shortest and longest beat in hops.
const SHORTEST: usize = 35;
const LONGEST: usize = 150;
const TEMPI: usize = LONGEST - SHORTEST + 1;
const STATES: usize = (SHORTEST + LONGEST) * TEMPI / 2;
/// Width of the tempo transition, in tempi to either side.
const REACH: usize = 6;
/// Steepness of the tempo transition: P ∝ e^(−λ·|ratio − 1|).
const TRANSITION_LAMBDA: f32 = 90.0;
/// Share of a beat in which an onset counts as the beat.
const BEAT_SHARE: f32 = 1.0 / 14.0;
/// How much less an onset counts at the end of that share than at its start. Without a slope every place in the share
/// is as good, and where nothing sounds between the beats, as with single clicks, they are announced up to 50 ms early.
const BEAT_SLOPE: f32 = 0.4;
/// The observation is delayed by the analysis window; the phase is led by so much, in seconds.
const DELAY_S: f32 = 0.020;
/// So near a beat, in seconds, an onset counts for it when trust is measured.
const NEAR_S: f32 = 0.040;
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

/// The tracker. About 45 KiB, almost all of it the state space.
#[derive(Clone, Debug)]
pub struct BeatTracker {
    states: [f32; STATES],
    /// Probability of each tempo.
    mass: [f32; TEMPI],
    transition: [[f32; 2 * REACH + 1]; TEMPI],
    prior: [f32; TEMPI],
    hops: usize,
    refresh: usize,
    mean: Follower,
    peak: Follower,
    /// Mean onset activation on the beat and away from it.
    on_beat: Follower,
    off_beat: Follower,
    clarity: Follower,
    /// Continuous beat position that is announced: follows the filter without jumping.
    phase: f32,
    period: f32,
    since_beat: f32,
}

impl Default for BeatTracker {
    fn default() -> Self {
        Self::new()
    }
}

const fn offset(tempo: usize) -> usize {
    // Σ (SHORTEST + i) for i < tempo
    tempo * SHORTEST + tempo * tempo.saturating_sub(1) / 2
}

impl BeatTracker {
    /// A tracker that has heard nothing: every phase is equally likely, tempi follow the prior.
    pub fn new() -> Self {
        // Log-normal preference around 120 BPM (after Moelants, "Preferred tempo reconsidered", ICMPC 2002).
        let mut prior: [f32; TEMPI] = core::array::from_fn(|i| {
            let octaves = libm::log2f(60.0 * HOP_RATE / (SHORTEST + i) as f32 / 120.0);
            libm::expf(-0.5 * (octaves / 0.8) * (octaves / 0.8)) / (SHORTEST + i) as f32
        });
        let sum: f32 = prior.iter().sum();
        prior.iter_mut().for_each(|p| *p /= sum);

        let transition = core::array::from_fn(|to| {
            let mut row = [0.0_f32; 2 * REACH + 1];
            for (k, p) in row.iter_mut().enumerate() {
                let from = to as isize + k as isize - REACH as isize;
                if (0..TEMPI as isize).contains(&from) {
                    let ratio = (SHORTEST + to) as f32 / (SHORTEST as isize + from) as f32;
                    *p = libm::expf(-TRANSITION_LAMBDA * (ratio - 1.0).abs());
                }
            }
            row
        });
        let mut tracker = Self {
            states: [0.0; STATES],
            mass: [0.0; TEMPI],
            transition,
            prior,
            hops: 0,
            refresh: 0,
            mean: Follower::new(0.0, 1.0, 1.0),
            peak: Follower::new(0.1, 0.02, 3.0),
            on_beat: Follower::new(0.0, 0.5, 0.5),
            off_beat: Follower::new(0.0, 2.0, 2.0),
            clarity: Follower::new(0.0, 1.0, 1.0),
            phase: 0.0,
            period: 60.0,
            since_beat: 10.0,
        };
        tracker.normalise_transition();
        tracker.forget();
        tracker
    }

    /// Each tempo must hand out exactly what it holds.
    fn normalise_transition(&mut self) {
        for from in 0..TEMPI {
            let (lo, hi) = (from.saturating_sub(REACH), (from + REACH).min(TEMPI - 1));
            let sum: f32 = (lo..=hi).map(|to| self.transition[to][from + REACH - to]).sum();
            for to in lo..=hi {
                self.transition[to][from + REACH - to] /= sum;
            }
        }
    }

    /// Forgets tempo and phase, as after silence or a new song.
    pub fn forget(&mut self) {
        for tempo in 0..TEMPI {
            let period = SHORTEST + tempo;
            let each = self.prior[tempo] / period as f32;
            self.states[offset(tempo)..offset(tempo) + period].fill(each);
            self.mass[tempo] = self.prior[tempo];
        }
        self.clarity.value = 0.0;
        self.on_beat.value = 0.0;
        self.off_beat.value = 0.0;
    }

    /// Advances by one hop. `flux` is the onset flux of the hop; in silence the tracker rests and forgets.
    pub fn process(&mut self, flux: f32, silent: bool) -> BeatReading {
        if silent {
            if self.clarity.value > 0.0 {
                self.forget();
            }
            self.since_beat += DT;
            self.hops += 1;
            return BeatReading::default();
        }
        let mean = self.mean.step(flux, DT);
        let peak = self.peak.step(flux.max(0.02), DT);
        let activation = ((flux - mean * 0.8) / (peak - mean * 0.8).max(0.02)).clamp(0.0, 1.0);
        self.advance(activation);
        self.announce(activation)
    }

    fn advance(&mut self, activation: f32) {
        self.hops += 1;
        // States whose pointer wraps now, one per tempo.
        let wrapped: [f32; TEMPI] = core::array::from_fn(|tempo| self.states[self.slot(tempo, 0)]);
        let on_beat = 0.06 + 0.94 * activation;
        let off_beat = (1.0 - 0.94 * activation) * 0.16;
        let ratio = on_beat / off_beat;
        let mut total = 0.0;
        for tempo in 0..TEMPI {
            let period = SHORTEST + tempo;
            let mut arrived = 0.0;
            for (k, p) in self.transition[tempo].iter().enumerate() {
                let from = (tempo + k).wrapping_sub(REACH);
                if from < TEMPI {
                    arrived += p * wrapped[from];
                }
            }
            let slot = self.slot(tempo, 0);
            let mut mass = self.mass[tempo] - self.states[slot] + arrived;
            self.states[slot] = arrived;
            let near = (period as f32 * BEAT_SHARE) as usize + 1;
            let slope = (ratio - 1.0) * BEAT_SLOPE / near as f32;
            for position in 0..near {
                let slot = self.slot(tempo, position);
                let before = self.states[slot];
                let after = before * (ratio - slope * position as f32);
                self.states[slot] = after;
                mass += after - before;
            }
            self.mass[tempo] = mass.max(0.0);
            total += self.mass[tempo];
        }
        self.rescale(total);
    }

    /// Keeps the sum of all states near one, and the running masses exact, a tempo at a time.
    fn rescale(&mut self, total: f32) {
        // Scaling every state each hop would cost more than all the rest: do it when the numbers get large or
        // small, which takes at least a second.
        if !(1e-6..=1e6).contains(&total) {
            let scale = 1.0 / total.max(1e-30);
            self.states.iter_mut().for_each(|s| *s = (*s * scale).max(1e-12));
            self.mass.iter_mut().for_each(|m| *m *= scale);
        }
        self.refresh = (self.refresh + 1) % TEMPI;
        let (from, len) = (offset(self.refresh), SHORTEST + self.refresh);
        self.mass[self.refresh] = self.states[from..from + len].iter().sum();
    }

    /// Index of the state of `tempo` whose pointer stands at `position` now.
    fn slot(&self, tempo: usize, position: usize) -> usize {
        let period = SHORTEST + tempo;
        offset(tempo) + (position + period - self.hops % period) % period
    }

    fn announce(&mut self, activation: f32) -> BeatReading {
        let total: f32 = self.mass.iter().sum();
        // The tempo is the heaviest neighbourhood, its value the centre of gravity there.
        let mut best = 0;
        let mut heaviest = -1.0;
        for tempo in 2..TEMPI - 2 {
            let around: f32 = self.mass[tempo - 2..=tempo + 2].iter().sum();
            if around > heaviest {
                heaviest = around;
                best = tempo;
            }
        }
        let mut weight = 0.0;
        let mut period = 0.0;
        for tempo in best - 2..=best + 2 {
            weight += self.mass[tempo];
            period += self.mass[tempo] * (SHORTEST + tempo) as f32;
        }
        period /= weight.max(1e-30);
        let share = heaviest / total.max(1e-30);

        // Phase: the heaviest position of the best tempo, refined by its neighbours.
        let (mut top, mut at) = (-1.0, 0);
        let mut sum = 0.0;
        let p = SHORTEST + best;
        for position in 0..p {
            let s = self.states[self.slot(best, position)];
            sum += s;
            if s > top {
                top = s;
                at = position;
            }
        }
        let mut around = 0.0;
        let mut moment = 0.0;
        for d in -3_isize..=3 {
            let s = self.states[self.slot(best, (at as isize + d).rem_euclid(p as isize) as usize)];
            around += s;
            moment += s * d as f32;
        }
        let position = at as f32 + moment / around.max(1e-30);
        let filtered = crate::math::fract((position * DT + DELAY_S) / (period * DT));
        let focus = around / sum.max(1e-30);

        // The announced phase runs at the tempo and is pulled to the filter's, by the shorter way round.
        self.phase += 1.0 / self.period;
        self.since_beat += DT;
        self.period = period;
        let mut error = filtered - self.phase;
        error -= libm::roundf(error);
        let jump = error.abs() > 0.2;
        self.phase += error * if jump { 1.0 } else { 0.35 };

        // Trust is how much more begins on the beat than away from it, weighted by how sharply the filter has decided.
        let off = self.phase - libm::roundf(self.phase);
        if off.abs() * self.period * DT < NEAR_S {
            self.on_beat.step(activation, DT);
        } else if off.abs() > 0.15 {
            self.off_beat.step(activation, DT);
        }
        let contrast = self.on_beat.value / (self.on_beat.value + self.off_beat.value).max(0.02);
        let clarity = self.clarity.step(contrast * share * focus, DT);
        let confidence = confidence_of(clarity);
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

/// Clarity below which there is no beat: noise, drones and speech lie below, music above.
const NO_BEAT: f32 = 0.55;

/// Share of announced beats that were right (±70 ms) at a clarity, measured on 84 annotated excerpts; 0 = no beat.
///
/// It ends at 0.82: of the beats that look perfectly clear, one in six is at another metrical level.
fn confidence_of(clarity: f32) -> f32 {
    use crate::math::lerp;
    if clarity < NO_BEAT {
        0.0
    } else if clarity < 0.65 {
        lerp(0.45, 0.66, (clarity - NO_BEAT) / (0.65 - NO_BEAT))
    } else {
        lerp(0.66, 0.82, ((clarity - 0.65) / 0.10).min(1.0))
    }
}
