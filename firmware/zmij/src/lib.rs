#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! Stands in for the crate `zmij`, with which `serde_json` writes numbers with a fraction.
//!
//! `zmij` is made for speed and takes 22 KB of a lamp's flash. `core` can write the same digits, and is linked anyway.
//! The text is the same, except that a number exactly between two shortest texts may have the other one. A test of
//! xtask compares the two.

use core::fmt::{self, LowerExp, Write};
use core::ops::RangeInclusive;

/// Length of the longest text, that of -0.000012345678901234567.
const LONGEST: usize = 24;

/// Holds the text of a number.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: [u8; LONGEST],
    length: usize,
}

/// A number with a fraction: `f32` or `f64`.
pub trait Float: LowerExp {
    /// Exponents of ten whose numbers are written without an exponent.
    const WITHOUT_EXPONENT: RangeInclusive<i32>;
}

impl Float for f32 {
    const WITHOUT_EXPONENT: RangeInclusive<i32> = -6..=12;
}

impl Float for f64 {
    const WITHOUT_EXPONENT: RangeInclusive<i32> = -5..=15;
}

impl Buffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a number with the fewest digits that give the same number when read, or "NaN", "inf" or "-inf".
    pub fn format<F: Float>(&mut self, number: F) -> &str {
        self.lay_out(format_args!("{number:e}"), F::WITHOUT_EXPONENT)
    }

    /// Writes a finite number like [`Buffer::format`].
    pub fn format_finite<F: Float>(&mut self, number: F) -> &str {
        self.format(number)
    }

    /// Lays out a number that `core` has written with an exponent.
    fn lay_out(&mut self, number: fmt::Arguments<'_>, without_exponent: RangeInclusive<i32>) -> &str {
        let mut scientific = Self::new();
        self.length = 0;
        // Both buffers have room for the longest text.
        let _ = scientific.write_fmt(number);
        let _ = self.write(scientific.text(), without_exponent);
        self.text()
    }

    fn write(&mut self, scientific: &str, without_exponent: RangeInclusive<i32>) -> fmt::Result {
        let Some((mantissa, exponent)) = scientific.split_once('e') else {
            return self.write_str(scientific);
        };
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if !without_exponent.contains(&exponent) {
            let plus = if exponent > 0 { "+" } else { "" };
            return write!(self, "{mantissa}e{plus}{exponent}");
        }
        let digits = match mantissa.strip_prefix('-') {
            Some(digits) => {
                self.write_char('-')?;
                digits
            }
            None => mantissa,
        };
        let mut digits = digits.chars().filter(|c| *c != '.').fuse().peekable();
        // Zeros before the first digit, digits and zeros up to the unit, and at least one digit after the point.
        let mut place = exponent.max(0);
        loop {
            let digit = if place > exponent { None } else { digits.next() };
            self.write_char(digit.unwrap_or('0'))?;
            if place < 0 && digits.peek().is_none() {
                return Ok(());
            }
            if place == 0 {
                self.write_char('.')?;
            }
            place -= 1;
        }
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let place = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}
