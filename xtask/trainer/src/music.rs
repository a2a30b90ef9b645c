//! Annotated music: the network's input and what it should say of each frame.

use std::path::Path;

pub use k1_engine::audio::INPUTS;

use crate::lanes::{LANES, Lane, ZERO};
use crate::random::Random;

/// Frames of a moment, for each of which the network says something.
pub const FRAMES: usize = 2;
/// What a frame can be: no beat, a beat, a downbeat, half a beat.
pub const CLASSES: usize = 4;
/// A beat of which it is unknown whether it is a downbeat.
pub const EITHER: u8 = 4;
/// A frame that does not count.
pub const IGNORED: u8 = 255;
/// Tempi that the network tells apart: from 48 to 208 beats per minute in equal ratios.
pub const TEMPI: usize = 26;
const TEMPO_RANGE: [f64; 2] = [48.0, 208.0];
/// Seconds of a frame, and after which a beat is told.
const FRAME_S: f64 = 0.016;
const JUDGED_AFTER_S: f64 = 0.040;
/// Columns of a frame: levels, rises, low sound, notes.
const LEVELS: usize = 28;
const FRAME: usize = 2 * LEVELS + 2;

/// An excerpt.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Inputs of each moment.
    inputs: Vec<[f32; INPUTS]>,
    labels: Vec<u8>,
    tempi: Vec<f32>,
    /// How often it is chosen.
    pub weight: f32,
}

/// A window of as many excerpts as there are lanes.
#[derive(Clone, Debug)]
pub struct Window {
    /// The inputs of each moment.
    pub inputs: Vec<Lane>,
    /// The class of each frame.
    pub labels: Vec<[u8; LANES]>,
    /// The tempo of each moment among [`TEMPI`]; negative where unknown.
    pub tempi: Vec<Lane>,
}

/// The inputs of each moment of a file that `cargo xtask ear --inputs` wrote.
pub fn inputs(path: &Path) -> Result<Vec<[f32; INPUTS]>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let values: Vec<f32> =
        bytes.as_chunks::<2>().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 4096.0).collect();
    Ok(values.as_chunks::<INPUTS>().0.to_vec())
}

impl Piece {
    /// Reads the inputs and the beats: lines of seconds and position in the bar (1 = downbeat, 0 = unknown).
    pub fn read(inputs_at: &Path, beats_at: &Path, weight: f32) -> Result<Self, String> {
        let inputs = inputs(inputs_at)?;
        let text = std::fs::read_to_string(beats_at).map_err(|e| format!("{}: {e}", beats_at.display()))?;
        let mut beats = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace().map(|word| word.parse::<f64>());
            let Some(Ok(seconds)) = words.next() else {
                return Err(format!("{}: {line}", beats_at.display()));
            };
            beats.push((seconds, words.next().and_then(Result::ok).unwrap_or(0.0)));
        }
        let frames = inputs.len() * FRAMES;
        Ok(Self { labels: labels(&beats, frames), tempi: tempi(&beats, inputs.len()), inputs, weight })
    }

    /// Seconds of sound.
    pub fn seconds(&self) -> f64 {
        self.labels.len() as f64 * FRAME_S
    }
}

/// The frame in which a moment is judged.
fn frame_of(seconds: f64) -> i64 {
    ((seconds + JUDGED_AFTER_S) / FRAME_S).round() as i64 - 1
}

fn labels(beats: &[(f64, f64)], frames: usize) -> Vec<u8> {
    let (Some(first), Some(last)) = (beats.first(), beats.last()) else { return vec![0; frames] };
    let mut labels = vec![0; frames];
    let (from, to) = (frame_of(first.0) - 2, frame_of(last.0) + 2);
    for (frame, label) in labels.iter_mut().enumerate() {
        if !(from..=to).contains(&(frame as i64)) {
            *label = IGNORED;
        }
    }
    let mut mark = |at: i64, class: u8| {
        for frame in at - 1..=at + 1 {
            if let Some(label) = usize::try_from(frame).ok().and_then(|frame| labels.get_mut(frame)) {
                *label = class;
            }
        }
    };
    for pair in beats.windows(2) {
        mark(frame_of(0.5 * (pair[0].0 + pair[1].0)), 3);
    }
    for (seconds, position) in beats {
        let class = match *position as i64 {
            0 => EITHER,
            1 => 2,
            _ => 1,
        };
        mark(frame_of(*seconds), class);
    }
    labels
}

