//! The promises of every pattern, checked through the whole renderer: symmetry, bounds, independence of the frame
//! rate, a response to the music, calm in silence, and parameters with the effect they describe.

mod common;

use std::sync::OnceLock;

use common::*;
use k1_engine::audio::{CANDIDATES, InputState, LONGEST_BAR, Section, Snapshot};
use k1_engine::light::{OutputSettings, Rgb};
use k1_engine::params::{LAST_PALETTE, PARAMS, Param, Params};
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use k1_engine::show::{CROSS_FADE_S, Show};

/// Start of the films in seconds of sound: the ear has found the beat long before, and no attack of music at 120 BPM
/// falls on this moment or one or two and a half seconds later.
const START_S: f64 = 8.2;

/// Tempo of the second song in BPM. The ear follows its eighths, at 194 BPM.
const SECOND_BPM: f64 = 97.0;

/// Snapshots of one sound.
struct Heard {
    music: Vec<Snapshot>,
    /// A second song.
    second: Vec<Snapshot>,
    /// The first song, 20 dB quieter from 7 s on.
    soft: Vec<Snapshot>,
    /// A quiet room: steady noise of −60 dBFS.
    room: Vec<Snapshot>,
    /// Digital silence.
    silence: Vec<Snapshot>,
}

fn heard() -> &'static Heard {
    static HEARD: OnceLock<Heard> = OnceLock::new();
    HEARD.get_or_init(|| {
        let band = music(16.0, 120.0, 1.0, 1);
        let mut softer = band.clone();
        softer[samples_in(7.0)..].iter_mut().for_each(|x| *x *= 0.1);
        Heard {
            music: hear(&band),
            second: hear(&music(16.0, SECOND_BPM, 1.0, 2)),
            soft: hear(&softer),
            room: hear(&noise(20.0, -60.0, 3)),
            silence: hear(&silence(20.0)),
        }
    })
}

fn start_us() -> u64 {
    hop_aligned_us(START_S)
}

fn with(changes: &[(Param, f32)]) -> Params {
    let mut params = Params::default();
    for (param, value) in changes {
        params.set(*param, *value);
    }
    params
}

fn in_range(light: &[Rgb]) -> bool {
    light.iter().flat_map(|c| [c.r, c.g, c.b]).all(|x| x.is_finite() && (0.0..=1.0).contains(&x))
}

/// Every frame of a pattern, with perceptual values.
fn film(
    pattern: usize,
    leds: usize,
    params: &Params,
    sound: &[Snapshot],
    seconds: f64,
    fps: u64,
) -> Vec<Vec<f32>> {
    let mut show = show_of(pattern, leds, params);
    let mut frames = Vec::new();
    play(&mut show, sound, start_us(), seconds, fps, |_, s| frames.push(seen(s)));
    frames
}

/// Mean difference of two films, frame by frame.
fn apart(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    a.iter().zip(b).map(|(x, y)| difference(x, y).0).sum::<f32>() / a.len() as f32
}

#[test]
fn light_and_wire_are_mirrored_finite_and_bounded_at_any_length() {
    let mut random = Random::new(5);
    for (index, pattern) in PATTERNS.iter().enumerate() {
        for leds in [1, 2, 7, 60, 179, 180, 300] {
            for sound in [&heard().music, &heard().room] {
                for settings in 0..2 {
                    let params = if settings == 0 {
                        Params::default()
                    } else {
                        Params::from_values(std::array::from_fn(|i| PARAMS[i].max * random.unit()))
                    };
                    let mut show = show_of(index, leds, &params);
                    let mut wire = vec![[0; 3]; leds];
                    play(&mut show, sound, start_us(), 1.0, 50, |k, show| {
                        let light = show.output.light(leds);
                        let place = (pattern.id, leds, k);
                        assert_eq!(light.len(), leds);
                        assert!(in_range(light), "{place:?}: {light:?}");
                        assert!(light.iter().eq(light.iter().rev()), "{place:?}: the light is lopsided");
                        for dithering in [false, true] {
                            show.output.wire(dithering, &mut wire);
                            assert!(wire.iter().eq(wire.iter().rev()), "{place:?}: the wire is lopsided");
                        }
                    });
                }
            }
        }
    }
}

