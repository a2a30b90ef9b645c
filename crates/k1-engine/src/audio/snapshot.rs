//! The result of analysing one hop.

use super::{BINS, CANDIDATES, CHROMA, InputState, Section};
use crate::math::{fract, reciprocal};

/// The most beats of a bar that [`Snapshot::beats_per_bar`] can tell.
pub const LONGEST_BAR: u32 = 6;

/// Everything the light knows about the sound, complete and consistent; one per hop.
///
/// A reader may skip snapshots without losing events, because [`beats`](Self::beats), [`onsets`](Self::onsets),
/// [`bars`](Self::bars) and [`sections`](Self::sections) are counters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Number of this snapshot; 1 for the first hop, 0 before anything was heard.
    pub sequence: u64,
    /// Capture time of the last sample of this hop, in µs of the caller's clock.
    pub captured_us: u64,
    /// 64 semitones from A2 (110 Hz) to C8. Amplitude relative to the loudest bin of the last seconds, 0 … 1, linear;
    /// white noise reads flat. 0 in silence.
    pub spectrum: [f32; BINS],
    /// [`spectrum`](Self::spectrum) with a rise of 10 ms and a fall of 140 ms.
    pub smooth: [f32; BINS],
    /// Twelve pitch classes, index 0 is C. The strongest is near 1 in music; 0 in silence.
    pub chroma: [f32; CHROMA],
    /// RMS of the hop in dBFS (0 = full-scale square wave, −120 = digital silence).
    pub rms_db: f32,
    /// Peak of the hop in dBFS.
    pub peak_db: f32,
    /// Loudness after automatic gain, 0 … 1.
    pub level: f32,
    /// Noise floor in dBFS, learned or set.
    pub floor_db: f32,
    /// Onset strength of this hop relative to the strongest of the last seconds, 0 … 1.
    pub onset: f32,
    /// Onset strength of low, middle and high sound, 0 … 1.
    pub onset_bands: [f32; 3],
    /// How periodic the music is at each candidate tempo (see [`super::candidate_bpm`]), 0 … 1.
    pub tempi: [f32; CANDIDATES],
    /// Phase of each candidate tempo at [`captured_us`](Self::captured_us) in turns; 0 on the beat.
    pub tempo_phases: [f32; CANDIDATES],
    /// Tempo of the announced beats in beats per minute; 0 without beats. To show it to people, use
    /// [`tempo`](Self::tempo).
    pub bpm: f32,
    /// Phase in the beat at [`captured_us`](Self::captured_us): 0 on the beat, approaching 1 before the next.
    pub beat_phase: f32,
    /// Predicted time of the next beat in µs of the caller's clock; 0 without a tempo.
    pub next_beat_us: u64,
    /// Probability that the announced beats are right, 0 … 1.
    pub confidence: f32,
    /// Beats announced since the start.
    pub beats: u32,
    /// Onsets reported since the start.
    pub onsets: u32,
    /// Position in the bar at [`captured_us`](Self::captured_us) in beats: 0 on the downbeat, approaching
    /// [`beats_per_bar`](Self::beats_per_bar) before the next; 0 while the ear is unsure of the bar.
    pub bar_position: f32,
    /// Beats in a bar, at most [`LONGEST_BAR`]; 0 while the ear is unsure of the bar.
    pub beats_per_bar: u32,
    /// Probability that the announced downbeats are right, 0 … 1; 0 while the ear is unsure of the bar.
    pub bar_confidence: f32,
    /// Downbeats announced since the start.
    pub bars: u32,
    /// What the music does now.
    pub section: Section,
    /// Sections begun since the start.
    pub sections: u32,
    /// How strongly the energy builds, 0 … 1.
    pub build: f32,
    /// True while nothing exceeds the noise floor; the light is calm then.
    pub silent: bool,
    /// Electrical state of the input.
    pub input: InputState,
}

impl Snapshot {
    /// All zeros.
    pub(super) const BLANK: Self =
        Self { rms_db: 0.0, peak_db: 0.0, floor_db: 0.0, silent: false, ..Self::EMPTY };

    /// The snapshot before anything was heard.
    pub const EMPTY: Self = Self {
        sequence: 0,
        captured_us: 0,
        spectrum: [0.0; BINS],
        smooth: [0.0; BINS],
        chroma: [0.0; CHROMA],
        rms_db: super::SILENT_DB,
        peak_db: super::SILENT_DB,
        level: 0.0,
        floor_db: super::SILENT_DB,
        onset: 0.0,
        onset_bands: [0.0; 3],
        tempi: [0.0; CANDIDATES],
        tempo_phases: [0.0; CANDIDATES],
        bpm: 0.0,
        beat_phase: 0.0,
        next_beat_us: 0,
        confidence: 0.0,
        beats: 0,
        onsets: 0,
        bar_position: 0.0,
        beats_per_bar: 0,
        bar_confidence: 0.0,
        bars: 0,
        section: Section::Unknown,
        sections: 0,
        build: 0.0,
        silent: true,
        input: InputState::Fine,
    };

