//! Bands whose instruments and grooves have nothing in common.

use std::f32::consts::TAU;

use libm::{exp2f, expf, sinf};

use super::super::instruments::{bass, chord, hit, hz, pad, pluck};
use super::super::mixer::Mixer;
use super::super::note::Drum::{self, Hat, Kick, OpenHat, Ride, Snare};
use super::super::pieces::{FOUR, ROCK, Stroke};

/// A band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// The instruments of the [pieces](super::super::PIECES).
    First,
    /// Another drum kit, a bass and strings of saw teeth, an organ and a bell.
    Second,
    /// A kit with toms and a metallic hat, a square bass, a guitar, a choir and a whistle.
    Third,
}

type Chord = fn(&mut Mixer, f64, f64, &[i32], f32);

/// Notes: position in the bar in beats, and semitones above the root or index of the chord's tone.
pub(super) type Line = &'static [(f64, i32)];

/// The instruments of a band, and what it plays on them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Players {
    pub(super) hit: fn(&mut Mixer, Drum, f64, f32),
    pub(super) bass: fn(&mut Mixer, f64, f64, i32, f32),
    pub(super) chord: Chord,
    pub(super) pad: Chord,
    pub(super) lead: fn(&mut Mixer, f64, i32, f32),
    /// Tempi in beats per minute.
    pub(super) bpm: [f64; 2],
    pub(super) grooves: [&'static [Stroke]; 3],
    /// A groove of three beats.
    pub(super) waltz: &'static [Stroke],
    pub(super) club: &'static [Stroke],
    pub(super) lines: [Line; 2],
    pub(super) leads: [Line; 2],
    pub(super) comps: [(&'static [f64], f64); 2],
}

pub(super) fn players(band: Band) -> Players {
    match band {
        Band::First => Players {
            hit,
            bass,
            chord,
            pad,
            lead: pluck,
            bpm: [92.0, 138.0],
            grooves: [ROCK, HALF_TIME, RIDING],
            waltz: &[(0.0, Kick, 1.0), (1.0, Hat, 0.3), (1.0, Snare, 0.4), (2.0, Hat, 0.3)],
            club: FOUR,
            lines: [
                &[(0.0, 0), (0.5, 0), (1.5, 0), (2.0, 0), (2.5, 7), (3.5, 0)],
                &[(0.5, 0), (1.5, 0), (2.5, 12), (3.5, 0)],
            ],
            leads: [
                &[(0.0, 0), (0.5, 1), (1.0, 2), (1.5, 1), (2.0, 0), (2.5, 2), (3.0, 1), (3.5, 2)],
                &[(0.0, 2), (1.5, 1), (2.5, 0)],
            ],
            comps: [(&[0.0, 2.5], 1.4), (&[0.5, 1.5, 2.5, 3.5], 0.3)],
        },
        Band::Second => Players {
            hit: other_hit,
            bass: saw_bass,
            chord: organ,
            pad: strings,
            lead: bell,
            bpm: [84.0, 172.0],
            grooves: [BROKEN, SHUFFLED, STRAIGHT],
            waltz: &[
                (0.0, Kick, 0.9),
                (0.0, Ride, 0.4),
                (1.0, Ride, 0.3),
                (2.0, Ride, 0.3),
                (2.0, Snare, 0.5),
            ],
            club: PUMPING,
            lines: [&[(0.0, 0), (0.75, 0), (2.0, 7), (2.75, 12)], &[(0.0, 0), (1.0, 0), (2.0, 0), (3.0, 5)]],
            leads: [
                &[(0.0, 1), (0.75, 2), (1.5, 0), (2.0, 1), (3.0, 2)],
                &[(0.0, 0), (1.0, 2), (2.0, 1), (3.0, 2), (3.5, 0)],
            ],
            comps: [(&[0.0], 3.6), (&[1.0, 3.0], 0.5)],
        },
        Band::Third => Players {
            hit: metal_hit,
            bass: square_bass,
            chord: guitar,
            pad: choir,
            lead: whistle,
            bpm: [76.0, 156.0],
            grooves: [STOMPING, LATIN, SPARSE],
            waltz: &[
                (0.0, Kick, 1.0),
                (0.5, Hat, 0.3),
                (1.0, Snare, 0.5),
                (2.0, Snare, 0.5),
                (2.5, Hat, 0.3),
            ],
            club: TECHNO,
            lines: [
                &[(0.0, 0), (1.0, 7), (2.0, 0), (3.0, 7)],
                &[(0.0, 0), (0.5, 12), (1.0, 0), (1.5, 12), (2.0, 0), (2.5, 12), (3.0, 0), (3.5, 12)],
            ],
            leads: [&[(0.0, 2), (1.0, 0), (1.5, 1), (2.5, 2)], &[(0.5, 0), (1.0, 1), (2.0, 2), (3.0, 1)]],
            comps: [(&[0.0, 1.0, 2.0, 3.0], 0.8), (&[0.0, 0.75, 1.5, 2.5], 0.4)],
        },
    }
}

const HALF_TIME: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, Ride, 0.3),
    (1.0, Ride, 0.3),
    (1.5, Kick, 0.6),
    (2.0, Snare, 1.0),
    (2.0, Ride, 0.3),
    (3.0, Ride, 0.3),
];
const RIDING: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, Ride, 0.5),
    (0.5, Ride, 0.4),
    (1.0, Snare, 0.9),
    (1.0, Ride, 0.5),
    (1.5, Kick, 0.8),
    (1.5, Ride, 0.4),
    (2.0, Kick, 0.9),
    (2.0, Ride, 0.5),
    (2.5, Ride, 0.4),
    (3.0, Snare, 0.9),
    (3.0, Ride, 0.5),
    (3.5, Ride, 0.4),
];
const BROKEN: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, Hat, 0.4),
    (0.5, Hat, 0.3),
    (1.0, Snare, 0.9),
    (1.0, Hat, 0.4),
    (1.5, Hat, 0.3),
    (1.75, Kick, 0.7),
    (2.5, Kick, 0.9),
    (2.5, Hat, 0.3),
    (3.0, Snare, 0.9),
    (3.0, Hat, 0.4),
    (3.5, Hat, 0.3),
    (3.75, Snare, 0.3),
];
const SHUFFLED: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, OpenHat, 0.3),
    (0.67, Hat, 0.3),
    (1.0, Snare, 0.8),
    (1.67, Hat, 0.3),
    (2.0, Kick, 1.0),
    (2.0, OpenHat, 0.3),
    (2.67, Kick, 0.6),
    (3.0, Snare, 0.8),
    (3.67, Hat, 0.3),
];
const STRAIGHT: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, Ride, 0.5),
    (1.0, Kick, 0.9),
    (1.0, Snare, 0.8),
    (1.0, Ride, 0.5),
    (2.0, Kick, 1.0),
    (2.0, Ride, 0.5),
    (2.5, Kick, 0.7),
    (3.0, Snare, 0.9),
    (3.0, Ride, 0.5),
];
const PUMPING: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.25, Hat, 0.3),
    (0.5, OpenHat, 0.4),
    (0.75, Hat, 0.3),
    (1.0, Kick, 1.0),
    (1.25, Hat, 0.3),
    (1.5, OpenHat, 0.4),
    (1.75, Hat, 0.3),
    (2.0, Kick, 1.0),
    (2.25, Hat, 0.3),
    (2.5, OpenHat, 0.4),
    (2.75, Hat, 0.3),
    (3.0, Kick, 1.0),
    (3.0, Snare, 0.7),
    (3.5, OpenHat, 0.4),
];

