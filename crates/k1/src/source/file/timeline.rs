//! Time within a stream: trims its ends and inserts pauses for lost sound.

use std::collections::VecDeque;

use super::flow::{Edit, Stream};

/// Longest credible pause in seconds, because times may be wrong.
const LONGEST: u64 = 600;
/// Smallest jump in packet times that means a loss, in milliseconds, because containers round times.
const JUMP: u64 = 100;
/// Longest sound that waits for a page's time, in seconds.
const WAIT: u64 = 20;

/// A piece of sound or silence.
#[derive(Debug, PartialEq)]
pub enum Piece {
    /// Decoded samples.
    Sound(Vec<f32>),
    /// Silence of this length in frames.
    Silence(u64),
}

/// The time of one stream. Positions count decoded frames.
pub struct Timeline {
    rate: u64,
    edits: VecDeque<Edit>,
    /// Number of frames so far.
    pos: u64,
    /// Sound whose page is still open.
    block: Vec<f32>,
    paged: bool,
    exact: bool,
    first: bool,
    /// Difference between the container's count and `pos`.
    base: i64,
    /// The last frames, which may be padding.
    tail: usize,
    held: Vec<f32>,
    /// Pieces that are ready.
    pub ready: VecDeque<Piece>,
}

impl Timeline {
    /// A timeline for a stream at a rate in Hz.
    pub fn new(stream: &Stream, rate: u32) -> Self {
        Self {
            rate: u64::from(rate.max(1)),
            edits: stream.edits.iter().copied().collect(),
            pos: 0,
            block: Vec::new(),
            paged: stream.paged,
            exact: stream.exact,
            first: true,
            base: 0,
            tail: usize::try_from(stream.tail).unwrap_or(0).min(1 << 20),
            held: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// Adds decoded sound, with its first frame in the container's count if known. Returns the number of frames missing
    /// before it.
    pub fn sound(&mut self, mono: &[f32], at: Option<u64>) -> u64 {
        let mut missing = 0;
        if let Some(at) = at {
            let here = self.pos.saturating_add_signed(self.base);
            if self.first {
                self.base = at as i64;
            } else if at > here && at - here > self.rate * JUMP / 1000 {
                missing = self.pause(at - here);
            }
            if at.abs_diff(here) > self.rate * JUMP / 1000 || missing > 0 {
                self.base = at as i64 - self.pos as i64;
            }
        }
        self.first &= at.is_none() || self.paged;
        if self.paged && (self.block.len() + mono.len()) as u64 <= self.rate * WAIT {
            self.block.extend_from_slice(mono);
        } else {
            self.flush();
            self.emit(mono);
        }
        missing
    }

    /// Adds missing frames. Returns the credible number of them.
    pub fn pause(&mut self, frames: u64) -> u64 {
        if frames > self.rate * LONGEST {
            return 0;
        }
        self.flush();
        self.silence(frames);
        frames
    }

    /// Ends a page at this frame. Returns the number of frames missing before it.
    pub fn until(&mut self, frame: u64, last: bool) -> u64 {
        let n = self.block.len() as u64;
        let end = (self.pos + n).saturating_add_signed(self.base);
        if std::mem::take(&mut self.first) {
            // If the first page ends too early, it begins with sound to be left out, unless it is also the last. If it
            // ends too late, it was cut out of a longer recording.
            if frame < end && !last && !self.exact {
                self.block.drain(..(end - frame) as usize);
            }
            if !last || frame > end || self.exact {
                self.base = frame as i64 - (self.pos + self.block.len() as u64) as i64;
            }
        }
        let mut missing = 0;
        let end = (self.pos + self.block.len() as u64).saturating_add_signed(self.base);
        if frame > end {
            missing = frame - end;
            if missing > self.rate * LONGEST {
                (missing, self.base) = (0, frame as i64 - (self.pos + self.block.len() as u64) as i64);
            }
            self.silence(missing);
        } else if last && !self.exact {
            let cut = (end - frame).min(self.block.len() as u64) as usize;
            self.block.truncate(self.block.len() - cut);
        } else {
            self.base -= (end - frame) as i64;
        }
        self.flush();
        missing
    }

    /// Ends the stream. `whole` if it ended properly, so that its padding is at the end.
    pub fn end(&mut self, whole: bool) {
        self.flush();
        let held = std::mem::take(&mut self.held);
        if !whole {
            self.push(held);
        }
    }

    /// Number of frames so far, including waiting ones.
    pub fn waiting(&self) -> u64 {
        let ready: u64 = self
            .ready
            .iter()
            .map(|p| match p {
                Piece::Sound(s) => s.len() as u64,
                Piece::Silence(n) => *n,
            })
            .sum();
        ready + (self.block.len() + self.held.len()) as u64
    }

    fn flush(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.emit(&block);
    }

    /// Adds silence in place of sound.
    fn silence(&mut self, frames: u64) {
        let mut left = frames;
        while let (Some(edit), true) = (self.edits.front().copied(), left > 0) {
            self.lead_in(edit);
            let skip = edit.from.saturating_sub(self.pos).min(left);
            self.pos += skip;
            left -= skip;
            let take = edit.to.saturating_sub(self.pos).min(left);
            if take > 0 {
                self.release();
                self.ready.push_back(Piece::Silence(take));
            }
            self.pos += take;
            left -= take;
            self.next_edit();
        }
        self.pos += left;
    }

    /// Adds the part of a sound that is inside the ranges to be heard.
    fn emit(&mut self, mono: &[f32]) {
        let mut rest = mono;
        while let (Some(edit), false) = (self.edits.front().copied(), rest.is_empty()) {
            self.lead_in(edit);
            let skip = edit.from.saturating_sub(self.pos).min(rest.len() as u64);
            rest = &rest[skip as usize..];
            self.pos += skip;
            let take = edit.to.saturating_sub(self.pos).min(rest.len() as u64);
            self.hold(&rest[..take as usize]);
            rest = &rest[take as usize..];
            self.pos += take;
            self.next_edit();
        }
        self.pos += rest.len() as u64;
    }

    /// Adds the pause before a range, once.
    fn lead_in(&mut self, edit: Edit) {
        if edit.pause > 0
            && let Some(front) = self.edits.front_mut()
        {
            front.pause = 0;
            self.release();
            self.ready.push_back(Piece::Silence(edit.pause.min(self.rate * LONGEST)));
        }
    }

    fn next_edit(&mut self) {
        while self.edits.front().is_some_and(|e| self.pos >= e.to) {
            self.edits.pop_front();
        }
    }

    /// Holds the last frames, because they may be padding.
    fn hold(&mut self, mono: &[f32]) {
        if self.tail == 0 {
            self.push(mono.to_vec());
            return;
        }
        self.held.extend_from_slice(mono);
        if self.held.len() > self.tail {
            let out: Vec<f32> = self.held.drain(..self.held.len() - self.tail).collect();
            self.push(out);
        }
    }

    /// Releases the held frames: silence follows, so they are not padding.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.push(held);
    }

    fn push(&mut self, sound: Vec<f32>) {
        if !sound.is_empty() {
            self.ready.push_back(Piece::Sound(sound));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symphonia::core::codecs::audio::AudioCodecParameters;

    fn stream(edits: &[Edit], tail: u64, paged: bool) -> Stream {
        let stream = Stream::new(AudioCodecParameters::new(), "test");
        let edits = if edits.is_empty() { stream.edits.clone() } else { edits.to_vec() };
        Stream { edits, tail, paged, ..stream }
    }

    fn counting(from: u32, to: u32) -> Vec<f32> {
        (from..to).map(|i| i as f32).collect()
    }

    /// All that is ready; silence is -1.
    fn heard(time: &mut Timeline) -> Vec<f32> {
        let piece = |p| match p {
            Piece::Sound(sound) => sound,
            Piece::Silence(n) => vec![-1.0; n as usize],
        };
        time.ready.drain(..).flat_map(piece).collect()
    }

    #[test]
    fn edits_pause_and_leave_out_however_the_sound_is_cut() {
        let edits = [Edit { pause: 3, from: 10, to: 15 }, Edit { pause: 1, from: 20, to: 22 }];
        for step in [1, 4, 100] {
            let mut time = Timeline::new(&stream(&edits, 0, false), 1000);
            for piece in counting(0, 40).chunks(step) {
                time.sound(piece, None);
            }
            time.end(true);
            assert_eq!(heard(&mut time), [-1., -1., -1., 10., 11., 12., 13., 14., -1., 20., 21.]);
        }
    }

    #[test]
    fn padding_goes_only_where_the_end_was_reached() {
        for (whole, last) in [(true, 6.0), (false, 9.0)] {
            let mut time = Timeline::new(&stream(&[], 3, false), 1000);
            for piece in counting(0, 10).chunks(2) {
                time.sound(piece, None);
            }
            time.end(whole);
            assert_eq!(heard(&mut time).last(), Some(&last));
        }
    }

    #[test]
    fn a_page_that_ends_later_than_its_sound_has_lost_some_before_it() {
        let mut time = Timeline::new(&stream(&[], 0, true), 1000);
        time.sound(&counting(0, 10), None);
        assert_eq!(time.until(8, false), 0, "what is too much in the first page is at its front");
        time.sound(&counting(10, 20), None);
        assert_eq!(time.until(23, false), 5);
        time.sound(&counting(20, 30), None);
        assert_eq!(time.until(29, true), 0, "what is too much in the last page is at its end");
        time.end(true);
        let all = heard(&mut time);
        assert_eq!(all.len(), 29);
        assert_eq!((all[0], all[8], all[13], all[28]), (2.0, -1.0, 10.0, 25.0));
    }

    #[test]
    fn times_that_cannot_be_are_not_believed() {
        let mut time = Timeline::new(&stream(&[], 0, true), 1000);
        time.sound(&counting(0, 10), None);
        time.until(u64::MAX / 2, false);
        time.sound(&counting(10, 20), None);
        assert_eq!(time.until(u64::MAX, false), 0);
        assert_eq!(time.pause(u64::MAX), 0);
        time.end(true);
        assert_eq!(heard(&mut time), counting(0, 20));
    }

    #[test]
    fn a_jump_in_the_times_of_packets_is_a_pause_and_rounding_is_none() {
        let mut time = Timeline::new(&stream(&[], 0, false), 1000);
        time.sound(&counting(0, 50), Some(0));
        assert_eq!(time.sound(&counting(50, 100), Some(60)), 0);
        assert_eq!(time.sound(&counting(100, 150), Some(300)), 200);
        assert_eq!(time.sound(&counting(150, 200), Some(350)), 0);
        time.end(true);
        assert_eq!(heard(&mut time).len(), 400);
    }
}
