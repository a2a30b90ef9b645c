//! Tables of the ear. The build script computes them and writes them as `static`s, so that a lamp keeps them in flash
//! rather than RAM, of which they would take 25 KiB.

use crate::rate::{HOP_RATE, SAMPLE_RATE};

/// Number of bins; each is a semitone.
pub const BINS: usize = 64;
/// Centre of bin 0 in hertz: A2. Bin 63 is C8, 4,186 Hz.
pub const LOWEST_HZ: f32 = 110.0;
/// Quality factor of a bin: its centre frequency over the spacing to the next, 1/(2^(1/12) − 1).
pub const Q: f32 = 16.817_154;
/// Bins per octave; also the number of kernels.
pub const PER_OCTAVE: usize = 12;
/// First bin of the top octave (52 … 63). Below it are four full octaves and the four lowest bins.
pub const TOP_FIRST_BIN: usize = BINS - PER_OCTAVE;
/// Samples per octave; the longest kernel (bin 52, 121 samples) fits.
pub const HISTORY: usize = 128;
/// The bin (440 Hz) at which a tone reads its own amplitude; see `ConstantQ::process`.
const REFERENCE_BIN: usize = 24;

/// Centre frequency of a bin in hertz, `110 · 2^(bin/12)`.
pub fn bin_hz(bin: usize) -> f32 {
    LOWEST_HZ * libm::exp2f(bin as f32 / PER_OCTAVE as f32)
}

/// Octave and kernel of a bin; octave 0 is the top one.
pub const fn locate(bin: usize) -> (usize, usize) {
    let down = BINS - 1 - bin;
    (down / PER_OCTAVE, PER_OCTAVE - 1 - down % PER_OCTAVE)
}

/// The filter bank.
pub struct Bank {
    /// Real and imaginary part of each kernel in groups of four, newest sample last, zero-padded at the front. The parts
    /// take turns, so that one address leads to both.
    pub kernels: [[[[f32; 4]; 2]; HISTORY / 4]; PER_OCTAVE],
    /// Length of each kernel in samples.
    pub lengths: [usize; PER_OCTAVE],
    /// Factor from tone amplitude to the noise-flat scale, per bin.
    pub flatten: [f32; BINS],
}

/// Computes the filter bank.
pub fn bank() -> Bank {
    let mut kernels = [[[[0.0; 4]; 2]; HISTORY / 4]; PER_OCTAVE];
    let mut lengths = [0; PER_OCTAVE];
    let mut noise_gain = [0.0; PER_OCTAVE];
    for (k, noise_gain) in noise_gain.iter_mut().enumerate() {
        let turns = bin_hz(TOP_FIRST_BIN + k) as f64 / SAMPLE_RATE as f64;
        let n = libm::round(Q as f64 / turns) as usize;
        let window = |i: usize| 0.5 - 0.5 * libm::cos(core::f64::consts::TAU * (i as f64 + 0.5) / n as f64);
        let sum: f64 = (0..n).map(window).sum();
        for i in 0..n {
            let (s, c) = libm::sincos(core::f64::consts::TAU * turns * i as f64);
            // Scaled by 2/Σw, so that a sine of amplitude 1 reads 1.
            let w = 2.0 * window(i) / sum;
            let at = HISTORY - n + i;
            kernels[k][at / 4][0][at % 4] = (w * c) as f32;
            kernels[k][at / 4][1][at % 4] = (w * s) as f32;
            *noise_gain += w * w;
        }
        lengths[k] = n;
    }
    let bin_noise = |bin: usize| {
        let (octave, k) = locate(bin);
        // Decimation by two keeps the density of white noise and halves its power.
        libm::sqrt(noise_gain[k] / (1 << octave) as f64)
    };
    let reference = bin_noise(REFERENCE_BIN);
    let flatten = core::array::from_fn(|bin| (reference / bin_noise(bin)) as f32);
    Bank { kernels, lengths, flatten }
}

/// Samples of the onset detector's FFT.
pub const FFT: usize = 1024;
/// Number of bands of the onset detector.
pub const BANDS: usize = 28;
/// First band of each of the four groups (low, lower middle, upper middle and high sound), and the end of the last.
pub const GROUPS: [usize; 5] = [0, 9, 15, 21, BANDS];
/// Centre in hertz of the first band of each group but the lowest. Sound between the centres of two bands counts for
/// both in proportion, so a group begins as a slope from the previous centre to this one.
pub const GROUP_EDGES_HZ: [f32; 3] = [189.8, 649.4, 2_221.6];
/// Centres of the lowest and the highest band in hertz.
const LOWEST_BAND_HZ: f64 = 30.0;
const HIGHEST_BAND_HZ: f64 = 7_600.0;

/// Half the Hann window of the FFT, because the separation of even and odd samples needs half sums.
pub fn half_window() -> [f32; FFT] {
    core::array::from_fn(|i| {
        0.5 * (0.5 - 0.5 * libm::cos(core::f64::consts::TAU * (i as f64 + 0.5) / FFT as f64)) as f32
    })
}

/// The twiddle factor of `n / of` turns, as cosine and sine. A forward transform turns backwards.
fn twiddle(n: usize, of: usize) -> [f32; 2] {
    let (s, c) = libm::sincos(-core::f64::consts::TAU * (n % of) as f64 / of as f64);
    [c as f32, s as f32]
}

/// Number of complex values of the FFT.
const PAIRS: usize = FFT / 2;

/// Twiddle factors of the radix-2 step: the cosines, then the sines.
pub fn radix2_twiddles() -> [f32; PAIRS] {
    core::array::from_fn(|i| twiddle(i % (PAIRS / 2), PAIRS)[i / (PAIRS / 2)])
}