const STOMPING: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.5, Kick, 0.7),
    (1.0, Snare, 0.9),
    (1.0, OpenHat, 0.3),
    (2.0, Kick, 1.0),
    (2.5, Hat, 0.4),
    (3.0, Snare, 0.9),
    (3.5, Hat, 0.4),
];
const LATIN: &[Stroke] = &[
    (0.0, Kick, 0.9),
    (0.0, Ride, 0.4),
    (0.75, Snare, 0.5),
    (1.0, Ride, 0.4),
    (1.5, Kick, 0.9),
    (1.5, Snare, 0.5),
    (2.0, Kick, 0.9),
    (2.0, Ride, 0.4),
    (2.5, Snare, 0.5),
    (3.0, Ride, 0.4),
    (3.25, Snare, 0.5),
    (3.5, Kick, 0.9),
];
const SPARSE: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (1.0, Hat, 0.4),
    (1.5, Kick, 0.8),
    (2.0, Snare, 1.0),
    (3.0, Hat, 0.4),
    (3.5, OpenHat, 0.3),
];
const TECHNO: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.5, Hat, 0.5),
    (1.0, Kick, 1.0),
    (1.5, Hat, 0.5),
    (1.75, Ride, 0.3),
    (2.0, Kick, 1.0),
    (2.5, Hat, 0.5),
    (3.0, Kick, 1.0),
    (3.25, Snare, 0.4),
    (3.5, Hat, 0.5),
];

