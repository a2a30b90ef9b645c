//! The hidden pulse: how likely each tempo and each place in the beat is, after every hop.
//!
//! A beat-pointer state space filtered forward, after Krebs, Böck & Widmer, "An efficient state-space model for
//! joint tempo and meter tracking" (ISMIR 2015): a hidden pointer moves through the beat by one step per hop; tempi
//! are spaced about evenly in ratio; the tempo may change only on a beat. The answer for a hop is final.
//!
//! Two things are added. What was learned about the *tempo* fades in favour of the prior (the power-steady model of
//! J. Q. Smith, "A generalization of the Bayesian steady forecasting model", J. Royal Statistical Society B 41, 1979):
//! without it the filter is sure of an octave after ten seconds and never asks again. And each tempo keeps
//! its own belief whether its beat is divided in two and four or, as in swing and 12/8, in three: with one
//! pattern for both, triplets are heard at 3/2 of their tempo.
//!
//! Moving the pointer costs nothing: a tempo's states form a ring, and a hand counts down through it.

use super::accent::PLACES;
use super::looked_up::{PRIOR, TRANSITIONS};
use super::tables::{REACH, TEMPI, period_of};
use crate::HOP_RATE;
use crate::math::{exp, fract, ln};

const OFFSETS: [usize; TEMPI + 1] = {
    let mut offsets = [0; TEMPI + 1];
    let mut tempo = 0;
    while tempo < TEMPI {
        offsets[tempo + 1] = offsets[tempo] + period_of(tempo);
        tempo += 1;
    }
    offsets
};
const STATES: usize = OFFSETS[TEMPI];
/// A place is so wide to either side, in twelfths of a hop (so that halves, quarters and thirds are whole numbers),
/// and fades linearly: 48 ms.
const WIDTH: i32 = 72;
/// Successive hops hear much the same: so much of a hop's log-likelihood counts, for each place …
const TEMPER: [f32; PLACES] = [0.14, 0.065, 0.057, 0.065];
/// … after this was added to it.
const BIAS: [f32; PLACES] = [0.35, 0.0, 0.0, 0.0];
/// Nothing that is heard in one hop counts more than this, before tempering.
const MOST: f32 = 4.0;
/// Memory for the tempo in seconds.
const MEMORY_S: f32 = 8.0;
/// Share of a tempo's belief that spreads evenly over all phases each time its turn comes (every 0.64 s).
const LEAK: f32 = 0.0015;
/// Log-odds that a beat is divided in three before anything was heard, their limit, and their memory in seconds.
const TERNARY_PRIOR: f32 = -2.5;
const TERNARY_MOST: f32 = 4.0;
const TERNARY_MEMORY_S: f32 = 12.0;
const DT: f32 = 1.0 / HOP_RATE;

/// The most likely tempo and phase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Likeliest {
    /// Hops per beat.
    pub period: f32,
    /// Position of the pointer in hops, 0 … period.
    pub position: f32,
    /// Share of all belief that lies near this tempo.
    pub share: f32,
    /// Share of this tempo's belief that lies near this position.
    pub focus: f32,
}

/// The state space. About 28 KiB.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    states: [f32; STATES],
    /// Where in its ring each tempo has the state whose pointer stands at 0.
    hand: [u8; TEMPI],
    /// Belief in each tempo.
    mass: [f32; TEMPI],
    /// Log-odds that the beat is divided in three, above the prior's.
    ternary: [f32; TEMPI],
    turn: usize,
}

impl Pulse {
    /// Every phase is equally likely, tempi follow the prior.
    #[inline(never)]
    pub(super) fn new() -> Self {
        let mut pulse = Self {
            states: [0.0; STATES],
            hand: [0; TEMPI],
            mass: [0.0; TEMPI],
            ternary: [0.0; TEMPI],
            turn: 0,
        };
        pulse.forget();
        pulse
    }

    /// Forgets tempo and phase, as after silence or a new song.
    pub(super) fn forget(&mut self) {
        for tempo in 0..TEMPI {
            let each = PRIOR[tempo] / period_of(tempo) as f32;
            self.states[OFFSETS[tempo]..OFFSETS[tempo + 1]].fill(each);
        }
        self.mass = PRIOR;
        self.ternary = [0.0; TEMPI];
    }

