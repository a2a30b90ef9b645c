//! Long runs, odd clocks and odd input: what the engine hears and shows depends on the sound alone.

mod common;

use common::*;
use k1_engine::audio::{Ear, Snapshot};
use k1_engine::params::{Param, Params};
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use k1_engine::show::Show;
use k1_engine::{HOP, HOP_US};

/// A 32-bit counter of microseconds wraps here, after 71.6 minutes.
const WRAP_32: u64 = 1 << 32;
/// Starts of the caller's clock in µs: zero, just before a 32-bit wrap, where doubles lose the microsecond, and far
/// beyond.
const CLOCKS: [u64; 4] = [0, WRAP_32 - 3_000_000, (1 << 53) - 2_000_000, u64::MAX / 2 + 12_345];

/// The snapshot without its times.
fn timeless(s: &Snapshot) -> Snapshot {
    Snapshot { captured_us: 0, next_beat_us: 0, ..*s }
}

fn shifted(s: &Snapshot, by_us: u64) -> Snapshot {
    let next_beat_us = if s.next_beat_us > 0 { s.next_beat_us + by_us } else { 0 };
    Snapshot { captured_us: s.captured_us + by_us, next_beat_us, ..*s }
}

#[test]
fn the_clock_moves_the_times_and_nothing_else() {
    let sound = music(9.0, 120.0, 1.0, 4);
    let plain = hear(&sound);
    // From the start.
    for clock in CLOCKS {
        let mut ear = Ear::new();
        ear.set_clock(clock);
        let mut k = 0;
        ear.feed(&sound, |s, _| {
            assert_eq!(*s, shifted(&plain[k], clock), "hop {k} of the clock {clock}");
            k += 1;
        });
        assert_eq!(k, plain.len());
    }
    // In the middle until just before the wrap, and back to zero two seconds later.
    let mut ear = Ear::new();
    let mut heard = Vec::new();
    let (jump, back) = (4 * 125, 6 * 125);
    for (k, hop) in sound.chunks_exact(HOP).enumerate() {
        if k == jump {
            ear.set_clock(WRAP_32 - 1_000_000);
        } else if k == back {
            ear.set_clock(0);
        }
        ear.feed(hop, |s, _| heard.push(*s));
    }
    for (k, (s, plain)) in heard.iter().zip(&plain).enumerate() {
        assert_eq!(timeless(s), timeless(plain), "hop {k}");
        let captured = match k {
            k if k < jump => (k as u64 + 1) * HOP_US,
            k if k < back => WRAP_32 - 1_000_000 + (k - jump + 1) as u64 * HOP_US,
            _ => (k - back + 1) as u64 * HOP_US,
        };
        assert_eq!(s.captured_us, captured, "hop {k}");
        assert_eq!(s.next_beat_us > 0, plain.next_beat_us > 0);
        if s.next_beat_us > 0 {
            assert_eq!(s.next_beat_us - s.captured_us, plain.next_beat_us - plain.captured_us, "hop {k}");
        }
    }
}

#[test]
fn the_predicted_beat_agrees_with_phase_tempo_and_the_beats_that_come() {
    let mut ear = Ear::new();
    ear.set_clock(WRAP_32 - 10_000_000);
    let mut predictions: Vec<(u64, u64)> = Vec::new();
    let mut late = Vec::new();
    ear.feed(&music(24.0, 120.0, 1.0, 4), |s, heard| {
        if s.bpm == 0.0 {
            assert_eq!(s.next_beat_us, 0);
            return;
        }
        let period_us = 60e6 / f64::from(s.bpm);
        let ahead_us = s.next_beat_us as f64 - s.captured_us as f64;
        assert!((0.0..period_us * 1.02 + HOP_US as f64).contains(&ahead_us), "{ahead_us} µs of {period_us}");
        // The phase wraps at the beat. The prediction wraps once the beat has been announced, half a hop earlier.
        let by_phase = (1.0 - f64::from(s.beat_phase)) * period_us;
        let apart = (by_phase - ahead_us).rem_euclid(period_us);
        assert!(apart.min(period_us - apart) < 0.5 * HOP_US as f64 + 10.0, "{by_phase} and {ahead_us} µs");
        if let Some((seconds, _)) = heard.beat_in {
            let beat_us = s.captured_us as f64 + f64::from(seconds) * 1e6;
            // The prediction a tenth of a second before the beat.
            let then = s.captured_us - 100_000;
            if let Some((_, predicted)) = predictions.iter().rev().find(|(at, _)| *at <= then) {
                late.push((beat_us - *predicted as f64).abs());
            }
        }
        predictions.push((s.captured_us, s.next_beat_us));
    });
    assert!(late.len() > 35, "{} beats", late.len());
    late.sort_by(f64::total_cmp);
    let (median, p90) = (late[late.len() / 2], late[late.len() * 9 / 10]);
    println!("announced beats were predicted 0.1 s ahead within {median:.0} µs (median), {p90:.0} µs (90 %)");
    assert!(median < HOP_US as f64 && p90 < 20_000.0, "{median} µs, {p90} µs");
}

