use std::vec::Vec;

use proptest::prelude::*;

use super::super::CHROMA;
use super::super::tables::BANDS;
use super::*;

/// One moment of music at 120 BPM in bars of four.
#[derive(Clone, Copy)]
struct Sound {
    /// Compressed levels of low, middle and high sound in octaves.
    levels: [f32; 3],
    /// Mean rise of low bands and of the others.
    rises: [f32; 2],
    /// Pitch class of the chord.
    chord: usize,
    reference: f32,
    confidence: f32,
    silent: bool,
}

const GROOVE: Sound = Sound {
    levels: [4.0, 3.0, 2.5],
    rises: [0.12, 0.1],
    chord: 0,
    reference: 0.1,
    confidence: 0.9,
    silent: false,
};

/// A groove over four chords of a bar each; the first beat is stronger.
fn groove(t: f32) -> Sound {
    let (bar, beat) = ((t / 2.0) as usize % 4, (2.0 * t) as usize % 4);
    let strong = if beat == 0 { 0.5 } else { 0.0 };
    Sound { chord: [0, 5, 9, 7][bar], levels: GROOVE.levels.map(|x| x + strong), ..GROOVE }
}

/// The same with other chords and brighter.
fn chorus(t: f32) -> Sound {
    let other = groove(t);
    Sound { chord: other.chord + 2, levels: [4.0, 4.0, 3.7], ..other }
}

/// Middle and high sound of the groove.
fn without_drums(t: f32) -> Sound {
    let whole = groove(t);
    Sound { levels: [0.5, whole.levels[1], 1.0], rises: [0.005, 0.02], ..whole }
}

struct Listener {
    tracker: SectionTracker,
    hops: u32,
    /// Beats in a bar, if the bar is known.
    beats_per_bar: u32,
    reading: SectionReading,
    /// What began when, in seconds.
    began: Vec<(f32, Section)>,
}

impl Listener {
    fn new() -> Self {
        Self {
            tracker: SectionTracker::BLANK,
            hops: 0,
            beats_per_bar: 0,
            reading: SectionReading::default(),
            began: Vec::new(),
        }
    }

    fn seconds(&self) -> f32 {
        self.hops as f32 * DT
    }

    /// Hears a sound for some seconds.
    fn hear(&mut self, seconds: f32, sound: impl Fn(f32) -> Sound) -> &mut Self {
        for _ in 0..(seconds * HOP_RATE) as u32 {
            let t = self.seconds();
            self.hear_hop(sound(t), t);
        }
        self
    }

    fn hear_hop(&mut self, sound: Sound, t: f32) {
        let third = |band: usize| usize::from(band >= 9) + usize::from(band >= 21);
        let logs = core::array::from_fn::<_, BANDS, _>(|b| sound.levels[third(b)]);
        let rises = core::array::from_fn::<_, BANDS, _>(|b| sound.rises[usize::from(b >= 9)]);
        let mut chroma = [0.1; CHROMA];
        for third in [0, 4, 7] {
            chroma[(sound.chord + third) % CHROMA] = 0.9;
        }
        let hop = Hop { logs: &logs, rises: &rises, reference: sound.reference, chroma: &chroma };
        let pulse = Pulse {
            silent: sound.silent,
            level: 0.6,
            bpm: if sound.confidence > 0.0 { 120.0 } else { 0.0 },
            phase: (2.0 * t).fract(),
            confidence: sound.confidence,
            beats_per_bar: self.beats_per_bar,
            bar_position: if self.beats_per_bar == 0 { 0.0 } else { (2.0 * t) % self.beats_per_bar as f32 },
        };
        self.hops += 1;
        self.reading = self.tracker.process(&hop, &pulse);
        self.began.extend(self.reading.began.map(|section| (self.seconds(), section)));
    }
}

/// Asserts that exactly these sections began, each within 2 s.
fn assert_began(listener: &Listener, expected: &[(f32, Section)]) {
    let began = &listener.began;
    let right = began.len() == expected.len()
        && began.iter().zip(expected).all(|(a, b)| a.1 == b.1 && (0.0..2.0).contains(&(a.0 - b.0)));
    assert!(right, "{began:?}, not {expected:?}");
}

