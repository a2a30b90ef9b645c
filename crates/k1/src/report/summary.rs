//! The summary of a sound that `k1 analyze` prints.

use k1_engine::audio::{BPM_RANGE, LONGEST_BAR, Section, Snapshot};
use k1_engine::{SAMPLE_RATE, audio};
use serde_json::{Value, json};

use k1_host::console::Text;

/// Width of a tempo bin, in beats per minute.
const STEP_BPM: f32 = 0.5;
/// Number of tempo bins, including one for the upper end.
const STEPS: usize = ((*BPM_RANGE.end() - *BPM_RANGE.start()) / STEP_BPM) as usize + 2;
/// Bins to either side that count as the same tempo.
const SAME: usize = 2;
/// Share of the time with a tempo that the range leaves out at either end, so that brief moments do not widen it.
const STRAY: f64 = 0.025;
/// Share of a sound that must have a tempo for the sound to have one.
const STEADY: f64 = 0.1;

/// Counts and sums over a sound.
#[derive(Clone, Debug)]
pub struct Summary {
    samples: u64,
    energy: f64,
    peak: f32,
    hops: u64,
    confidence: f64,
    /// Number of hops in each tempo bin, while the tempo was believed.
    tempi: [u64; STEPS],
    beats: u64,
    onsets: u64,
    /// Number of downbeats by the beats of their bars.
    bars: [u64; LONGEST_BAR as usize + 1],
    sections: Vec<Section>,
}

/// The tempo of a sound, in beats per minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo {
    /// Slowest tempo.
    pub low: f32,
    /// Fastest tempo.
    pub high: f32,
    /// The most common tempo.
    pub most: f32,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            samples: 0,
            energy: 0.0,
            peak: 0.0,
            hops: 0,
            confidence: 0.0,
            tempi: [0; STEPS],
            beats: 0,
            onsets: 0,
            bars: [0; LONGEST_BAR as usize + 1],
            sections: Vec::new(),
        }
    }
}

impl Summary {
    /// Adds samples as they came in (±1 is full scale). NaN counts as silence.
    pub fn samples(&mut self, samples: &[f32]) {
        self.samples += samples.len() as u64;
        for x in samples.iter().filter(|x| x.is_finite()) {
            self.energy += f64::from(*x) * f64::from(*x);
            self.peak = self.peak.max(x.abs());
        }
    }

    /// Adds the snapshot of a hop.
    pub fn hop(&mut self, s: &Snapshot) {
        self.hops += 1;
        if let Some(bpm) = s.tempo() {
            self.tempi[step(bpm)] += 1;
            self.confidence += f64::from(s.confidence);
        }
    }

    /// Counts an announced beat.
    pub fn beat(&mut self) {
        self.beats += 1;
    }

    /// Counts a reported onset.
    pub fn onset(&mut self) {
        self.onsets += 1;
    }

    /// Counts an announced downbeat of a bar with this number of beats.
    pub fn downbeat(&mut self, beats_per_bar: u32) {
        self.bars[beats_per_bar.min(LONGEST_BAR) as usize] += 1;
    }

