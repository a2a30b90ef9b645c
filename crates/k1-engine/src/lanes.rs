//! SIMD lanes: four where the processor has them, one where it does not.
//!
//! The processor of a lamp has none, and four of each number would not fit its registers. Both variants give the same
//! result to the last bit, because both keep four partial sums.

cfg_select! {
    any(
        target_feature = "sse2",
        all(target_feature = "neon", target_arch = "aarch64"),
        target_feature = "simd128",
    ) => { pub use four::{LANES, Lanes, transpose}; }
    _ => { pub use one::{LANES, Lanes, transpose}; }
}

#[allow(dead_code, reason = "this or the next")]
mod four {
    /// Number of lanes.
    pub const LANES: usize = 4;
    /// A vector of [`LANES`] numbers.
    pub type Lanes = wide::f32x4;

    /// The transposed matrix.
    #[inline]
    pub fn transpose(rows: [Lanes; 4]) -> [Lanes; 4] {
        Lanes::transpose(rows)
    }
}

#[allow(dead_code, reason = "this or the one before")]
mod one {
    use core::ops::{Add, AddAssign, Mul, Sub};

    /// Number of lanes.
    pub const LANES: usize = 1;

    /// A vector of [`LANES`] numbers.
    #[derive(Clone, Copy)]
    pub struct Lanes(f32);

    impl Lanes {
        /// Zero in every lane.
        pub const ZERO: Self = Self(0.0);

        /// A vector from an array.
        #[inline]
        pub const fn new([x]: [f32; LANES]) -> Self {
            Self(x)
        }

        /// The same number in every lane.
        #[inline]
        pub const fn splat(x: f32) -> Self {
            Self(x)
        }

        /// The lanes as an array.
        #[inline]
        pub const fn to_array(self) -> [f32; LANES] {
            [self.0]
        }
    }

    impl Add for Lanes {
        type Output = Self;
        #[inline]
        fn add(self, other: Self) -> Self {
            Self(self.0 + other.0)
        }
    }

    impl AddAssign for Lanes {
        #[inline]
        fn add_assign(&mut self, other: Self) {
            self.0 += other.0;
        }
    }

    impl Sub for Lanes {
        type Output = Self;
        #[inline]
        fn sub(self, other: Self) -> Self {
            Self(self.0 - other.0)
        }
    }

    impl Mul for Lanes {
        type Output = Self;
        #[inline]
        fn mul(self, other: Self) -> Self {
            Self(self.0 * other.0)
        }
    }

    /// A row of one is a column of one, so nothing moves.
    #[inline]
    pub fn transpose(rows: [Lanes; 4]) -> [Lanes; 4] {
        rows
    }
}

/// Four partial sums, whatever the number of lanes.
#[derive(Clone, Copy)]
pub struct Sums([Lanes; 4 / LANES]);

impl Sums {
    /// All sums 0.
    pub const ZERO: Self = Self([Lanes::ZERO; 4 / LANES]);

    /// Adds the products of two rows of four, each to its own sum.
    #[inline]
    pub fn add(&mut self, a: &[f32; 4], b: &[f32; 4]) {
        for ((sum, a), b) in self.0.iter_mut().zip(groups(a)).zip(groups(b)) {
            *sum += a * b;
        }
    }

    /// The sum of all four, added in the order in which SIMD units reduce four lanes.
    #[inline]
    pub fn total(self) -> f32 {
        let mut sums = [0.0; 4];
        for (out, sum) in groups_mut(&mut sums).zip(self.0) {
            *out = sum.to_array();
        }
        (sums[0] + sums[2]) + (sums[1] + sums[3])
    }
}

/// The row in whole vectors; a remainder is left out.
#[inline]
pub fn groups(row: &[f32]) -> impl Iterator<Item = Lanes> {
    row.as_chunks::<LANES>().0.iter().map(|group| Lanes::new(*group))
}

/// The row in whole groups of lanes, mutable; a remainder is left out.
#[inline]
pub fn groups_mut(row: &mut [f32]) -> impl Iterator<Item = &mut [f32; LANES]> {
    row.as_chunks_mut::<LANES>().0.iter_mut()
}

/// Dot product of two rows, up to the length of the shorter.
///
/// It keeps four partial sums; the rest after the last whole group of four is added at the end.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let ((a, last_a), (b, last_b)) = (a[..n].as_chunks::<4>(), b[..n].as_chunks::<4>());
    let mut sums = Sums::ZERO;
    for (a, b) in a.iter().zip(b) {
        sums.add(a, b);
    }
    let rest: f32 = last_a.iter().zip(last_b).map(|(a, b)| a * b).sum();
    sums.total() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_are_multiplied_to_the_shorter_ones_end() {
        let row: [f32; 11] = core::array::from_fn(|i| (i + 1) as f32);
        for n in 0..=row.len() {
            let squares = (1..=n).map(|i| (i * i) as f32).sum::<f32>();
            assert_eq!((dot(&row, &row[..n]), dot(&row[..n], &row)), (squares, squares));
        }
    }
}
