use core::array::from_fn;

use proptest::prelude::*;

use super::super::network_golden::{INPUTS, Judge, OUTPUTS, RESULTS, STEPS, WEIGHTS};
use super::matrix::{MOST_BIAS, WEIGHT_OFFSET, add_in_lanes, add_one_by_one};
use super::*;
use crate::random::SplitMix64;

impl<const IN: usize, const OUT: usize> Matrix<IN, OUT> {
    fn random(of: &mut impl FnMut(Kind) -> i32) -> Self {
        Self {
            weights: from_fn(|_| from_fn(|_| from_fn(|_| (of(Kind::Weight) + WEIGHT_OFFSET) as u8))),
            bias: from_fn(|_| from_fn(|_| of(Kind::Bias))),
            shift: from_fn(|_| from_fn(|_| of(Kind::Shift) as u8)),
        }
    }

    fn weight(&self, row: usize, input: usize) -> i64 {
        let block = &self.weights[row / 8][input / 8];
        i64::from(block[input % 8 / 2 * 16 + row % 8 * 2 + input % 2]) - i64::from(WEIGHT_OFFSET)
    }

    /// The product by its formula.
    fn by_formula(&self, input: &[i64]) -> Vec<i64> {
        let row = |row: usize| {
            let sum: i64 = (0..8 * IN).map(|i| self.weight(row, i) * input[i]).sum();
            let bias = i64::from(self.bias.as_flattened()[row]);
            (bias + sum).div_euclid(1 << self.shift.as_flattened()[row])
        };
        (0..8 * OUT).map(row).collect()
    }
}

/// What a random number is for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Weight,
    Bias,
    Shift,
    Input,
}

type Real = Weights<17, 5, 6, 6, 5>;

impl<const IN: usize, const DENSE: usize, const FIRST: usize, const SECOND: usize, const OUT: usize>
    Weights<IN, DENSE, FIRST, SECOND, OUT>
{
    fn random(of: &mut impl FnMut(Kind) -> i32) -> Self {
        Self {
            dense: Matrix::random(of),
            first: Gru { input: from_fn(|_| Matrix::random(of)), state: from_fn(|_| Matrix::random(of)) },
            second: Gru { input: from_fn(|_| Matrix::random(of)), state: from_fn(|_| Matrix::random(of)) },
            out: Matrix::random(of),
        }
    }

    /// Asserts that some steps of the network are those of the formulas.
    fn assert_steps(&self, inputs: &[Eights<i16, IN>]) {
        self.assert_in_range();
        let mut network = Network::BLANK;
        network.start(self);
        let (mut first, mut second) = (vec![0; 8 * FIRST], vec![0; 8 * SECOND]);
        for input in inputs {
            let x: Vec<i64> = input.as_flattened().iter().map(|x| i64::from(*x)).collect();
            let dense: Vec<i64> = self.dense.by_formula(&x).iter().map(|x| (*x).clamp(0, 32_767)).collect();
            self.first.by_formula(&dense, &mut first);
            self.second.by_formula(&high(&first), &mut second);
            let out = self.out.by_formula(&high(&second));
            let got = step(&mut network, self, input);
            assert_eq!(got.as_flattened().iter().map(|x| i64::from(*x)).collect::<Vec<_>>(), out);
        }
    }
}

/// What the matrices read of a state in 1/2²³.
fn high(state: &[i64]) -> Vec<i64> {
    state.iter().map(|h| h.div_euclid(256)).collect()
}

fn logistic_by_formula(x: i64) -> i64 {
    let value = |segment: i64| (65_536.0 / (1.0 + (-(segment - 128) as f64 / 16.0).exp())).round() as i64;
    let at = x.clamp(-32_768, 32_767) + 32_768;
    let (from, to) = (value(at / 256), value(at / 256 + 1));
    from + (to - from) * (at % 256) / 256
}

impl<const IN: usize, const N: usize> Gru<IN, N> {
    /// The next state in 1/2²³, by the formulas.
    fn by_formula(&self, input: &[i64], state: &mut [i64]) {
        let before = high(state);
        let inputs = self.input.each_ref().map(|matrix| matrix.by_formula(input));
        let states = self.state.each_ref().map(|matrix| matrix.by_formula(&before));
        for (i, state) in state.iter_mut().enumerate() {
            let z = logistic_by_formula(inputs[0][i] + states[0][i]);
            let r = logistic_by_formula(inputs[1][i] + states[1][i]) / 2;
            let limited = states[2][i].clamp(-32_767, 32_767);
            let n = logistic_by_formula(2 * (inputs[2][i] + (r * limited).div_euclid(32_768))) - 32_768;
            *state += ((65_536 - z) / 2 * (n - before[i])).div_euclid(128);
        }
    }
}

/// Four hops: one step.
fn step<const IN: usize, const DENSE: usize, const FIRST: usize, const SECOND: usize, const OUT: usize>(
    network: &mut Network<IN, DENSE, FIRST, SECOND, OUT>,
    weights: &Weights<IN, DENSE, FIRST, SECOND, OUT>,
    input: &Eights<i16, IN>,
) -> Eights<i32, OUT> {
    assert_eq!(network.hop(weights, Some(input)), None);
    assert_eq!([(); 2].map(|()| network.hop(weights, None)), [None; 2]);
    network.hop(weights, None).unwrap()
}

/// The inputs of a step in eights.
fn eights<const N: usize>(row: &[i16]) -> Eights<i16, N> {
    let mut eights = [[0; 8]; N];
    eights.as_flattened_mut()[..row.len()].copy_from_slice(row);
    eights
}