/// A deep bass drum, a clap, a shaker, a cymbal.
fn other_hit(mixer: &mut Mixer, drum: Drum, at: f64, gain: f32) {
    let mut last = 0.0;
    match drum {
        Kick => mixer.add(at, 0.5, |t, chance| {
            let turns = 44.0 * t + 2.0 * (1.0 - expf(-60.0 * t));
            let body = sinf(TAU * turns) * expf(-t / 0.18);
            gain * (0.9 * (1.6 * body).clamp(-1.0, 1.0) + 0.3 * chance.noise() * expf(-t / 0.003))
        }),
        // Three short bursts and a tail.
        Snare => mixer.add(at, 0.25, |t, chance| {
            let burst = if t < 0.03 { expf(-(t % 0.01) / 0.004) } else { expf(-(t - 0.03) / 0.07) };
            let now = chance.noise();
            last += 0.5 * (now - last);
            0.8 * gain * last * burst
        }),
        Hat => mixer.add(at, 0.1, |t, chance| {
            let now = chance.noise();
            let bright = now - last;
            last = now;
            0.35 * gain * bright * (t / 0.01).min(1.0) * expf(-t / 0.025)
        }),
        OpenHat | Ride => mixer.add(at, 0.5, |t, chance| {
            let now = chance.noise();
            let bright = now - last;
            last = now;
            let ring = sinf(TAU * 5_210.0 * t) * sinf(TAU * 2_870.0 * t);
            gain * (0.2 * bright + 0.15 * ring) * expf(-t / if drum == Ride { 0.2 } else { 0.1 })
        }),
    }
}

/// Harmonics of a saw tooth below 6 kHz.
fn saw(hz: f32, t: f32, partials: i32) -> f32 {
    (1..=partials)
        .take_while(|k| hz * (*k as f32) < 6_000.0)
        .map(|k| sinf(TAU * hz * k as f32 * t) / k as f32)
        .sum()
}

fn saw_bass(mixer: &mut Mixer, at: f64, length: f64, semitones: i32, gain: f32) {
    let hz = hz(semitones);
    mixer.add(at, length, |t, _| {
        let open = (t / 0.005).min(1.0) * ((length as f32 - t) / 0.02).clamp(0.0, 1.0);
        gain * saw(hz, t, 7) * open
    });
}

fn organ(mixer: &mut Mixer, at: f64, length: f64, notes: &[i32], gain: f32) {
    for note in notes {
        let hz = hz(*note);
        mixer.add(at, length, |t, _| {
            let tone = sinf(TAU * hz * t)
                + 0.6 * sinf(TAU * 2.0 * hz * t)
                + 0.5 * sinf(TAU * 3.0 * hz * t)
                + 0.3 * sinf(TAU * 6.0 * hz * t);
            0.7 * gain * tone * (t / 0.01).min(1.0) * ((length as f32 - t) / 0.04).clamp(0.0, 1.0)
        });
    }
}

fn strings(mixer: &mut Mixer, at: f64, length: f64, notes: &[i32], gain: f32) {
    for note in notes {
        let hz = hz(*note) * exp2f(0.004);
        mixer.add(at, length, |t, _| {
            let swell = (t / 0.35).min(1.0) * ((length as f32 - t) / 0.4).clamp(0.0, 1.0);
            0.8 * gain * (saw(hz, t, 8) + saw(0.994 * hz, t, 8)) * swell
        });
    }
}