    /// Counts a section that began.
    pub fn section(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Number of downbeats.
    fn bars(&self) -> u64 {
        self.bars.iter().sum()
    }

    /// Beats in most of the bars; `None` without a downbeat.
    fn beats_per_bar(&self) -> Option<usize> {
        (0..self.bars.len()).filter(|beats| self.bars[*beats] > 0).max_by_key(|beats| self.bars[*beats])
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(SAMPLE_RATE)
    }

    fn with_tempo(&self) -> u64 {
        self.tempi.iter().sum()
    }

    /// Share of the sound in which a tempo was believed, 0 … 1.
    pub fn tempo_share(&self) -> f64 {
        share(self.with_tempo() as f64, self.hops)
    }

    /// Mean confidence while a tempo was believed, 0 … 1; 0 if none was.
    pub fn confidence(&self) -> f64 {
        share(self.confidence, self.with_tempo())
    }

    /// The tempo; `None` if less than a tenth of the sound had one.
    pub fn tempo(&self) -> Option<Tempo> {
        let all = self.with_tempo();
        if self.tempo_share() < STEADY {
            return None;
        }
        // The bin up to which a share of the time has passed.
        let at = |share: f64| {
            let (mut sum, wanted) = (0, (share * all as f64) as u64);
            self.tempi.iter().position(|n| {
                sum += n;
                sum > wanted
            })
        };
        let around = |i: usize| i.saturating_sub(SAME)..(i + SAME + 1).min(STEPS);
        // Of equal bins, take the one in the middle.
        let heaviest = (0..STEPS)
            .max_by_key(|i| (self.tempi[around(*i)].iter().sum::<u64>(), self.tempi[*i]))
            .unwrap_or_default();
        let near = around(heaviest).map(|i| (self.tempi[i] as f64, f64::from(bpm_of(i))));
        let (weight, moment) = near.fold((0.0, 0.0), |(w, m), (n, bpm)| (w + n, m + n * bpm));
        let most = (moment / weight) as f32;
        let (low, high) = (bpm_of(at(STRAY)?), bpm_of(at(1.0 - STRAY)?));
        Some(Tempo { low: low.min(most), high: high.max(most), most })
    }

    /// RMS of the whole sound in dBFS; −120 is digital silence.
    pub fn rms_db(&self) -> f64 {
        decibels(share(self.energy, self.samples).sqrt())
    }

    /// Peak of the whole sound in dBFS.
    pub fn peak_db(&self) -> f64 {
        decibels(self.peak.into())
    }

    /// The summary for people. `damage` has a sentence for each damaged piece.
    pub fn text(&self, title: &str, damage: &[String]) -> Text {
        let mut text = Text::default();
        let mut row = |name: &str, what: &str| text.line(format_args!("{name:<12}{what}"));
        row("sound", title);
        row("length", &length(self.seconds()));
        row("tempo", &self.tempo_text());
        row("beats", &self.beats.to_string());
        if let Some(beats) = self.beats_per_bar() {
            row("bars", &format!("{}, of {beats} beats", self.bars()));
        }
        if !self.sections.is_empty() {
            row("sections", &self.sections_text());
        }
        row("onsets", &self.onsets.to_string());
        match self.with_tempo() {
            0 => row("confidence", "–"),
            _ => row("confidence", &format!("{:.0} % on average", 100.0 * self.confidence())),
        }
        match self.peak {
            0.0 => row("loudness", "silence"),
            _ => row(
                "loudness",
                &format!("{:.1} dBFS on average, {:.1} dBFS at its peak", self.rms_db(), self.peak_db()),
            ),
        }
        match damage {
            [] => row("damage", "none"),
            all => all.iter().enumerate().for_each(|(i, d)| row(if i == 0 { "damage" } else { "" }, d)),
        }
        text
    }

    /// Number of sections, and how often each kind began.
    fn sections_text(&self) -> String {
        let kinds = Section::ALL.into_iter().filter_map(|kind| {
            match self.sections.iter().filter(|section| **section == kind).count() {
                0 => None,
                1 => Some(kind.name().to_owned()),
                n => Some(format!("{n} × {}", kind.name())),
            }
        });
        format!("{}: {}", self.sections.len(), kinds.collect::<Vec<_>>().join(", "))
    }

    fn tempo_text(&self) -> String {
        let Some(tempo) = self.tempo() else { return "no steady tempo".into() };
        let share = 100.0 * self.tempo_share();
        let Tempo { low, high, most } = tempo;
        let range = match high - low {
            0.0..=2.0 => format!("{most:.1} BPM"),
            _ => format!("{low:.0} to {high:.0} BPM, mostly {most:.0}"),
        };
        format!("{range}; heard in {share:.0} % of the sound")
    }

    /// The summary for programs: the last line of `k1 analyze --json`.
    pub fn json(&self, title: &str, damage: &[String]) -> Value {
        let tenth = |x: f32| (f64::from(x) * 10.0).round() / 10.0;
        let thousandth = |x: f64| (x * 1000.0).round() / 1000.0;
        let tempo =
            self.tempo().map(|t| json!({"low": tenth(t.low), "high": tenth(t.high), "most": tenth(t.most)}));
        json!({
            "kind": "summary", "title": title, "seconds": thousandth(self.seconds()), "tempo": tempo,
            "tempo_share": thousandth(self.tempo_share()), "beats": self.beats, "onsets": self.onsets,
            "bars": self.bars(), "beats_per_bar": self.beats_per_bar(), "sections": self.sections.len(),
            "confidence": thousandth(self.confidence()), "rms_db": thousandth(self.rms_db()),
            "peak_db": thousandth(self.peak_db()), "damage": damage,
        })
    }
}

fn share(part: f64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part / whole as f64 }
}

fn decibels(amplitude: f64) -> f64 {
    (20.0 * amplitude.log10()).max(audio::SILENT_DB.into())
}

fn step(bpm: f32) -> usize {
    (((bpm - BPM_RANGE.start()) / STEP_BPM).round().max(0.0) as usize).min(STEPS - 1)
}

