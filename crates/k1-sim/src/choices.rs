//! Choices read from bytes.

/// Reads choices from the front of some bytes. After the end it returns zeros, so that every input is complete.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Choices from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// The next eight bytes as a number.
    pub fn word(&mut self) -> u64 {
        (0..8).fold(0, |n, _| n << 8 | u64::from(self.byte()))
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    /// The next bytes, at most `n`.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// All remaining bytes.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Whether no bytes remain.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_gives_its_bytes_in_order_and_then_zeros() {
        let mut choices = Choices::new(&[7, 1, 2, 3, 4]);
        assert_eq!(choices.below(5), 2);
        assert_eq!(choices.take(2), [1, 2]);
        assert_eq!(choices.word(), 0x0304_0000_0000_0000);
        assert!(choices.is_empty());
        assert_eq!((choices.byte(), choices.below(0), choices.take(9)), (0, 0, &[][..]));
    }
}
