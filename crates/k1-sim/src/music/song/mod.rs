//! Songs with known sections, for the ear's sense of form.
//!
//! A song is a list of scenes, each of which says which instruments of a band play what for how many bars. Where a scene
//! begins, the truth says what a listener hears: a new section, a break, a build or a drop. Drum fills at the end of every
//! fourth bar, and strokes that vary, belong to a scene and begin nothing.

mod bands;
mod forms;
mod scene;

pub use bands::Band;
pub use forms::Form;

use super::mixer::Mixer;

/// What a listener hears begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A section with other instruments, chords or drums.
    Section,
    /// Drums and bass fall away while the music goes on.
    Break,
    /// Energy rises steadily: a roll of the snare and a riser.
    Build,
    /// Drums and bass return after a break or a build.
    Drop,
}

/// A song with the truth about its form.
#[derive(Clone, Debug, PartialEq)]
pub struct Song {
    /// Mono, at the engine's 16 kHz, within −1 … 1.
    pub samples: Vec<f32>,
    /// Times of all beats in seconds from the first sample.
    pub beats: Vec<f64>,
    /// What begins when, in seconds, rising; the beginning of the song is not listed.
    pub parts: Vec<(f64, Part)>,
}

/// A song of a form by a band. The seed decides tempo, key, chords and grooves, and the lengths of the sections.
pub fn song(form: Form, band: Band, seed: u64) -> Song {
    let players = bands::players(band);
    let mut mixer = Mixer::new(0.0, 1_000 * (1 + band as u64) + seed);
    let plan = forms::plan(form, &players, &mut mixer.chance);
    let beat_s = 60.0 / plan.bpm;
    let (mut at, mut parts) = (0.25, Vec::new());
    for (part, scene) in &plan.scenes {
        if let Some(part) = part {
            parts.push((at, *part));
        }
        at += (scene.bars * plan.beats_per_bar) as f64 * beat_s;
    }
    mixer.lengthen(at + 0.5);
    let beats = (0..).map(|beat| 0.25 + f64::from(beat) * beat_s).take_while(|t| *t < at - 0.01).collect();
    let mut from = 0.25;
    for (_, scene) in &plan.scenes {
        scene.play(&mut mixer, &players, from, beat_s, plan.beats_per_bar);
        from += (scene.bars * plan.beats_per_bar) as f64 * beat_s;
    }
    Song { samples: mixer.mixed(0.6), beats, parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = k1_engine::SAMPLE_RATE as f64;

    #[test]
    fn the_parts_of_every_song_lie_on_beats_within_it() {
        for band in [Band::First, Band::Second, Band::Third] {
            for form in Form::ALL {
                let heard = song(form, band, 1);
                let seconds = heard.samples.len() as f64 / RATE;
                assert!((45.0..150.0).contains(&seconds), "{form:?}: {seconds} s");
                assert!(heard.samples.iter().all(|x| x.abs() <= 1.0), "{form:?}");
                assert_eq!(heard.parts.is_empty(), form == Form::Loop, "{form:?}");
                assert!(heard.parts.windows(2).all(|w| w[1].0 - w[0].0 > 4.0), "{form:?}");
                for (t, _) in &heard.parts {
                    assert!(heard.beats.iter().any(|beat| (beat - t).abs() < 1e-6), "{form:?}: {t}");
                }
            }
        }
    }

    #[test]
    fn a_song_is_always_the_same() {
        assert_eq!(song(Form::Riser, Band::Third, 3), song(Form::Riser, Band::Third, 3));
        assert_ne!(song(Form::Riser, Band::Third, 3), song(Form::Riser, Band::Third, 4));
    }

    #[test]
    fn a_break_has_no_bass_and_a_drop_has_it_again() {
        // Energy of what is left after a low-pass of about 120 Hz.
        let low = |samples: &[f32], from: f64| {
            let (mut y, mut z, mut sum) = (0.0, 0.0, 0.0);
            for x in &samples[(from * RATE) as usize..((from + 3.0) * RATE) as usize] {
                y += 0.046 * (x - y);
                z += 0.046 * (y - z);
                sum += z * z;
            }
            sum
        };
        for band in [Band::First, Band::Second, Band::Third] {
            let heard = song(Form::Club, band, 2);
            let times = |part| heard.parts.iter().filter(move |p| p.1 == part).map(|p| p.0);
            assert!(times(Part::Break).count() > 0 && times(Part::Drop).count() > 0);
            for t in times(Part::Break) {
                assert!(low(&heard.samples, t + 0.5) < 0.1 * low(&heard.samples, t - 4.0), "{band:?} {t}");
            }
            for t in times(Part::Drop) {
                assert!(low(&heard.samples, t) > 5.0 * low(&heard.samples, t - 4.0), "{band:?} {t}");
            }
        }
    }
}
