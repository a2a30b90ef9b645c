//! The whole ear: all analysis steps in their order.

use super::blocks::Hop;
use super::judgement::Judgements;
use super::section_tracker::{Pulse, SectionTracker};
use super::{
    BINS, BeatTracker, CHROMA, CONFIDENCE_FEATURES, Chroma, Conditioner, ConstantQ, INPUTS, Loudness,
    OnsetDetector, Section, Snapshot, TEMPI, Tempogram,
};
use crate::math::{Follower, choose, decay};
use crate::{HOP, HOP_RATE, SAMPLE_RATE};

const DT: f32 = 1.0 / HOP_RATE;

/// Samples in, [`Snapshot`]s out. Causal and without allocation; the worst hop costs about as much as the mean.
///
/// About 57 KiB: put [`BLANK`](Self::BLANK) into a `static` and [`start`](Self::start) it there.
#[derive(Clone, Debug)]
pub struct Ear {
    pending: [f32; HOP],
    filled: usize,
    origin_us: u64,
    samples: u64,
    conditioner: Conditioner,
    loudness: Loudness,
    bank: ConstantQ,
    fold: Chroma,
    onset: OnsetDetector,
    judgements: Judgements,
    tempo: BeatTracker,
    tempogram: Tempogram,
    sections: SectionTracker,
    /// Magnitude of the loudest bin of the last seconds.
    spectrum_reference: Follower,
    chroma_smooth: [f32; CHROMA],
    last_beat: Option<(f32, f32)>,
    last_onset: f32,
    last_downbeat: bool,
    /// The section that began in the last hop; [`Section::Unknown`] if none did. An `Option` would not be all zeros.
    last_section: Section,
    snapshot: Snapshot,
}

impl Default for Ear {
    fn default() -> Self {
        Self::new()
    }
}

impl Ear {
    /// All zeros, so that a `static` with it takes no flash. Must be [started](Self::start) before it hears.
    pub const BLANK: Self = Self {
        pending: [0.0; HOP],
        filled: 0,
        origin_us: 0,
        samples: 0,
        conditioner: Conditioner::BLANK,
        loudness: Loudness::BLANK,
        bank: ConstantQ::new(),
        fold: Chroma::SILENT,
        onset: OnsetDetector::BLANK,
        judgements: Judgements::BLANK,
        tempo: BeatTracker::BLANK,
        tempogram: Tempogram::BLANK,
        sections: SectionTracker::BLANK,
        spectrum_reference: Follower::at(0.0),
        chroma_smooth: [0.0; CHROMA],
        last_beat: None,
        last_onset: 0.0,
        last_downbeat: false,
        last_section: Section::Unknown,
        snapshot: Snapshot::BLANK,
    };

    /// An ear that has heard nothing. Its clock starts at 0 µs.
    pub fn new() -> Self {
        let mut ear = Self::BLANK;
        ear.start();
        ear
    }

    /// Makes an ear that has heard nothing of [`BLANK`](Self::BLANK), in its place: a chip's stack cannot hold an ear.
    #[inline(never)]
    pub fn start(&mut self) {
        self.conditioner = Conditioner::default();
        self.loudness = Loudness::default();
        self.onset.start();
        self.judgements.start();
        self.tempo.start();
        self.tempogram = Tempogram::default();
        self.spectrum_reference = Follower::at(1e-3).rise_s(0.05).fall_s(6.0);
        self.snapshot = Snapshot::EMPTY;
    }

    /// Sets the microphone gain as a factor. Returns `false` and changes nothing if it is outside
    /// [`super::GAIN_RANGE`].
    pub fn set_gain(&mut self, gain: f32) -> bool {
        self.conditioner.set_gain(gain)
    }

    /// Sets the noise floor in dBFS above which sound counts as music; `None` = learn it from the room.
    pub fn set_noise_floor(&mut self, floor_db: Option<f32>) {
        self.loudness.set_floor(floor_db);
    }