fn bpm_of(step: usize) -> f32 {
    BPM_RANGE.start() + step as f32 * STEP_BPM
}

/// 12.5 s; 3:24.5 (204.5 s); 1:02:03.0 (3723.0 s).
fn length(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() as u64;
    let (h, m, s) = (tenths / 36_000, tenths / 600 % 60, (tenths % 600) as f64 / 10.0);
    match (h, m) {
        (0, 0) => format!("{seconds:.1} s"),
        (0, m) => format!("{m}:{s:04.1} ({seconds:.1} s)"),
        (h, m) => format!("{h}:{m:02}:{s:04.1} ({seconds:.1} s)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hops at tempi with a confidence.
    fn heard(hops: &[(u64, f32, f32)]) -> Summary {
        let mut summary = Summary::default();
        for &(n, bpm, confidence) in hops {
            for _ in 0..n {
                summary.samples(&[0.5; k1_engine::HOP]);
                summary.hop(&Snapshot { bpm, confidence, ..Snapshot::EMPTY });
            }
        }
        summary
    }

    #[test]
    fn a_tempo_is_a_range_and_the_one_that_was_heard_longest() {
        for (hops, text) in [
            (&[(100, 120.2, 0.8)][..], "120.0 BPM; heard in 100 % of the sound"),
            (
                &[(100, 118.0, 0.8), (600, 120.1, 0.85), (300, 126.0, 0.8)],
                "118 to 126 BPM, mostly 120; heard in 100 % of the sound",
            ),
            (&[(5, 60.0, 0.8), (995, 128.0, 0.8)], "128.0 BPM; heard in 100 % of the sound"),
            (&[(500, 0.0, 0.0), (500, 90.0, 0.8)], "90.0 BPM; heard in 50 % of the sound"),
            (&[(950, 0.0, 0.0), (50, 90.0, 0.8)], "no steady tempo"),
            (&[(500, 120.0, 0.45)], "no steady tempo"),
            (&[], "no steady tempo"),
        ] {
            assert_eq!(heard(hops).tempo_text(), text, "{hops:?}");
        }
        let beyond = heard(&[(10, 1e9, 0.8), (10, 1.0, 0.8)]).tempo().unwrap();
        assert!(beyond.high <= 216.0 && beyond.low >= 48.0, "{beyond:?}");
    }

    #[test]
    fn a_summary_says_each_thing_once() {
        let mut summary = heard(&[(250, 120.0, 0.8)]);
        summary.beat();
        let text = summary.text("so\nng", &["3 pieces".into(), "cut".into()]);
        let lines: Vec<_> = text.as_str().lines().collect();
        assert_eq!(
            lines,
            [
                "sound       so\\u{a}ng",
                "length      2.0 s",
                "tempo       120.0 BPM; heard in 100 % of the sound",
                "beats       1",
                "onsets      0",
                "confidence  80 % on average",
                "loudness    -6.0 dBFS on average, -6.0 dBFS at its peak",
                "damage      3 pieces",
                "            cut",
            ]
        );
        // Bars and sections have a row once there are some.
        assert_eq!(summary.json("x", &[])["beats_per_bar"], Value::Null);
        [4, 4, 3].into_iter().for_each(|beats| summary.downbeat(beats));
        let sections = [Section::Build, Section::Drop, Section::Build];
        sections.into_iter().for_each(|section| summary.section(section));
        let text = summary.text("x", &[]);
        for row in ["\nbars        3, of 4 beats\n", "\nsections    3: 2 × build, drop\n"] {
            assert!(text.as_str().contains(row), "{row} is not in {}", text.as_str());
        }
        let json = summary.json("x", &[]);
        assert_eq!(
            (&json["bars"], &json["beats_per_bar"], &json["sections"]),
            (&3.into(), &4.into(), &3.into())
        );
        assert_eq!((&json["kind"], &json["tempo"]["most"]), (&"summary".into(), &120.0.into()), "{json}");
        let nothing = Summary::default();
        assert!(nothing.text("x", &[]).as_str().contains("silence"));
        assert_eq!((nothing.json("x", &[])["tempo"].clone(), nothing.rms_db()), (Value::Null, -120.0));
    }

    #[test]
    fn lengths_are_as_people_write_them() {
        assert_eq!(length(12.34), "12.3 s");
        assert_eq!(length(204.5), "3:24.5 (204.5 s)");
        assert_eq!(length(3723.0), "1:02:03.0 (3723.0 s)");
        assert_eq!(length(59.99), "1:00.0 (60.0 s)");
    }
}