fn bell(mixer: &mut Mixer, at: f64, semitones: i32, gain: f32) {
    let hz = hz(semitones + 12);
    mixer.add(at, 1.2, |t, _| {
        gain * sinf(TAU * hz * t + 1.5 * expf(-t / 0.3) * sinf(TAU * 1.41 * hz * t)) * expf(-t / 0.3)
    });
}

/// A drum of wood, a rattling snare, and hats that ring.
fn metal_hit(mixer: &mut Mixer, drum: Drum, at: f64, gain: f32) {
    let mut low = 0.0;
    match drum {
        Kick => mixer.add(at, 0.3, |t, chance| {
            let body = sinf(TAU * (62.0 * t + 1.2 * (1.0 - expf(-80.0 * t)))) * expf(-t / 0.08);
            gain * (body + 0.2 * chance.noise() * expf(-t / 0.01))
        }),
        Snare => mixer.add(at, 0.35, |t, chance| {
            low += 0.7 * (chance.noise() - low);
            let skin = sinf(TAU * 215.0 * t) + 0.6 * sinf(TAU * 341.0 * t);
            gain * (0.6 * low * expf(-t / 0.1) + 0.3 * skin * expf(-t / 0.06))
        }),
        Hat | OpenHat | Ride => {
            let tau = match drum {
                Hat => 0.03,
                OpenHat => 0.15,
                _ => 0.25,
            };
            mixer.add(at, 4.0 * f64::from(tau), |t, chance| {
                let ring: f32 = [2_540.0, 3_410.0, 4_730.0, 6_130.0, 6_870.0]
                    .iter()
                    .map(|hz| sinf(TAU * hz * t).signum())
                    .sum();
                0.05 * gain * (ring + chance.noise()) * expf(-t / tau)
            });
        }
    }
}

fn square_bass(mixer: &mut Mixer, at: f64, length: f64, semitones: i32, gain: f32) {
    let hz = hz(semitones);
    mixer.add(at, length, |t, _| {
        let square: f32 = [1.0, 3.0, 5.0].iter().map(|k| sinf(TAU * hz * k * t) / k).sum();
        gain * square * (t / 0.01).min(1.0) * expf(-t / 0.6) * ((length as f32 - t) / 0.03).clamp(0.0, 1.0)
    });
}

/// Strings that are struck one after the other.
fn guitar(mixer: &mut Mixer, at: f64, length: f64, notes: &[i32], gain: f32) {
    for (string, note) in notes.iter().enumerate() {
        let hz = hz(*note);
        mixer.add(at + 0.012 * string as f64, length, |t, _| {
            let tone: f32 = (1..=8_u8)
                .map(f32::from)
                .map(|k| sinf(TAU * hz * k * (1.0 + 0.0002 * k * k) * t) * expf(-t * (1.5 + k)) / k)
                .sum();
            1.2 * gain * tone * (t / 0.002).min(1.0) * ((length as f32 - t) / 0.03).clamp(0.0, 1.0)
        });
    }
}

fn choir(mixer: &mut Mixer, at: f64, length: f64, notes: &[i32], gain: f32) {
    for note in notes {
        let hz = hz(*note + 12);
        mixer.add(at, length, |t, chance| {
            let swell = (t / 0.5).min(1.0) * ((length as f32 - t) / 0.6).clamp(0.0, 1.0);
            let shaken = t + 0.0004 * sinf(TAU * 5.3 * t);
            let tone = sinf(TAU * hz * shaken) + 0.4 * sinf(TAU * 2.0 * hz * shaken);
            gain * (tone + 0.15 * chance.noise()) * swell
        });
    }
}

fn whistle(mixer: &mut Mixer, at: f64, semitones: i32, gain: f32) {
    let hz = hz(semitones + 12);
    mixer.add(at, 0.5, |t, chance| {
        let shaken = t + 0.0003 * sinf(TAU * 6.1 * t);
        let open = (t / 0.03).min(1.0) * ((0.5 - t) / 0.1).clamp(0.0, 1.0);
        gain * (sinf(TAU * hz * shaken) + 0.1 * chance.noise()) * open
    });
}
