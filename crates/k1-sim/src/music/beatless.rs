//! Sound without a beat: every beat announced here is wrong.

use std::f32::consts::TAU;

use libm::{cosf, sinf};

use super::mixer::Mixer;
use super::{Entry, Piece};

/// Every piece without a beat.
pub const BEATLESS: [Entry; 4] =
    [("noise", noise), ("drone", drone), ("babble", babble), ("silence", silence)];

/// Duration of each in seconds; the first 5 s are not scored.
const SECONDS: f64 = 25.0;

fn of(samples: Vec<f32>) -> Piece {
    Piece { samples, ..Piece::default() }
}

/// Wind in a tree: noise of varying loudness.
fn noise() -> Piece {
    let mut mixer = Mixer::new(SECONDS, 41);
    let (mut dark, mut loud, mut towards, mut left) = (0.0, 0.5, 0.5, 0_u32);
    mixer.add(0.0, SECONDS, |_, chance| {
        if left == 0 {
            towards = chance.between(0.2, 1.0) as f32;
            left = (16_000.0 * chance.between(0.3, 1.6)) as u32;
        }
        left -= 1;
        loud += (towards - loud) / 8_000.0;
        let white = chance.noise();
        dark += 0.15 * (white - dark);
        loud * (dark + 0.2 * white)
    });
    of(mixer.mixed(0.3))
}

/// A humming machine, whose tones beat slowly against each other.
fn drone() -> Piece {
    let mut mixer = Mixer::new(SECONDS, 42);
    for (k, hz) in [55.0_f64, 110.3, 165.2, 221.0, 331.5].into_iter().enumerate() {
        let mut turns = mixer.chance.between(0.0, 1.0);
        mixer.add(0.0, SECONDS, |_, chance| {
            turns = (turns + hz / 16_000.0).fract();
            sinf(TAU * turns as f32) / (k + 1) as f32 + 0.004 * chance.noise()
        });
    }
    of(mixer.mixed(0.3))
}

/// A babble like three people talking: syllables of any length, voiced or hissed, with pauses for breath.
fn babble() -> Piece {
    let mut mixer = Mixer::new(SECONDS, 43);
    for _ in 0..3 {
        let pitch = mixer.chance.between(95.0, 210.0);
        let mut at = mixer.chance.between(0.0, 0.6);
        while at < SECONDS {
            let length = mixer.chance.between(0.08, 0.3);
            let voiced = mixer.chance.between(0.0, 1.0) < 0.75;
            let gain = mixer.chance.between(0.4, 1.0) as f32;
            let glide = mixer.chance.between(-0.15, 0.15) as f32;
            let (first, second) = (mixer.chance.between(300.0, 800.0), mixer.chance.between(900.0, 2_300.0));
            syllable(&mut mixer, at, length, gain, voiced.then_some((pitch as f32, glide)), [first, second]);
            let breath = mixer.chance.between(0.0, 1.0) < 0.2;
            at += length
                + if breath { mixer.chance.between(0.3, 0.9) } else { mixer.chance.between(0.01, 0.1) };
        }
    }
    of(mixer.mixed(0.3))
}

/// A buzz (`voiced`: its pitch in Hz and the share by which it glides) or a hiss, through two resonances of the mouth.
fn syllable(
    mixer: &mut Mixer,
    at: f64,
    length: f64,
    gain: f32,
    voiced: Option<(f32, f32)>,
    formants: [f64; 2],
) {
    let mut turns = 0.0_f32;
    let mut state = [[0.0_f32; 2]; 2];
    mixer.add(at, length, |t, chance| {
        let source = match voiced {
            Some((pitch, glide)) => {
                turns = (turns + pitch * (1.0 + glide * t / length as f32) / 16_000.0).fract();
                if turns < 0.1 { 1.0 } else { -0.1 }
            }
            None => 0.6 * chance.noise(),
        };
        let mut out = 0.1 * source;
        for (s, hz) in state.iter_mut().zip(formants) {
            // A two-pole resonator, about 120 Hz wide.
            let radius = 0.976_f32;
            let y = 0.05 * source + 2.0 * radius * cosf(TAU * hz as f32 / 16_000.0) * s[0]
                - radius * radius * s[1];
            *s = [y, s[0]];
            out += y;
        }
        let shape = sinf(0.5 * TAU * t / length as f32);
        gain * shape * shape * out
    });
}

fn silence() -> Piece {
    of(vec![0.0; (SECONDS * super::mixer::RATE) as usize])
}
