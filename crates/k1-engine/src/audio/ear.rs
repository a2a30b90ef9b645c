//! The stages in their order.

use super::accent::Accents;
use super::{
    BINS, BeatTracker, CHROMA, Chroma, Conditioner, ConstantQ, LOOKS, Loudness, OnsetDetector, Snapshot,
    TEMPI, TRUST_LOOKS, Tempogram,
};
use crate::math::{Follower, decay};
use crate::{HOP, HOP_RATE, SAMPLE_RATE};

const DT: f32 = 1.0 / HOP_RATE;

/// Samples in, [`Snapshot`]s out: causal, without allocation, every hop about as costly as the mean.
///
/// About 55 KiB; put it into a `static` or on the heap of the caller.
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
    accents: Accents,
    tempo: BeatTracker,
    tempogram: Tempogram,
    /// Loudest bin of the last seconds.
    spectrum_reference: Follower,
    chroma_smooth: [f32; CHROMA],
    last_beat: Option<(f32, f32)>,
    last_onset: f32,
    snapshot: Snapshot,
}

impl Default for Ear {
    fn default() -> Self {
        Self::new()
    }
}

impl Ear {
    /// An ear that has heard nothing; its clock starts at 0 µs.
    #[inline(never)]
    pub fn new() -> Self {
        // Nothing is borrowed here, so that it is made where it stays: on a chip two of them fit no stack.
        Self {
            pending: [0.0; HOP],
            filled: 0,
            origin_us: 0,
            samples: 0,
            conditioner: Conditioner::default(),
            loudness: Loudness::default(),
            bank: ConstantQ::new(),
            fold: Chroma::SILENT,
            onset: OnsetDetector::new(),
            accents: Accents::default(),
            tempo: BeatTracker::new(),
            tempogram: Tempogram::default(),
            spectrum_reference: Follower::new(1e-3, 0.05, 6.0),
            chroma_smooth: [0.0; CHROMA],
            last_beat: None,
            last_onset: 0.0,
            snapshot: Snapshot::EMPTY,
        }
    }

    /// Sets the microphone gain; `false` and no change when it is outside [`super::GAIN_RANGE`].
    pub fn set_gain(&mut self, gain: f32) -> bool {
        self.conditioner.set_gain(gain)
    }

    /// Fixes the noise floor above which sound is music, in dBFS; `None` = learned from the room.
    pub fn set_noise_floor(&mut self, floor_db: Option<f32>) {
        self.loudness.set_floor(floor_db);
    }

    /// Ties the sample counter to the caller's clock: the next sample to be pushed is captured at `us`.
    ///
    /// A file needs this once. Live sound needs it every hop, because a sound card's clock is not the caller's;
    /// it moves the reported times only, never the analysis.
    pub fn set_clock(&mut self, us: u64) {
        self.origin_us = us.wrapping_sub(self.elapsed_us(self.samples));
    }

    /// Samples heard so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Samples that were not finite and were taken as silence, and hops that clipped.
    pub fn faults(&self) -> (u64, u64) {
        (self.conditioner.replaced, self.conditioner.clipped_hops)
    }

    /// What the beat tracker believes of each tempo after the last hop: [`BeatTracker::belief`].
    pub fn belief(&self) -> [f32; TEMPI] {
        self.tempo.belief()
    }

    /// Hears some samples; the answer is the newest snapshot if at least one hop was completed.
    ///
    /// How a signal is cut into calls changes nothing. A caller that must see every snapshot uses
    /// [`feed`](Self::feed).
    pub fn push(&mut self, samples: &[f32]) -> Option<&Snapshot> {
        let before = self.snapshot.sequence;
        self.feed(samples, |_, _| {});
        (self.snapshot.sequence != before).then_some(&self.snapshot)
    }

    /// Hears some samples and shows every snapshot to `each`, with the [`Heard`] events of its hop.
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
                each(&self.snapshot, Heard { beat_in: self.last_beat, onset_ago: self.onset_ago() });
            }
        }
    }

    fn onset_ago(&self) -> Option<f32> {
        (self.last_onset > 0.0).then_some(self.last_onset)
    }

    fn elapsed_us(&self, samples: u64) -> u64 {
        // Exact: 16 kHz is 62.5 µs a sample. Whole seconds apart, so that no product overflows in 10⁵ years.
        let rate = u64::from(SAMPLE_RATE);
        samples / rate * 1_000_000 + samples % rate * 1_000_000 / rate
    }

    /// What the last hop was judged by, in 1/8192: for whoever fits the judgement anew. The lamp does not ask.
    pub fn looks(&self) -> [i16; LOOKS] {
        self.accents.looks()
    }

    /// What the last confidence was judged by, in 1/1024: for whoever fits the judgement anew. The lamp does not ask.
    pub fn trust_looks(&self) -> [i16; TRUST_LOOKS] {
        self.tempo.trust_looks()
    }

    fn analyse(&mut self) {
        let mut x = [0.0; HOP];
        let s = &mut self.snapshot;
        s.input = self.conditioner.process(&self.pending, &mut x);
        let loud = self.loudness.process(&x);
        let onset = self.onset.process(&x, loud.silent);
        let mut magnitudes = [0.0; BINS];
        self.bank.process(&x, &mut magnitudes);

        let largest = magnitudes.iter().copied().fold(0.0, f32::max);
        if !loud.silent {
            self.spectrum_reference.step(largest.max(1e-4), DT);
        }
        let scale = loud.gate / self.spectrum_reference.value;
        let (rise, fall) = (decay(DT, 0.010), decay(DT, 0.140));
        for ((m, now), smooth) in magnitudes.iter().zip(&mut s.spectrum).zip(&mut s.smooth) {
            *now = (m * scale).min(1.0);
            let keep = if *now > *smooth { rise } else { fall };
            *smooth = *now + (*smooth - *now) * keep;
        }
        let chroma = self.fold.fold(&s.smooth, 0.02);
        let keep = decay(DT, 0.080);
        for ((c, smooth), out) in chroma.iter().zip(&mut self.chroma_smooth).zip(&mut s.chroma) {
            *smooth = c + (*smooth - c) * keep;
            *out = *smooth * loud.gate;
        }

        let places = self.accents.process(&self.onset, &magnitudes, loud.silent);
        let beat = self.tempo.process(&places, &self.accents.repeating(), loud.silent);
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
        self.last_onset = if onset.onset { onset.ago } else { 0.0 };
        self.last_beat = beat.beat.then_some((beat.beat_in, beat.confidence));
        let captured = self.origin_us.wrapping_add(self.elapsed_us(self.samples));
        self.snapshot.captured_us = captured;
        self.snapshot.next_beat_us =
            if beat.bpm > 0.0 { captured.wrapping_add((beat.next_in * 1e6) as u64) } else { 0 };
    }
}

/// The events of one hop, with the times a snapshot does not carry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// A beat was announced: seconds from the end of this hop to it (negative = just past), and its confidence.
    pub beat_in: Option<(f32, f32)>,
    /// An onset was reported: how many seconds before the end of this hop it was.
    pub onset_ago: Option<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tempo_bpm;

    #[test]
    fn belief_is_shared_out_and_lies_where_the_announced_tempo_is() {
        let mut ear = Ear::new();
        // The prior, before anything was heard.
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