/// The frame rate decides how often the sound is sampled, never how fast the light moves.
///
/// What remains is sampling: a frame of 60 per second sees every second snapshot, so the peak of an attack may fall
/// between two frames, and a light that crosses several LEDs between two frames leaves gaps. Therefore instants
/// around an attack are left out, and the picture is compared as a whole (mean) and, LED by LED, after a blur of ±4
/// LEDs, about that of a diffuser. From one second on, every fifteenth of a second is a common instant.
#[test]
fn the_same_second_gives_the_same_picture_at_any_frame_rate() {
    const LEDS: usize = 180;
    /// Instants that 60, 120 and 165 FPS have in common.
    const COMMON: u64 = 15;
    let blurred = |picture: &[f32]| -> Vec<f32> {
        let led = |i: usize, c: usize| picture[3 * i + c];
        (4..LEDS - 4)
            .flat_map(|i| (0..3).map(move |c| (i, c)))
            .map(|(i, c)| (i - 4..=i + 4).map(|j| led(j, c)).sum::<f32>() / 9.0)
            .collect()
    };
    let heard = heard();
    for (name, bpm, sound) in [
        ("120 BPM", 120.0, &heard.music),
        ("97 BPM", SECOND_BPM, &heard.second),
        ("silence", 120.0, &heard.room),
    ] {
        for (index, pattern) in PATTERNS.iter().enumerate() {
            let films = [60, 120, 165].map(|fps| {
                let mut show = show_of(index, LEDS, &Params::default());
                let mut frames = Vec::new();
                play(&mut show, sound, start_us(), 4.0, fps, |k, show| {
                    if k % (fps / COMMON) == 0 {
                        frames.push(seen(show));
                    }
                });
                frames
            });
            let (mut sum, mut count) = (0.0, 0);
            let (mut worst_mean, mut worst_led) = (0.0_f32, 0.0_f32);
            let instants = films[0].iter().zip(&films[1]).zip(&films[2]).enumerate();
            for (k, ((slow, middle), fast)) in instants.skip(COMMON as usize) {
                // The band plays on every half beat.
                let grid = 30.0 / bpm;
                let since_attack = (START_S + k as f64 / COMMON as f64) % grid;
                if !(0.06..grid - 0.01).contains(&since_attack) {
                    continue;
                }
                for (a, b) in [(slow, middle), (slow, fast), (middle, fast)] {
                    let (mean, _) = difference(a, b);
                    let (_, led) = difference(&blurred(a), &blurred(b));
                    worst_mean = worst_mean.max(mean);
                    worst_led = worst_led.max(led);
                    sum += mean;
                    count += 1;
                }
            }
            let mean = sum / count as f32;
            println!(
                "{name} {:12} mean {mean:.4}, worst instant {worst_mean:.4}, worst LED {worst_led:.4}",
                pattern.id
            );
            let (mean_bound, instant_bound, led_bound) = match (name, pattern.id) {
                ("silence", _) => (0.001, 0.002, 0.02),
                // A thin needle, and pendulums that cross up to fourteen LEDs in one frame at 60 FPS.
                (_, "analog") => (0.02, 0.04, 0.22),
                // Comets that the beat pushes across several LEDs in a frame.
                (_, "chase") => (0.01, 0.045, 0.4),
                (_, "metronome") => (0.025, 0.065, 0.42),
                _ => (0.01, 0.03, 0.14),
            };
            assert!(mean < mean_bound, "{} in {name}: {mean} on average", pattern.id);
            assert!(worst_mean < instant_bound, "{} in {name}: {worst_mean} at an instant", pattern.id);
            assert!(worst_led < led_bound, "{} in {name}: {worst_led} of an LED", pattern.id);
        }
    }
}

#[test]
fn music_shows_loudness_shows_and_silence_is_calm() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let params = Params::default();
        let of = |sound| film(index, 90, &params, sound, 4.0, 60).split_off(60);
        let (loud, soft, room) = (of(&heard().music), of(&heard().soft), of(&heard().room));
        let motion =
            |f: &[Vec<f32>]| f.windows(2).map(|w| difference(&w[0], &w[1]).0).sum::<f32>() / f.len() as f32;
        let (music, level) = (apart(&loud, &room), apart(&loud, &soft));
        let (dance, calm) = (motion(&loud), motion(&room));
        println!(
            "{:12} music–silence {music:.3}, loud–soft {level:.3}, motion per frame {dance:.4} in music, {calm:.5} in silence",
            pattern.id
        );
        assert!(music > 0.03, "{}: music and silence look alike, {music}", pattern.id);
        assert!(
            dance > 3.0 * calm && dance > 0.001,
            "{}: moves {dance} in music, {calm} in silence",
            pattern.id
        );
        assert!(calm < 0.002, "{}: moves {calm} in silence", pattern.id);
        if pattern.is_audio_reactive {
            // Gain control evens out loudness on purpose; the remaining difference must still show a few seconds
            // after a change.
            assert!(level > 0.005, "{}: loud and soft look alike, {level}", pattern.id);
        }
    }
}

