//! Runs a small causal network in whole numbers, so that every processor computes the same bits.
//!
//! A dense layer, two gated recurrent units and a linear output take one step every four hops. Each hop does a quarter
//! of the work, so the result is there three hops after its input.
//!
//! Inputs, and sums before a gate, are numbers in 1/4096 within ±8; the state of a unit is in 1/32768. A weight is a
//! whole number of one byte; each row of a matrix has a power of two as its scale. `xtask/fit/whole_numbers.py` computes
//! the same, and `xtask/fit/export.py` writes the weights.

mod matrix;
#[cfg(test)]
mod tests;

use super::looked_up::LOGISTIC;
use matrix::narrow;
pub(super) use matrix::{Eights, Matrix};

/// Weights of a gated recurrent unit whose reset gate acts after the product with the state, which is what PyTorch and
/// cuDNN compute. The gates are: update, reset, new.
pub(super) struct Gru<const IN: usize, const N: usize> {
    /// Matrices that multiply the input.
    pub(super) input: [Matrix<IN, N>; 3],
    /// Matrices that multiply the state.
    pub(super) state: [Matrix<N, N>; 3],
}

/// Weights of a network. Each layer's size is given in eights.
pub(super) struct Weights<
    const IN: usize,
    const DENSE: usize,
    const FIRST: usize,
    const SECOND: usize,
    const OUT: usize,
> {
    /// The dense layer, whose results below 0 become 0.
    pub(super) dense: Matrix<IN, DENSE>,
    /// The first recurrent unit.
    pub(super) first: Gru<DENSE, FIRST>,
    /// The second.
    pub(super) second: Gru<FIRST, SECOND>,
    /// The output.
    pub(super) out: Matrix<SECOND, OUT>,
}

impl<const IN: usize, const N: usize> Gru<IN, N> {
    const fn assert_in_range(&self) {
        let mut gate = 0;
        while gate < 3 {
            self.input[gate].assert_in_range();
            self.state[gate].assert_in_range();
            gate += 1;
        }
    }
}

impl<const IN: usize, const DENSE: usize, const FIRST: usize, const SECOND: usize, const OUT: usize>
    Weights<IN, DENSE, FIRST, SECOND, OUT>
{
    /// Asserts that no sum can overflow. Meant for compile time.
    pub(super) const fn assert_in_range(&self) {
        self.dense.assert_in_range();
        self.first.assert_in_range();
        self.second.assert_in_range();
        self.out.assert_in_range();
    }
}

/// The state of a recurrent unit.
#[derive(Clone, Debug)]
struct State<const N: usize> {
    /// The state in 1/32768, rounded down.
    high: Eights<i16, N>,
    /// What rounding left out, in 1/256 of that. Without it a unit that changes slowly would stop.
    low: Eights<u8, N>,
    /// Sums of each gate's matrix for this state, computed before they are needed.
    sums: [Eights<i32, N>; 3],
}

/// The state of a network. Its step is described by the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Network<
    const IN: usize,
    const DENSE: usize,
    const FIRST: usize,
    const SECOND: usize,
    const OUT: usize,
> {
    dense: Eights<i16, DENSE>,
    first: State<FIRST>,
    second: State<SECOND>,
    /// Hops since the input of the present step; 0 between two steps.
    hops: u8,
}

/// The logistic function of a number in 1/4096, in 1/65536. It is constant beyond ±8.
fn logistic(x: i32) -> i32 {
    let at = x.clamp(-32_768, 32_767) + 32_768;
    let [value, rise] = LOGISTIC[(at >> 8) as usize % LOGISTIC.len()];
    i32::from(value) + ((i32::from(rise) * (at & 255)) >> 8)
}

impl<const N: usize> State<N> {
    const BLANK: Self = Self { high: [[0; 8]; N], low: [[0; 8]; N], sums: [[[0; 8]; N]; 3] };

    /// Makes a state that remembers nothing of any state.
    fn start<const IN: usize>(&mut self, weights: &Gru<IN, N>) {
        *self = Self::BLANK;
        // A state of zeros leaves the biases.
        self.sums = weights.state.each_ref().map(|matrix| matrix.bias);
    }

