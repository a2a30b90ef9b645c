//! Records what the ear announced, in a bounded number of columns.

use std::collections::BTreeMap;

use k1_engine::audio::{BELIEVED, Section, Snapshot, TEMPI};
use k1_engine::{HOP, HOP_RATE, SAMPLE_RATE};

/// Hops per column (16 ms) of a short sound.
pub const FINEST_HOPS: usize = 2;

/// Largest number of columns of a record (4 MB). When it is reached, pairs of columns are merged: a column is 16 ms up to
/// 9.6 minutes, 32 ms up to 19.2 minutes, and so on; 128 ms for an hour.
pub const MOST_COLUMNS: usize = 36_000;

/// A column of time. If it covers several hops, it keeps the extremes of fast values and the last of slow ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Lowest sample, as it came in (±1 is full scale).
    pub low: f32,
    /// Highest sample.
    pub high: f32,
    /// Greatest onset strength, 0 … 1.
    pub onset: f32,
    /// The tracker's belief in each tempo (see [`k1_engine::audio::tempo_bpm`]): 255 times the cube root of its share, so
    /// that tempi of a hundredth of the probability remain visible.
    pub belief: [u8; TEMPI],
    /// Announced tempo in beats per minute; 0 if there is none.
    pub bpm: f32,
    /// Probability that announced beats are right, 0 … 1.
    pub confidence: f32,
    /// True if a hop ended in this column, so that it has more than samples.
    pub heard: bool,
}

impl Column {
    const EMPTY: Self =
        Self { low: 0.0, high: 0.0, onset: 0.0, belief: [0; TEMPI], bpm: 0.0, confidence: 0.0, heard: false };

    /// Merges this column with the next.
    fn and(&self, next: &Self) -> Self {
        let slow = if next.heard { next } else { self };
        Self {
            low: self.low.min(next.low),
            high: self.high.max(next.high),
            onset: self.onset.max(next.onset),
            heard: self.heard || next.heard,
            ..*slow
        }
    }
}

/// An announced beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beat {
    /// Time of the beat, in seconds from the start.
    pub t: f64,
    /// Tempo in beats per minute.
    pub bpm: f32,
    /// Probability that the beat is right, 0 … 1.
    pub confidence: f32,
    /// Its bar, while the ear was sure of one.
    pub bar: Option<InBar>,
}

/// The place of a beat in its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InBar {
    /// Number of the beat in its bar; 1 is the downbeat.
    pub position: u32,
    /// Beats in the bar.
    pub beats: u32,
}

impl Beat {
    /// True for the first beat of a bar.
    pub fn is_downbeat(&self) -> bool {
        self.bar.is_some_and(|bar| bar.position == 1)
    }
}

/// A section that began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Time at which it was reported, in seconds from the start.
    pub t: f64,
    /// The section.
    pub section: Section,
}

/// A reported onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// Time of the onset, in seconds from the start.
    pub t: f64,
    /// Strength, 0 … 1.
    pub strength: f32,
}

/// A sound as K1 heard it. Columns are bounded and events need at most 32 bytes each; an hour takes about 5 MB.
#[derive(Clone, Debug)]
pub struct Record {
    columns: Vec<Column>,
    hops_per_column: usize,
    samples: u64,
    hops: u64,
    hops_with_beat: u64,
    confidence: f64,
    beats: Vec<Beat>,
    onsets: Vec<Onset>,
    parts: Vec<Part>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            hops_per_column: FINEST_HOPS,
            samples: 0,
            hops: 0,
            hops_with_beat: 0,
            confidence: 0.0,
            beats: Vec::new(),
            onsets: Vec::new(),
            parts: Vec::new(),
        }
    }
}