#[test]
fn the_light_is_the_same_at_any_time_of_the_clock() {
    let plain = hear(&music(6.0, 120.0, 1.0, 4));
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let mut reference: Vec<Vec<[u8; 3]>> = Vec::new();
        for clock in CLOCKS {
            let sound: Vec<Snapshot> = plain.iter().map(|s| shifted(s, clock)).collect();
            let mut show = show_of(index, 24, &Params::default());
            let mut frames = Vec::new();
            // The 32-bit wrap comes in the middle; the sound ends one second before the frames.
            play(&mut show, &sound, clock + 2_000_000, 5.0, 60, |_, show| {
                let mut wire = vec![[0; 3]; 24];
                show.output.wire(true, &mut wire);
                frames.push(wire);
            });
            if reference.is_empty() {
                reference = frames;
            } else {
                let first = (0..frames.len()).find(|k| frames[*k] != reference[*k]);
                assert_eq!(first, None, "{} differs at the clock {clock}", pattern.id);
            }
        }
    }
}

#[test]
fn sound_that_stops_coming_is_stale_on_any_clock() {
    let plain = hear(&music(6.0, 120.0, 1.0, 4));
    let spectrum = pattern_by_id("spectrum").unwrap();
    for clock in CLOCKS {
        let sound: Vec<Snapshot> = plain.iter().map(|s| shifted(s, clock)).collect();
        let mut params = Params::default();
        params.set(Param::Background, 0.0);
        let mut show = show_of(spectrum, 60, &params);
        let mut brightness = Vec::new();
        play(&mut show, &sound, clock + 3_000_000, 9.0, 60, |_, show| brightness.push(mean(&seen(show))));
        assert!(brightness[60..170].iter().all(|m| *m > 0.01), "no light in music at the clock {clock}");
        // The last snapshot came at 3 s; presence fades with 0.9 s.
        assert!(
            brightness[9 * 60] < 0.02,
            "{} of light six seconds after the sound stopped",
            brightness[9 * 60]
        );
    }
}

/// Seventy-two minutes of frames; the sound is eight seconds of real analysis, sixteen beats that fit end to end.
#[test]
fn the_show_is_unchanged_after_seventy_two_minutes() {
    const LOOP_HOPS: usize = 1_000;
    let heard = hear(&music(24.0, 120.0, 1.0, 4));
    let round = &heard[heard.len() - LOOP_HOPS..];
    let (beats, onsets) = (
        heard[heard.len() - 1].beats - round[0].beats + 1,
        heard[heard.len() - 1].onsets - round[0].onsets + 1,
    );
    let sound_at = |now_us: u64| {
        let hop = now_us / HOP_US;
        let (turn, k) = (hop / LOOP_HOPS as u64, (hop % LOOP_HOPS as u64) as usize);
        Snapshot {
            sequence: hop + 1,
            captured_us: hop * HOP_US,
            beats: round[k].beats.wrapping_add(turn as u32 * beats),
            onsets: round[k].onsets.wrapping_add(turn as u32 * onsets),
            ..round[k]
        }
    };
    let minute = 60 * 60;
    for id in ["pulse", "metronome", "lava"] {
        let mut show = show_of(pattern_by_id(id).unwrap(), 12, &Params::default());
        let mut minutes: Vec<(f32, u32)> = Vec::new();
        for m in 0..72 {
            let before = show.rhythm().count;
            let mut light = 0.0;
            for k in 0..minute {
                let now = frame_us(0, m * minute + k, 60);
                show.render(now, &sound_at(now));
                if k % 16 == 0 {
                    light += mean(&seen(&show)) * 16.0 / minute as f32;
                }
            }
            minutes.push((light, show.rhythm().count - before));
        }
        let first = minutes[1];
        for (m, (light, beats)) in minutes.iter().enumerate().skip(1) {
            assert!((119..=121).contains(beats), "{id}: {beats} beats in minute {m}");
            assert!(
                (light / first.0 - 1.0).abs() < 0.15,
                "{id}: light {light} in minute {m}, {} at first",
                first.0
            );
        }
    }
}

