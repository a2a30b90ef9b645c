//! The half that hears: samples at the rate of an audio context → snapshots.

use alloc::boxed::Box;
use alloc::vec::Vec;

use k1_demo::Demo;
use k1_engine::audio::{Ear, SNAPSHOT_WORDS};
use k1_engine::{HOP, SAMPLE_RATE};

use crate::resample::Resampler;

/// Most samples in a call.
pub const MOST_SAMPLES: usize = 8_192;

/// An ear behind a resampler. Its clock starts at 0 with the first sample.
pub struct Listener {
    ear: Box<Ear>,
    resampler: Resampler,
    demo: Option<Demo>,
    hop: [f32; HOP],
    filled: usize,
    /// Place for the samples of the next call; the demo leaves its samples here.
    pub room: Box<[f32]>,
    /// Snapshots of the last call, as words.
    pub heard: Vec<[u32; SNAPSHOT_WORDS]>,
    /// Samples of these hops, at the engine's rate.
    pub sound: Vec<[f32; HOP]>,
}

impl Listener {
    /// A listener to sound at `rate` in Hz; `None` if no resampler takes this rate.
    pub fn new(rate: u32) -> Option<Self> {
        let resampler = Resampler::new(rate)?;
        let most = MOST_SAMPLES * SAMPLE_RATE as usize / rate as usize / HOP + 2;
        Some(Self {
            ear: Box::new(Ear::new()),
            resampler,
            demo: None,
            hop: [0.0; HOP],
            filled: 0,
            room: alloc::vec![0.0; MOST_SAMPLES].into_boxed_slice(),
            heard: Vec::with_capacity(most),
            sound: Vec::with_capacity(most),
        })
    }

    /// Sets the gain; false if it is out of range.
    pub fn set_gain(&mut self, gain: f32) -> bool {
        self.ear.set_gain(gain)
    }

    /// Time between a sample and the one that the ear gets with it, in µs.
    pub fn delay_us(&self) -> u64 {
        self.resampler.delay_us()
    }

    /// Hears the first `n` samples in `room`. Does not allocate.
    pub fn push(&mut self, n: usize) {
        let Self { ear, resampler, hop, filled, room, heard, sound, .. } = self;
        heard.clear();
        sound.clear();
        resampler.push(&room[..n.min(MOST_SAMPLES)], |x| {
            hop[*filled] = x;
            *filled += 1;
            if *filled == HOP {
                *filled = 0;
                if let Some(snapshot) = ear.push(hop) {
                    heard.push(snapshot.to_words());
                    sound.push(*hop);
                }
            }
        });
    }

    /// Plays the next `n` samples of the built-in music into `room`, and hears them. The music has the engine's rate.
    pub fn play_demo(&mut self, n: usize) {
        let n = n.min(MOST_SAMPLES);
        self.demo.get_or_insert_with(Demo::default).fill(&mut self.room[..n]);
        self.push(n);
    }
}

#[cfg(test)]
mod tests {
    use k1_engine::audio::Snapshot;

    use super::*;

    #[test]
    fn the_built_in_music_is_heard_as_the_engine_hears_it() {
        let mut listener = Listener::new(SAMPLE_RATE).unwrap();
        let (mut demo, mut ear) = (Demo::default(), Ear::new());
        let mut hop = [0.0; HOP];
        // A render quantum is a hop; other lengths are allowed.
        for n in [128, 128, 200, 56, 128 * 40, 1] {
            listener.play_demo(n);
            for (words, sound) in listener.heard.iter().zip(&listener.sound) {
                demo.fill(&mut hop);
                assert_eq!((ear.push(&hop).unwrap().to_words(), hop), (*words, *sound));
            }
        }
        assert_eq!(ear.samples(), 128 * 44);
    }

    #[test]
    fn every_rate_gives_125_snapshots_a_second_without_growing() {
        for rate in [4_000, 16_000, 44_100, 48_000, 192_000] {
            let mut listener = Listener::new(rate).unwrap();
            let room = (listener.heard.capacity(), listener.sound.capacity());
            let mut count = 0;
            let mut left = 2 * rate as usize;
            while left > 0 {
                let n = left.min(MOST_SAMPLES);
                listener.room.fill(0.1);
                listener.push(n);
                count += listener.heard.len();
                left -= n;
            }
            assert!((249..=250).contains(&count), "{rate} Hz: {count}");
            assert_eq!((listener.heard.capacity(), listener.sound.capacity()), room, "{rate} Hz");
            let last = Snapshot::from_words(listener.heard.last().unwrap());
            assert_eq!(last.sequence, count as u64);
        }
    }

    #[test]
    fn a_gain_outside_its_range_is_refused() {
        let mut listener = Listener::new(48_000).unwrap();
        assert!(listener.set_gain(2.0) && !listener.set_gain(9.0));
    }
}