    /// Ties the sample counter to the caller's clock: the next pushed sample was captured at `us`.
    ///
    /// Call it once for a file. Call it every hop for live sound, because a sound card has a clock of its own. It
    /// changes the reported times only, never the analysis.
    pub fn set_clock(&mut self, us: u64) {
        self.origin_us = us.wrapping_sub(self.elapsed_us(self.samples));
    }

    /// Number of samples heard since the start.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Since the start: the number of samples that were not finite and counted as 0, and the number of clipped hops.
    pub fn faults(&self) -> (u64, u64) {
        (self.conditioner.replaced, self.conditioner.clipped_hops)
    }

    /// The tracker's belief in each tempo after the last hop; see [`BeatTracker::belief`].
    pub fn belief(&self) -> [f32; TEMPI] {
        self.tempo.belief()
    }

    /// Hears samples. Returns the newest snapshot if they completed at least one hop.
    ///
    /// The result does not depend on how a signal is cut into calls. A caller that needs every snapshot uses
    /// [`feed`](Self::feed).
    pub fn push(&mut self, samples: &[f32]) -> Option<&Snapshot> {
        let before = self.snapshot.sequence;
        self.feed(samples, |_, _| {});
        (self.snapshot.sequence != before).then_some(&self.snapshot)
    }

    /// Hears samples, and calls `each` with every snapshot and the [`Heard`] events of its hop.
    pub fn feed(&mut self, mut samples: &[f32], mut each: impl FnMut(&Snapshot, Heard)) {
        while !samples.is_empty() {
            let take = (HOP - self.filled).min(samples.len());
            self.pending[self.filled..self.filled + take].copy_from_slice(&samples[..take]);
            self.filled += take;
            self.samples += take as u64;
            samples = &samples[take..];
            if self.filled == HOP {
                self.filled = 0;
                if self.samples == HOP as u64 {
                    self.fold = Chroma::new(&self.bank);
                }
                self.analyse();
                each(&self.snapshot, self.heard());
            }
        }
    }

    /// The events of the last hop.
    fn heard(&self) -> Heard {
        Heard {
            beat_in: self.last_beat,
            onset_ago: (self.last_onset > 0.0).then_some(self.last_onset),
            downbeat: self.last_downbeat,
            section: (self.last_section != Section::Unknown).then_some(self.last_section),
        }
    }

    fn elapsed_us(&self, samples: u64) -> u64 {
        // Exact, because 16 kHz is 62.5 µs per sample. Whole seconds are split off so that no product overflows
        // within 10⁵ years.
        let rate = u64::from(SAMPLE_RATE);
        samples / rate * 1_000_000 + samples % rate * 1_000_000 / rate
    }

    /// The features of the last confidence, in 1/1024. Only for fitting the confidence; a lamp never calls this.
    pub fn confidence_features(&self) -> [i16; CONFIDENCE_FEATURES] {
        self.tempo.confidence_features()
    }

    /// The network's inputs of the last step, in 1/4096. Only for training; a lamp never calls this.
    pub fn network_inputs(&self) -> [i16; INPUTS] {
        self.judgements.inputs()
    }

