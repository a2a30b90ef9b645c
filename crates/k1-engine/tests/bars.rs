//! Patterns light the first beat of a bar more strongly, once the ear knows the bar and at any frame rate.

mod common;

use common::*;
use k1_engine::audio::Snapshot;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::pattern_by_id;

/// Beats per minute of the sound.
const BPM: f32 = 120.0;
/// Beats that are rendered; the first half is for everything to settle.
const BEATS: usize = 24;

/// Music at 120 BPM in which only the beat happens, from an ear that knows bars of so many beats; 0 = it is unsure.
fn sound(now_us: u64, beats_per_bar: u32) -> Snapshot {
    let beat = now_us as f32 * 1e-6 * BPM / 60.0;
    Snapshot {
        sequence: now_us / 1_000 + 1,
        captured_us: now_us,
        spectrum: [0.6; 64],
        smooth: [0.6; 64],
        chroma: [0.5, 0.1, 0.2, 0.1, 0.9, 0.2, 0.1, 0.8, 0.1, 0.3, 0.1, 0.2],
        level: 0.7,
        bpm: BPM,
        beat_phase: beat.fract(),
        confidence: 0.9,
        silent: false,
        beats_per_bar,
        bar_position: if beats_per_bar > 0 { beat % beats_per_bar as f32 } else { 0.0 },
        bar_confidence: if beats_per_bar > 0 { 0.9 } else { 0.0 },
        ..Snapshot::EMPTY
    }
}

/// Light of the middle of the strip, where beats begin, in each beat: the mean over its first quarter.
fn light_of_beats(id: &str, fps: u64, beats_per_bar: u32) -> Vec<f32> {
    let mut params = Params::default();
    // The lead of the metronome changes its colour, and so its light, from beat to beat.
    if id == "metronome" {
        params.set(Param::Custom3, 0.0);
    }
    let mut show = show_of(pattern_by_id(id).unwrap(), 60, &params);
    let mut light = vec![(0.0, 0); BEATS];
    for k in 0..BEATS as u64 * fps / 2 {
        let now_us = frame_us(0, k, fps);
        show.render(now_us, &sound(now_us, beats_per_bar));
        let beat = now_us as f32 * 1e-6 * BPM / 60.0;
        if beat.fract() < 0.25 && (beat as usize) < BEATS {
            let (sum, count) = &mut light[beat as usize];
            *sum += mean(&seen(&show)[3 * 26..3 * 34]);
            *count += 1;
        }
    }
    light.into_iter().map(|(sum, count)| sum / count as f32).collect()
}

#[test]
fn the_first_beat_of_a_known_bar_is_stronger() {
    for id in ["pulse", "beat_tunnel", "metronome", "tempiscope", "void_trail"] {
        for (fps, beats_per_bar) in [(60, 3), (60, 4), (144, 4)] {
            let plain = light_of_beats(id, fps, 0);
            let known = light_of_beats(id, fps, beats_per_bar);
            let (mut weakest_first, mut strongest_other) = (f32::INFINITY, 0.0_f32);
            for beat in BEATS / 2..BEATS {
                let ratio = known[beat] / plain[beat];
                match beat % beats_per_bar as usize {
                    0 => weakest_first = weakest_first.min(ratio),
                    _ => strongest_other = strongest_other.max(ratio),
                }
            }
            assert!(
                weakest_first > 1.01 && weakest_first > 1.02 * strongest_other,
                "{id} at {fps} FPS in bars of {beats_per_bar}: {weakest_first} and {strongest_other} of plain"
            );
        }
    }
}