fn tempi(beats: &[(f64, f64)], moments: usize) -> Vec<f32> {
    let mut tempi = vec![-1.0; moments];
    let [slowest, fastest] = TEMPO_RANGE;
    for pair in beats.windows(2) {
        let bpm = 60.0 / (pair[1].0 - pair[0].0).max(0.1);
        let tempo = (bpm / slowest).ln() / (fastest / slowest).ln() * (TEMPI - 1) as f64;
        if !(-0.5..=TEMPI as f64 - 0.5).contains(&tempo) {
            continue;
        }
        let moment_of = |seconds: f64| (frame_of(seconds).max(0) as usize / FRAMES).min(moments);
        tempi[moment_of(pair[0].0)..moment_of(pair[1].0)].fill(tempo.max(0.0) as f32);
    }
    tempi
}

/// Chooses an excerpt for each lane, and a window of it, and disturbs what is heard.
pub fn choose(
    pieces: &[Piece],
    moments: usize,
    without: &[std::ops::Range<usize>],
    random: &mut Random,
) -> Window {
    let total: f32 = pieces.iter().map(|piece| piece.weight).sum();
    let mut window = Window {
        inputs: vec![ZERO; moments * INPUTS],
        labels: vec![[IGNORED; LANES]; moments * FRAMES],
        tempi: vec![[-1.0; LANES]; moments],
    };
    for lane in 0..LANES {
        let mut at = random.share() * total;
        let piece = pieces
            .iter()
            .find(|piece| {
                at -= piece.weight;
                at < 0.0
            })
            .unwrap_or(&pieces[pieces.len() - 1]);
        let start = random.below(piece.inputs.len().saturating_sub(moments) + 1);
        let gains = [random.between(0.85, 1.15), random.between(0.8, 1.2)];
        // Half of the time, a range of bands is missing.
        let missing = if random.share() < 0.5 {
            let from = random.below(26);
            from..from + 1 + random.below(6)
        } else {
            0..0
        };
        // What is heard of each input: a factor and what is added.
        let heard: [(f32, f32); INPUTS] = std::array::from_fn(|i| {
            let column = i % FRAME;
            if without.iter().any(|w| w.contains(&i)) {
                (0.0, 0.0)
            } else if i >= FRAMES * FRAME || column >= 2 * LEVELS {
                (1.0, 0.0)
            } else if missing.contains(&(column % LEVELS)) {
                // A band without sound has the level −2.
                (0.0, if column < LEVELS { -2.0 } else { 0.0 })
            } else {
                (gains[column / LEVELS], 0.0)
            }
        });
        for (t, inputs) in piece.inputs.iter().skip(start).take(moments).enumerate() {
            let moment = &mut window.inputs[t * INPUTS..][..INPUTS];
            for ((out, x), (factor, more)) in moment.iter_mut().zip(inputs).zip(&heard) {
                out[lane] = x * factor + more;
            }
            window.tempi[t][lane] = piece.tempi[start + t];
            for frame in 0..FRAMES {
                window.labels[t * FRAMES + frame][lane] = piece.labels[(start + t) * FRAMES + frame];
            }
        }
    }
    window
}

/// The inputs that a name stands for.
pub fn columns(name: &str) -> Option<Vec<std::ops::Range<usize>>> {
    let of = |from: usize, to: usize| (0..FRAMES).map(|f| f * FRAME + from..f * FRAME + to).collect();
    Some(match name {
        "levels" => of(0, LEVELS),
        "rises" => of(LEVELS, 2 * LEVELS),
        "slow" => of(2 * LEVELS, FRAME),
        "harmony" => (FRAMES * FRAME..INPUTS).map(|i| i..i + 1).collect(),
        _ => return None,
    })
}