    fn analyse(&mut self) {
        let mut x = [0.0; HOP];
        let s = &mut self.snapshot;
        s.input = self.conditioner.process(&self.pending, &mut x);
        let loud = self.loudness.process(&x, s.confidence > 0.0);
        let onset = self.onset.process(&x, loud.silent);
        let mut magnitudes = [0.0; BINS];
        self.bank.process(&x, &mut magnitudes);

        let largest = magnitudes.iter().copied().fold(0.0, f32::max);
        if !loud.silent {
            self.spectrum_reference.step(largest.max(1e-4), DT);
        }
        let scale = loud.gate / self.spectrum_reference.value;
        for ((m, now), smooth) in magnitudes.iter().zip(&mut s.spectrum).zip(&mut s.smooth) {
            *now = (m * scale).min(1.0);
            let keep = choose(*now > *smooth, &[const { decay(DT, 0.140) }, const { decay(DT, 0.010) }]);
            *smooth = *now + (*smooth - *now) * keep;
        }
        let chroma = self.fold.fold(&s.smooth, 0.02);
        let keep = decay(DT, 0.080);
        for ((c, smooth), out) in chroma.iter().zip(&mut self.chroma_smooth).zip(&mut s.chroma) {
            *smooth = c + (*smooth - c) * keep;
            *out = *smooth * loud.gate;
        }

        let judgement = self.judgements.hear(&self.onset, &magnitudes, &chroma, loud.silent);
        let beat = self.tempo.process(&judgement, &self.judgements, loud.silent);
        self.tempogram.process(onset.flux, &mut s.tempi, &mut s.tempo_phases);
        s.sequence += 1;
        s.rms_db = loud.rms_db;
        s.peak_db = loud.peak_db;
        s.level = loud.level;
        s.floor_db = loud.floor_db;
        s.silent = loud.silent;
        s.onset = onset.strength;
        s.onset_bands = onset.bands;
        s.onsets = s.onsets.wrapping_add(u32::from(onset.onset));
        s.bpm = beat.bpm;
        s.beat_phase = beat.phase;
        s.confidence = beat.confidence;
        s.beats = s.beats.wrapping_add(u32::from(beat.beat));
        s.beats_per_bar = beat.place.beats;
        s.bar_position =
            if beat.place.beats > 0 { (beat.place.position - 1) as f32 + beat.phase } else { 0.0 };
        s.bar_confidence = beat.place.share;
        self.last_downbeat = beat.beat && beat.place.position == 1;
        s.bars = s.bars.wrapping_add(u32::from(self.last_downbeat));
        let hop = Hop {
            logs: &self.onset.logs,
            rises: &self.onset.rises,
            reference: self.onset.reference(),
            chroma: &s.chroma,
        };
        let pulse = Pulse {
            silent: loud.silent,
            level: loud.level,
            bpm: beat.bpm,
            phase: beat.phase,
            confidence: beat.confidence,
            beats_per_bar: s.beats_per_bar,
            bar_position: s.bar_position,
        };
        let section = self.sections.process(&hop, &pulse);
        s.section = section.section;
        s.sections = s.sections.wrapping_add(u32::from(section.began.is_some()));
        s.build = section.build;
        self.last_section = section.began.unwrap_or_default();
        self.last_onset = onset.ago;
        self.last_beat = beat.beat.then_some((beat.beat_in, beat.confidence));
        let captured = self.origin_us.wrapping_add(self.elapsed_us(self.samples));
        self.snapshot.captured_us = captured;
        self.snapshot.next_beat_us =
            if beat.bpm > 0.0 { captured.wrapping_add((beat.next_in * 1e6) as u64) } else { 0 };
    }
}

/// The events of one hop, with times that a snapshot does not carry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// The announced beat, if any: seconds from the end of this hop to the beat (negative = past), and its
    /// confidence.
    pub beat_in: Option<(f32, f32)>,
    /// The reported onset, if any: seconds from the onset to the end of this hop.
    pub onset_ago: Option<f32>,
    /// Whether the announced beat is the first of its bar.
    pub downbeat: bool,
    /// The section that began in this hop, if one did; [`Section::Steady`] for something new that is neither a break, a
    /// build nor a drop.
    pub section: Option<Section>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tempo_bpm;

    #[test]
    fn belief_is_shared_out_and_lies_where_the_announced_tempo_is() {
        let mut ear = Ear::new();
        // Before anything was heard the belief is the prior.
        assert!((ear.belief().iter().sum::<f32>() - 1.0).abs() < 1e-3);
        let beat = SAMPLE_RATE as usize * 60 / 100;
        let clicks: Vec<f32> =
            (0..10 * beat).map(|i| if i % beat < 80 { 0.5 * (i as f32 * 0.9).sin() } else { 0.0 }).collect();
        let bpm = ear.push(&clicks).map_or(0.0, |s| s.bpm);
        let belief = ear.belief();
        assert!((belief.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        let heaviest = (0..TEMPI).max_by(|a, b| belief[*a].total_cmp(&belief[*b])).map_or(0.0, tempo_bpm);
        assert!(bpm > 0.0 && (heaviest / bpm - 1.0).abs() < 0.03, "{heaviest} for {bpm}");
    }
}
