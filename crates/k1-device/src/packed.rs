//! Text that a lamp's flash holds packed, and that is unpacked while it is sent, so that no memory for the whole is
//! needed.
//!
//! The text is a list of pairs of symbols (grammar compression, "Re-Pair"). A symbol is a character of ASCII, or stands
//! for one of the first pairs, which are the grammar's rules. Unlike gzip, unpacking needs no window of past text.

use alloc::string::String;

/// Symbols below this number are characters; the others stand for pairs.
pub const FIRST_RULE: u16 = 128;
/// Number of symbols: each takes twelve bits.
pub const SYMBOLS: u16 = 1 << 12;
/// Most characters that a rule stands for.
pub const MOST_CHARACTERS: usize = 256;
/// Number of pairs that are unpacked at once.
const PAIRS_AT_ONCE: usize = 4;

/// A packed text.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// All pairs of symbols, each in 24 bits, little endian: first the rules, then the text.
    pub pairs: &'static [[u8; 3]],
    /// Number of rules.
    pub rules: usize,
    /// Length of the text in bytes.
    pub length: usize,
}

impl Packed {
    /// Writes piece `number` of the text, from 0 on, into `out`, at most 2 KiB. False after the last piece.
    pub fn piece(&self, number: usize, out: &mut String) -> bool {
        out.clear();
        let text = self.pairs.get(self.rules..).unwrap_or_default();
        let Some(pairs) = text.chunks(PAIRS_AT_ONCE).nth(number) else { return false };
        for pair in pairs {
            for symbol in symbols(*pair) {
                self.expand(symbol, out);
            }
        }
        true
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.length);
        let all = self.pairs.get(self.rules..).unwrap_or_default();
        all.iter().flat_map(|pair| symbols(*pair)).for_each(|symbol| self.expand(symbol, &mut text));
        text
    }

    /// Appends the characters of a symbol. A rule stands for symbols before it only, so this ends.
    fn expand(&self, symbol: u16, out: &mut String) {
        match symbol.checked_sub(FIRST_RULE) {
            // Zero fills an incomplete pair.
            None if symbol == 0 => {}
            None => out.push(char::from(symbol as u8)),
            Some(rule) => {
                let pair = self.pairs.get(usize::from(rule)).copied().unwrap_or_default();
                for inner in symbols(pair).into_iter().filter(|inner| *inner < symbol) {
                    self.expand(inner, out);
                }
            }
        }
    }
}

/// The two symbols of a pair.
fn symbols([low, middle, high]: [u8; 3]) -> [u16; 2] {
    let first = u16::from(low) | u16::from(middle & 0x0f) << 8;
    [first, u16::from(middle) >> 4 | u16::from(high) << 4]
}

/// A pair of two symbols.
pub fn pair([first, second]: [u16; 2]) -> [u8; 3] {
    [first as u8, (first >> 8) as u8 & 0x0f | (second << 4) as u8, (second >> 4) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(packed: &Packed) -> String {
        let (mut piece, mut all) = (String::new(), String::new());
        let mut number = 0;
        while packed.piece(number, &mut piece) {
            all += &piece;
            number += 1;
        }
        all
    }

    #[test]
    fn a_pair_holds_any_two_symbols() {
        for two in [[0, 0], [1, 2], [0xfff, 0], [0, 0xfff], [0xabc, 0xdef], [127, 128]] {
            assert_eq!(symbols(pair(two)), two);
        }
    }

    #[test]
    fn rules_unpack_to_their_text_and_an_odd_end_is_filled() {
        let rules = [[b'a', b'b'], [128, 128], [129, b'c']].map(|[a, b]: [u8; 2]| pair([a.into(), b.into()]));
        let text = [[130, u16::from(b'-')], [128, 0]].map(pair);
        let pairs = [rules.as_slice(), &text].concat().leak();
        let packed = Packed { pairs, rules: 3, length: 8 };
        assert_eq!(whole(&packed), "ababc-ab");
        assert!(!Packed { pairs: &[], rules: 7, length: 0 }.piece(0, &mut String::new()));
    }

    #[test]
    fn a_rule_that_names_itself_does_not_hang() {
        let pairs = [pair([128, 129]), pair([128, u16::from(b'x')]), pair([129, 4_000])];
        assert_eq!(whole(&Packed { pairs: pairs.to_vec().leak(), rules: 2, length: 1 }), "x");
    }
}