#[test]
fn without_music_the_background_decides_what_glows() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let brightness = |background: f32| {
            let params = with(&[(Param::Background, background)]);
            let frames = film(index, 60, &params, &heard().room, 9.0, 30).split_off(60);
            frames.iter().map(|f| mean(f)).fold((1.0_f32, 0.0_f32), |(l, h), m| (l.min(m), h.max(m)))
        };
        let (dark, full) = (brightness(0.0), brightness(1.0));
        assert!(full.0 > 0.08, "{} is black in silence: {full:?}", pattern.id);
        assert!(full.0 > dark.0 + 0.01, "{}: background does nothing, {dark:?} {full:?}", pattern.id);
        if pattern.is_audio_reactive {
            assert!(dark.1 < 0.004, "{} glows without music and background: {dark:?}", pattern.id);
        } else {
            assert!(dark.0 > 0.05, "{} lives by itself: {dark:?}", pattern.id);
        }
    }
}

/// The steady noise of a quiet room moves nothing. All motion is the pattern's own slow calm, the same as in digital
/// silence.
#[test]
fn silence_does_not_dance() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        for background in [0.0, 0.25, 1.0] {
            // Each mood of void trail counts as a pattern.
            for custom in [0.0, 0.5, 1.0] {
                let params = with(&[(Param::Background, background), (Param::Custom1, custom)]);
                let room = film(index, 60, &params, &heard().room, 10.0, 120).split_off(300);
                let place = format!("{}, background {background}, custom 1 {custom}", pattern.id);
                for pair in room.windows(2) {
                    let (mean, led) = difference(&pair[0], &pair[1]);
                    assert!(mean < 0.005 && led < 0.04, "{place}: a step of {mean}, {led} of an LED");
                }
                let silent = film(index, 60, &params, &heard().silence, 10.0, 120).split_off(300);
                let heard = room.iter().zip(&silent).map(|(a, b)| difference(a, b).1).fold(0.0, f32::max);
                assert!(heard < 0.002, "{place}: the noise of the room shows, {heard}");
            }
        }
    }
}

/// The least mean change of light over a film that counts as a change.
const SEEN: f32 = 0.01;

#[test]
fn every_shared_parameter_does_what_it_says() {
    let music = &heard().music;
    // Change of every pattern's light between two values of a parameter.
    let reach = |param: Param, low: f32, high: f32, sound: &[Snapshot]| -> Vec<f32> {
        let of = |index, value| film(index, 60, &with(&[(param, value)]), sound, 2.0, 60).split_off(60);
        (0..PATTERNS.len()).map(|index| apart(&of(index, low), &of(index, high))).collect()
    };
    let everywhere = [
        (Param::Brightness, 0.0, 1.0),
        // A full turn of the hue changes nothing, so use half a turn.
        (Param::Color, 0.33, 0.83),
        (Param::ColorRange, 0.0, 1.0),
        (Param::Saturation, 0.0, 1.0),
        (Param::Warmth, 0.0, 1.0),
        (Param::Background, 0.0, 1.0),
    ];
    for (param, low, high) in everywhere {
        let changes = reach(param, low, high, music);
        println!("{} {changes:.3?}", param.spec().id);
        assert!(changes.iter().all(|c| *c > SEEN), "{}: {changes:?}", param.spec().id);
    }
    let softness = reach(Param::Softness, 0.0, 1.0, music);
    println!("softness {softness:.3?}");
    assert!(softness.iter().all(|c| *c > 0.003) && softness.iter().filter(|c| **c > SEEN).count() > 10);

    // Patterns that show beats keep time at any speed.
    let speed = reach(Param::Speed, 0.0, 1.0, music);
    println!("speed {speed:.3?}");
    assert!(speed.iter().filter(|c| **c > SEEN).count() >= 8, "{speed:?}");

    let palettes = reach(Param::PaletteId, 0.0, LAST_PALETTE as f32, music);
    println!("palette_id {palettes:.3?}");
    for (pattern, change) in PATTERNS.iter().zip(palettes) {
        match pattern.own_palette {
            Some(_) => assert_eq!(change, 0.0, "{} brings its own", pattern.id),
            None => assert!(change > SEEN, "{} ignores the palette: {change}", pattern.id),
        }
    }

    // Dithering affects the wire only: it separates equal greys of neighbours.
    let mut show = show_of(pattern_by_id("departure").unwrap(), 60, &Params::default());
    play(&mut show, music, start_us(), 1.0, 60, |_, _| {});
    let (mut rounded, mut dithered) = ([[0; 3]; 60], [[0; 3]; 60]);
    show.output.wire(Param::Dithering.spec().min >= 0.5, &mut rounded);
    show.output.wire(Param::Dithering.spec().max >= 0.5, &mut dithered);
    let differing = rounded.iter().flatten().zip(dithered.iter().flatten()).filter(|(a, b)| a != b).count();
    assert!(differing > 30, "{differing} of 180 bytes differ");
    assert!(rounded.iter().flatten().zip(dithered.iter().flatten()).all(|(a, b)| a.abs_diff(*b) <= 1));
}

