//! The beat-pointer state space: the probability of each tempo and each beat phase after every hop.
//!
//! The model follows Krebs, Böck & Widmer, "An efficient state-space model for joint tempo and meter tracking" (ISMIR
//! 2015), filtered forward: a hidden pointer moves through the beat by one step per hop, tempi are spaced about
//! evenly in ratio, and the tempo may change only on a beat. The result of a hop is final.
//!
//! Two things are added. Belief in a *tempo* fades towards its prior (the power-steady model of J. Q. Smith, "A
//! generalization of the Bayesian steady forecasting model", J. Royal Statistical Society B 41, 1979); without this
//! the filter is certain of an octave after ten seconds and never reconsiders it. The metrical level
//! ([`metrical_level`](super::metrical_level)) is part of that prior. And each tempo keeps its own belief about
//! whether its beat is divided into two and four or, as in swing and 12/8, into three; with one pattern for both,
//! triplets are heard at 3/2 of their tempo.
//!
//! Moving the pointers costs next to nothing: the states of a tempo are a window that slides down through slightly
//! more memory than it needs, and therefore always lie in the order of their positions.

use super::looked_up::{PRIOR, TRANSITIONS};
use super::observation::POSITIONS;
use super::tables::{LONGEST, REACH, TEMPI, period_of, tempo_near};
use crate::HOP_RATE;
use crate::lanes::{LANES, Lanes, Sums, all_at_least, dot, groups, groups_mut};
use crate::math::{at_least, exp, fract, ln, reciprocal};

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
const TEMPER: [f32; POSITIONS] = [0.14, 0.065, 0.057, 0.065];
/// Added to a hop's log-likelihood per position, before [`TEMPER`] applies.
const BIAS: [f32; POSITIONS] = [0.35, 0.0, 0.0, 0.0];
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
/// Log-odds of a ternary beat before anything was heard, their limit, and their memory in seconds.
const TERNARY_PRIOR: f32 = -2.5;
const TERNARY_MOST: f32 = 4.0;
const TERNARY_MEMORY_S: f32 = 12.0;
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
    /// Log-odds of a ternary beat, relative to the prior's.
    ternary: [f32; TEMPI],
    turn: usize,
}