    /// Moves by a hop and weighs what was heard, `eagerness` times as much as in settled music; the answer is by how
    /// much, as a natural logarithm, the model expected it better than chance.
    pub(super) fn advance(&mut self, scores: &[f32; PLACES], eagerness: f32) -> f32 {
        for (tempo, hand) in self.hand.iter_mut().enumerate() {
            *hand = if *hand == 0 { period_of(tempo) as u8 - 1 } else { *hand - 1 };
        }
        let gain: [f32; PLACES] = core::array::from_fn(|k| {
            exp((scores[k] + BIAS[k]).clamp(-MOST, MOST) * TEMPER[k] * eagerness) - 1.0
        });
        let before: f32 = self.mass.iter().sum();
        let wrapped: [f32; TEMPI] =
            core::array::from_fn(|tempo| self.states[OFFSETS[tempo] + self.hand[tempo] as usize]);
        let keep = 1.0 - DT / TERNARY_MEMORY_S;
        let mut after = 0.0;
        for tempo in 0..TEMPI {
            let mut arrived = 0.0;
            for (k, p) in TRANSITIONS[tempo].iter().enumerate() {
                let from = (tempo + k).wrapping_sub(REACH);
                if from < TEMPI {
                    arrived += p * wrapped[from];
                }
            }
            let hand = self.hand[tempo] as usize;
            let ring = &mut self.states[OFFSETS[tempo]..OFFSETS[tempo + 1]];
            ring[hand] = arrived;
            let mass = (self.mass[tempo] - wrapped[tempo] + arrived).max(1e-20);
            let three = 1.0 / (1.0 + exp(-(self.ternary[tempo] + TERNARY_PRIOR)));
            let (binary, ternary) = weigh(tempo, ring, hand, &gain, three);
            self.mass[tempo] = (mass + binary + three * (ternary - binary)).max(1e-20);
            after += self.mass[tempo];
            let odds = (mass + ternary).max(0.05 * mass) / (mass + binary).max(0.05 * mass);
            // A single hop hardly moves the odds: the first terms of the logarithm are enough.
            let news = odds - 1.0;
            let news = if news.abs() < 0.1 { news - 0.5 * news * news } else { ln(odds) };
            self.ternary[tempo] = ((self.ternary[tempo] + news) * keep).clamp(-TERNARY_MOST, TERNARY_MOST);
        }
        self.fade(after);
        ln(after / before)
    }

    /// One tempo a hop gives back a share of what was learned, and its running sum is made exact.
    fn fade(&mut self, total: f32) {
        // Scaling every state each hop would cost more than all the rest: do it when the numbers get large or
        // small, which takes at least a second.
        if !(1e-6..=1e6).contains(&total) {
            let scale = 1.0 / total.max(1e-30);
            self.states.iter_mut().for_each(|s| *s = (*s * scale).max(1e-15));
            self.mass.iter_mut().for_each(|m| *m *= scale);
        }
        let total = if (1e-6..=1e6).contains(&total) { total } else { 1.0 };
        self.turn = (self.turn + 1) % TEMPI;
        let ring = &mut self.states[OFFSETS[self.turn]..OFFSETS[self.turn + 1]];
        let sum: f32 = ring.iter().sum::<f32>().max(1e-25);
        let share = (PRIOR[self.turn] * total / sum).max(1e-12);
        let factor = exp(ln(share) * (TEMPI as f32 * DT / MEMORY_S));
        let (stay, spread) = ((1.0 - LEAK) * factor, LEAK * factor * sum / ring.len() as f32);
        ring.iter_mut().for_each(|s| *s = *s * stay + spread);
        self.mass[self.turn] = sum * factor;
    }

    /// Share of all belief in each tempo.
    pub(super) fn shares(&self) -> [f32; TEMPI] {
        let total: f32 = self.mass.iter().sum();
        self.mass.map(|mass| mass / total.max(1e-30))
    }

    fn state(&self, tempo: usize, position: usize) -> f32 {
        let period = period_of(tempo);
        let at = position + self.hand[tempo] as usize;
        self.states[OFFSETS[tempo] + if at >= period { at - period } else { at }]
    }

    /// The heaviest neighbourhood of tempi, its centre of gravity, and the heaviest place there.
    pub(super) fn likeliest(&self) -> Likeliest {
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
        Likeliest {
            period,
            position: fract(position / period) * period,
            share: heaviest / total.max(1e-30),
            focus: around / sum.max(1e-30),
        }
    }
}

/// Where in the beat something is expected, of one tempo: a position (and its mirror image, for the pattern is
/// symmetric) and how much each place weighs there, fading linearly to [`WIDTH`].
#[derive(Clone, Copy, Debug)]
struct Expected {
    position: u32,
    weight: [f32; PLACES],
}

/// In twelfths of a beat: the beat, its half, its quarters, its thirds.
const PLACE_AT: [usize; PLACES] = [0, 6, 3, 4];

