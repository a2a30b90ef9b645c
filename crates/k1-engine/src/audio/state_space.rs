//! The beat-pointer state space: the probability of each tempo and each beat phase after every hop.
//!
//! The model follows Krebs, Böck & Widmer, "An efficient state-space model for joint tempo and meter tracking" (ISMIR
//! 2015), filtered forward: a hidden pointer moves through the beat by one step per hop, tempi are spaced about
//! evenly in ratio, and the tempo may change only on a beat. The result of a hop is final.
//!
//! One thing is added. Belief in a *tempo* fades towards its prior (the power-steady model of J. Q. Smith, "A
//! generalization of the Bayesian steady forecasting model", J. Royal Statistical Society B 41, 1979); without this
//! the filter is certain of an octave after ten seconds and never reconsiders it. What the network says about the tempo
//! is part of that prior.
//!
//! Moving the pointers costs next to nothing: the states of a tempo are a window that slides down through slightly
//! more memory than it needs, and therefore always lie in the order of their positions.

use super::judgement::POSITIONS;
use super::looked_up::{PRIOR, TRANSITIONS};
use super::tables::{REACH, TEMPI, period_of, tempo_near};
use crate::HOP_RATE;
use crate::lanes::{Lanes, Sums, dot, groups, groups_mut};
use crate::math::{at_least, exp, fract, ln};

/// Entries by which a window slides before it is moved back.
const SLIDE: usize = 8;
/// Index at which the memory of each tempo begins.
const ROOMS: [usize; TEMPI + 1] = {
    let mut rooms = [0; TEMPI + 1];
    let mut tempo = 0;
    while tempo < TEMPI {
        rooms[tempo + 1] = rooms[tempo] + period_of(tempo) + SLIDE;
        tempo += 1;
    }
    rooms
};
const ROOM: usize = ROOMS[TEMPI];
/// Half width of a metrical position in twelfths of a hop (48 ms); its weight falls linearly. In this unit halves,
/// quarters and thirds are whole numbers.
const WIDTH: usize = 72;
/// Factor on a hop's log-likelihood per position, because successive hops hear much the same.
const TEMPER: [f32; POSITIONS] = [0.12, 0.095];
/// Added to a hop's log-likelihood per position, before [`TEMPER`] applies.
const BIAS: [f32; POSITIONS] = [0.35, 0.0];
/// Limit of a hop's log-likelihood, before [`TEMPER`] applies.
const MOST: f32 = 4.0;
/// Least factor by which one hop scales a state.
const LEAST: f32 = 0.02;
/// Least unit of a tempo's states: 2⁻¹⁰⁰.
const LEAST_UNIT: f32 = f32::from_bits((127 - 100) << 23);
/// Memory for the tempo in seconds.
const MEMORY_S: f32 = 8.0;
/// Share of a tempo's belief that spreads evenly over all phases when its turn comes (every 0.64 s).
const LEAK: f32 = 0.0015;
const DT: f32 = 1.0 / HOP_RATE;

/// The most probable tempo and phase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    /// Length of the beat in hops.
    pub period: f32,
    /// Position of the pointer in hops, 0 … period.
    pub position: f32,
    /// Share of the total belief that lies near this tempo.
    pub share: f32,
    /// Share of this tempo's belief that lies near this position.
    pub focus: f32,
    /// Total belief, in the unit of the states.
    pub total: f32,
}

/// The state space. About 30 KiB.
#[derive(Clone, Debug)]
pub(super) struct StateSpace {
    states: [f32; ROOM],
    /// Offset of each tempo's window in its memory; the pointer stands at 0 there.
    ahead: [u8; TEMPI],
    /// Belief in a state of each tempo is the state times this power of two.
    unit: [f32; TEMPI],
    /// Belief in each tempo.
    mass: [f32; TEMPI],
    turn: usize,
}

impl StateSpace {
    /// All zeros.
    pub(super) const BLANK: Self =
        Self { states: [0.0; ROOM], ahead: [0; TEMPI], unit: [0.0; TEMPI], mass: [0.0; TEMPI], turn: 0 };

    /// Makes every phase of [`BLANK`](Self::BLANK) equally likely, tempi as in the prior.
    pub(super) fn start(&mut self) {
        // Different offsets, so that the windows are moved back in different hops.
        for (tempo, ahead) in self.ahead.iter_mut().enumerate() {
            *ahead = (tempo % SLIDE) as u8;
        }
        self.forget();
    }

    /// Forgets tempo and phase, as after silence or a new song.
    pub(super) fn forget(&mut self) {
        for (tempo, prior) in PRIOR.iter().enumerate() {
            let each = prior / period_of(tempo) as f32;
            self.window(tempo).fill(each);
        }
        self.unit = [1.0; TEMPI];
        self.mass = PRIOR;
    }

