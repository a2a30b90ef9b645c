//! Arithmetic at its edges, and atomics: where compilers for a young target go wrong.

use core::hint::black_box;
use core::sync::atomic::Ordering::SeqCst;
use core::sync::atomic::{AtomicBool, AtomicI16, AtomicU8, AtomicU16, AtomicU32};

const FLOATS: [f32; 30] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.5,
    -0.5,
    1.5,
    2.5,
    -3.7,
    255.4,
    256.0,
    1e-3,
    3.402_823_5e38,
    -3.402_823_5e38,
    1.175_494_4e-38,
    1e-40,
    -1e-45,
    1e30,
    -1e-30,
    8_388_607.5,
    16_777_217.0,
    2_147_483_520.0,
    2_147_483_648.0,
    -2_147_483_648.0,
    4_294_967_296.0,
    9.223_372e18,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

const INTEGERS: [u32; 14] =
    [0, 1, 2, 3, 7, 10, 255, 0x7fff, 0x1_0001, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xdead_beef, u32::MAX];

/// Hands the results of many operations on edge values to `put`, word by word.
pub fn edges(put: &mut impl FnMut(u32)) {
    let floats = black_box(FLOATS);
    for x in floats {
        alone(x, put);
        for y in floats {
            pair(x, y, put);
        }
    }
    let integers = black_box(INTEGERS);
    for a in integers {
        for b in integers {
            whole(a, b, put);
        }
    }
    atomics(put);
}

/// The bits of a number; the same for every NaN, whose sign and payload differ between processors.
fn bits(x: f32) -> u32 {
    if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

fn alone(x: f32, put: &mut impl FnMut(u32)) {
    for y in [
        libm::floorf(x),
        libm::ceilf(x),
        libm::truncf(x),
        libm::roundf(x),
        libm::rintf(x),
        libm::sqrtf(x),
        k1_engine::math::sqrt(x),
        x.abs(),
        x.signum(),
        x.recip(),
        f64::from(x) as f32,
        (f64::from(x) * 1.000_000_1) as f32,
    ] {
        put(bits(y));
    }
    put(x as u8 as u32);
    put(x as i8 as u32);
    put(x as u16 as u32);
    put(x as i16 as u32);
    put(x as u32);
    put(x as i32 as u32);
    put(x as u64 as u32);
    put((x as i64 >> 32) as u32);
    put((x as i32 as f32).to_bits());
    put((x as u32 as f32).to_bits());
    put((x as u64 as f32).to_bits());
    put((x as i64 as f32).to_bits());
}

fn pair(x: f32, y: f32, put: &mut impl FnMut(u32)) {
    // Which of two zeros with different signs is the larger is left open, so the sign goes.
    let unsigned_zero = 0.0;
    let (d, e) = (f64::from(x), f64::from(y));
    for z in [
        x + y,
        x - y,
        x * y,
        x / y,
        x % y,
        x.max(y) + unsigned_zero,
        x.min(y) + unsigned_zero,
        x.copysign(y),
        x * y + x,
        // A choice between two constants and between two numbers.
        if x < y { 0.25 } else { -8.0 },
        if x >= y { x } else { y },
        (d + e) as f32,
        (d * e) as f32,
        (d / e) as f32,
    ] {
        put(bits(z));
    }
    let order = x.partial_cmp(&y).map_or(7, |o| o as i8);
    put(u32::from(order as u8));
    let is = [x < y, x <= y, x == y, x != y, x > y, x >= y];
    put(is.iter().fold(0, |all, b| all << 1 | u32::from(*b)));
    if y >= -2.0 && y <= 3.0 {
        put(bits(x.clamp(-2.0, y)));
    }
}

fn whole(a: u32, b: u32, put: &mut impl FnMut(u32)) {
    let wide = u64::from(a) << 17 | u64::from(b);
    let product = u64::from(a) * u64::from(b);
    let signed = i64::from(a as i32) * i64::from(b as i32);
    for x in [wide.wrapping_mul(product), wide.rotate_left(b % 64), product, signed as u64] {
        put(x as u32);
        put((x >> 32) as u32);
    }
    for x in [
        a.checked_div(b).unwrap_or(1),
        a.checked_rem(b).unwrap_or(1),
        (a as i32).wrapping_div((b as i32).max(1)) as u32,
        (a as i32).wrapping_rem((b as i32).min(-1)) as u32,
        wide.checked_div(u64::from(b)).unwrap_or(1) as u32,
        a.wrapping_shl(b),
        ((a as i32).wrapping_shr(b)) as u32,
        a.rotate_right(b % 32),
        a.leading_zeros(),
        b.trailing_zeros(),
        a.count_ones(),
        a.swap_bytes(),
        a.saturating_add(b),
        a.saturating_sub(b),
        (a as i32).saturating_add(b as i32) as u32,
        u32::from(a.overflowing_add(b).1),
        (a as i16).wrapping_mul(b as i16) as u32,
        (a as i8).saturating_sub(b as i8) as u32,
        a.abs_diff(b),
    ] {
        put(x);
    }
    put((a as f32).to_bits());
    put((a as i32 as f32).to_bits());
    put((wide as f32).to_bits());
}

/// Atomics of 8 and 16 bits are made of those of 32, at each place in the word.
fn atomics(put: &mut impl FnMut(u32)) {
    let bytes = [const { AtomicU8::new(250) }; 8];
    let halves = [const { AtomicU16::new(65_000) }; 4];
    let signed = [const { AtomicI16::new(-3) }; 2];
    let words = [const { AtomicU32::new(0xffff_fff0) }; 2];
    let flag = AtomicBool::new(false);
    for round in 0..40_u32 {
        let i = black_box(round as usize);
        let byte = &bytes[i % bytes.len()];
        put(byte.fetch_add(10 + i as u8, SeqCst).into());
        put(byte.compare_exchange(4, 77, SeqCst, SeqCst).unwrap_or_else(|x| x ^ 0xff).into());
        put(byte.fetch_or(1 << (i % 8), SeqCst).into());
        put(byte.swap(i as u8 * 3, SeqCst).into());
        put(byte.fetch_max(40, SeqCst).into());
        let half = &halves[i % halves.len()];
        put(half.fetch_add(1_000, SeqCst).into());
        put(half.fetch_sub(i as u16, SeqCst).into());
        put(half.compare_exchange(464, 5, SeqCst, SeqCst).unwrap_or_else(|x| !x).into());
        put(half.fetch_nand(0x0ff0, SeqCst).into());
        put(signed[i % 2].fetch_min(3 - i as i16, SeqCst) as u32);
        put(signed[i % 2].fetch_max(-20, SeqCst) as u32);
        let word = &words[i % words.len()];
        put(word.fetch_add(7, SeqCst));
        put(word.compare_exchange(0xffff_fff7, 99, SeqCst, SeqCst).unwrap_or_else(|x| !x));
        put(word.fetch_xor(0xf0f0, SeqCst));
        put(word.fetch_max(round * 1_000, SeqCst));
        put(word.swap(round, SeqCst));
        put(u32::from(flag.fetch_xor(i.is_multiple_of(3), SeqCst)));
    }
    bytes.iter().for_each(|x| put(x.load(SeqCst).into()));
    halves.iter().for_each(|x| put(x.load(SeqCst).into()));
    signed.iter().for_each(|x| put(x.load(SeqCst) as u32));
    words.iter().for_each(|x| put(x.load(SeqCst)));
}