/// The clocks inside the patterns wrap to keep their precision; the wrap must not show.
#[test]
fn after_ten_hours_every_pattern_still_moves_smoothly() {
    const HOURS: u64 = 10;
    const LEDS: usize = 6;
    let quiet =
        |now_us: u64| Snapshot { sequence: 1 + now_us / HOP_US, captured_us: now_us, ..Snapshot::EMPTY };
    let picture = |show: &Show<512>| -> [f32; 3 * LEDS] {
        let light = show.output.light(LEDS);
        std::array::from_fn(|i| [light[i / 3].r, light[i / 3].g, light[i / 3].b][i % 3].sqrt())
    };
    let run = |index: usize| {
        let id = PATTERNS[index].id;
        let mut params = Params::default();
        params.set(Param::Background, 1.0);
        params.set(Param::Softness, 0.0);
        let mut show = show_of(index, LEDS, &params);
        let mut before = [0.0; 3 * LEDS];
        // The largest step of an LED in the first half hour, and overall.
        let (mut early, mut ever, mut at) = (0.0_f32, 0.0_f32, 0);
        for k in 1..=HOURS * 36_000 {
            let now = k * 100_000;
            show.render(now, &quiet(now));
            let after = picture(&show);
            // Brightness and background have risen after ten seconds.
            if k > 100 {
                let step = difference(&before, &after).1;
                if k < 18_000 {
                    early = early.max(step);
                }
                if step > ever {
                    (ever, at) = (step, k / 10);
                }
            }
            before = after;
        }

        // At the lowest speed and a high frame rate, the clocks take their smallest steps.
        params.set(Param::Speed, 0.0);
        let motion = |show: &mut Show<512>, from: u64| {
            show.set_params(params);
            let mut before = picture(show);
            let mut moved = 0.0;
            for k in 0..165 * 20 {
                let now = frame_us(from, k, 165);
                show.render(now, &quiet(now));
                let after = picture(show);
                moved += difference(&before, &after).0;
                before = after;
            }
            moved
        };
        let old = motion(&mut show, HOURS * 3_600_000_000);
        let mut young = show_of(index, LEDS, &params);
        (1..600).for_each(|k| young.render(k * 100_000, &quiet(k * 100_000)));
        let new = motion(&mut young, 60_000_000);
        assert!(
            ever < 1.3 * early + 0.002,
            "{id}: a jump of {ever} at {at} s, {early} in the first half hour"
        );
        // Two stretches of twenty seconds of slow breath differ; a clock that stands still or races would show.
        assert!((0.4..2.5).contains(&(old / new)), "{id}: moved {old} after ten hours, {new} when new");
    };
    // Both halves of the registry in parallel.
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || (half..PATTERNS.len()).step_by(2).for_each(run));
        }
    });
}

#[test]
fn how_the_sound_is_cut_changes_nothing() {
    let mut sound = music(4.0, 132.0, 0.8, 9);
    sound.extend(noise(1.0, -60.0, 2));
    // A fraction of a hop remains pending.
    sound.truncate(sound.len() / HOP * HOP + 77);
    let whole = hear(&sound);
    assert_eq!(whole.len(), sound.len() / HOP);
    for chunk in [1, 7, 128, 1_000] {
        let mut ear = Ear::new();
        let mut heard = Vec::new();
        sound.chunks(chunk).for_each(|c| ear.feed(c, |s, _| heard.push(*s)));
        assert_eq!(heard, whole, "chunks of {chunk}");
        assert_eq!(ear.samples(), sound.len() as u64);
        // `push` returns the newest snapshot of each call.
        let mut ear = Ear::new();
        let newest: Vec<Snapshot> = sound.chunks(chunk).filter_map(|c| ear.push(c).copied()).collect();
        assert!(newest.iter().all(|s| *s == whole[s.sequence as usize - 1]), "chunks of {chunk}");
        assert_eq!(newest.last(), whole.last());
    }
    let mut ear = Ear::new();
    assert!(ear.push(&[]).is_none() && ear.push(&[0.5; HOP - 1]).is_none() && ear.push(&[0.5]).is_some());
}

