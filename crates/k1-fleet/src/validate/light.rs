//! Whether the light answers to sound: compares the same pattern with music and in silence.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::signal::Signal;
use crate::lamps::test_signal::{MUSIC, SILENCE};
use crate::lamps::watch::{Frame, Watch};
use crate::lamps::{Client, Trouble};

/// Time after a change between music and silence that is ignored, because the light is still changing.
const SETTLE: Duration = Duration::from_millis(700);
/// Loudness that separates music from silence, RMS in dBFS.
const LOUD_DB: f32 = -45.0;
/// Frames to examine per second.
const FPS: u32 = 30;
/// Least change of light that counts as an answer, in steps of 0 … 255 (RMS over the strip).
const DIFFERENCE: f32 = 3.0;
/// Least increase in motion from frame to frame that counts as an answer, in the same steps.
const MOTION: f32 = 0.5;

/// A pattern's answer to sound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Identifier of the pattern.
    pub pattern: String,
    /// Distance between the mean frame with music and the mean frame in silence, in steps of 0 … 255 (RMS over the
    /// strip).
    pub difference: f32,
    /// Mean change from frame to frame, with music and in silence, in the same steps.
    pub motion: [f32; 2],
    /// Loudness that the lamp itself reported, RMS in dBFS, with music and in silence.
    pub heard_db: [f32; 2],
}

impl Answer {
    /// True if the light answers to sound.
    pub fn answers(&self) -> bool {
        let [music, silence] = self.motion;
        self.difference > DIFFERENCE || music > silence + MOTION
    }
}

/// The mean frame, the mean motion and the mean loudness of several frames.
fn mean(frames: &[Frame]) -> Option<(Vec<f32>, f32, f32)> {
    let first = frames.first()?;
    let n = frames.len() as f32;
    let mut sum = vec![0.0; first.pixels.len()];
    for frame in frames {
        sum.iter_mut().zip(&frame.pixels).for_each(|(s, p)| *s += f32::from(*p));
    }
    sum.iter_mut().for_each(|s| *s /= n);
    let step = |pair: &[Frame]| {
        let both = pair[0].pixels.iter().zip(&pair[1].pixels);
        both.map(|(a, b)| f32::from(a.abs_diff(*b))).sum::<f32>() / first.pixels.len().max(1) as f32
    };
    let motion = frames.windows(2).map(step).sum::<f32>() / (n - 1.0).max(1.0);
    let loud = frames.iter().map(|f| f.rms_db).sum::<f32>() / n;
    Some((sum, motion, loud))
}

fn compare(pattern: &str, music: &[Frame], silence: &[Frame]) -> Option<Answer> {
    let ((loud, motion_loud, heard_loud), (quiet, motion_quiet, heard_quiet)) =
        (mean(music)?, mean(silence)?);
    let squares = loud.iter().zip(&quiet).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    Some(Answer {
        pattern: pattern.to_owned(),
        difference: (squares / loud.len().max(1) as f32).sqrt(),
        motion: [motion_loud, motion_quiet],
        heard_db: [heard_loud, heard_quiet],
    })
}

/// The frames in `time` of the lamp's own clock.
fn gather(watch: &mut Watch, time: Duration) -> Result<Vec<Frame>, Trouble> {
    let mut frames = vec![watch.frame()?];
    while since(&frames[0], &frames[frames.len() - 1]) < time {
        frames.push(watch.frame()?);
    }
    Ok(frames)
}

fn since(first: &Frame, frame: &Frame) -> Duration {
    Duration::from_micros(frame.at_us.saturating_sub(first.at_us))
}

/// The frames without the first ones, during which the light was still changing.
fn settled(frames: &[Frame]) -> Vec<Frame> {
    frames.iter().filter(|f| since(&frames[0], f) > SETTLE).cloned().collect()
}

/// Separates music from silence by what the lamp heard, without the beginning of each.
fn told_apart(frames: &[Frame]) -> [Vec<Frame>; 2] {
    let is_loud = |f: &Frame| f.rms_db > LOUD_DB;
    let mut both = [Vec::new(), Vec::new()];
    for part in frames.chunk_by(|a, b| is_loud(a) == is_loud(b)) {
        both[usize::from(!is_loud(&part[0]))].extend(settled(part));
    }
    both
}

/// Shows each pattern with music and in silence; only patterns that listen to sound.
///
/// # Errors
///
/// [`Trouble`] if the lamp goes away.
pub fn ask(client: &Client, signal: &Signal) -> Result<Vec<Answer>, Trouble> {
    #[derive(serde::Deserialize)]
    struct Pattern {
        id: String,
        is_audio_reactive: bool,
    }
    #[derive(serde::Deserialize)]
    struct Patterns {
        patterns: Vec<Pattern>,
    }
    let all: Patterns = client.get("/api/patterns")?;
    let mut watch = Watch::open(client.address(), FPS)?;
    let mut answers = Vec::new();
    for pattern in all.patterns.iter().filter(|p| p.is_audio_reactive) {
        let _: serde_json::Value = client.post("/api/select", &json!({"id": pattern.id}))?;
        let [music, silence] = if signal.is_recorded() {
            let [music, silence] = told_apart(&gather(&mut watch, MUSIC + SILENCE)?);
            // If the lamp heard no music, use the silence for both, which shows that nothing was heard.
            [if music.is_empty() { silence.clone() } else { music }, silence]
        } else {
            signal.play(true);
            let music = gather(&mut watch, MUSIC)?;
            signal.play(false);
            [settled(&music), settled(&gather(&mut watch, SILENCE)?)]
        };
        answers.extend(compare(&pattern.id, &music, &silence));
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn frame(pixels: [u8; 6]) -> Frame {
        Frame { came: Instant::now(), at_us: 0, rms_db: -20.0, silent: false, pixels: pixels.into() }
    }

    #[test]
    fn music_and_silence_are_told_apart_and_their_beginnings_left_out() {
        let at = |i: u64| Frame {
            at_us: 5_000_000 + i * 100_000,
            rms_db: if (10..30).contains(&i) { -20.0 } else { -120.0 },
            ..frame([i as u8; 6])
        };
        let [music, silence] = told_apart(&(0..40).map(at).collect::<Vec<_>>());
        let which = |frames: &[Frame]| frames.iter().map(|f| f.pixels[0]).collect::<Vec<_>>();
        assert_eq!(which(&music), (18..30).collect::<Vec<_>>());
        assert_eq!(which(&silence), [8, 9, 38, 39]);
    }

    #[test]
    fn light_that_stays_the_same_does_not_answer() {
        let still = vec![frame([9; 6]); 10];
        let bright = vec![frame([90; 6]); 10];
        let moving: Vec<_> = (0..10).map(|i| frame([if i % 2 == 0 { 8 } else { 10 }; 6])).collect();
        let answers = |music: &[Frame], silence: &[Frame]| compare("p", music, silence).unwrap().answers();
        assert!(!answers(&still, &still));
        assert!(!answers(&moving, &moving), "it moves by itself");
        assert!(answers(&bright, &still));
        assert!(answers(&moving, &still), "its mean is the same, but it moves");
        assert_eq!(compare("p", &[], &still), None, "nothing was seen");
    }
}