impl StateSpace {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        states: [0.0; ROOM],
        ahead: [0; TEMPI],
        unit: [0.0; TEMPI],
        mass: [0.0; TEMPI],
        ternary: [0.0; TEMPI],
        turn: 0,
    };

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
        self.ternary = [0.0; TEMPI];
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
        let keep = 1.0 - DT / TERNARY_MEMORY_S;
        let mut scales = Scales::new(gain);
        // In one pass, so that SIMD can compute four at once.
        let three = self.ternary.map(|odds| reciprocal(1.0 + exp(-(odds + TERNARY_PRIOR))));
        let mut after = 0.0;
        for tempo in 0..TEMPI {
            let arrived = dot(&wrapped[tempo..], &TRANSITIONS[tempo]);
            let three = three[tempo];
            let states = &mut self.states[ROOMS[tempo] + usize::from(self.ahead[tempo])..];
            let unit = self.unit[tempo];
            states[0] = arrived * inverse_of_power(unit);
            let (binary, ternary) = scales.weigh(tempo, states, three);
            let (binary, ternary) = (binary * unit, ternary * unit);
            let mass = at_least(self.mass[tempo] - wrapped[REACH + tempo] + arrived, 1e-20);
            self.mass[tempo] = at_least(mass + binary + three * (ternary - binary), 1e-20);
            after += self.mass[tempo];
            let least = 0.05 * mass;
            let odds = at_least(mass + ternary, least) * reciprocal(at_least(mass + binary, least));
            // One hop hardly moves the odds, so the first two terms of the logarithm suffice.
            let news = odds - 1.0;
            let news = if news.abs() < 0.1 { news - 0.5 * news * news } else { ln(odds) };
            self.ternary[tempo] = ((self.ternary[tempo] + news) * keep).clamp(-TERNARY_MOST, TERNARY_MOST);
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

/// Metrical positions within the beat: its half, its quarters and its thirds, as (index among the [`POSITIONS`],
/// twelfths of a beat). The first begins before all others, the last ends after them.
const WITHIN: [(usize, usize); 5] = [(2, 3), (3, 4), (1, 6), (3, 8), (2, 9)];
/// Number of states that a position covers, and number of those before its centre.
const COVERED: usize = 12;
const BEFORE: usize = WIDTH / 12 - 1;

/// For each position and tempo: the first covered state, and the row of [`WEIGHTS`].
static COVERS: [[(u8, u8); WITHIN.len()]; TEMPI] = {
    let mut all = [[(0, 0); WITHIN.len()]; TEMPI];
    let mut tempo = 0;
    while tempo < TEMPI {
        let mut i = 0;
        while i < WITHIN.len() {
            let twelfths = WITHIN[i].1 * period_of(tempo);
            all[tempo][i] = ((twelfths / 12 - BEFORE) as u8, (twelfths % 12) as u8);
            i += 1;
        }
        tempo += 1;
    }
    all
};

const fn weight(twelfths: usize) -> f32 {
    if twelfths < WIDTH { (WIDTH - twelfths) as f32 / WIDTH as f32 } else { 0.0 }
}

/// With SIMD, a group of four should be read as it was written: loads that span two recent stores are slow. A cover
/// therefore begins on a group boundary, up to this many states early.
const AHEAD: usize = LANES - 1;
/// Length of a cover with the states added for alignment.
const SPREAD: usize = COVERED + AHEAD.next_multiple_of(4);

/// Weight of the covered states, by twelfths of a hop from the last state before the centre to the centre. The
/// padding on both sides weighs 0.
static WEIGHTS: [[f32; AHEAD + SPREAD]; 12] = {
    let mut all = [[0.0; AHEAD + SPREAD]; 12];
    let mut twelfths = 0;
    while twelfths < 12 {
        let mut i = 0;
        while i < COVERED {
            all[twelfths][AHEAD + i] = weight((12 * i).abs_diff(12 * BEFORE + twelfths));
            i += 1;
        }
        twelfths += 1;
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

/// The factors of one hop for the states of all tempi, with work space.
struct Scales {
    gain: [f32; POSITIONS],
    near: [[f32; NEAR]; 2],
    factors: [f32; LONGEST + SPREAD],
}

impl Scales {
    fn new(gain: [f32; POSITIONS]) -> Self {
        let near = NEAR_WEIGHTS.map(|weights| weights.map(|w| (1.0 + gain[0] * w).max(LEAST)));
        Self { gain, near, factors: [1.0; LONGEST + SPREAD] }
    }

    /// Multiplies each state of a tempo by 1 plus the gain of its position; the gains of overlapping positions add
    /// up. Returns the gain in belief for a binary and for a ternary beat. The states take the mixture, with the
    /// share `three` of ternary.
    ///
    /// `states` begins with the tempo's own states; a few states behind them may be multiplied by 1.
    ///
    /// Not inlined on a processor with few registers, which would keep the caller's variables on the stack and compute
    /// their addresses anew for each use.
    #[cfg_attr(target_arch = "xtensa", inline(never))]
    fn weigh(&mut self, tempo: usize, states: &mut [f32], three: f32) -> (f32, f32) {
        let gain = &self.gain;
        let mut beat = Sums::ZERO;
        let end = period_of(tempo) - NEAR;
        for (from, weights, factors) in
            [(0, &NEAR_WEIGHTS[0], &self.near[0]), (end, &NEAR_WEIGHTS[1], &self.near[1])]
        {
            weigh_near(covered_mut(states, from), weights, factors, &mut beat);
        }

        let covers = &COVERS[tempo];
        let first = usize::from(covers[0].0);
        // Whole groups of four; states that no position covers are multiplied by 1.
        let last = usize::from(covers[WITHIN.len() - 1].0) - first;
        let length = ((last & !AHEAD) + SPREAD).next_multiple_of(4);
        let window = &mut states[first..first + length];
        let factors = &mut self.factors[..length];
        factors.as_chunks_mut().0.fill([1.0; 4]);
        let share = [0.0, (1.0 - three) * gain[1], (1.0 - three) * gain[2], three * gain[3]];
        let mut belief = [0.0; POSITIONS];
        for ((from, kind), (position, _)) in covers.iter().zip(WITHIN) {
            let from = usize::from(*from) - first;
            let (group, weights) = (from & !AHEAD, &WEIGHTS[usize::from(*kind)]);
            let weights = covered(weights, AHEAD - from % LANES);
            belief[position] +=
                expect(covered(window, group), covered_mut(factors, group), weights, share[position]);
        }
        for (s, f) in window.as_chunks_mut::<4>().0.iter_mut().zip(factors.as_chunks::<4>().0) {
            for (s, f) in groups_mut(s).zip(groups(f)) {
                *s = (Lanes::new(*s) * all_at_least(f, LEAST)).to_array();
            }
        }
        let [_, half, quarter, third] = belief;
        let both = gain[0] * beat.total();
        (both + gain[1] * half + gain[2] * quarter, both + gain[3] * third)
    }
}

/// `LENGTH` entries of a row.
fn covered<const LENGTH: usize>(row: &[f32], from: usize) -> &[f32; LENGTH] {
    &row[from..].as_chunks().0[0]
}

/// `LENGTH` entries of a row, mutable.
fn covered_mut<const LENGTH: usize>(row: &mut [f32], from: usize) -> &mut [f32; LENGTH] {
    &mut row[from..].as_chunks_mut().0[0]
}

/// Multiplies the states near the beat by their factors; adds their weight before that to the sums.
fn weigh_near(states: &mut [f32; NEAR], weights: &[f32; NEAR], factors: &[f32; NEAR], beat: &mut Sums) {
    let (states, weights, factors) =
        (states.as_chunks_mut::<4>().0, weights.as_chunks::<4>().0, factors.as_chunks::<4>().0);
    for i in 0..NEAR / 4 {
        beat.add(&states[i], &weights[i]);
        for (s, f) in groups_mut(&mut states[i]).zip(groups(&factors[i])) {
            *s = (Lanes::new(*s) * f).to_array();
        }
    }
}

/// Adds a share of the weights to the factors. Returns the weighted sum of the states.
///
/// Two loops rather than one, and not inlined on a processor with few registers, so that 16 of them suffice.
#[cfg_attr(target_arch = "xtensa", inline(never))]
fn expect(states: &[f32; SPREAD], factors: &mut [f32; SPREAD], weights: &[f32; SPREAD], share: f32) -> f32 {
    let (states, factors, weights) =
        (states.as_chunks::<4>().0, factors.as_chunks_mut::<4>().0, weights.as_chunks::<4>().0);
    let (share, mut sums) = (Lanes::splat(share), Sums::ZERO);
    for (factors, weights) in factors.iter_mut().zip(weights) {
        for (f, w) in groups_mut(factors).zip(groups(weights)) {
            *f = (Lanes::new(*f) + share * w).to_array();
        }
    }
    for (states, weights) in states.iter().zip(weights) {
        sums.add(states, weights);
    }
    sums.total()
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
            space.advance(&scores.unwrap_or([-0.8, -0.4, -0.3, -0.3]), 1.0, |_| 0.0);
            last = (hop as f32 / period).fract();
        }
        (space.estimate(), last)
    }

    // The trees give a half 1.6 on average.
    const STRONG: [f32; POSITIONS] = [4.0, 2.5, 1.5, 1.5];
    const WEAK: [f32; POSITIONS] = [0.5, 1.6, 1.5, 2.0];

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
    fn triplets_do_not_pass_for_a_tempo_three_halves_as_fast() {
        let period = 67.0;
        let (found, _) = hear(period, 30, |twelfth| match twelfth {
            0 => Some(STRONG),
            4 | 8 => Some(WEAK),
            _ => None,
        });
        assert!((found.period / period - 1.0).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn without_news_belief_returns_to_the_prior_and_keeps_its_sum() {
        let mut space = StateSpace::BLANK;
        space.start();
        for _ in 0..10_000 {
            space.advance(&[-BIAS[0], 0.0, 0.0, 0.0], 1.0, |_| 0.0);
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
