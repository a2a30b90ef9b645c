//! Sums over many excerpts at once: each number is a lane of [`LANES`] excerpts, so that every loop is a vector loop.
//!
//! The order of each sum is fixed and each product is fused (`mul_add`), so the same seed gives the same weights on every
//! processor.

/// Excerpts that are trained on side by side.
pub const LANES: usize = 32;
/// The same number of each excerpt.
pub type Lane = [f32; LANES];
/// Zero in each excerpt.
pub const ZERO: Lane = [0.0; LANES];

/// Adds the product of a matrix (`out.len()` rows of `x.len()`) and a vector.
pub fn multiply(w: &[f32], x: &[Lane], out: &mut [Lane]) {
    let columns = x.len();
    let (blocks, rest) = out.as_chunks_mut::<4>();
    let done = blocks.len() * 4;
    for (rows, out) in w.chunks_exact(4 * columns).zip(blocks) {
        let [mut a, mut b, mut c, mut d] = *out;
        let (first, second) = rows.split_at(2 * columns);
        let ((ka, kb), (kc, kd)) = (first.split_at(columns), second.split_at(columns));
        for ((((x, ka), kb), kc), kd) in x.iter().zip(ka).zip(kb).zip(kc).zip(kd) {
            for l in 0..LANES {
                a[l] = ka.mul_add(x[l], a[l]);
                b[l] = kb.mul_add(x[l], b[l]);
                c[l] = kc.mul_add(x[l], c[l]);
                d[l] = kd.mul_add(x[l], d[l]);
            }
        }
        *out = [a, b, c, d];
    }
    for (row, out) in w[done * columns..].chunks_exact(columns).zip(rest) {
        for (x, k) in x.iter().zip(row) {
            for l in 0..LANES {
                out[l] = k.mul_add(x[l], out[l]);
            }
        }
    }
}

/// Moments whose products are added up before the next rows: they fit the processor's cache.
const SPAN: usize = 32;

/// Adds to `gradient` (rows of `columns`) the products of each row of `d` and each column of `x`, summed over all moments
/// and excerpts.
pub fn correlate(d: &[Lane], rows: usize, x: &[Lane], columns: usize, gradient: &mut [f32]) {
    for (d, x) in d.chunks(SPAN * rows).zip(x.chunks(SPAN * columns)) {
        let (d, x) = ((d, rows), (x, columns));
        let (rows_done, columns_done) = (rows / 4 * 4, columns / 4 * 4);
        for i in (0..rows_done).step_by(4) {
            (0..columns_done).step_by(4).for_each(|j| block::<4, 4>(d, i, x, j, gradient));
            (columns_done..columns).for_each(|j| block::<4, 1>(d, i, x, j, gradient));
        }
        for i in rows_done..rows {
            (0..columns_done).step_by(4).for_each(|j| block::<1, 4>(d, i, x, j, gradient));
            (columns_done..columns).for_each(|j| block::<1, 1>(d, i, x, j, gradient));
        }
    }
}

/// The part of `correlate` of `H` rows from `i` on and `W` columns from `j` on. A side is numbers and how many a moment has.
fn block<const H: usize, const W: usize>(
    (d, rows): (&[Lane], usize),
    i: usize,
    (x, columns): (&[Lane], usize),
    j: usize,
    gradient: &mut [f32],
) {
    const HALF: usize = LANES / 2;
    let mut sums = [[[0.0_f32; HALF]; W]; H];
    for (d, x) in d.chunks_exact(rows).zip(x.chunks_exact(columns)) {
        let (Some(d), Some(x)) = (d[i..].first_chunk::<H>(), x[j..].first_chunk::<W>()) else { break };
        for half in 0..2 {
            for (d, sums) in d.iter().zip(&mut sums) {
                for (x, sum) in x.iter().zip(sums) {
                    for l in 0..HALF {
                        sum[l] = d[half * HALF + l].mul_add(x[half * HALF + l], sum[l]);
                    }
                }
            }
        }
    }
    for (a, row) in sums.iter_mut().enumerate() {
        for (b, sum) in row.iter_mut().enumerate() {
            gradient[(i + a) * columns + j + b] += total(sum);
        }
    }
}

/// The sum of all, halved again and again, so that it is a vector loop too.
fn total(x: &mut [f32]) -> f32 {
    let mut n = x.len();
    while n > 1 {
        n /= 2;
        for l in 0..n {
            x[l] += x[n + l];
        }
    }
    x[0]
}

/// The transposed matrix of `rows` rows.
pub fn transpose(w: &[f32], rows: usize) -> Vec<f32> {
    let columns = w.len() / rows;
    (0..w.len()).map(|i| w[i % rows * columns + i / rows]).collect()
}

/// The logistic function, in a form that becomes a vector loop. Relative error below 10⁻⁶.
#[inline(always)]
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    2.0 * logistic(2.0 * x) - 1.0
}

/// `e^x` for −80 … 80; beyond, that of the limit.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let y = x.clamp(-80.0, 80.0) * std::f32::consts::LOG2_E;
    // Adding 1.5·2²³ rounds to the nearest whole number, which is then in the lowest bits.
    let rounded = y + 12_582_912.0;
    let f = (y - (rounded - 12_582_912.0)) * std::f32::consts::LN_2;
    let series = f.mul_add(1.0 / 720.0, 1.0 / 120.0);
    let series = f.mul_add(series, 1.0 / 24.0);
    let series = f.mul_add(series, 1.0 / 6.0);
    let series = f.mul_add(series, 0.5);
    let series = f.mul_add(series, 1.0);
    let series = f.mul_add(series, 1.0);
    series * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f32) -> Vec<f32> {
        (0..n).map(|i| ((i as f32 + seed) * 12.9898).sin()).collect()
    }

    fn lanes(n: usize, seed: f32) -> Vec<Lane> {
        let x = numbers(n * LANES, seed);
        x.as_chunks::<LANES>().0.to_vec()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, columns) in [(8, 5), (7, 4), (3, 9), (10, 10)] {
            let (w, x) = (numbers(rows * columns, 1.0), lanes(columns, 2.0));
            let mut out = vec![[0.5; LANES]; rows];
            multiply(&w, &x, &mut out);
            for (i, out) in out.iter().enumerate() {
                for l in 0..LANES {
                    let sum: f32 = (0..columns).map(|j| w[i * columns + j] * x[j][l]).sum();
                    assert!((out[l] - 0.5 - sum).abs() < 1e-5);
                }
            }
            let (d, x) = (lanes(40 * rows, 3.0), lanes(40 * columns, 4.0));
            let mut gradient = vec![0.0; rows * columns];
            correlate(&d, rows, &x, columns, &mut gradient);
            for i in 0..rows {
                for j in 0..columns {
                    let sum: f32 = (0..40 * LANES)
                        .map(|k| d[k / LANES * rows + i][k % LANES] * x[k / LANES * columns + j][k % LANES])
                        .sum();
                    assert!((gradient[i * columns + j] - sum).abs() < 1e-3, "{i} {j}");
                }
            }
        }
        assert_eq!(transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn functions_are_those_of_the_library() {
        for k in -2_000..2_000 {
            let x = k as f32 * 0.01;
            assert!((exp(x) / x.exp() - 1.0).abs() < 3e-6, "{x}");
            assert!((tanh(x) - x.tanh()).abs() < 2e-6, "{x}");
        }
    }
}