const fn expected(tempo: usize, position: usize) -> Option<Expected> {
    let mut weight = [0.0; PLACES];
    let (mut place, mut any) = (0, false);
    while place < PLACES {
        let away = (12 * position) as i32 - (PLACE_AT[place] * period_of(tempo)) as i32;
        if away > -WIDTH && away < WIDTH {
            weight[place] = (WIDTH - away.abs()) as f32 / WIDTH as f32;
            any = true;
        }
        place += 1;
    }
    if any { Some(Expected { position: position as u32, weight }) } else { None }
}

/// Where the positions of each tempo begin in [`EXPECTED`]. A third of all positions expects nothing and is not in it.
const EXPECTED_FROM: [usize; TEMPI + 1] = {
    let mut from = [0; TEMPI + 1];
    let mut tempo = 0;
    while tempo < TEMPI {
        from[tempo + 1] = from[tempo];
        let mut position = 0;
        while position <= period_of(tempo) / 2 {
            if expected(tempo, position).is_some() {
                from[tempo + 1] += 1;
            }
            position += 1;
        }
        tempo += 1;
    }
    from
};

/// A table, because to compute it anew in each hop costs more than all the rest of the ear. It lies in flash.
static EXPECTED: [Expected; EXPECTED_FROM[TEMPI]] = {
    let mut all = [Expected { position: 0, weight: [0.0; PLACES] }; EXPECTED_FROM[TEMPI]];
    let (mut tempo, mut i) = (0, 0);
    while tempo < TEMPI {
        let mut position = 0;
        while position <= period_of(tempo) / 2 {
            if let Some(e) = expected(tempo, position) {
                all[i] = e;
                i += 1;
            }
            position += 1;
        }
        tempo += 1;
    }
    all
};

/// Multiplies every state of a tempo by one plus what its place has gained; where two places overlap their gains add.
/// The answer is how much the belief gains if the beat is divided in two, and if in three; the states take the mixture
/// with a share of `three`.
fn weigh(tempo: usize, ring: &mut [f32], hand: usize, gain: &[f32; PLACES], three: f32) -> (f32, f32) {
    let period = ring.len();
    let (mut binary, mut ternary) = (0.0, 0.0);
    for Expected { position, weight: [beat, half, quarter, third] } in
        &EXPECTED[EXPECTED_FROM[tempo]..EXPECTED_FROM[tempo + 1]]
    {
        let position = *position as usize;
        let both = gain[0] * beat;
        let (two, triple) = (gain[1] * half + gain[2] * quarter, gain[3] * third);
        let factor = (1.0 + both + two + three * (triple - two)).max(0.02);
        let up = hand + position;
        let up = if up >= period { up - period } else { up };
        let down = if position > hand { hand + period - position } else { hand - position };
        let (Some(first), Some(mirrored)) = (ring.get(up), ring.get(down)) else { continue };
        let (first, mirrored) = (*first, *mirrored);
        let belief = if up == down { first } else { first + mirrored };
        ring[up] = first * factor;
        ring[down] = mirrored * factor;
        binary += belief * (both + two);
        ternary += belief * (both + triple);
    }
    (binary, ternary)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a rhythm, given as log-likelihood ratios at twelfths of a beat of `period` hops, and returns the likeliest.
    fn hear(period: f32, beats: usize, at: impl Fn(usize) -> Option<[f32; PLACES]>) -> (Likeliest, f32) {
        let mut pulse = Pulse::new();
        let mut last = 0.0;
        for hop in 0..(period * beats as f32) as usize {
            let twelfths = (hop as f32 / period).fract() * 12.0;
            let nearest = libm::roundf(twelfths);
            let on = (twelfths - nearest).abs() * period / 12.0 < 1.0;
            let scores = if on { at(nearest as usize % 12) } else { None };
            pulse.advance(&scores.unwrap_or([-0.8, -0.4, -0.3, -0.3]), 1.0);
            last = (hop as f32 / period).fract();
        }
        (pulse.likeliest(), last)
    }

    // Of a half, the trees say 1.6 on average.
    const STRONG: [f32; PLACES] = [4.0, 2.5, 1.5, 1.5];
    const WEAK: [f32; PLACES] = [0.5, 1.6, 1.5, 2.0];

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
        let mut pulse = Pulse::new();
        for _ in 0..10_000 {
            pulse.advance(&[-BIAS[0], 0.0, 0.0, 0.0], 1.0);
        }
        let sum: f32 = pulse.mass.iter().sum();
        let exact: f32 = pulse.states.iter().sum();
        assert!((sum / exact - 1.0).abs() < 0.01, "{sum} {exact}");
        for (mass, prior) in pulse.mass.iter().zip(&PRIOR) {
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