    /// The tempo in beats per minute, if the confidence is at least [`super::BELIEVED`]. Light may follow a first
    /// guess; every tempo that is shown to people comes from here.
    pub fn tempo(&self) -> Option<f32> {
        (self.bpm > 0.0 && self.confidence >= super::BELIEVED).then_some(self.bpm)
    }

    /// Position in the bar at a number of beats after [`captured_us`](Self::captured_us), in beats: 0 on the downbeat,
    /// below [`beats_per_bar`](Self::beats_per_bar). `None` while the ear is unsure of the bar.
    pub fn bar_position_after(&self, beats: f32) -> Option<f32> {
        let length = self.beats_per_bar as f32;
        (self.beats_per_bar > 0).then(|| fract((self.bar_position + beats) * reciprocal(length)) * length)
    }

    /// Number of a beat in its bar: 1 for the downbeat, at most [`beats_per_bar`](Self::beats_per_bar). The beat is the
    /// one nearest to a number of beats after [`captured_us`](Self::captured_us). `None` while the ear is unsure of the
    /// bar.
    pub fn beat_of_bar_after(&self, beats: f32) -> Option<u32> {
        let nearest = (self.bar_position_after(beats)? + 0.5) as u32;
        // Just before the downbeat, the nearest beat is the first of the next bar.
        Some(if nearest < self.beats_per_bar { nearest + 1 } else { 1 })
    }

    /// Whether an ear can have made this snapshot: every share is within 0 … 1, the position lies in the bar, and all
    /// values are finite.
    ///
    /// A snapshot from elsewhere, such as a network, may hold anything.
    pub fn is_plausible(&self) -> bool {
        // Rounding may exceed the limits slightly.
        let share = |x: &f32| (-1e-3..=1.001).contains(x);
        let scalars =
            [self.level, self.onset, self.beat_phase, self.confidence, self.bar_confidence, self.build];
        let arrays: [&[f32]; 6] =
            [&self.spectrum, &self.smooth, &self.chroma, &self.onset_bands, &self.tempi, &self.tempo_phases];
        scalars.iter().all(share)
            && (0.0..=1_000.0).contains(&self.bpm)
            && self.beats_per_bar <= LONGEST_BAR
            && (-1e-3..=self.beats_per_bar as f32 + 1e-3).contains(&self.bar_position)
            && [self.rms_db, self.peak_db, self.floor_db].iter().all(|x| x.is_finite())
            && arrays.iter().all(|a| a.iter().all(share))
    }
}

/// Size of a snapshot in 32-bit words, for a hand-off that copies word by word.
pub const SNAPSHOT_WORDS: usize = 2 * BINS + CHROMA + 2 * CANDIDATES + 3 + 11 + 6 + 8;

/// Declares both directions of the word image from one list, so that they cannot disagree.
macro_rules! word_image {
    (arrays: $($array:ident),*; floats: $($float:ident),*; longs: $($long:ident),*; words: $($word:ident),*;) => {
        impl Snapshot {
            /// The snapshot as words; the inverse of [`from_words`](Self::from_words).
            pub fn to_words(&self) -> [u32; SNAPSHOT_WORDS] {
                let mut words = [0; SNAPSHOT_WORDS];
                let mut out = words.iter_mut();
                let mut put = |word: u32| *out.next().expect("SNAPSHOT_WORDS counts every field") = word;
                $(self.$array.iter().for_each(|x| put(x.to_bits()));)*
                $(put(self.$float.to_bits());)*
                $(put(self.$long as u32); put((self.$long >> 32) as u32);)*
                $(put(self.$word);)*
                put(u32::from(self.silent));
                put(self.section.code());
                put(self.input.code());
                words
            }

            /// The snapshot from its words.
            pub fn from_words(words: &[u32; SNAPSHOT_WORDS]) -> Self {
                let mut from = words.iter();
                let mut get = || *from.next().expect("SNAPSHOT_WORDS counts every field");
                let mut snapshot = Self::EMPTY;
                $(snapshot.$array.iter_mut().for_each(|x| *x = f32::from_bits(get()));)*
                $(snapshot.$float = f32::from_bits(get());)*
                $(snapshot.$long = u64::from(get()) | u64::from(get()) << 32;)*
                $(snapshot.$word = get();)*
                snapshot.silent = get() != 0;
                snapshot.section = Section::from_code(get());
                snapshot.input = InputState::from_code(get());
                snapshot
            }
        }
    };
}

