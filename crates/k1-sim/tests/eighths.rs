//! Slow music in straight eighths is heard at its tempo or at twice its tempo, and on its eighths.

use k1_engine::audio::Ear;
use k1_engine::{HOP, SAMPLE_RATE};
use k1_sim::music::{Eighths, eighths};

/// The beats announced from a time on: seconds, tempo in BPM, confidence.
fn announced(samples: &[f32], from_s: f64) -> Vec<(f64, f64, f64)> {
    let mut ear = Box::new(Ear::new());
    let mut beats = Vec::new();
    for hop in samples.chunks(HOP) {
        ear.feed(hop, |s, heard| {
            if let Some((seconds, confidence)) = heard.beat_in {
                let t = s.captured_us as f64 * 1e-6 + f64::from(seconds);
                beats.push((t, f64::from(s.bpm), f64::from(confidence)));
            }
        });
    }
    beats.retain(|(t, ..)| *t >= from_s);
    beats
}

/// Nine of ten beats announced with at least this confidence must be beats or halves of beats, at one of the two tempi.
const SURE: f64 = 0.85;

#[test]
fn slow_eighths_are_heard_at_one_of_two_tempi() {
    let (mut sure, mut sure_and_right, mut sure_and_on, mut right_pieces, mut pieces) = (0, 0, 0, 0, 0);
    for players in Eighths::ALL {
        for bpm in [62.0, 66.0, 71.0, 76.0, 82.0] {
            let piece = eighths(players, bpm);
            assert_eq!(piece.samples.len(), 24 * SAMPLE_RATE as usize);
            let beats = announced(&piece.samples, 8.0);
            let is_right = |t: f64, heard: f64| {
                (heard / bpm - 1.0).abs() < 0.04 && piece.beats.iter().any(|b| (b - t).abs() < 0.07)
            };
            let halves: Vec<f64> = piece.beats.windows(2).map(|b| 0.5 * (b[0] + b[1])).collect();
            let is_on = |t: f64, heard: f64| {
                let is_double = (heard / (2.0 * bpm) - 1.0).abs() < 0.04;
                let mut both = piece.beats.iter().chain(&halves);
                is_right(t, heard) || is_double && both.any(|b| (b - t).abs() < 0.07)
            };
            let right = beats.iter().filter(|(t, heard, _)| is_right(*t, *heard)).count();
            let mean = beats.iter().map(|b| b.2).sum::<f64>() / beats.len().max(1) as f64;
            println!(
                "{players:?} at {bpm}: {right} of {} right, announced with {mean:.2} on average, heard at {:.1}",
                beats.len(),
                beats.last().map_or(0.0, |b| b.1)
            );
            sure += beats.iter().filter(|b| b.2 >= SURE).count();
            sure_and_right += beats.iter().filter(|b| b.2 >= SURE && is_right(b.0, b.1)).count();
            sure_and_on += beats.iter().filter(|b| b.2 >= SURE && is_on(b.0, b.1)).count();
            right_pieces += usize::from(right * 10 >= beats.len() * 9);
            pieces += 1;
        }
    }
    println!(
        "of {sure} announced with {SURE} or more {sure_and_right} are right, {sure_and_on} at one of the two tempi; {right_pieces} of \
         {pieces} pieces heard right"
    );
    assert!(sure > 100 && sure_and_on * 10 >= sure * 9, "{sure_and_on} of {sure}");
}