#[test]
fn no_input_breaks_the_ear() {
    let mut random = Random::new(11);
    let band = music(3.0, 120.0, 1.0, 4);
    let n = band.len();
    let inputs: Vec<(&str, Vec<f32>)> = vec![
        ("NaN", vec![f32::NAN; n]),
        ("infinite", (0..n).map(|i| if i % 2 == 0 { f32::INFINITY } else { f32::NEG_INFINITY }).collect()),
        ("denormal", (0..n).map(|_| f32::from_bits(random.bits() as u32 & 0x807f_ffff)).collect()),
        ("constant", vec![0.37; n]),
        ("full scale", vec![1.0; n]),
        ("clipped", band.iter().map(|x| (x * 50.0).clamp(-1.0, 1.0)).collect()),
        ("huge", band.iter().map(|x| x * 1e30).collect()),
        ("largest", (0..n).map(|i| if (i / 40) % 2 == 0 { f32::MAX } else { f32::MIN }).collect()),
        ("any bits", (0..n).map(|_| f32::from_bits(random.bits() as u32)).collect()),
        ("holes", band.iter().map(|x| if random.below(50) == 0 { f32::NAN } else { *x }).collect()),
        ("one sample", vec![1.0]),
        ("one sample and silence", std::iter::once(1.0).chain(silence(3.0)).collect()),
        ("nothing", Vec::new()),
    ];
    for (name, input) in &inputs {
        let mut ear = Ear::new();
        // The sound after the odd input must be heard as before, with the least and the greatest gain.
        for gain in [0.5, 2.0] {
            assert!(ear.set_gain(gain));
            ear.feed(input, |s, heard| {
                assert!(s.is_plausible(), "{name}: {s:?}");
                assert!(
                    heard.beat_in.is_none_or(|(t, c)| t.is_finite() && c.is_finite()),
                    "{name}: {heard:?}"
                );
            });
        }
        assert!(ear.set_gain(1.0));
        let mut last = Snapshot::EMPTY;
        let mut loudest = 0.0_f32;
        for seed in 0..5 {
            ear.feed(&music(4.0, 120.0, 1.0, seed), |s, _| {
                last = *s;
                loudest = loudest.max(s.level);
            });
        }
        assert!(!last.silent && last.is_plausible(), "{name}: {last:?}");
        assert!(loudest > 0.5, "{name}: deaf afterwards, level {loudest}");
        assert!((last.bpm / 120.0 - 1.0).abs() < 0.03, "{name}: {} BPM afterwards", last.bpm);
    }
}

#[test]
fn after_the_music_the_ear_rests() {
    for (name, rest) in [("digital silence", silence(6.0)), ("a room of -60 dBFS", noise(6.0, -60.0, 8))] {
        let mut ear = Ear::new();
        ear.feed(&music(8.0, 120.0, 1.0, 4), |_, _| {});
        let (mut k, mut silent_at) = (0, None);
        let (mut beats, mut onsets) = (0, 0);
        ear.feed(&rest, |s, _| {
            k += 1;
            let seconds = k as f64 * HOP_US as f64 * 1e-6;
            if s.silent && silent_at.is_none() {
                silent_at = Some(seconds);
                (beats, onsets) = (s.beats, s.onsets);
            }
            if let Some(at) = silent_at {
                assert!(s.silent, "{name}: sound again at {seconds:.2} s");
                assert_eq!((s.beats, s.onsets, s.bpm, s.next_beat_us), (beats, onsets, 0.0, 0), "{name}");
                if seconds > at + 1.5 {
                    let loudest = |a: &[f32]| a.iter().copied().fold(0.0, f32::max);
                    let left =
                        [s.level, loudest(&s.spectrum), loudest(&s.smooth), loudest(&s.chroma), s.onset];
                    assert!(left.iter().all(|x| *x < 0.01), "{name}: {left:?} left at {seconds:.2} s");
                }
            }
        });
        let at = silent_at.unwrap_or(f64::INFINITY);
        println!("{name}: silent {at:.2} s after the music");
        assert!((1.0..4.0).contains(&at), "{name}: silent after {at} s");
    }
}
