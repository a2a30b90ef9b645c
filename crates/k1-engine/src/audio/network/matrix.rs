//! Matrices of whole numbers, multiplied by vectors of whole numbers.

/// Numbers in eights.
pub(in crate::audio) type Eights<T, const N: usize> = [[T; 8]; N];

/// A weight is stored as its sum with this number, because the ESP32-S3's processor cannot load a signed byte.
const WEIGHT_OFFSET: i32 = 128;
/// Largest magnitude of a bias.
const MOST_BIAS: i32 = 1 << 28;

/// A matrix whose rows have a bias and a divisor each: row · input = (bias + Σ weight · input) / 2^shift, rounded down.
/// Inputs and rows come in eights.
pub(in crate::audio) struct Matrix<const IN: usize, const OUT: usize> {
    /// Weights plus [`WEIGHT_OFFSET`]. Eight weights of each of four rows follow each other, so that an input that was
    /// loaded is used four times.
    pub(in crate::audio) weights: [[[[[u8; 8]; 4]; IN]; 2]; OUT],
    /// Bias of each row, in units of its sum. It includes the half that rounds to nearest.
    pub(in crate::audio) bias: Eights<i32, OUT>,
    /// Logarithm of each row's divisor.
    pub(in crate::audio) shift: Eights<u8, OUT>,
}

/// The sum of all numbers.
pub(super) fn total<const N: usize>(x: &Eights<i16, N>) -> i32 {
    x.as_flattened().iter().map(|x| i32::from(*x)).sum()
}

/// The number limited to ±32,767, which is ±8 in 1/4096.
pub(in crate::audio) fn narrow(x: i32) -> i16 {
    x.clamp(-32_767, 32_767) as i16
}

/// The sums of the products of four rows, with their offsets, and an input.
#[inline(never)]
fn multiply(rows: &[[[u8; 8]; 4]], input: &[[i16; 8]]) -> [i32; 4] {
    let mut sums = [0; 4];
    for (rows, input) in rows.iter().zip(input) {
        for (i, x) in input.iter().enumerate() {
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum += i32::from(row[i]) * i32::from(*x);
            }
        }
    }
    sums
}

impl<const IN: usize, const OUT: usize> Matrix<IN, OUT> {
    /// No sum overflows, whatever the weights and the inputs are; nor does twice a result with a product of a state added,
    /// from which `State::step` computes a tanh.
    const SUMS_FIT: () = {
        let largest = 8 * IN as i64 * 32_768;
        assert!(255 * largest + MOST_BIAS as i64 <= i32::MAX as i64);
        assert!(2 * (128 * largest + MOST_BIAS as i64 + 32_768) <= i32::MAX as i64);
    };

    /// Asserts that biases and shifts are in range. Meant for compile time.
    pub(in crate::audio) const fn assert_in_range(&self) {
        let mut i = 0;
        while i < 8 * OUT {
            let (bias, shift) = (self.bias[i / 8][i % 8], self.shift[i / 8][i % 8]);
            assert!(-MOST_BIAS <= bias && bias <= MOST_BIAS && shift < 32);
            i += 1;
        }
    }

    /// Eight rows times an input of which all numbers add up to `total`.
    #[inline]
    pub(super) fn rows(&self, eight: usize, input: &Eights<i16, IN>, total: i32) -> [i32; 8] {
        const { Self::SUMS_FIT };
        let (bias, shift) = (&self.bias[eight], &self.shift[eight]);
        let mut rows = [0; 8];
        for (half, block) in self.weights[eight].iter().enumerate() {
            for (k, sum) in multiply(block, input).into_iter().enumerate() {
                let k = 4 * half + k;
                rows[k] = (sum - WEIGHT_OFFSET * total + bias[k]) >> shift[k];
            }
        }
        rows
    }

    /// All rows times an input.
    pub(super) fn product(&self, input: &Eights<i16, IN>) -> Eights<i32, OUT> {
        let total = total(input);
        core::array::from_fn(|eight| self.rows(eight, input, total))
    }

    /// All rows times zeros, limited.
    pub(super) fn times_zero(&self) -> Eights<i16, OUT> {
        core::array::from_fn(|i| core::array::from_fn(|k| narrow(self.bias[i][k] >> self.shift[i][k])))
    }
}