    /// Advances by one hop and weighs the observation `eagerness` times as much as in settled music. Returns the natural
    /// logarithm of how much better than chance the model predicted the observation.
    ///
    /// Each hop, one tempo fades towards its prior. `log_prior` is called once, with that tempo, and returns the natural
    /// logarithm of a factor on its prior.
    pub(super) fn advance(
        &mut self,
        scores: &[f32; POSITIONS],
        eagerness: f32,
        log_prior: impl FnOnce(usize) -> f32,
    ) -> f32 {
        let turn = (self.turn + 1) % TEMPI;
        let prior_factor = exp(log_prior(turn));
        let gain: [f32; POSITIONS] = core::array::from_fn(|k| {
            exp((scores[k] + BIAS[k]).clamp(-MOST, MOST) * TEMPER[k] * eagerness) - 1.0
        });
        let before: f32 = self.mass.iter().sum();
        // Belief that reaches the end of its beat; it is padded with zeros beyond the fastest and the slowest tempo.
        let mut wrapped = [0.0; TEMPI + 2 * REACH];
        for tempo in 0..TEMPI {
            wrapped[REACH + tempo] = self.slide(tempo) * self.unit[tempo];
        }
        let scales = Scales::new(gain);
        let mut after = 0.0;
        for tempo in 0..TEMPI {
            let arrived = dot(&wrapped[tempo..], &TRANSITIONS[tempo]);
            let states = &mut self.states[ROOMS[tempo] + usize::from(self.ahead[tempo])..];
            let unit = self.unit[tempo];
            states[0] = arrived * inverse_of_power(unit);
            let gained = scales.weigh(tempo, states) * unit;
            self.mass[tempo] = at_least(self.mass[tempo] - wrapped[REACH + tempo] + arrived + gained, 1e-20);
            after += self.mass[tempo];
        }
        self.turn = turn;
        self.fade(after, prior_factor);
        ln(after / before)
    }

    /// The states of a tempo in the order of their positions.
    fn window(&mut self, tempo: usize) -> &mut [f32] {
        let from = ROOMS[tempo] + usize::from(self.ahead[tempo]);
        &mut self.states[from..from + period_of(tempo)]
    }

    /// Moves the pointers of a tempo by one hop. Returns the belief that reached the end of the beat. The caller must
    /// write the state at position 0.
    fn slide(&mut self, tempo: usize) -> f32 {
        let (from, period) = (ROOMS[tempo] + usize::from(self.ahead[tempo]), period_of(tempo));
        let wrapped = self.states[from + period - 1];
        if self.ahead[tempo] == 0 {
            // The last state has wrapped, so it is left behind.
            self.states.copy_within(from..from + period - 1, from + SLIDE);
            self.ahead[tempo] = SLIDE as u8;
        }
        self.ahead[tempo] -= 1;
        wrapped
    }

    /// Fades the tempo whose turn it is towards its prior, and recomputes its running sum exactly.
    fn fade(&mut self, total: f32, prior_factor: f32) {
        // Scaling every state at once would make a hop too long. The numbers become large or small in a second at
        // least, so each tempo's states are scaled when its turn comes.
        let mut total = total;
        if !(1e-6..=1e6).contains(&total) {
            let scale = inverse_of_power(power_below(total.max(1e-30)));
            self.unit.iter_mut().for_each(|unit| *unit = (*unit * scale).clamp(LEAST_UNIT, 1.0 / LEAST_UNIT));
            self.mass.iter_mut().for_each(|m| *m *= scale);
            total *= scale;
        }
        let turn = self.turn;
        let unit = core::mem::replace(&mut self.unit[turn], 1.0);
        let window = self.window(turn);
        let sum: f32 = (window.iter().sum::<f32>() * unit).max(1e-25);
        let share = (PRIOR[turn] * prior_factor * total / sum).max(1e-12);
        let factor = exp(ln(share) * (TEMPI as f32 * DT / MEMORY_S));
        let (stay, spread) = ((1.0 - LEAK) * factor * unit, LEAK * factor * sum / window.len() as f32);
        window.iter_mut().for_each(|s| *s = *s * stay + spread);
        self.mass[turn] = sum * factor;
    }

    /// Share of all belief in each tempo.
    pub(super) fn shares(&self) -> [f32; TEMPI] {
        let total: f32 = self.mass.iter().sum();
        self.mass.map(|mass| mass / total.max(1e-30))
    }

    /// Share of the total belief that lies within two tempi of `tempo`. `found` is the current estimate.
    pub(super) fn share_near(&self, found: &Estimate, tempo: usize) -> f32 {
        let near = &self.mass[tempo.saturating_sub(2)..(tempo + 3).min(TEMPI)];
        near.iter().sum::<f32>() / found.total
    }

