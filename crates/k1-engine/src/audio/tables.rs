//! What the ear looks up instead of computing. The build script runs this and writes the results as `static`s, so that
//! on a lamp they lie in flash and not in RAM, of which they would take 25 KiB.

use crate::rate::{HOP_RATE, SAMPLE_RATE};

/// Number of bins, a semitone each.
pub const BINS: usize = 64;
/// Centre of bin 0 in hertz: A2. Bin 63 is C8, 4,186 Hz.
pub const LOWEST_HZ: f32 = 110.0;
/// Quality factor of a bin: its centre frequency over the spacing to the next, 1/(2^(1/12) − 1).
pub const Q: f32 = 16.817_154;
/// Bins, and kernels, of an octave.
pub const PER_OCTAVE: usize = 12;
/// Bins 52 … 63 are the top octave; below them four full octaves and the four lowest bins.
pub const TOP_FIRST_BIN: usize = BINS - PER_OCTAVE;
/// The longest kernel (bin 52: 121 samples) fits.
pub const HISTORY: usize = 128;
/// The bin at which tones read their own amplitude (440 Hz); see `ConstantQ::process`.
const REFERENCE_BIN: usize = 24;

/// Centre frequency of a bin in hertz, `110 · 2^(bin/12)`.
pub fn bin_hz(bin: usize) -> f32 {
    LOWEST_HZ * libm::exp2f(bin as f32 / PER_OCTAVE as f32)
}

/// Stage and kernel of a bin.
pub const fn locate(bin: usize) -> (usize, usize) {
    let down = BINS - 1 - bin;
    (down / PER_OCTAVE, PER_OCTAVE - 1 - down % PER_OCTAVE)
}

/// The filter bank.
pub struct Bank {
    /// Real and imaginary part of each kernel, newest sample last, zero-padded at the front.
    pub kernels: [[[f32; HISTORY]; 2]; PER_OCTAVE],
    /// Length of each kernel in samples.
    pub lengths: [usize; PER_OCTAVE],
    /// Factor from tone amplitude to the noise-flat scale, per bin.
    pub flatten: [f32; BINS],
}

/// Computes the filter bank.
pub fn bank() -> Bank {
    let mut kernels = [[[0.0; HISTORY]; 2]; PER_OCTAVE];
    let mut lengths = [0; PER_OCTAVE];
    let mut noise_gain = [0.0; PER_OCTAVE];
    for (k, noise_gain) in noise_gain.iter_mut().enumerate() {
        let turns = bin_hz(TOP_FIRST_BIN + k) as f64 / SAMPLE_RATE as f64;
        let n = libm::round(Q as f64 / turns) as usize;
        let window = |i: usize| 0.5 - 0.5 * libm::cos(core::f64::consts::TAU * (i as f64 + 0.5) / n as f64);
        let sum: f64 = (0..n).map(window).sum();
        for i in 0..n {
            let (s, c) = libm::sincos(core::f64::consts::TAU * turns * i as f64);
            // 2/Σw: a sine of amplitude 1 reads 1.
            let w = 2.0 * window(i) / sum;
            kernels[k][0][HISTORY - n + i] = (w * c) as f32;
            kernels[k][1][HISTORY - n + i] = (w * s) as f32;
            *noise_gain += w * w;
        }
        lengths[k] = n;
    }
    let bin_noise = |bin: usize| {
        let (stage, k) = locate(bin);
        // Decimation by two keeps the density and halves the power of white noise.
        libm::sqrt(noise_gain[k] / (1 << stage) as f64)
    };
    let reference = bin_noise(REFERENCE_BIN);
    let flatten = core::array::from_fn(|bin| (reference / bin_noise(bin)) as f32);
    Bank { kernels, lengths, flatten }
}

/// Samples of the onset detector's transform.
pub const FFT: usize = 1024;
/// Bands of the onset detector.
pub const BANDS: usize = 28;
/// First band of each of four groups, and the end of the last: low, lower middle, upper middle and high sound.
pub const GROUPS: [usize; 5] = [0, 9, 15, 21, BANDS];
/// Centre in hertz of the first band of the groups above the lowest. Sound between the centres of two bands counts for
/// both in shares, so that a group's edge is a slope from the centre before to this one.
pub const GROUP_EDGES_HZ: [f32; 3] = [189.8, 649.4, 2_221.6];
/// Centres of its lowest and highest band.
const LOWEST_BAND_HZ: f64 = 30.0;
const HIGHEST_BAND_HZ: f64 = 7_600.0;

/// The transform's window (Hann).
pub fn window() -> [f32; FFT] {
    core::array::from_fn(|i| {
        (0.5 - 0.5 * libm::cos(core::f64::consts::TAU * (i as f64 + 0.5) / FFT as f64)) as f32
    })
}

/// Turns `n / of` as a cosine and the sine of a transform, which turns backwards.
fn twist(n: usize, of: usize) -> [f32; 2] {
    let (s, c) = libm::sincos(-core::f64::consts::TAU * (n % of) as f64 / of as f64);
    [c as f32, s as f32]
}

/// Complex numbers of the transform.
const PAIRS: usize = FFT / 2;

/// Twists of the step by two: the cosines, then the sines.
pub fn twos() -> [f32; PAIRS] {
    core::array::from_fn(|i| twist(i % (PAIRS / 2), PAIRS)[i / (PAIRS / 2)])
}

/// Lengths of the blocks that the steps by four part.
pub const QUARTERED: [usize; 3] = [256, 64, 16];
/// How many numbers twist them: sine and cosine of three quarters of each block.
pub const FOURS_COUNT: usize = 6 * (QUARTERED[0] + QUARTERED[1] + QUARTERED[2]) / 4;