/// Block lengths of the radix-4 steps that have twiddle factors.
pub const RADIX4_LENGTHS: [usize; 3] = [256, 64, 16];
/// Number of their twiddle factors: cosine and sine for three quarters of each block.
pub const RADIX4_TWIDDLE_COUNT: usize = 6 * (RADIX4_LENGTHS[0] + RADIX4_LENGTHS[1] + RADIX4_LENGTHS[2]) / 4;

/// Twiddle factors of the radix-4 steps, for one block of each length: the cosines of the second quarter, its sines,
/// then those of the third and the fourth quarter.
pub fn radix4_twiddles() -> [f32; RADIX4_TWIDDLE_COUNT] {
    let mut all = [0.0; RADIX4_TWIDDLE_COUNT];
    let mut at = 0;
    for length in RADIX4_LENGTHS {
        for quarter in 1..4 {
            for part in 0..2 {
                for i in 0..length / 4 {
                    all[at] = twiddle(quarter * i, length)[part];
                    at += 1;
                }
            }
        }
    }
    all
}

/// Twiddle factors that separate the spectra of even and odd samples: for each start and each half below a quarter
/// turn, the cosines of every 32nd value, and their sines; see `fourier`.
pub fn real_twiddles() -> [[[f32; 4]; 2]; FFT / 16] {
    core::array::from_fn(|i| {
        core::array::from_fn(|part| {
            core::array::from_fn(|d| twiddle(i / 2 + 128 * (i % 2) + 32 * d, FFT)[part])
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

/// Position of an FFT bin among the bands: the band below it, and its share of the way to the next.
fn band_of(bin: usize) -> (usize, f32) {
    let hz = bin as f64 * SAMPLE_RATE as f64 / FFT as f64;
    let p = band_position(hz).clamp(0.0, (BANDS - 1) as f64 - 1e-9);
    (p as usize, (p - libm::floor(p)) as f32)
}

/// For each FFT bin, the share that counts for the upper of its two bands. The DC bin counts for none.
pub fn upper_share() -> [f32; FFT / 2] {
    core::array::from_fn(|bin| band_of(bin.max(1)).1)
}

/// For each band but the highest, the first bin between it and the next; then the end of the last.
pub fn band_start() -> [u16; BANDS] {
    core::array::from_fn(|band| (1..FFT / 2).find(|bin| band_of(*bin).0 >= band).unwrap_or(FFT / 2) as u16)
}

/// Lengths of a beat in hops: the shortest, and the longest whose neighbour is one hop away.
const SHORTEST: usize = 35;
const FINE: usize = 75;
/// Number of tempi.
pub const TEMPI: usize = 80;
/// Length of a tempo's beat in hops: every hop up to 75, then every second.
pub const fn period_of(tempo: usize) -> usize {
    if tempo <= FINE - SHORTEST { SHORTEST + tempo } else { FINE + 2 * (tempo + SHORTEST - FINE) }
}
/// Tempo of an entry of `BeatTracker::belief` in beats per minute; the fastest is 0.
pub fn tempo_bpm(tempo: usize) -> f32 {
    60.0 * HOP_RATE / period_of(tempo) as f32
}
/// Length of the longest beat in hops.
pub const LONGEST: usize = period_of(TEMPI - 1);
/// The tempo that listeners expect, in beats per minute, and the standard deviation in octaves. After Moelants,
/// "Preferred tempo reconsidered" (ICMPC 2002), but narrower, because it decides between octaves.
const EXPECTED_BPM: f32 = 122.0;
const EXPECTED_OCTAVES: f32 = 0.36;
/// Reach of a tempo transition in tempi to either side, and its steepness λ in P ∝ e^(−λ·|ratio − 1|).
pub const REACH: usize = 6;
const TRANSITION_LAMBDA: f32 = 90.0;

/// Prior probability of each tempo.
pub fn prior() -> [f32; TEMPI] {
    let mut prior: [f32; TEMPI] = core::array::from_fn(|tempo| {
        let octaves =
            libm::log2f(60.0 * HOP_RATE / period_of(tempo) as f32 / EXPECTED_BPM) / EXPECTED_OCTAVES;
        // The prior of a tempo includes its whole interval.
        let width = if tempo <= FINE - SHORTEST { 1.0 } else { 2.0 };
        libm::expf(-0.5 * octaves * octaves) * width / period_of(tempo) as f32
    });
    let sum: f32 = prior.iter().sum();
    prior.iter_mut().for_each(|p| *p /= sum);
    prior
}

/// For each tempo, the probabilities of the transitions that lead to it. The transitions from each tempo add up to 1.
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

/// The tempo whose beat is closest to this many hops; `None` beyond the fastest and the slowest.
pub fn tempo_near(hops: f32) -> Option<usize> {
    let hops = (hops + 0.5) as usize;
    let tempo =
        if hops <= FINE { hops.checked_sub(SHORTEST)? } else { FINE - SHORTEST + (hops - FINE).div_ceil(2) };
    (tempo < TEMPI).then_some(tempo)
}

/// Number of features of the confidence.
pub const CONFIDENCE_FEATURES: usize = 16;

/// Value of the logistic function at the beginning of each of 256 segments of −8 … 8, in 1/65536, and its rise to the
/// end of the segment.
pub fn logistic() -> [[u16; 2]; 256] {
    let value = |segment: usize| {
        let at = (segment as f64 - 128.0) / 16.0;
        libm::round(65_536.0 / (1.0 + libm::exp(-at))) as u16
    };
    core::array::from_fn(|segment| [value(segment), value(segment + 1) - value(segment)])
}