    /// Share of the belief near the most probable tempo that lies half a beat away from its position.
    pub(super) fn half_beat_share(&self, found: &Estimate) -> f32 {
        let Some(tempo) = tempo_near(found.period) else { return 0.0 };
        let length = period_of(tempo);
        let at = (found.position + 0.5 * found.period) as usize;
        let around: f32 = (0..7).map(|d| self.state(tempo, (at + length + d - 3) % length)).sum();
        around * self.unit[tempo] / self.mass[tempo].max(1e-30)
    }

    fn state(&self, tempo: usize, position: usize) -> f32 {
        self.states[ROOMS[tempo] + usize::from(self.ahead[tempo]) + position]
    }

    /// The heaviest neighbourhood of tempi, its centre of gravity, and its most probable position.
    pub(super) fn estimate(&self) -> Estimate {
        let total: f32 = self.mass.iter().sum();
        let (mut best, mut heaviest) = (2, -1.0);
        for tempo in 2..TEMPI - 2 {
            let around: f32 = self.mass[tempo - 2..=tempo + 2].iter().sum();
            if around > heaviest {
                heaviest = around;
                best = tempo;
            }
        }
        let moment: f32 = (best - 2..=best + 2).map(|t| self.mass[t] * period_of(t) as f32).sum();
        let length = period_of(best);
        let (mut top, mut at, mut sum) = (-1.0, 0, 0.0);
        for position in 0..length {
            let s = self.state(best, position);
            sum += s;
            if s > top {
                top = s;
                at = position;
            }
        }
        let (mut around, mut lean) = (0.0, 0.0);
        for d in -3_i32..=3 {
            let s = self.state(best, (at as i32 + d).rem_euclid(length as i32) as usize);
            around += s;
            lean += s * d as f32;
        }
        let period = moment / heaviest.max(1e-30);
        let position = at as f32 + lean / around.max(1e-30);
        Estimate {
            period,
            position: fract(position / period) * period,
            share: heaviest / total.max(1e-30),
            focus: around / sum.max(1e-30),
            total: total.max(1e-30),
        }
    }
}

/// The largest power of two that is not above `x`, for normal `x`.
fn power_below(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7f80_0000)
}

/// The inverse of a power of two within 2⁻¹²⁶ … 2¹²⁶; exact.
fn inverse_of_power(power: f32) -> f32 {
    f32::from_bits(0x7f00_0000 - power.to_bits())
}

/// Number of states that the half of the beat covers, and number of those before its centre.
const COVERED: usize = 12;
const BEFORE: usize = WIDTH / 12 - 1;

/// The first state that the half of a tempo's beat covers, and whether its centre lies between two states.
const fn half_of(tempo: usize) -> (usize, usize) {
    let period = period_of(tempo);
    (period / 2 - BEFORE, period % 2)
}

const fn weight(twelfths: usize) -> f32 {
    if twelfths < WIDTH { (WIDTH - twelfths) as f32 / WIDTH as f32 } else { 0.0 }
}

/// Weights of the states around the half, for a centre on a state and for one between two.
static HALF_WEIGHTS: [[f32; COVERED]; 2] = {
    let mut all = [[0.0; COVERED]; 2];
    let mut i = 0;
    while i < COVERED {
        all[0][i] = weight((12 * i).abs_diff(12 * BEFORE));
        all[1][i] = weight((12 * i).abs_diff(12 * BEFORE + 6));
        i += 1;
    }
    all
};

/// Number of states that the beat itself covers at the beginning and at the end of a beat.
const NEAR: usize = 8;
/// Weights of these states.
static NEAR_WEIGHTS: [[f32; NEAR]; 2] = {
    let mut all = [[0.0; NEAR]; 2];
    let mut i = 0;
    while i < NEAR {
        all[0][i] = weight(12 * i);
        all[1][NEAR - 1 - i] = weight(12 * (i + 1));
        i += 1;
    }
    all
};

/// The factors of one hop for the states of all tempi.
struct Scales {
    gain: [f32; POSITIONS],
    near: [[f32; NEAR]; 2],
    half: [[f32; COVERED]; 2],
}

impl Scales {
    fn new(gain: [f32; POSITIONS]) -> Self {
        Self {
            gain,
            near: NEAR_WEIGHTS.map(|weights| weights.map(|w| (1.0 + gain[0] * w).max(LEAST))),
            half: HALF_WEIGHTS.map(|weights| weights.map(|w| (1.0 + gain[1] * w).max(LEAST))),
        }
    }

