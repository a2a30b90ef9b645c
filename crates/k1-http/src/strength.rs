//! How hard a token is to guess.

/// Fewest bits of a token, as [`token_bits`] counts them. At 5,000 guesses a second, which is about as many as K1
/// answers, half of 2⁴⁸ take 890 years.
pub const LEAST_TOKEN_BITS: f32 = 48.0;

/// How many bits a token has if each of its characters was drawn by chance from the kinds that occur in it (digits, small
/// letters, capitals, marks). Repeated characters count once more at most: `aaaaaaaaaaaaaaaa` is as good as `aa`. What was
/// not drawn by chance counts as two characters, however long it is: a common word, a run along the alphabet or a
/// keyboard, and whatever stood in the token before.
pub fn token_bits(token: &str) -> f32 {
    let has = |kind: fn(&u8) -> bool| token.bytes().any(|b| kind(&b));
    let kinds = [
        (has(u8::is_ascii_digit), 10_u8),
        (has(u8::is_ascii_lowercase), 26),
        (has(u8::is_ascii_uppercase), 26),
        (token.bytes().any(|b| !b.is_ascii_alphanumeric()), 4),
    ];
    let letters: u8 = kinds.iter().map(|(occurs, n)| if *occurs { *n } else { 0 }).sum();
    let different = (0..=u8::MAX).filter(|c| token.bytes().any(|b| b == *c)).count();
    let counted = drawn(token.as_bytes()).min(2 * different);
    counted as f32 * libm::log2f(f32::from(letters.max(1)))
}

/// Fewest characters that are no accident.
const PIECE: usize = 3;
/// What such a piece counts: which one it is, and how long.
const PIECE_COUNTS: usize = 2;

/// What people's passwords are made of, small and without the digits that stand for letters.
const STEMS: [&[u8]; 30] = [
    b"password",
    b"passwort",
    b"passwd",
    b"letmein",
    b"welcome",
    b"admin",
    b"login",
    b"master",
    b"dragon",
    b"monkey",
    b"iloveyou",
    b"princess",
    b"sunshine",
    b"football",
    b"baseball",
    b"superman",
    b"batman",
    b"shadow",
    b"michael",
    b"hunter",
    b"trustno",
    b"starwars",
    b"computer",
    b"internet",
    b"charlie",
    b"summer",
    b"winter",
    b"hello",
    b"changeme",
    b"default",
];

/// Rows and columns of keyboards.
const KEYS: [&[u8]; 15] = [
    b"1234567890",
    b"qwertyuiop",
    b"qwertzuiop",
    b"azertyuiop",
    b"asdfghjkl",
    b"qsdfghjklm",
    b"zxcvbnm",
    b"yxcvbnm",
    b"1qaz",
    b"2wsx",
    b"3edc",
    b"4rfv",
    b"5tgb",
    b"6yhn",
    b"7ujm",
];

/// Number of characters of a token that may have been drawn by chance.
fn drawn(token: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(rest) = token.get(at..).filter(|r| !r.is_empty()) {
        let piece = stem(rest).max(run(rest)).max(repeat(token, at));
        let (length, counts) = if piece >= PIECE { (piece, PIECE_COUNTS) } else { (1, 1) };
        at += length;
        count += counts;
    }
    count
}

/// Length of the common word with which it begins; 0 if there is none.
fn stem(rest: &[u8]) -> usize {
    let letter = |b: &u8| match b.to_ascii_lowercase() {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' => b'a',
        b'5' => b's',
        b'7' => b't',
        other => other,
    };
    let fits = |s: &&&[u8]| rest.len() >= s.len() && rest.iter().map(letter).zip(**s).all(|(a, b)| a == *b);
    STEMS.iter().filter(fits).map(|s| s.len()).max().unwrap_or(0)
}

/// Length of the run along the alphabet, the digits or a keyboard, forwards or backwards, with which it begins.
fn run(rest: &[u8]) -> usize {
    let length = |follows: &dyn Fn(u8, u8) -> bool| {
        let pairs =
            rest.windows(2).take_while(|p| follows(p[0].to_ascii_lowercase(), p[1].to_ascii_lowercase()));
        1 + pairs.count()
    };
    let next = |a: u8, b: u8| a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && a + 1 == b;
    let on = |row: &[u8], a: u8, b: u8| row.windows(2).any(|p| p == [a, b]);
    let keys = KEYS.iter().map(|row| length(&|a, b| on(row, a, b)).max(length(&|a, b| on(row, b, a)))).max();
    length(&next).max(length(&|a, b| next(b, a))).max(keys.unwrap_or(0))
}

/// Length of the longest part that begins at `at` and also begins earlier.
fn repeat(token: &[u8], at: usize) -> usize {
    let same = |from: usize| token[from..].iter().zip(&token[at..]).take_while(|(a, b)| a == b).count();
    (0..at).map(same).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_as_good_as_its_letters_are_many() {
        let is_enough = |t: &str| token_bits(t) >= LEAST_TOKEN_BITS;
        for short in
            ["", "x", "secret", "letmein1", "123456789012", "aaaaaaaaaaaaaaaaaaaa", "abababababababab"]
        {
            assert!(!is_enough(short), "{short}: {}", token_bits(short));
        }
        for long in ["ab3d5fg7hj", "k2j8wq0vxn4c7dfa", "secret-token-1", "Tr0ub4dor.", "3141592653589793"] {
            assert!(is_enough(long), "{long}: {}", token_bits(long));
        }
    }

    #[test]
    fn patterns_words_and_runs_are_found_at_once() {
        for weak in [
            "aB3xaB3xaB3xaB3xaB3xaB3x",
            "hunter2hunter2hunter2",
            "x7Kx7Kx7Kx7Kx7Kx7K",
            "password1234",
            "Password2024.",
            "P4ssw0rd-2026",
            "myPassword99",
            "qwertyuiopas",
            "1qaz2wsx3edc4rfv",
            "asdfghjkl123",
            "poiuytrewq-1",
            "abcdefghijklmnop",
            "zyxwvutsrqponmlk",
            "abc123def456",
            "12345678901234567890",
            "letmein-letmein-1",
            "admin-admin-admin",
        ] {
            assert!(token_bits(weak) < LEAST_TOKEN_BITS, "{weak}: {}", token_bits(weak));
        }
        // Chance makes a short run or a repeat now and then, which costs little.
        for strong in ["k2j8abc0vxn4c7df", "9f86d081884c7d65", "correct-horse-battery", "Zq-passwd-7xKw2m_P"]
        {
            assert!(token_bits(strong) >= LEAST_TOKEN_BITS, "{strong}: {}", token_bits(strong));
        }
    }
}