#[test]
fn every_knob_of_every_pattern_does_something() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        for (knob, param) in pattern.knobs.iter().zip([Param::Custom1, Param::Custom2, Param::Custom3]) {
            let of =
                |value| film(index, 180, &with(&[(param, value)]), &heard().music, 4.0, 60).split_off(60);
            let (low, high) = (of(0.0), of(1.0));
            let most = low.iter().zip(&high).map(|(a, b)| difference(a, b).0).fold(0.0, f32::max);
            let mean = apart(&low, &high);
            // Some patterns respond to beats and attacks only.
            let enough = mean > SEEN || (mean > 0.001 && most > SEEN);
            assert!(enough, "{}: \"{knob}\" changes {mean} on average, {most} at most", pattern.id);
        }
    }
}

fn any_float(random: &mut Random) -> f32 {
    match random.below(12) {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::NEG_INFINITY,
        3 => f32::MAX,
        4 => f32::MIN_POSITIVE / 4.0,
        5 => -1e9 * random.unit(),
        6 => 0.0,
        7 => f32::from_bits(random.bits() as u32),
        _ => random.unit(),
    }
}

fn any_snapshot(random: &mut Random, wild: bool) -> Snapshot {
    let x = |random: &mut Random| if wild { any_float(random) } else { random.unit() };
    let whole = |random: &mut Random| random.bits() >> random.below(64);
    let beats_per_bar = random.below(LONGEST_BAR as usize + 1) as u32;
    Snapshot {
        sequence: whole(random),
        captured_us: whole(random),
        spectrum: std::array::from_fn(|_| x(random)),
        smooth: std::array::from_fn(|_| x(random)),
        chroma: std::array::from_fn(|_| x(random)),
        rms_db: x(random),
        peak_db: x(random),
        level: x(random),
        floor_db: x(random),
        onset: x(random),
        onset_bands: std::array::from_fn(|_| x(random)),
        tempi: std::array::from_fn(|_| x(random)),
        tempo_phases: std::array::from_fn(|_| x(random)),
        bpm: 240.0 * x(random),
        beat_phase: x(random),
        next_beat_us: whole(random),
        confidence: x(random),
        beats: whole(random) as u32,
        onsets: whole(random) as u32,
        bar_position: beats_per_bar as f32 * x(random),
        beats_per_bar,
        bar_confidence: x(random),
        bars: whole(random) as u32,
        section: Section::from_code(random.below(5) as u32),
        sections: whole(random) as u32,
        build: x(random),
        silent: random.below(4) == 0,
        input: InputState::from_code(random.below(3) as u32),
    }
}