word_image! {
    arrays: spectrum, smooth, chroma, tempi, tempo_phases, onset_bands;
    floats: rms_db, peak_db, level, floor_db, onset, bpm, beat_phase, confidence, bar_position, bar_confidence, build;
    longs: sequence, captured_us, next_beat_us;
    words: beats, onsets, beats_per_bar, bars, sections;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_ear_can_have_made_is_plausible() {
        assert!(Snapshot::EMPTY.is_plausible());
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.5e3] {
            let mut s = [Snapshot::EMPTY; 7];
            s[0].level = wrong;
            s[1].bpm = wrong;
            s[2].tempo_phases[31] = wrong;
            s[3].spectrum[0] = wrong;
            s[4].bar_confidence = wrong;
            s[5].build = wrong;
            (s[6].beats_per_bar, s[6].bar_position) = (4, wrong);
            assert!(s.iter().all(|s| !s.is_plausible()), "{wrong}");
        }
        let bar = |beats_per_bar, bar_position| {
            Snapshot { beats_per_bar, bar_position, ..Snapshot::EMPTY }.is_plausible()
        };
        assert!(bar(3, 0.0) && bar(4, 3.999) && bar(LONGEST_BAR, 5.5));
        assert!(!bar(0, 1.0) && !bar(3, 3.5) && !bar(4, -1.0) && !bar(LONGEST_BAR + 1, 0.0));
    }

    #[test]
    fn a_tempo_is_told_once_it_is_believed() {
        let told = |bpm, confidence| Snapshot { bpm, confidence, ..Snapshot::EMPTY }.tempo();
        let (least, less) = (crate::audio::BELIEVED, crate::audio::BELIEVED - 0.01);
        assert_eq!((told(120.0, least), told(120.0, 0.88)), (Some(120.0), Some(120.0)));
        assert_eq!((told(120.0, less), told(0.0, 0.88), Snapshot::EMPTY.tempo()), (None, None, None));
    }

    #[test]
    fn a_beat_has_its_number_in_the_bar() {
        for beats_per_bar in 2..=LONGEST_BAR {
            for beat in 0..3 * beats_per_bar {
                for (bar_position, off) in [(0.0, 0.01), (1.75, -0.3), (0.5, 0.49), (1.0, -0.49), (0.25, 0.0)]
                {
                    let s = Snapshot { beats_per_bar, bar_position, ..Snapshot::EMPTY };
                    let after = beat as f32 - bar_position + off;
                    assert_eq!(s.beat_of_bar_after(after), Some(beat % beats_per_bar + 1), "{s:?} {after}");
                    let position = s.bar_position_after(after).unwrap();
                    assert!((0.0..=beats_per_bar as f32).contains(&position), "{position}");
                    let error = (position - (beat as f32 + off)) / beats_per_bar as f32;
                    assert!((error - error.round()).abs() < 1e-5, "{position} for beat {beat} and {off}");
                }
            }
        }
        assert_eq!(
            (Snapshot::EMPTY.beat_of_bar_after(1.0), Snapshot::EMPTY.bar_position_after(1.0)),
            (None, None)
        );
    }

    #[test]
    fn the_word_image_keeps_every_field() {
        let mut s = Snapshot {
            sequence: 0x1_2345_6789,
            captured_us: u64::MAX - 3,
            next_beat_us: 1 << 40,
            rms_db: -12.5,
            peak_db: -3.25,
            level: 0.5,
            floor_db: -61.0,
            onset: 0.75,
            onset_bands: [0.1, 0.2, 0.3],
            bpm: 128.5,
            beat_phase: 0.25,
            confidence: 0.9,
            beats: 77,
            onsets: u32::MAX,
            bar_position: 2.75,
            beats_per_bar: 3,
            bar_confidence: 0.625,
            bars: 19,
            section: Section::Break,
            sections: 5,
            build: 0.375,
            silent: false,
            input: InputState::Clipping,
            ..Snapshot::EMPTY
        };
        s.spectrum.iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
        s.smooth.iter_mut().enumerate().for_each(|(i, x)| *x = -(i as f32));
        s.chroma.iter_mut().enumerate().for_each(|(i, x)| *x = 1.0 / (i + 1) as f32);
        let words = s.to_words();
        assert_eq!(Snapshot::from_words(&words), s);
        for section in Section::ALL {
            let s = Snapshot { section, ..s };
            assert_eq!(Snapshot::from_words(&s.to_words()), s);
        }
        // The last word is written, so the count is exact.
        assert_eq!(words[SNAPSHOT_WORDS - 1], 1);
    }
}