impl Record {
    /// Adds samples, before the ear hears them.
    pub fn samples(&mut self, samples: &[f32]) {
        for &sample in samples {
            let mut at = self.column_of(self.samples);
            if at == MOST_COLUMNS {
                self.halve();
                at = self.column_of(self.samples);
            }
            // The ear treats NaN as silence, too.
            let sample = if sample.is_finite() { sample } else { 0.0 };
            match self.columns.get_mut(at) {
                Some(column) => {
                    column.low = column.low.min(sample);
                    column.high = column.high.max(sample);
                }
                None => self.columns.push(Column { low: sample, high: sample, ..Column::EMPTY }),
            }
            self.samples += 1;
        }
    }

    /// Adds the snapshot after a hop, whose samples were added before.
    pub fn hop(&mut self, s: &Snapshot) {
        self.hops += 1;
        let tempo = s.tempo();
        if tempo.is_some() {
            self.hops_with_beat += 1;
            self.confidence += f64::from(s.confidence);
        }
        let at = (s.sequence.saturating_sub(1) / self.hops_per_column as u64) as usize;
        if let Some(column) = self.columns.get_mut(at) {
            column.onset = column.onset.max(s.onset);
            column.bpm = tempo.unwrap_or(0.0);
            column.confidence = s.confidence;
            column.heard = true;
        }
    }

    /// Adds the tracker's belief in each tempo after the last hop.
    pub fn belief(&mut self, shares: &[f32; TEMPI]) {
        let Some(last) = self.hops.checked_sub(1) else { return };
        if let Some(column) = self.columns.get_mut((last / self.hops_per_column as u64) as usize) {
            column.belief = shares.map(|share| (255.0 * share.clamp(0.0, 1.0).cbrt()).round() as u8);
        }
    }

    /// Adds an announced beat.
    pub fn beat(&mut self, beat: Beat) {
        self.beats.push(beat);
    }

    /// Adds a reported onset.
    pub fn onset(&mut self, onset: Onset) {
        self.onsets.push(onset);
    }

    /// Adds a section that began.
    pub fn part(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Length of a column in seconds.
    pub fn column_s(&self) -> f64 {
        self.hops_per_column as f64 / f64::from(HOP_RATE)
    }

    /// The announced beats, in order.
    pub fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// The reported onsets, in order.
    pub fn onsets(&self) -> &[Onset] {
        &self.onsets
    }

    /// The sections that began, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Length of the sound in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(SAMPLE_RATE)
    }

    /// Largest absolute value of a sample.
    pub fn peak(&self) -> f32 {
        self.columns.iter().fold(0.0, |peak, c| peak.max(-c.low).max(c.high))
    }

    /// Sums up the record.
    pub fn figures(&self) -> Figures {
        let believed = self.beats.iter().filter(|b| b.confidence >= BELIEVED);
        let mut tempi: Vec<f32> = believed.map(|b| b.bpm).collect();
        tempi.sort_by(f32::total_cmp);
        let share = |part: f64, whole: u64| if whole == 0 { 0.0 } else { part / whole as f64 };
        Figures {
            seconds: self.seconds(),
            bpm: tempi.get(tempi.len() / 2).copied(),
            with_beat: share(self.hops_with_beat as f64, self.hops),
            beats: self.beats.len(),
            onsets: self.onsets.len(),
            bars: self.beats.iter().filter(|b| b.is_downbeat()).count(),
            beats_per_bar: most_common(self.beats.iter().filter_map(|b| b.bar.map(|bar| bar.beats))),
            beats_per_minute: share(self.beats.len() as f64 * 60.0 * f64::from(SAMPLE_RATE), self.samples),
            confidence: share(self.confidence, self.hops_with_beat),
        }
    }

    fn column_of(&self, sample: u64) -> usize {
        (sample / (HOP * self.hops_per_column) as u64) as usize
    }

    fn halve(&mut self) {
        self.columns = self.columns.chunks_exact(2).map(|pair| pair[0].and(&pair[1])).collect();
        self.hops_per_column *= 2;
    }
}

/// The most common of some small numbers.
fn most_common(numbers: impl Iterator<Item = u32>) -> Option<u32> {
    let mut counts = BTreeMap::new();
    numbers.for_each(|n| *counts.entry(n).or_insert(0) += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(n, _)| n)
}