/// Twists of the steps by four, of one block of each length: all cosines of the second quarter, its sines, then those of
/// the third and of the fourth.
pub fn fours() -> [f32; FOURS_COUNT] {
    let mut all = [0.0; FOURS_COUNT];
    let mut at = 0;
    for length in QUARTERED {
        for quarter in 1..4 {
            for part in 0..2 {
                for place in 0..length / 4 {
                    all[at] = twist(quarter * place, length)[part];
                    at += 1;
                }
            }
        }
    }
    all
}

/// Twists that take the spectra of even and odd samples apart: for each number and half of what is below a quarter turn, the
/// cosines of every 32nd from there, and the sines; see `fourier`.
pub fn apart() -> [[[f32; 4]; 2]; FFT / 16] {
    core::array::from_fn(|i| {
        core::array::from_fn(|part| {
            core::array::from_fn(|d| twist(i / 2 + 128 * (i % 2) + 32 * d, FFT)[part])
        })
    })
}

/// Centre of a band in hertz.
#[cfg(test)]
pub fn band_hz(band: usize) -> f64 {
    let top = libm::log2(HIGHEST_BAND_HZ / LOWEST_BAND_HZ);
    LOWEST_BAND_HZ * libm::exp2(top * band as f64 / (BANDS - 1) as f64)
}

fn band_position(hz: f64) -> f64 {
    let top = libm::log2(HIGHEST_BAND_HZ / LOWEST_BAND_HZ);
    libm::log2(hz / LOWEST_BAND_HZ) / top * (BANDS - 1) as f64
}

/// Where a bin of the transform is among the bands: the number of the one below it, and how far it is on the way to the
/// next.
fn band_of(bin: usize) -> (usize, f32) {
    let hz = bin as f64 * SAMPLE_RATE as f64 / FFT as f64;
    let p = band_position(hz).clamp(0.0, (BANDS - 1) as f64 - 1e-9);
    (p as usize, (p - libm::floor(p)) as f32)
}

/// For each bin of the transform the share of the upper of its two bands; the constant part is in none.
pub fn upper() -> [f32; FFT / 2] {
    core::array::from_fn(|bin| band_of(bin.max(1)).1)
}

/// The first bin whose lower band is this one, for each band but the highest, and where the last of them ends.
pub fn band_from() -> [u16; BANDS] {
    core::array::from_fn(|band| (1..FFT / 2).find(|bin| band_of(*bin).0 >= band).unwrap_or(FFT / 2) as u16)
}

/// Shortest beat in hops, the longest with a neighbour one hop away, and the number of tempi.
const SHORTEST: usize = 35;
const FINE: usize = 75;
/// Number of tempi.
pub const TEMPI: usize = 80;
/// Length of a tempo's beat in hops: every hop to 75, then every second.
pub const fn period_of(tempo: usize) -> usize {
    if tempo <= FINE - SHORTEST { SHORTEST + tempo } else { FINE + 2 * (tempo + SHORTEST - FINE) }
}
/// Hops of the longest beat.
pub const LONGEST: usize = period_of(TEMPI - 1);
/// Tempo that a listener expects, in beats per minute, and how far from it in octaves (standard deviation). After
/// Moelants, "Preferred tempo reconsidered" (ICMPC 2002), narrower, for it is what decides between octaves.
const EXPECTED_BPM: f32 = 122.0;
const EXPECTED_OCTAVES: f32 = 0.36;
/// Width of the tempo transition, in tempi to either side, and its steepness: P ∝ e^(−λ·|ratio − 1|).
pub const REACH: usize = 6;
const TRANSITION_LAMBDA: f32 = 90.0;

/// How likely each tempo is before anything was heard.
pub fn prior() -> [f32; TEMPI] {
    let mut prior: [f32; TEMPI] = core::array::from_fn(|tempo| {
        let octaves =
            libm::log2f(60.0 * HOP_RATE / period_of(tempo) as f32 / EXPECTED_BPM) / EXPECTED_OCTAVES;
        // The width of a tempo's own interval belongs to it.
        let width = if tempo <= FINE - SHORTEST { 1.0 } else { 2.0 };
        libm::expf(-0.5 * octaves * octaves) * width / period_of(tempo) as f32
    });
    let sum: f32 = prior.iter().sum();
    prior.iter_mut().for_each(|p| *p /= sum);
    prior
}

/// From which tempi a tempo is reached, and how often. Each hands out exactly what it holds.
pub fn transitions() -> [[f32; 2 * REACH + 1]; TEMPI] {
    let mut rows = [[0.0; 2 * REACH + 1]; TEMPI];
    for from in 0..TEMPI {
        let reached = from.saturating_sub(REACH)..=(from + REACH).min(TEMPI - 1);
        let chance = |to: usize| {
            let ratio = period_of(to) as f32 / period_of(from) as f32;
            libm::expf(-TRANSITION_LAMBDA * (ratio - 1.0).abs())
        };
        let sum: f32 = reached.clone().map(chance).sum();
        for to in reached {
            rows[to][from + REACH - to] = chance(to) / sum;
        }
    }
    rows
}

/// The tempo whose beat has about this many hops; `None` where the pulse follows none.
pub fn tempo_near(hops: f32) -> Option<usize> {
    let hops = (hops + 0.5) as usize;
    let tempo =
        if hops <= FINE { hops.checked_sub(SHORTEST)? } else { FINE - SHORTEST + (hops - FINE).div_ceil(2) };
    (tempo < TEMPI).then_some(tempo)
}

/// How many values a confidence is judged by.
pub const TRUST_LOOKS: usize = 16;

/// How many values a hop is judged by: what sounds like a beat, and what like the moments between.
pub const LOOKS: usize = 34;
