//! The sections that the ear hears in songs whose form is known, and in sound that has none.

use k1_engine::HOP;
use k1_engine::audio::{Ear, Section};
use k1_sim::music::{BEATLESS, Band, Form, Part, song};

/// Before this time in seconds the ear does not know the music yet.
const KNOWN_FROM_S: f64 = 10.0;
/// A section is found if it is announced within this many seconds; where the bar is known, it waits for a downbeat for
/// as many more. A build has to rise first.
const FOUND_S: f64 = 2.0;
const WAIT_S: f64 = 2.0;
const BUILD_FOUND_S: f64 = 7.0;

/// What began when, in seconds, and every state that was shown.
#[derive(Debug, PartialEq)]
struct Heard {
    began: Vec<(f64, Section)>,
    shown: Vec<Section>,
    /// Seconds of sound, and from when on the bar was known.
    seconds: f64,
    bar_known_from: f64,
}

fn hear(samples: &[f32]) -> Heard {
    let mut ear = Box::new(Ear::new());
    let (mut began, mut shown, mut seconds, mut bar_known_from) =
        (Vec::new(), Vec::new(), 0.0, f64::INFINITY);
    for hop in samples.chunks_exact(HOP) {
        ear.feed(hop, |s, heard| {
            seconds = s.captured_us as f64 * 1e-6;
            began.extend(heard.section.map(|section| (seconds, section)));
            assert_eq!(s.sections as usize, began.len(), "at {seconds} s");
            assert!(s.is_plausible() && (s.build == 0.0 || s.section == Section::Build), "at {seconds} s");
            if s.beats_per_bar > 0 {
                bar_known_from = seconds.min(bar_known_from);
            }
            if shown.last() != Some(&s.section) {
                shown.push(s.section);
            }
        });
    }
    Heard { began, shown, seconds, bar_known_from }
}

/// The section by which a listener names what begins.
fn named(part: Part) -> Section {
    match part {
        Part::Section => Section::Steady,
        Part::Break => Section::Break,
        Part::Build => Section::Build,
        Part::Drop => Section::Drop,
    }
}

#[test]
fn sections_of_songs_by_a_band_that_was_kept_out_of_tuning_are_found() {
    let (mut all, mut found, mut right_name, mut wrong, mut minutes) = (0, 0, 0, 0, 0.0);
    let mut delays = Vec::new();
    let (mut wrong_in_loops, mut loop_minutes) = (0, 0.0);
    for form in Form::ALL {
        for seed in [101, 102] {
            let piece = song(form, Band::Third, seed);
            let mut heard = hear(&piece.samples);
            minutes += heard.seconds / 60.0;
            for &(t, part) in piece.parts.iter().filter(|(t, _)| *t >= KNOWN_FROM_S) {
                let within = match part {
                    Part::Build => BUILD_FOUND_S,
                    Part::Section if t > heard.bar_known_from => FOUND_S + WAIT_S,
                    _ => FOUND_S,
                };
                let candidates = heard.began.iter().enumerate();
                let near = candidates.filter(|(_, (at, _))| (-0.3..=within).contains(&(at - t)));
                // The one with the right name, or else the first.
                let best = near.min_by_key(|(i, (_, section))| (*section != named(part), *i)).map(|(i, _)| i);
                all += 1;
                let Some(best) = best else { continue };
                let (at, section) = heard.began.remove(best);
                found += 1;
                right_name += usize::from(section == named(part));
                if part == Part::Build {
                    // The drums pause where the riser begins, which is news, too.
                    heard.began.retain(|(at, _)| !(-0.3..=2.5).contains(&(at - t)));
                } else {
                    delays.push(at - t);
                }
            }
            wrong += heard.began.len();
            if form == Form::Loop {
                (wrong_in_loops, loop_minutes) =
                    (wrong_in_loops + heard.began.len(), loop_minutes + heard.seconds / 60.0);
            }
            println!("{form:?} {seed}: not in the music: {:?}", heard.began);
        }
    }
    delays.sort_by(f64::total_cmp);
    let (per_minute, per_loop_minute) =
        (wrong as f64 / minutes, f64::from(wrong_in_loops as u32) / loop_minutes);
    println!(
        "{found} of {all} sections found, {right_name} by name, half of them within {:.2} s; {per_minute:.2} a minute \
         are not in the music, in loops {per_loop_minute:.2}",
        delays[delays.len() / 2]
    );
    assert!(found * 100 >= all * 75, "{found} of {all}");
    assert!(per_minute < 1.0 && per_loop_minute < 0.5, "{per_minute}, {per_loop_minute}");
}

#[test]
fn the_level_of_a_song_does_not_matter() {
    let samples = song(Form::Club, Band::First, 1).samples;
    let quiet: Vec<f32> = samples.iter().map(|x| x * 0.031_622_8).collect();
    let (loud, quiet) = (hear(&samples), hear(&quiet));
    let names = |form: &Heard| form.began.iter().map(|(_, section)| *section).collect::<Vec<_>>();
    assert!(names(&loud).contains(&Section::Drop), "{loud:?}");
    assert_eq!((names(&loud), &loud.shown), (names(&quiet), &quiet.shown));
    for (a, b) in loud.began.iter().zip(&quiet.began) {
        assert!((a.0 - b.0).abs() < 0.6, "{a:?} {b:?}");
    }
}

#[test]
fn sound_without_a_beat_has_no_sections() {
    for (name, play) in BEATLESS {
        let heard = hear(&play().samples);
        assert_eq!((heard.shown, heard.began.len()), (vec![Section::Unknown], 0), "{name}");
    }
}
