//! The two kinds of layer, forward and backward through time.

use crate::lanes::{LANES, Lane, ZERO, correlate, logistic, multiply, tanh, transpose};

/// A matrix of weights with a constant per row, and how much the loss changes with each.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Rows, one after another.
    pub w: Vec<f32>,
    /// A constant per row.
    pub b: Vec<f32>,
}

impl Weights {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { w: vec![0.0; rows * columns], b: vec![0.0; rows] }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.b.len()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.w.len() / self.b.len()
    }

    /// The product with each moment's vector, plus the constants.
    pub fn forward(&self, x: &[Lane]) -> Vec<Lane> {
        let (rows, columns) = (self.rows(), self.columns());
        let mut out = vec![ZERO; x.len() / columns * rows];
        for (x, out) in x.chunks_exact(columns).zip(out.chunks_exact_mut(rows)) {
            for (out, b) in out.iter_mut().zip(&self.b) {
                *out = [*b; LANES];
            }
            multiply(&self.w, x, out);
        }
        out
    }

    /// Adds to `gradient` what changes of the output, `d`, say of the weights.
    pub fn learn(gradient: &mut Self, d: &[Lane], x: &[Lane]) {
        let (rows, columns) = (gradient.rows(), gradient.columns());
        correlate(d, rows, x, columns, &mut gradient.w);
        let mut sums = vec![ZERO; rows];
        for d in d.as_flattened().chunks_exact(rows * LANES) {
            sums.as_flattened_mut().iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
        }
        for (b, sum) in gradient.b.iter_mut().zip(&sums) {
            *b += sum.iter().sum::<f32>();
        }
    }

    /// What changes of the output, `d`, say of the input.
    pub fn backward(&self, d: &[Lane]) -> Vec<Lane> {
        let (rows, columns) = (self.rows(), self.columns());
        let turned = transpose(&self.w, rows);
        let mut out = vec![ZERO; d.len() / rows * columns];
        for (d, out) in d.chunks_exact(rows).zip(out.chunks_exact_mut(columns)) {
            multiply(&turned, d, out);
        }
        out
    }
}

/// A layer of gated recurrent units. After Cho et al., "Learning phrase representations using RNN encoder–decoder" (EMNLP
/// 2014), with the reset gate applied after the product.
#[derive(Clone, Debug)]
pub struct Gru {
    /// From the input: the rows of the update gates, the reset gates, the candidates.
    pub input: Weights,
    /// From the state, in the same order.
    pub state: Weights,
}

/// What a forward pass keeps for the way back. Each is a lane per unit and moment.
pub struct Passed {
    /// Update gates, reset gates and candidates.
    gates: Vec<Lane>,
    /// The candidates' part from the state.
    proposed: Vec<Lane>,
    /// The states, beginning with that before the first moment.
    states: Vec<Lane>,
    units: usize,
}

impl Passed {
    /// The state after each moment.
    pub fn after(&self) -> &[Lane] {
        &self.states[self.units..]
    }
}

impl Gru {
    /// All zeros.
    pub fn zeros(inputs: usize, units: usize) -> Self {
        Self { input: Weights::zeros(3 * units, inputs), state: Weights::zeros(3 * units, units) }
    }

    fn units(&self) -> usize {
        self.state.columns()
    }

    /// The states after each moment, from a state of 0.
    pub fn forward(&self, x: &[Lane]) -> Passed {
        let h = self.units();
        let mut gates = self.input.forward(x);
        let moments = gates.len() / (3 * h);
        let mut proposed = Vec::with_capacity(moments * h);
        let mut states = vec![ZERO; h];
        states.reserve(moments * h);
        let mut from_state = vec![ZERO; 3 * h];
        for gates in gates.chunks_exact_mut(3 * h) {
            let before = states.len() - h;
            for (out, b) in from_state.iter_mut().zip(&self.state.b) {
                *out = [*b; LANES];
            }
            multiply(&self.state.w, &states[before..], &mut from_state);
            for u in 0..h {
                let (z, r, n) = (&gates[u], &gates[h + u], &gates[2 * h + u]);
                let of_state = [&from_state[u], &from_state[h + u], &from_state[2 * h + u]];
                let z: Lane = std::array::from_fn(|l| logistic(z[l] + of_state[0][l]));
                let r: Lane = std::array::from_fn(|l| logistic(r[l] + of_state[1][l]));
                let n: Lane = std::array::from_fn(|l| tanh(n[l] + r[l] * of_state[2][l]));
                let before = states[before + u];
                states.push(std::array::from_fn(|l| n[l] + z[l] * (before[l] - n[l])));
                (gates[u], gates[h + u], gates[2 * h + u]) = (z, r, n);
            }
            proposed.extend_from_slice(&from_state[2 * h..]);
        }
        Passed { gates, proposed, states, units: h }
    }

    /// Adds to `gradient` what changes of the states, `d`, say of the weights. Returns what they say of the input.
    pub fn backward(&self, passed: &Passed, x: &[Lane], d: &[Lane], gradient: &mut Self) -> Vec<Lane> {
        let h = self.units();
        let moments = d.len() / h;
        let turned = transpose(&self.state.w, 3 * h);
        let (mut of_input, mut of_state) = (vec![ZERO; moments * 3 * h], vec![ZERO; moments * 3 * h]);
        let mut carried = vec![ZERO; h];
        for t in (0..moments).rev() {
            let (gates, before) = (&passed.gates[t * 3 * h..], &passed.states[t * h..]);
            let a = &mut of_input[t * 3 * h..(t + 1) * 3 * h];
            let b = &mut of_state[t * 3 * h..(t + 1) * 3 * h];
            for u in 0..h {
                let (z, r, n) = (&gates[u], &gates[h + u], &gates[2 * h + u]);
                let (d, before, proposed) = (&d[t * h + u], &before[u], &passed.proposed[t * h + u]);
                let of_next: Lane = std::array::from_fn(|l| d[l] + carried[u][l]);
                let of_n: Lane = std::array::from_fn(|l| of_next[l] * (1.0 - z[l]) * (1.0 - n[l] * n[l]));
                let of_z = std::array::from_fn(|l| of_next[l] * (before[l] - n[l]) * z[l] * (1.0 - z[l]));
                let of_r = std::array::from_fn(|l| of_n[l] * proposed[l] * r[l] * (1.0 - r[l]));
                (a[u], a[h + u], a[2 * h + u]) = (of_z, of_r, of_n);
                (b[u], b[h + u], b[2 * h + u]) = (of_z, of_r, std::array::from_fn(|l| of_n[l] * r[l]));
                carried[u] = std::array::from_fn(|l| of_next[l] * z[l]);
            }
            multiply(&turned, b, &mut carried);
        }
        Weights::learn(&mut gradient.input, &of_input, x);
        Weights::learn(&mut gradient.state, &of_state, &passed.states[..moments * h]);
        self.input.backward(&of_input)
    }
}
