//! Synthetic sound with known truth, and the way from sound to frames, for tests of the whole engine.
//!
//! Everything is seeded: the same call gives the same samples on every machine.

#![allow(dead_code, reason = "every test file uses its own part of this")]

use k1_engine::audio::{Ear, Snapshot};
use k1_engine::light::{OutputSettings, Rgb};
use k1_engine::params::Params;
use k1_engine::random::SplitMix64;
use k1_engine::show::Show;
use k1_engine::{HOP_US, SAMPLE_RATE};

/// Samples per second as a floating-point number.
pub const RATE: f64 = SAMPLE_RATE as f64;

/// Reproducible random numbers.
#[derive(Clone, Debug)]
pub struct Random(SplitMix64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0 ≤ x < 1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 16_777_216.0
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Uniform in −1 ≤ x < 1; its RMS is 1/√3.
    pub fn noise(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }
}

/// Number of samples in a time.
pub fn samples_in(seconds: f64) -> usize {
    (seconds * RATE).round() as usize
}

/// Digital silence.
pub fn silence(seconds: f64) -> Vec<f32> {
    vec![0.0; samples_in(seconds)]
}

/// White noise of an RMS in dBFS.
pub fn noise(seconds: f64, rms_db: f64, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let amplitude = (libm::pow(10.0, rms_db / 20.0) * libm::sqrt(3.0)) as f32;
    (0..samples_in(seconds)).map(|_| amplitude * random.noise()).collect()
}

/// Clicks (5 ms of decaying noise) at a strict tempo; the first falls at 0 s.
pub fn clicks(seconds: f64, bpm: f64, amplitude: f32) -> Vec<f32> {
    let mut out = silence(seconds);
    let mut beat = 0;
    loop {
        let start = samples_in(60.0 / bpm * beat as f64);
        if start >= out.len() {
            return out;
        }
        let mut random = Random::new(1 + beat);
        for (i, x) in out[start..].iter_mut().take(160).enumerate() {
            *x += amplitude * random.noise() * libm::exp(-(i as f64) / 32.0) as f32;
        }
        beat += 1;
    }
}

/// A band in four-four time: kick on every beat, snare on two and four, hats on the eighths, a chord per bar and a
/// bass note under it. The first beat falls at 0 s; peaks reach about 0.7 times `loudness`.
pub fn music(seconds: f64, bpm: f64, loudness: f32, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut out = silence(seconds);
    let beat_s = 60.0 / bpm;
    let mut add = |at: f64, length: f64, voice: &mut dyn FnMut(f64) -> f64| {
        let start = samples_in(at).min(out.len());
        for (i, x) in out[start..].iter_mut().take(samples_in(length)).enumerate() {
            *x += voice(i as f64 / RATE) as f32 * loudness;
        }
    };
    let tone = |hz: f64, t: f64| libm::sin(core::f64::consts::TAU * hz * t);
    // C, A minor, F, G: roots in semitones from C3, and thirds.
    const CHORDS: [(f64, f64); 4] = [(0.0, 4.0), (9.0, 3.0), (5.0, 4.0), (7.0, 4.0)];
    let mut beat = 0;
    while f64::from(beat) * beat_s < seconds {
        let at = f64::from(beat) * beat_s;
        // A kick that falls from 110 Hz to 50 Hz.
        add(at, 0.18, &mut |t| {
            0.34 * libm::sin(core::f64::consts::TAU * (50.0 * t - 3.0 * libm::exp(-20.0 * t)))
                * libm::exp(-16.0 * t)
        });
        if beat % 2 == 1 {
            add(at, 0.14, &mut |t| {
                (0.16 * f64::from(random.noise()) + 0.06 * tone(190.0, t)) * libm::exp(-24.0 * t)
            });
        }
        for half in 0..2 {
            let mut last = 0.0;
            add(at + 0.5 * f64::from(half) * beat_s, 0.05, &mut |t| {
                // The difference of noise is bright.
                let now = f64::from(random.noise());
                let bright = now - last;
                last = now;
                0.05 * bright * libm::exp(-70.0 * t)
            });
        }
        if beat % 4 == 0 {
            let (root, third) = CHORDS[(beat / 4) as usize % CHORDS.len()];
            let hz = |semitones: f64| 130.812_782_65 * libm::exp2((root + semitones) / 12.0);
            let bar = 4.0 * beat_s;
            add(at, bar, &mut |t| {
                let swell = (t / 0.02).min(1.0) * libm::exp(-0.6 * t) * ((bar - t) / 0.02).clamp(0.0, 1.0);
                let chord = tone(hz(12.0), t) + tone(hz(12.0 + third), t) + tone(hz(19.0), t);
                (0.045 * chord + 0.07 * tone(hz(0.0), t)) * swell
            });
        }
        beat += 1;
    }
    out
}

/// Every snapshot that an ear makes of the sound.
pub fn hear(sound: &[f32]) -> Vec<Snapshot> {
    let mut snapshots = Vec::with_capacity(sound.len() / k1_engine::HOP);
    Ear::new().feed(sound, |s, _| snapshots.push(*s));
    snapshots
}

/// The snapshot that a frame at `now_us` sees: the newest one captured by then.
pub fn seen_at(snapshots: &[Snapshot], now_us: u64) -> &Snapshot {
    static NOTHING: Snapshot = Snapshot::EMPTY;
    match snapshots.partition_point(|s| s.captured_us <= now_us) {
        0 => &NOTHING,
        after => &snapshots[after - 1],
    }
}

/// Time of frame `k`, so that whole seconds are common to every whole frame rate.
pub fn frame_us(from_us: u64, k: u64, fps: u64) -> u64 {
    from_us + (k * 1_000_000 + fps / 2) / fps
}

/// A show of one pattern without a current limit, started without a fade.
pub fn show_of(pattern: usize, leds: usize, params: &Params) -> Box<Show<512>> {
    let mut show = Box::new(Show::new(leds, OutputSettings { limit_ma: None }));
    show.set_params(*params);
    assert!(show.cut_to(pattern));
    show
}

/// Renders `seconds` from `from_us` at `fps` and calls `each` with every frame and its number.
pub fn play(
    show: &mut Show<512>,
    snapshots: &[Snapshot],
    from_us: u64,
    seconds: f64,
    fps: u64,
    mut each: impl FnMut(u64, &Show<512>),
) {
    for k in 0..=(seconds * fps as f64).round() as u64 {
        let now = frame_us(from_us, k, fps);
        show.render(now, seen_at(snapshots, now));
        each(k, show);
    }
}

/// Light on a roughly perceptual scale: the square root of each channel, three values per LED.
pub fn seen(show: &Show<512>) -> Vec<f32> {
    seen_light(show.output.light(show.leds()))
}

/// The same for any light.
pub fn seen_light(light: &[Rgb]) -> Vec<f32> {
    light.iter().flat_map(|c| [c.r, c.g, c.b]).map(f32::sqrt).collect()
}

/// Mean and largest absolute difference of two pictures.
pub fn difference(a: &[f32], b: &[f32]) -> (f32, f32) {
    assert_eq!(a.len(), b.len());
    let (sum, max) =
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold((0.0, 0.0_f32), |(s, m), d| (s + d, m.max(d)));
    (sum / a.len().max(1) as f32, max)
}

/// Mean value of a picture.
pub fn mean(picture: &[f32]) -> f32 {
    picture.iter().sum::<f32>() / picture.len().max(1) as f32
}

/// A time that is a whole number of hops, in µs.
pub fn hop_aligned_us(seconds: f64) -> u64 {
    (seconds * 1e6) as u64 / HOP_US * HOP_US
}