#[test]
fn a_loop_is_steady_and_begins_nothing() {
    let mut listener = Listener::new();
    listener.hear(7.0, groove);
    assert_eq!(listener.reading.section, Section::Unknown);
    listener.hear(120.0, groove);
    assert_eq!((listener.reading.section, listener.reading.build), (Section::Steady, 0.0));
    assert_began(&listener, &[]);
}

#[test]
fn other_chords_and_a_brighter_sound_are_a_new_section_and_so_is_the_return() {
    let mut listener = Listener::new();
    listener.hear(24.0, groove).hear(24.0, chorus).hear(24.0, groove);
    assert_began(&listener, &[(24.0, Section::Steady), (48.0, Section::Steady)]);
}

#[test]
fn a_new_section_begins_on_the_downbeat_if_the_bar_is_known() {
    for change in [24.0, 24.5, 25.0, 25.5] {
        let mut listener = Listener::new();
        listener.beats_per_bar = 4;
        listener.hear(change, groove).hear(20.0, chorus);
        assert_eq!(listener.began.len(), 1, "{change}");
        let position = (2.0 * listener.began[0].0).rem_euclid(4.0);
        assert!(position < 0.1, "{change}: {position}");
        assert!(listener.began[0].0 < change + 3.5, "{change}");
    }
}

#[test]
fn drums_that_fall_away_are_a_break_and_their_return_is_a_drop() {
    let mut listener = Listener::new();
    listener.hear(24.0, groove).hear(10.0, without_drums);
    assert_eq!(listener.reading.section, Section::Break);
    listener.hear(4.0, groove);
    assert_eq!(listener.reading.section, Section::Drop);
    listener.hear(20.0, groove);
    assert_eq!(listener.reading.section, Section::Steady);
    assert_began(&listener, &[(24.0, Section::Break), (34.0, Section::Drop)]);
}

#[test]
fn a_groove_that_pauses_often_has_no_breaks() {
    let mut listener = Listener::new();
    let pausing = |t: f32| if t % 8.0 < 6.0 { groove(t) } else { without_drums(t) };
    listener.hear(80.0, pausing);
    let late: Vec<_> = listener.began.iter().filter(|(t, _)| *t > 24.0).collect();
    assert!(late.is_empty(), "{late:?}");
}

#[test]
fn a_riser_is_a_build_that_rises_until_the_drop() {
    let mut listener = Listener::new();
    listener.hear(24.0, groove).hear(8.0, without_drums);
    let from = listener.seconds();
    let riser = |t: f32| {
        let up = 0.4 * (t - from);
        Sound { levels: [0.5, 2.0 + up, 1.0 + up], rises: [0.02, 0.1], ..groove(t) }
    };
    let mut builds = Vec::new();
    for _ in 0..8 {
        listener.hear(1.0, riser);
        builds.push(listener.reading.build);
    }
    assert_eq!(listener.reading.section, Section::Build);
    assert!(builds.windows(2).all(|w| w[0] <= w[1]) && builds[0] < 0.1 && builds[7] > 0.8, "{builds:?}");
    listener.hear(3.0, groove);
    assert_eq!((listener.reading.section, listener.reading.build), (Section::Drop, 0.0));
    let kinds: Vec<_> = listener.began.iter().map(|(_, section)| *section).collect();
    assert_eq!(kinds, [Section::Break, Section::Build, Section::Drop]);
}

#[test]
fn a_step_of_energy_is_a_section_but_not_a_build() {
    let mut listener = Listener::new();
    let louder = |t: f32| Sound { levels: [5.5, 4.5, 4.0], ..groove(t) };
    listener.hear(24.0, groove).hear(16.0, louder);
    assert_began(&listener, &[(24.0, Section::Steady)]);
}

#[test]
fn the_reference_of_the_compression_does_not_matter() {
    // Bands relate to the mean of the last seconds, so that they rise when the music becomes quieter.
    let mut listener = Listener::new();
    let drifting = |t: f32| {
        let octaves = (0.2 * t).sin();
        let sound = groove(t);
        Sound { levels: sound.levels.map(|x| x - octaves), reference: 0.1 * octaves.exp2(), ..sound }
    };
    listener.hear(100.0, drifting);
    assert_began(&listener, &[]);
}

