//! Tempo and beats of sound whose truth is known.

mod common;

use common::*;
use k1_engine::audio::Ear;

/// Time in seconds by which the ear must have found the tempo.
const FOUND_S: f64 = 6.0;

/// Octave errors count as errors up to 180 BPM, because single clicks have one reading only. Faster clicks may be
/// heard at half the tempo, as most listeners tap them.
#[test]
fn clicks_have_their_tempo_and_beats_fall_on_them() {
    let (mut worst_tempo, mut worst_median, mut worst_beat) = (0.0_f64, 0.0_f64, 0.0_f64);
    for bpm in (60..=200).step_by(5).map(f64::from) {
        let period = 60.0 / bpm;
        let (mut tempo_off, mut beats) = (0.0_f64, Vec::new());
        Ear::new().feed(&clicks(16.0, bpm, 0.7), |s, heard| {
            let now = s.captured_us as f64 * 1e-6;
            if now >= FOUND_S {
                let off = |tempo: f64| (f64::from(s.bpm) / tempo - 1.0).abs();
                // Very fast clicks may be heard at half their tempo, very slow ones at twice theirs.
                let nearest = match bpm {
                    180.0.. => off(bpm).min(off(bpm / 2.0)),
                    ..65.0 => off(bpm).min(off(2.0 * bpm)),
                    _ => off(bpm),
                };
                tempo_off = tempo_off.max(nearest);
                if let Some((ahead, _)) = heard.beat_in {
                    beats.push(now + f64::from(ahead));
                }
            }
        });
        assert!(tempo_off < 0.02, "{bpm} BPM: the tempo is up to {:.1} % off", 100.0 * tempo_off);
        let expected = (16.0 - FOUND_S) / period;
        assert!(
            (beats.len() as f64 - expected).abs() <= 1.5
                || bpm > 180.0 && (expected / 2.0 - 1.5..=expected).contains(&(beats.len() as f64))
                || bpm < 65.0 && (expected..=2.0 * expected + 1.5).contains(&(beats.len() as f64)),
            "{bpm} BPM: {} beats of {expected:.1}",
            beats.len()
        );
        let grid = if bpm < 65.0 { period / 2.0 } else { period };
        let mut off: Vec<f64> = beats.iter().map(|t| (t - (t / grid).round() * grid).abs()).collect();
        off.sort_by(f64::total_cmp);
        let (median, worst) = (1e3 * off[off.len() / 2], 1e3 * off[off.len() - 1]);
        assert!(median < 25.0 && worst < 40.0, "{bpm} BPM: beats {median:.1} ms off, at worst {worst:.1} ms");
        worst_tempo = worst_tempo.max(tempo_off);
        worst_median = worst_median.max(median);
        worst_beat = worst_beat.max(worst);
    }
    println!(
        "60 … 200 BPM: tempo within {:.2} %, median beat within {worst_median:.1} ms, every beat within {worst_beat:.1} ms",
        100.0 * worst_tempo
    );
}

/// A band that plays eighths may be heard at double tempo; half the listeners would tap that, too.
#[test]
fn a_band_has_its_tempo_or_its_double() {
    for bpm in [72.0, 84.0, 97.0, 108.0, 120.0, 132.0, 145.0, 160.0] {
        let (mut right, mut double, mut all) = (0, 0, 0);
        let mut off = Vec::new();
        Ear::new().feed(&music(16.0, bpm, 1.0, 3), |s, heard| {
            let now = s.captured_us as f64 * 1e-6;
            if now < FOUND_S {
                return;
            }
            let ratio = f64::from(s.bpm) / bpm;
            all += 1;
            right += usize::from((ratio - 1.0).abs() < 0.02);
            double += usize::from((ratio - 2.0).abs() < 0.04);
            if let Some((ahead, _)) = heard.beat_in {
                let half_beat = 30.0 / bpm;
                let t = now + f64::from(ahead);
                off.push(1e3 * (t - (t / half_beat).round() * half_beat).abs());
            }
        });
        off.sort_by(f64::total_cmp);
        let median = off[off.len() / 2];
        println!(
            "{bpm:5.0} BPM: {right} of {all} hops right, {double} double; beats {median:.1} ms off (median)"
        );
        assert!(right + double > all * 95 / 100, "{bpm} BPM: {right} right and {double} double of {all}");
        assert!(median < 25.0, "{bpm} BPM: beats {median:.1} ms off");
    }
}

#[test]
fn silence_has_no_tempo_and_no_beats() {
    for (name, sound) in [("digital silence", silence(20.0)), ("a room of -60 dBFS", noise(20.0, -60.0, 6))] {
        Ear::new().feed(&sound, |s, heard| {
            assert!(s.silent && heard.beat_in.is_none() && heard.onset_ago.is_none(), "{name}: {s:?}");
            assert_eq!(
                (s.bpm, s.confidence, s.beats, s.onsets, s.next_beat_us),
                (0.0, 0.0, 0, 0, 0),
                "{name}"
            );
        });
    }
}
