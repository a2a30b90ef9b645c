//! The firmware's stand-in for the crate `zmij` writes numbers as that crate does.
//!
//! `serde_json` has the real crate here, because only the firmware's workspaces replace it.

#[path = "../../firmware/zmij/src/lib.rs"]
mod zmij;

/// Fails if the two texts of a number differ. A number that lies exactly between two shortest texts may have either.
macro_rules! same {
    ($number:expr, $kind:ty) => {
        let number: $kind = $number;
        let there = serde_json::to_string(&number).unwrap();
        let mut buffer = zmij::Buffer::new();
        let here = buffer.format_finite(number);
        let is_tie = || here.len() == there.len() && here.parse::<$kind>().unwrap() == number;
        assert!(here == there || is_tie(), "{number:e} is {there}, and {here} in firmware");
    };
}

#[test]
fn f32_and_f64_have_the_same_text_in_firmware() {
    for number in [0.0, -0.0, 1.0, -1.5, 43210.0, 1e-5, 9.9e-6, 1e-7, 1e12, 1e13, 1e15, 1e16, 0.4, 100.0] {
        same!(number, f64);
        same!(number as f32, f32);
    }
    for number in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::from_bits(1), -0.000_012_345_678_901_234_567] {
        same!(number, f64);
    }
    let mut state = 1_u64;
    for _ in 0..200_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (any, small) = (f64::from_bits(state), f32::from_bits(state as u32));
        let measured = (state >> 40) as f64 / 1000.0;
        for number in [any, measured, measured * 1e-9].into_iter().filter(|n| n.is_finite()) {
            same!(number, f64);
        }
        for number in
            [small, measured as f32, state as i32 as f32 * 1e-6].into_iter().filter(|n| n.is_finite())
        {
            same!(number, f32);
        }
    }
    let mut buffer = zmij::Buffer::new();
    assert_eq!(buffer.format(f64::NAN), "NaN");
    assert_eq!(buffer.format(f32::NEG_INFINITY), "-inf");
}
