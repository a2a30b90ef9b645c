//! The instruments: a drum kit, a bass, chords and an arpeggio, each as simple as possible.

use std::f32::consts::TAU;

use libm::{exp2f, expf, sinf};

use super::mixer::Mixer;
use super::note::{Drum, Instrument};

/// Hits a drum at `at` s.
pub(super) fn hit(mixer: &mut Mixer, drum: Drum, at: f64, gain: f32) {
    mixer.begins(Instrument::Drum(drum), at);
    let mut last = 0.0;
    match drum {
        // A skin whose tone falls from about 230 Hz to 50 Hz, and the beater.
        Drum::Kick => mixer.add(at, 0.4, |t, chance| {
            let turns = 50.0 * t + 4.5 * (1.0 - expf(-40.0 * t));
            gain * (sinf(TAU * turns) * expf(-t / 0.11) + 0.5 * chance.noise() * expf(-t / 0.006))
        }),
        Drum::Snare => mixer.add(at, 0.3, |t, chance| {
            gain * (0.7 * chance.noise() * expf(-t / 0.06) + 0.4 * sinf(TAU * 190.0 * t) * expf(-t / 0.05))
        }),
        // The difference of noise is bright.
        Drum::Hat | Drum::OpenHat => {
            let (length, tau) = if drum == Drum::Hat { (0.15, 0.02) } else { (0.4, 0.09) };
            mixer.add(at, length, |t, chance| {
                let now = chance.noise();
                let bright = now - last;
                last = now;
                0.3 * gain * bright * expf(-t / tau)
            });
        }
        Drum::Ride => mixer.add(at, 0.6, |t, chance| {
            let now = chance.noise();
            let bright = now - last;
            last = now;
            let bell = sinf(TAU * 3_130.0 * t) + sinf(TAU * 4_270.0 * t);
            gain * (0.25 * bright * expf(-t / 0.05) + 0.12 * bell * expf(-t / 0.16))
        }),
    }
}

/// Frequency of a note in semitones from A2.
pub(super) fn hz(semitones: i32) -> f32 {
    110.0 * exp2f(semitones as f32 / 12.0)
}

/// An envelope that rises within `attack` s and falls within the last `release` s of `length` s.
fn swell(t: f32, attack: f32, length: f32, release: f32) -> f32 {
    (t / attack).min(1.0) * ((length - t) / release).clamp(0.0, 1.0)
}

/// A plucked bass note.
pub(super) fn bass(mixer: &mut Mixer, at: f64, length: f64, semitones: i32, gain: f32) {
    mixer.begins(Instrument::Bass, at);
    let hz = hz(semitones);
    mixer.add(at, length, |t, _| {
        let body: f32 = (1..=4_u8).map(|k| sinf(TAU * hz * f32::from(k) * t) / f32::from(k)).sum();
        gain * body * expf(-t / 0.35) * swell(t, 0.006, length as f32, 0.03)
    });
}

/// A chord on a keyboard: struck, then decaying.
pub(super) fn chord(mixer: &mut Mixer, at: f64, length: f64, notes: &[i32], gain: f32) {
    mixer.begins(Instrument::Chord, at);
    for note in notes {
        let hz = hz(*note);
        mixer.add(at, length, |t, _| {
            let tone = sinf(TAU * hz * t + 0.8 * expf(-t / 0.15) * sinf(TAU * 2.0 * hz * t));
            gain * tone * expf(-t / 0.8) * swell(t, 0.008, length as f32, 0.05)
        });
    }
}

/// A chord that swells and fades without a definite onset.
pub(super) fn pad(mixer: &mut Mixer, at: f64, length: f64, notes: &[i32], gain: f32) {
    for note in notes {
        let hz = hz(*note);
        mixer.add(at, length, |t, _| {
            let tone =
                sinf(TAU * hz * t) + 0.5 * sinf(TAU * 2.004 * hz * t) + 0.3 * sinf(TAU * 2.996 * hz * t);
            gain * tone * swell(t, 0.6, length as f32, 0.8)
        });
    }
}

/// A soft note of an arpeggio.
pub(super) fn pluck(mixer: &mut Mixer, at: f64, semitones: i32, gain: f32) {
    mixer.begins(Instrument::Pluck, at);
    let hz = hz(semitones);
    mixer.add(at, 0.9, |t, _| {
        gain * (sinf(TAU * hz * t) + 0.2 * sinf(TAU * 2.0 * hz * t))
            * expf(-t / 0.2)
            * swell(t, 0.015, 0.9, 0.1)
    });
}