    /// Multiplies each state of a tempo by 1 plus the gain of its position. Returns the gain in belief.
    ///
    /// `states` begins with the tempo's own states. Not inlined on a processor with few registers, which would keep the
    /// caller's variables on the stack and compute their addresses anew for each use.
    #[cfg_attr(target_arch = "xtensa", inline(never))]
    fn weigh(&self, tempo: usize, states: &mut [f32]) -> f32 {
        let (mut beat, mut half) = (Sums::ZERO, Sums::ZERO);
        let end = period_of(tempo) - NEAR;
        cover(covered_mut::<NEAR>(states, 0), &NEAR_WEIGHTS[0], &self.near[0], &mut beat);
        cover(covered_mut::<NEAR>(states, end), &NEAR_WEIGHTS[1], &self.near[1], &mut beat);
        let (from, kind) = half_of(tempo);
        cover(covered_mut::<COVERED>(states, from), &HALF_WEIGHTS[kind], &self.half[kind], &mut half);
        self.gain[0] * beat.total() + self.gain[1] * half.total()
    }
}

/// `LENGTH` entries of a row, mutable.
fn covered_mut<const LENGTH: usize>(row: &mut [f32], from: usize) -> &mut [f32; LENGTH] {
    &mut row[from..].as_chunks_mut().0[0]
}

/// Multiplies states by their factors; adds their weight before that to the sums.
fn cover<const LENGTH: usize>(
    states: &mut [f32; LENGTH],
    weights: &[f32; LENGTH],
    factors: &[f32; LENGTH],
    sums: &mut Sums,
) {
    let (states, weights, factors) =
        (states.as_chunks_mut::<4>().0, weights.as_chunks::<4>().0, factors.as_chunks::<4>().0);
    for ((states, weights), factors) in states.iter_mut().zip(weights).zip(factors) {
        sums.add(states, weights);
        for (s, f) in groups_mut(states).zip(groups(factors)) {
            *s = (Lanes::new(*s) * f).to_array();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a rhythm, given as log-likelihood ratios at twelfths of a beat of `period` hops. Returns the estimate
    /// and the true phase.
    fn hear(period: f32, beats: usize, at: impl Fn(usize) -> Option<[f32; POSITIONS]>) -> (Estimate, f32) {
        let mut space = StateSpace::BLANK;
        space.start();
        let mut last = 0.0;
        for hop in 0..(period * beats as f32) as usize {
            let twelfths = (hop as f32 / period).fract() * 12.0;
            let nearest = libm::roundf(twelfths);
            let on = (twelfths - nearest).abs() * period / 12.0 < 1.0;
            let scores = if on { at(nearest as usize % 12) } else { None };
            space.advance(&scores.unwrap_or([-0.8, -0.4]), 1.0, |_| 0.0);
            last = (hop as f32 / period).fract();
        }
        (space.estimate(), last)
    }

    const STRONG: [f32; POSITIONS] = [4.0, 2.5];
    const WEAK: [f32; POSITIONS] = [0.5, 1.6];

    #[test]
    fn weak_eighths_do_not_double_the_tempo() {
        for period in [60.0, 70.0, 78.0, 84.0] {
            let (found, phase) = hear(period, 20, |twelfth| match twelfth {
                0 => Some(STRONG),
                6 => Some(WEAK),
                _ => None,
            });
            assert!((found.period / period - 1.0).abs() < 0.02, "{period}: {found:?}");
            let off = found.position / found.period - phase;
            assert!((off - libm::roundf(off)).abs() < 0.08, "{period}: {found:?} at {phase}");
            assert!(found.share > 0.5 && found.focus > 0.5, "{found:?}");
        }
    }

    #[test]
    fn without_news_belief_returns_to_the_prior_and_keeps_its_sum() {
        let mut space = StateSpace::BLANK;
        space.start();
        for _ in 0..10_000 {
            space.advance(&[-BIAS[0], 0.0], 1.0, |_| 0.0);
        }
        let sum: f32 = space.mass.iter().sum();
        let exact: f32 = (0..TEMPI).map(|tempo| space.window(tempo).iter().sum::<f32>()).sum();
        assert!((sum / exact - 1.0).abs() < 0.01, "{sum} {exact}");
        for (mass, prior) in space.mass.iter().zip(&PRIOR) {
            assert!((mass / sum - prior).abs() < 0.02, "{mass} {prior}");
        }
    }

    #[test]
    fn every_tempo_hands_out_exactly_what_it_holds() {
        let rows = TRANSITIONS;
        for from in 0..TEMPI {
            let out: f32 = (0..TEMPI).filter_map(|to| rows[to].get((from + REACH).wrapping_sub(to))).sum();
            assert!((out - 1.0).abs() < 1e-5, "{from}: {out}");
        }
    }
}