#[test]
fn a_hundred_thousand_random_frames_neither_panic_nor_leave_the_range() {
    let mut random = Random::new(2_024);
    let mut wire = [[0; 3]; 512];
    let mut frames = 0;
    while frames < 100_000 {
        let longest = [8, 64, 200, 512][random.below(4)];
        let leds = random.below(longest + 1);
        let limit_ma = [None, Some(0.0), Some(800.0), Some(f32::NAN)][random.below(4)];
        let mut show: Box<Show<512>> = Box::new(Show::new(leds, OutputSettings { limit_ma }));
        let mut now = random.bits() >> random.below(64);
        for _ in 0..500 {
            if random.below(20) == 0 {
                show.set_params(Params::from_values(std::array::from_fn(|i| {
                    PARAMS[i].max * any_float(&mut random)
                })));
            }
            match random.below(40) {
                0 => assert!(show.select(random.below(PATTERNS.len()))),
                1 => assert!(show.cut_to(random.below(PATTERNS.len()))),
                2 => assert!(!show.select(PATTERNS.len() + random.below(usize::MAX / 2))),
                _ => {}
            }
            now = match random.below(20) {
                0 => now,
                1 => now.saturating_sub(random.bits() >> 40),
                2 => now.saturating_add(3_600_000_000 * random.below(100) as u64),
                _ => now.saturating_add(random.below(40_000) as u64),
            };
            let wild = random.below(2) == 0;
            let mut sound = any_snapshot(&mut random, wild);
            if random.below(2) == 0 {
                sound.captured_us = now.saturating_sub(random.below(20_000) as u64);
            }
            show.render(now, &sound);
            let light = show.output.light(leds);
            assert!(in_range(light), "pattern {}: {light:?}", PATTERNS[show.pattern()].id);
            assert!(light.iter().eq(light.iter().rev()), "{}", PATTERNS[show.pattern()].id);
            show.output.wire(frames % 2 == 0, &mut wire[..leds]);
            frames += 1;
        }
    }
}

/// A broken snapshot must not disturb a pattern for longer than it lasts.
#[test]
fn a_pattern_recovers_from_a_broken_snapshot() {
    let mut random = Random::new(77);
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let mut show = show_of(index, 60, &Params::default());
        let mut untouched = show_of(index, 60, &Params::default());
        for k in 0..30 {
            let now = start_us() + k * 8_000;
            let mut broken = any_snapshot(&mut random, true);
            (broken.captured_us, broken.sequence, broken.silent) = (now, 1 + k, false);
            show.render(now, &broken);
            untouched.render(now, seen_at(&heard().music, now));
        }
        let from = start_us() + 240_000;
        play(&mut show, &heard().music, from, 6.0, 60, |_, _| {});
        play(&mut untouched, &heard().music, from, 6.0, 60, |_, _| {});
        let (mean, _) = difference(&seen(&show), &seen(&untouched));
        assert!(mean < 0.03, "{} is still {mean} off six seconds later", pattern.id);
    }
}

/// Music that stands still: everything sounds and nothing happens, so every jump comes from the fade.
fn steady_sound(now_us: u64, sequence: u64) -> Snapshot {
    Snapshot {
        sequence,
        captured_us: now_us,
        spectrum: [0.6; 64],
        smooth: [0.6; 64],
        chroma: [0.5, 0.1, 0.2, 0.1, 0.9, 0.2, 0.1, 0.8, 0.1, 0.3, 0.1, 0.2],
        level: 0.7,
        tempi: [0.0; CANDIDATES],
        silent: false,
        ..Snapshot::EMPTY
    }
}

#[test]
fn a_change_of_pattern_is_a_fade_and_never_a_jump() {
    let start = |from: usize, background: f32| {
        let mut show = show_of(from, 60, &with(&[(Param::Background, background)]));
        (0..240).for_each(|k| show.render(k * 8_333, &steady_sound(k * 8_333, k + 1)));
        show
    };
    // The largest change of an LED from frame to frame over 1.5 s, with a selection at each given frame.
    let largest_step = |show: &mut Show<512>, selections: &[(u64, usize)]| {
        let mut before = seen(show);
        let mut largest = 0.0_f32;
        for k in 240..420 {
            for (at, pattern) in selections {
                if k == 240 + at {
                    assert!(show.select(*pattern));
                    assert_eq!(show.pattern(), *pattern);
                }
            }
            show.render(k * 8_333, &steady_sound(k * 8_333, k + 1));
            let now = seen(show);
            largest = largest.max(difference(&before, &now).1);
            before = now;
        }
        largest
    };
    // A pattern's own motion in its first moments, such as a travelling front, does not count as a jump.
    let alone: Vec<f32> = (0..PATTERNS.len())
        .map(|index| {
            let mut show = start((index + 1) % PATTERNS.len(), 1.0);
            assert!(show.cut_to(index));
            // A quarter of a second, until the softness of the output has settled after the cut.
            (210..240).for_each(|k| show.render(k * 8_333, &steady_sound(k * 8_333, k + 1)));
            largest_step(&mut show, &[])
        })
        .collect();
    let mut excess = [0.0_f32; 2];
    for from in 0..PATTERNS.len() {
        for to in 0..PATTERNS.len() {
            let third = (to + 5) % PATTERNS.len();
            let once = largest_step(&mut start(from, 1.0), &[(1, to)]);
            // Again in the middle of the fade, and once more shortly after.
            let thrice = largest_step(&mut start(from, 1.0), &[(1, to), (40, third), (55, from)]);
            let two = alone[from].max(alone[to]);
            if once - two > 0.03 {
                println!("{} to {}: {once}, alone {two}", PATTERNS[from].id, PATTERNS[to].id);
            }
            excess = [excess[0].max(once - two), excess[1].max(thrice - two.max(alone[third]))];
        }
    }
    println!(
        "largest step of a fade beyond the patterns' own: {:.3}, of three at once {:.3}",
        excess[0], excess[1]
    );
    assert!(excess.iter().all(|e| *e < 0.03), "{excess:?}");

    let mut show = start(3, 0.25);
    assert!(!show.select(PATTERNS.len()) && !show.select(usize::MAX) && !show.cut_to(PATTERNS.len()));
    assert_eq!(show.pattern(), 3);
}