#[test]
fn nothing_is_known_without_a_beat_or_in_silence_and_a_pause_ends_a_piece() {
    let mut listener = Listener::new();
    let doubtful = |t: f32| Sound { confidence: 0.3, ..groove(t) };
    let changing = |t: f32| if t % 16.0 < 8.0 { doubtful(t) } else { Sound { chord: 3, ..doubtful(t) } };
    for _ in 0..60 {
        listener.hear(1.0, changing);
        assert_eq!(listener.reading, SectionReading::default());
    }
    listener.hear(30.0, groove);
    assert_eq!(listener.reading.section, Section::Steady);
    let silence = |t: f32| Sound { silent: true, ..groove(t) };
    listener.hear(0.1, silence);
    assert_eq!(listener.reading, SectionReading::default());
    // A short pause belongs to the piece; a long one does not.
    listener.hear(1.0, silence).hear(0.1, groove);
    assert_eq!(listener.reading.section, Section::Steady);
    listener.hear(3.0, silence).hear(7.0, groove);
    assert_eq!(listener.reading.section, Section::Unknown);
    assert_began(&listener, &[]);
}

/// Low sound returns for two blocks only: a drop, and no break before three blocks of the drop were heard.
#[test]
fn a_break_is_not_found_in_blocks_from_before_the_drop() {
    let scene = |levels, rises, reference, confidence, hops| {
        (Sound { levels, rises, chord: 0, reference, confidence, silent: false }, hops)
    };
    let scenes = [
        scene([0.0; 3], [0.0; 2], 0.0, 0.8147272, 258),
        scene([0.0; 3], [0.0; 2], 23.102695, 0.85141677, 547),
        scene([0.0; 3], [0.0; 2], 0.0, 0.12692603, 2),
        scene([0.0, 10.385067, 0.0], [0.0, 6.717334], 20.101223, 0.6845161, 395),
        scene([12.308688, 6.5038576, 0.0], [5.629571, 0.0], 3.825921, 0.2254433, 408),
        scene([0.0, 7.7689734, 5.39063], [3.94306, 2.2026505], 11.950746, 0.0, 319),
        scene([11.184581, 10.128538, 0.0], [0.0, 1.3427017], 13.938496, 0.0, 235),
    ];
    let mut listener = Listener::new();
    for (sound, hops) in scenes {
        for _ in 0..hops {
            let t = listener.seconds();
            listener.hear_hop(sound, t);
        }
    }
    let began = &listener.began;
    let drop = began.iter().find(|(_, section)| *section == Section::Drop).expect("a drop").0;
    assert!(!began.iter().any(|(t, section)| *section == Section::Break && *t < drop + 1.0), "{began:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_heard_stays_within_range(
        scenes in proptest::collection::vec(
            (
                (0.0_f32..16.0, 0.0_f32..16.0, 0.0_f32..16.0), (0.0_f32..16.0, 0.0_f32..16.0), 0_usize..12,
                0.0_f32..30.0, 0.0_f32..=1.0, proptest::bool::weighted(0.1), 0_u32..600, 0_u32..=6,
            ),
            1..60,
        ),
    ) {
        let mut listener = Listener::new();
        let mut last = 0.0;
        for ((low, middle, high), (low_rise, rise), chord, reference, confidence, silent, hops, beats_per_bar) in scenes {
            listener.beats_per_bar = beats_per_bar;
            let sound = Sound {
                levels: [low, middle, high], rises: [low_rise, rise], chord, reference, confidence, silent,
            };
            for _ in 0..hops {
                let t = listener.seconds();
                listener.hear_hop(sound, t);
                let SectionReading { section, began, build } = listener.reading;
                prop_assert!((0.0..=1.0).contains(&build), "{build}");
                prop_assert!(build == 0.0 || section == Section::Build, "{section:?} {build}");
                prop_assert!(!silent || section == Section::Unknown);
                prop_assert!(began.is_none_or(|began| began == section || began == Section::Steady));
                if began == Some(Section::Steady) || began == Some(Section::Break) {
                    prop_assert!(t - last > 1.0 || last == 0.0, "{last} {t}");
                }
                if began.is_some() {
                    last = t;
                }
            }
        }
    }
}