/// Numbers from a seed. Sums before gates are about as often beyond ±8 as within.
fn numbers(seed: u64) -> impl FnMut(Kind) -> i32 {
    let mut random = SplitMix64::new(seed);
    move |kind| {
        let mut within =
            |least: i32, most: i32| least + (random.next_u64() as u32 % (most - least + 1) as u32) as i32;
        match kind {
            Kind::Weight => within(-127, 127),
            Kind::Bias => within(-(1 << 24), 1 << 24),
            Kind::Shift => within(6, 12),
            Kind::Input => within(-32_767, 32_767) >> within(0, 8),
        }
    }
}

fn inputs<const IN: usize>(count: usize, of: &mut impl FnMut(Kind) -> i32) -> Vec<Eights<i16, IN>> {
    (0..count).map(|_| from_fn(|_| from_fn(|_| of(Kind::Input) as i16))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_small_network_computes_the_formulas(seed: u64) {
        let mut of = numbers(seed);
        Weights::<1, 1, 1, 1, 1>::random(&mut of).assert_steps(&inputs(20, &mut of));
        Weights::<3, 1, 2, 1, 2>::random(&mut of).assert_steps(&inputs(20, &mut of));
    }

    #[test]
    fn one_by_one_and_in_lanes_the_sums_are_the_same(seed: u64, begin: i32) {
        let mut of = numbers(seed);
        let matrix = Matrix::<5, 2>::random(&mut of);
        let input = inputs(1, &mut of)[0];
        let [mut plain, mut lanes] = [[[begin / 2; 8]; 2]; 2];
        for (sums, rows) in plain.iter_mut().zip(&matrix.weights) {
            add_one_by_one(sums, rows, &input);
        }
        add_in_lanes(&mut lanes, &matrix.weights, &input);
        prop_assert_eq!(plain, lanes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_network_of_full_size_computes_the_formulas(seed: u64) {
        let mut of = numbers(seed);
        Real::random(&mut of).assert_steps(&inputs(5, &mut of));
    }

    #[test]
    fn a_network_forgets_when_it_starts(seed: u64, hops in 0..4) {
        let mut of = numbers(seed);
        let weights = Weights::<2, 1, 2, 1, 1>::random(&mut of);
        let inputs = inputs(4, &mut of);
        let mut used = Network::BLANK;
        used.start(&weights);
        let mut new = used.clone();
        step(&mut used, &weights, &inputs[0]);
        for _ in 0..hops {
            used.hop(&weights, Some(&inputs[1]));
        }
        used.start(&weights);
        for input in &inputs {
            prop_assert_eq!(step(&mut used, &weights, input), step(&mut new, &weights, input));
        }
    }
}

#[test]
fn nothing_overflows_at_the_limits() {
    for signs in 0..8 {
        for shift in [0, 15, 31] {
            let limit = |kind: Kind| match kind {
                Kind::Weight => [-128, 127][signs & 1],
                Kind::Bias => [-MOST_BIAS, MOST_BIAS][signs >> 1 & 1],
                Kind::Shift => shift,
                Kind::Input => [-32_768, 32_767][signs >> 2 & 1],
            };
            Real::random(&mut { limit }).assert_steps(&inputs(3, &mut { limit }));
        }
    }
}

#[test]
fn the_script_computes_the_same() {
    let mut network = Judge::BLANK;
    network.start(&WEIGHTS[0]);
    for (input, result) in STEPS.iter().zip(&RESULTS) {
        let out = step(&mut network, &WEIGHTS[0], &eights(input));
        assert_eq!(out.as_flattened()[..OUTPUTS], *result);
    }
}

#[test]
fn rows_and_inputs_that_round_sizes_up_are_zeros() {
    assert_eq!(
        [WEIGHTS[0].dense.weights[0].len(), WEIGHTS[0].out.weights.len()],
        [INPUTS, OUTPUTS].map(|n| n.div_ceil(8))
    );
    for row in 0..8 {
        for input in INPUTS..8 * INPUTS.div_ceil(8) {
            assert_eq!(WEIGHTS[0].dense.weight(row, input), 0);
        }
    }
    for row in OUTPUTS..8 * OUTPUTS.div_ceil(8) {
        assert!((0..16).all(|input| WEIGHTS[0].out.weight(row, input) == 0));
    }
}

#[test]
fn an_input_during_a_step_is_ignored() {
    let [mut network, mut other] = [Judge::BLANK; 2];
    network.start(&WEIGHTS[0]);
    other.start(&WEIGHTS[0]);
    let (input, ignored) = (eights(&STEPS[0]), eights(&STEPS[1]));
    assert_eq!(other.hop(&WEIGHTS[0], None), None);
    assert_eq!(other.hop(&WEIGHTS[0], Some(&input)), None);
    for _ in 0..2 {
        assert_eq!(other.hop(&WEIGHTS[0], Some(&ignored)), None);
    }
    assert_eq!(other.hop(&WEIGHTS[0], Some(&ignored)), Some(step(&mut network, &WEIGHTS[0], &input)));
}

#[test]
fn the_logistic_function_is_right_to_five_parts_in_65536() {
    for x in -32_768..32_768 {
        let right = 65_536.0 / (1.0 + (-f64::from(x) / 4096.0).exp());
        assert!((f64::from(logistic(x)) - right).abs() < 5.0, "{x}");
        assert!(logistic(x) <= logistic(x + 1));
    }
    assert_eq!([logistic(i32::MIN), logistic(0), logistic(i32::MAX)], [22, 32_768, 65_513]);
}