/// Figures of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Length of the sound in seconds.
    pub seconds: f64,
    /// Median tempo of the believed beats, in beats per minute; `None` without beats.
    pub bpm: Option<f32>,
    /// Share of the time in which a tempo was believed, 0 … 1.
    pub with_beat: f64,
    /// Announced beats.
    pub beats: usize,
    /// Reported onsets.
    pub onsets: usize,
    /// Announced downbeats.
    pub bars: usize,
    /// Beats in most of the bars; `None` if the ear was never sure of a bar.
    pub beats_per_bar: Option<u32>,
    /// Announced beats in a minute of sound.
    pub beats_per_minute: f64,
    /// Mean confidence while a tempo was believed, 0 … 1; 0 if none was.
    pub confidence: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `hops` hops with a ramp of samples and a tempo that counts hops.
    fn record(hops: u64) -> Record {
        let mut record = Record::default();
        for hop in 1..=hops {
            let mut samples = [0.0; HOP];
            samples[3] = hop as f32 * 1e-6;
            record.samples(&samples);
            let onset = if hop == 5 { 0.75 } else { 0.25 };
            record.hop(&Snapshot {
                sequence: hop,
                bpm: hop as f32,
                confidence: 0.8,
                onset,
                ..Snapshot::EMPTY
            });
            record.belief(&[hop as f32 * 1e-6; TEMPI]);
        }
        record
    }

    #[test]
    fn a_column_is_two_hops() {
        let mut record = record(10);
        assert_eq!((record.columns().len(), record.column_s()), (5, 0.016));
        let third = record.columns()[2];
        assert_eq!((third.bpm, third.onset, third.high), (6.0, 0.75, 6e-6));
        let mut shares = [0.0; TEMPI];
        shares[7] = 0.125;
        record.belief(&shares);
        assert_eq!(record.columns()[4].belief[6..9], [0, 128, 0], "of the last hop");
    }

    #[test]
    fn a_long_sound_has_longer_columns_and_not_more_of_them() {
        let hops = (MOST_COLUMNS * FINEST_HOPS) as u64;
        assert_eq!(record(hops).columns().len(), MOST_COLUMNS);
        let long = record(hops + 1);
        assert_eq!((long.columns().len(), long.column_s()), (MOST_COLUMNS / 2 + 1, 0.032));
        let second = long.columns()[1];
        assert_eq!(
            (second.bpm, second.onset, second.high),
            (8.0, 0.75, 8e-6),
            "extremes, and the last tempo"
        );
        assert_eq!(long.columns().last().map(|c| c.bpm), Some((hops + 1) as f32));
        assert!((long.seconds() - (hops + 1) as f64 * 0.008).abs() < 1e-9);
    }

    #[test]
    fn nothing_heard_has_figures_without_division_by_zero() {
        let figures = Record::default().figures();
        assert_eq!((figures.bpm, figures.with_beat, figures.confidence), (None, 0.0, 0.0));
        assert_eq!((figures.beats_per_minute, figures.bars, figures.beats_per_bar), (0.0, 0, None));
    }

    #[test]
    fn bars_are_counted_and_their_most_common_length_is_told() {
        let mut record = Record::default();
        let bars = [(1, 3), (2, 3), (3, 3), (1, 4), (2, 4), (3, 4), (4, 4)];
        let beats = bars.map(|(position, beats)| Some(InBar { position, beats })).into_iter().chain([None]);
        beats.for_each(|bar| record.beat(Beat { t: 0.0, bpm: 120.0, confidence: 0.8, bar }));
        let figures = record.figures();
        assert_eq!((figures.beats, figures.bars, figures.beats_per_bar), (8, 2, Some(4)));
    }

    #[test]
    fn samples_that_are_no_numbers_are_silence() {
        let mut record = Record::default();
        record.samples(&[f32::NAN, f32::INFINITY, -0.5]);
        assert_eq!((record.columns()[0].low, record.columns()[0].high, record.peak()), (-0.5, 0.0, 0.5));
    }
}
