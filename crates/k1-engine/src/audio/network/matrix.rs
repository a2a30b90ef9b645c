//! Matrices of whole numbers, multiplied by vectors of whole numbers.

use core::hint::black_box;

use wide::bytemuck::cast;
use wide::{i16x8, i32x4, u8x16};

use crate::lanes::LANES;

/// Numbers in eights.
pub(in crate::audio) type Eights<T, const N: usize> = [[T; 8]; N];

/// A weight is stored as its sum with this number, because the ESP32-S3's processor cannot load a signed byte.
pub(super) const WEIGHT_OFFSET: i32 = 128;
/// Largest magnitude of a bias.
pub(super) const MOST_BIAS: i32 = 1 << 27;

/// A matrix whose rows have a bias and a divisor each: a result is (bias + Σ weight · input) / 2^shift, rounded down.
/// Inputs and rows come in eights.
pub(in crate::audio) struct Matrix<const IN: usize, const OUT: usize> {
    /// Weights plus [`WEIGHT_OFFSET`], of eight rows and eight inputs each: for each pair of inputs, the pairs of weights
    /// of the eight rows.
    pub(in crate::audio) weights: [[[u8; 64]; IN]; OUT],
    /// Bias of each row, in units of its sum. It includes the half that rounds to nearest.
    pub(in crate::audio) bias: Eights<i32, OUT>,
    /// Logarithm of each row's divisor.
    pub(in crate::audio) shift: Eights<u8, OUT>,
}

/// The number limited to ±32,767, which is ±8 in 1/4096.
pub(super) fn narrow(x: i32) -> i16 {
    x.clamp(-32_767, 32_767) as i16
}

/// Adds the products of eight rows and a pair of inputs to the rows' sums.
#[inline(always)]
fn add_pair(sums: &mut [i32; 8], rows: &[[u8; 2]; 8], pair: &[i16; 2]) {
    for (i, x) in pair.iter().enumerate() {
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum += i32::from(row[i]) * i32::from(*x);
        }
    }
}

/// Adds the products of eight rows and an input to the rows' sums, for a processor without SIMD.
#[inline(always)]
pub(super) fn add_one_by_one<const IN: usize>(
    sums: &mut [i32; 8],
    rows: &[[u8; 64]; IN],
    input: &Eights<i16, IN>,
) {
    if cfg!(target_arch = "xtensa") {
        for (rows, input) in rows.iter().zip(input) {
            // LLVM would let the addresses point into the middle, and this processor has no negative offsets.
            let (rows, input) = (black_box(rows), black_box(input));
            let rows = rows.as_chunks::<2>().0.as_chunks::<8>().0;
            for (rows, pair) in rows.iter().zip(input.as_chunks::<2>().0) {
                add_pair(sums, rows, pair);
            }
        }
    } else {
        // More than a pair in one round would not fit the registers of RISC-V.
        let rows = rows.as_flattened().as_chunks::<2>().0.as_chunks::<8>().0;
        for (rows, pair) in rows.iter().zip(input.as_flattened().as_chunks::<2>().0) {
            add_pair(sums, rows, pair);
        }
    }
}

/// The same with SIMD, for several times eight rows, which share what each input costs.
#[inline(always)]
pub(super) fn add_in_lanes<const IN: usize, const BLOCKS: usize>(
    sums: &mut [[i32; 8]; BLOCKS],
    rows: &[[[u8; 64]; IN]; BLOCKS],
    input: &Eights<i16, IN>,
) {
    let mut lanes: [[i32x4; 2]; BLOCKS] = sums.map(cast);
    for (i, input) in input.iter().enumerate() {
        let pairs = i32x4::transpose([cast(*input); 4]);
        for ([low, high], rows) in lanes.iter_mut().zip(rows) {
            let rows: [u8x16; 4] = cast(rows[i]);
            for (rows, pair) in rows.into_iter().zip(pairs) {
                let pair: i16x8 = cast(pair);
                *low += i16x8::from_u8x16_low(rows).dot(pair);
                *high += i16x8::from_u8x16_high(rows).dot(pair);
            }
        }
    }
    *sums = lanes.map(cast);
}

/// Adds the products of all rows and an input to the rows' sums.
///
/// It does nothing else, because the loop takes all registers.
#[inline(never)]
fn add<const IN: usize>(sums: &mut [[i32; 8]], rows: &[[[u8; 64]; IN]], input: &Eights<i16, IN>) {
    if LANES == 4 {
        let ((sums, last), (rows, last_rows)) = (sums.as_chunks_mut::<2>(), rows.as_chunks::<2>());
        for (sums, rows) in sums.iter_mut().zip(rows) {
            add_in_lanes(sums, rows, input);
        }
        for (sums, rows) in last.as_chunks_mut::<1>().0.iter_mut().zip(last_rows.as_chunks::<1>().0) {
            add_in_lanes(sums, rows, input);
        }
    } else {
        for (out, rows) in sums.iter_mut().zip(rows) {
            let mut sums = *out;
            add_one_by_one(&mut sums, rows, input);
            *out = sums;
        }
    }
}

impl<const IN: usize, const OUT: usize> Matrix<IN, OUT> {
    /// No sum overflows, whatever the weights and the inputs are; nor do the results of an input's and a state's matrix
    /// together, nor twice one and a product of the other, limited, from which `State::step` computes a tanh.
    const SUMS_FIT: () = {
        let largest = 8 * IN as i64 * 32_768;
        assert!((255 + 128) * largest + MOST_BIAS as i64 <= i32::MAX as i64);
        assert!(2 * (128 * largest + MOST_BIAS as i64) + 65_536 <= i32::MAX as i64);
    };

    /// Asserts that biases and shifts are in range. Meant for compile time.
    pub(super) const fn assert_in_range(&self) {
        let mut i = 0;
        while i < 8 * OUT {
            let (bias, shift) = (self.bias[i / 8][i % 8], self.shift[i / 8][i % 8]);
            assert!(-MOST_BIAS <= bias && bias <= MOST_BIAS && shift < 32);
            i += 1;
        }
    }

    /// Computes the sum of each row: its bias and the products of its weights and an input.
    pub(super) fn sum(&self, input: &Eights<i16, IN>, sums: &mut Eights<i32, OUT>) {
        const { Self::SUMS_FIT };
        let total: i32 = input.as_flattened().iter().map(|x| i32::from(*x)).sum();
        let offset = WEIGHT_OFFSET * total;
        for (sums, bias) in sums.iter_mut().zip(&self.bias) {
            *sums = bias.map(|bias| bias - offset);
        }
        add(sums, &self.weights, input);
    }

    /// Multiplies the rows by an input.
    pub(super) fn product(&self, input: &Eights<i16, IN>) -> Eights<i32, OUT> {
        let mut out = [[0; 8]; OUT];
        self.sum(input, &mut out);
        for (out, shift) in out.as_flattened_mut().iter_mut().zip(self.shift.as_flattened()) {
            *out >>= shift % 32;
        }
        out
    }
}
