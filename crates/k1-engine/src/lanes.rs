//! Numbers side by side: four where the processor computes four at once, and one where it does not.
//!
//! A lamp's processor has no such instructions, and four of each number are more than its registers hold. Both come to the
//! same numbers, to the last bit: what is added up has four sums on either.

cfg_select! {
    any(
        target_feature = "sse2",
        all(target_feature = "neon", target_arch = "aarch64"),
        target_feature = "simd128",
    ) => { pub use four::{LANES, Lanes, at_least, transpose}; }
    _ => { pub use one::{LANES, Lanes, at_least, transpose}; }
}

#[allow(dead_code, reason = "this or the next")]
mod four {
    /// How many there are.
    pub const LANES: usize = 4;
    /// So many numbers.
    pub type Lanes = wide::f32x4;

    /// The larger of each and the limit.
    #[inline]
    pub fn at_least(lanes: Lanes, limit: f32) -> Lanes {
        lanes.fast_max(Lanes::splat(limit))
    }

    /// Rows and columns change places.
    #[inline]
    pub fn transpose(rows: [Lanes; 4]) -> [Lanes; 4] {
        Lanes::transpose(rows)
    }
}

#[allow(dead_code, reason = "this or the one before")]
mod one {
    use core::ops::{Add, AddAssign, Mul, Sub};

    /// How many there are.
    pub const LANES: usize = 1;

    /// So many numbers.
    #[derive(Clone, Copy)]
    pub struct Lanes(f32);

    impl Lanes {
        /// None.
        pub const ZERO: Self = Self(0.0);

        /// Those of a group.
        #[inline]
        pub const fn new([x]: [f32; LANES]) -> Self {
            Self(x)
        }

        /// The same number in each.
        #[inline]
        pub const fn splat(x: f32) -> Self {
            Self(x)
        }

        /// As a group.
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

    /// The larger of each and the limit.
    #[inline]
    pub fn at_least(lanes: Lanes, limit: f32) -> Lanes {
        Lanes(lanes.0.max(limit))
    }

    /// A row of one is a column of one.
    #[inline]
    pub fn transpose(rows: [Lanes; 4]) -> [Lanes; 4] {
        rows
    }
}

/// Four sums, whatever the processor does at once.
#[derive(Clone, Copy)]
pub struct Sums([Lanes; 4 / LANES]);

impl Sums {
    /// Of nothing.
    pub const ZERO: Self = Self([Lanes::ZERO; 4 / LANES]);

    /// Adds the products of two rows of four, each to its own sum.
    #[inline]
    pub fn add(&mut self, a: &[f32; 4], b: &[f32; 4]) {
        for ((sum, a), b) in self.0.iter_mut().zip(groups(a)).zip(groups(b)) {
            *sum += a * b;
        }
    }

    /// Their sum, in the order in which a processor adds up four that lie side by side.
    #[inline]
    pub fn total(self) -> f32 {
        let mut sums = [0.0; 4];
        for (out, sum) in groups_mut(&mut sums).zip(self.0) {
            *out = sum.to_array();
        }
        (sums[0] + sums[2]) + (sums[1] + sums[3])
    }
}

/// The whole groups of a row.
#[inline]
pub fn groups(row: &[f32]) -> impl Iterator<Item = Lanes> {
    row.as_chunks::<LANES>().0.iter().map(|group| Lanes::new(*group))
}

/// The whole groups of a row, to be changed.
#[inline]
pub fn groups_mut(row: &mut [f32]) -> impl Iterator<Item = &mut [f32; LANES]> {
    row.as_chunks_mut::<LANES>().0.iter_mut()
}