#[test]
fn after_a_fade_only_the_new_pattern_is_left() {
    let (from, to) = (pattern_by_id("octave").unwrap(), pattern_by_id("departure").unwrap());
    let (mut faded, mut cut) = (show_of(from, 60, &Params::default()), show_of(to, 60, &Params::default()));
    let mut k = 0;
    let mut step = |faded: &mut Show<512>, cut: &mut Show<512>| {
        k += 1;
        let (now, sound) = (k * 8_333, steady_sound(k * 8_333, k));
        faded.render(now, &sound);
        cut.render(now, &sound);
    };
    step(&mut faded, &mut cut);
    assert!(faded.select(to));
    let frames = (CROSS_FADE_S * 120.0) as usize + 2;
    (0..frames + 120).for_each(|_| step(&mut faded, &mut cut));
    assert!(difference(&seen(&faded), &seen(&cut)).0 < 0.01);
}

#[test]
fn a_fade_to_another_look_changes_settings_gently_and_takes_its_time() {
    let dim = with(&[(Param::Brightness, 0.2), (Param::PaletteId, 9.0), (Param::Warmth, 0.8)]);
    let bright = with(&[(Param::Background, 1.0), (Param::PaletteId, 3.0)]);
    for (from, to) in [("bloom", "lava"), ("bloom", "bloom"), ("spectrum", "plasma")] {
        let (from, to) = (pattern_by_id(from).unwrap(), pattern_by_id(to).unwrap());
        let mut show = show_of(from, 60, &bright);
        let mut k = 0;
        let mut frame = |show: &mut Show<512>| {
            k += 1;
            show.render(k * 8_333, &steady_sound(k * 8_333, k));
            seen(show)
        };
        (0..240).for_each(|_| _ = frame(&mut show));
        let (own, mut before) = (difference(&frame(&mut show), &frame(&mut show)).1, seen(&show));
        assert!(show.fade_to(to, dim, 2.0));
        let (mut largest, mut halfway) = (0.0_f32, 0.0);
        for n in 0..240 {
            let now = frame(&mut show);
            largest = largest.max(difference(&before, &now).1);
            before = now;
            if n == 60 {
                halfway = show.output.light(60).iter().map(|c| c.peak()).sum();
            }
        }
        let at_end: f32 = show.output.light(60).iter().map(|c| c.peak()).sum();
        assert!(largest < own.max(0.1), "a step of {largest}; its own is {own}");
        assert!(halfway > 2.0 * at_end, "a quarter of the way it has {halfway}, at the end {at_end}");
        // What a person sets during a fade is in force at once.
        assert!(show.fade_to(from, bright, 60.0));
        let dark = Params::from_values({
            let mut values = *bright.values();
            values[Param::Brightness as usize] = 0.0;
            values
        });
        show.set_params(dark);
        (0..120).for_each(|_| _ = frame(&mut show));
        assert!(show.output.light(60).iter().all(|c| c.peak() < 1e-3), "dark within a second");
        assert!(!show.fade_to(PATTERNS.len(), dim, 1.0));
        assert!(show.fade_to(to, dim, 0.0) && show.pattern() == to && *show.params() == dim);
    }
}