    /// Computes the sums of some gates' matrices for the present state.
    fn sum<const IN: usize>(&mut self, weights: &Gru<IN, N>, gates: core::ops::Range<usize>) {
        for (sums, matrix) in self.sums[gates.clone()].iter_mut().zip(&weights.state[gates]) {
            matrix.sum(&self.high, sums);
        }
    }

    /// Moves the state on by one step. All sums for the present state must have been computed.
    fn step<const IN: usize>(&mut self, weights: &Gru<IN, N>, input: &Eights<i16, IN>) {
        let mut gates = [[[0; 8]; N]; 3];
        for (sums, matrix) in gates.iter_mut().zip(&weights.input) {
            matrix.sum(input, sums);
        }
        let [update, reset, new] = &mut gates;
        for (gate, i) in [(&mut *update, 0), (&mut *reset, 1)] {
            let sums = gate.as_flattened_mut().iter_mut().zip(weights.input[i].shift.as_flattened());
            let of_state = self.sums[i].as_flattened().iter().zip(weights.state[i].shift.as_flattened());
            for ((sum, shift), (of_state, state_shift)) in sums.zip(of_state) {
                *sum = logistic((*sum >> (shift % 32)) + (of_state >> (state_shift % 32)));
            }
        }
        let sums = new.as_flattened().iter().zip(weights.input[2].shift.as_flattened());
        let of_state = self.sums[2].as_flattened().iter().zip(weights.state[2].shift.as_flattened());
        let gates = update.as_flattened().iter().zip(reset.as_flattened());
        let states = self.high.as_flattened_mut().iter_mut().zip(self.low.as_flattened_mut());
        for ((((sum, shift), (of_state, state_shift)), (update, reset)), (high, low)) in
            sums.zip(of_state).zip(gates).zip(states)
        {
            let of_state = i32::from(narrow(of_state >> (state_shift % 32)));
            let new = (sum >> (shift % 32)) + (((reset >> 1) * of_state) >> 15);
            // tanh x = 2 · logistic 2x − 1
            let new = logistic(2 * new) - 32_768;
            let change = (((65_536 - update) >> 1) * (new - i32::from(*high))) >> 7;
            let state = (i32::from(*high) << 8) + i32::from(*low) + change;
            // The state lies between the old one and the new value, so both parts fit.
            *high = (state >> 8) as i16;
            *low = state as u8;
        }
    }
}

impl<const IN: usize, const DENSE: usize, const FIRST: usize, const SECOND: usize, const OUT: usize>
    Network<IN, DENSE, FIRST, SECOND, OUT>
{
    /// All zeros.
    pub(super) const BLANK: Self =
        Self { dense: [[0; 8]; DENSE], first: State::BLANK, second: State::BLANK, hops: 0 };

    /// Makes a network that remembers nothing of any network.
    pub(super) fn start(&mut self, weights: &Weights<IN, DENSE, FIRST, SECOND, OUT>) {
        self.first.start(&weights.first);
        self.second.start(&weights.second);
        self.hops = 0;
    }

    /// Does the work of one hop. An input begins a step; one that comes during a step is ignored. Returns the outputs, in
    /// 1/4096, in the third hop after the input's.
    pub(super) fn hop(
        &mut self,
        weights: &Weights<IN, DENSE, FIRST, SECOND, OUT>,
        input: Option<&Eights<i16, IN>>,
    ) -> Option<Eights<i32, OUT>> {
        let hops = self.hops;
        if hops == 0 && input.is_none() {
            return None;
        }
        self.hops = (hops + 1) % 4;
        match hops {
            0 => {
                let results = weights.dense.product(input?);
                for (out, result) in self.dense.as_flattened_mut().iter_mut().zip(results.as_flattened()) {
                    *out = narrow((*result).max(0));
                }
                self.second.sum(&weights.second, 0..2);
            }
            1 => {
                self.first.step(&weights.first, &self.dense);
                self.second.sum(&weights.second, 2..3);
            }
            2 => self.second.step(&weights.second, &self.first.high),
            _ => {
                self.first.sum(&weights.first, 0..3);
                return Some(weights.out.product(&self.second.high));
            }
        }
        None
    }
}
