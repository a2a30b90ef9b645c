//! The thread that brings samples from a source to the ear.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use k1_device::meter::Count;
use k1_engine::{HOP, SAMPLE_RATE};

use super::{ROOM, Reopen, Shared};
use crate::source::{self, Source};

/// The thread between a source and the ear.
pub struct Pump {
    source: Box<dyn Source>,
    reopen: Option<Reopen>,
    out: rtrb::Producer<f32>,
    shared: Arc<Shared>,
    is_live: bool,
    /// Number of the source's overruns that were counted already.
    overruns: u32,
    /// The source's number of titles that was announced.
    turn: u32,
}

impl Pump {
    /// A pump that fills `out` from `source`; `reopen` opens the source again when it ends.
    pub fn new(
        source: Box<dyn Source>,
        reopen: Option<Reopen>,
        out: rtrb::Producer<f32>,
        shared: Arc<Shared>,
    ) -> Self {
        let (is_live, turn) = (source.is_live(), source.turn());
        shared.set_title(&source.title());
        Self { source, reopen, out, shared, is_live, overruns: 0, turn }
    }

    /// Runs until the program stops or the source has ended.
    pub fn run(mut self) {
        let mut block = [0.0; HOP];
        let mut teller = source::Teller::default();
        while !self.shared.stop.load(Relaxed) {
            let read = self.source.read(&mut block);
            let overruns = self.source.overruns();
            self.shared.meters.count(Count::Overruns, overruns.wrapping_sub(self.overruns));
            self.overruns = overruns;
            self.shared.is_sound_away.store(self.source.is_away(), Relaxed);
            if self.source.turn() != self.turn {
                self.turn = self.source.turn();
                self.shared.set_title(&self.source.title());
            }
            match read {
                Ok(0) => teller.end(self.source.as_ref()),
                _ => teller.tell(self.source.as_ref()),
            }
            match read {
                Ok(0) => match self.reopen.as_mut().map(|again| again()) {
                    Some(Ok(source)) => {
                        self.shared.set_title(&source.title());
                        (self.source, self.overruns, self.turn) = (source, 0, 0);
                        teller = source::Teller::default();
                    }
                    Some(Err(e)) => return self.end(Some(e.to_string())),
                    None => return self.end(None),
                },
                Ok(n) => self.push(&block[..n]),
                Err(e) => return self.end(Some(e.to_string())),
            }
        }
    }

    fn end(&self, error: Option<String>) {
        *self.shared.source_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
        self.shared.source_ended.store(true, Release);
        self.shared.wake_ear();
    }

    /// Number of samples that the ear may be given now.
    fn room(&self) -> usize {
        let free = self.out.slots();
        // For a source that the reader paces, every sample in the queue adds delay.
        if self.is_live { free } else { self.source.ahead().saturating_sub(ROOM - free) }
    }

    fn push(&mut self, samples: &[f32]) {
        let mut left = samples;
        loop {
            let n = self.room().min(left.len());
            if let Ok(mut chunk) = self.out.write_chunk(n) {
                let (a, b) = chunk.as_mut_slices();
                a.copy_from_slice(&left[..a.len()]);
                b.copy_from_slice(&left[a.len()..n]);
                chunk.commit_all();
            }
            if ROOM - self.out.slots() >= HOP {
                self.shared.wake_ear();
            }
            left = &left[n..];
            if left.is_empty() || self.shared.stop.load(Relaxed) {
                return;
            }
            if self.is_live {
                // Live sound does not wait: samples that do not fit are lost, and counted.
                self.shared.meters.count(Count::Overruns, 1);
                return;
            }
            // A quarter of the lead: soon enough that the ear never waits.
            let lead_us = self.source.ahead() as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
            std::thread::sleep(Duration::from_micros(lead_us / 4));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Live sound of 70 hops whose source has skipped three times.
    struct Played {
        left: usize,
    }

    impl Source for Played {
        fn read(&mut self, out: &mut [f32]) -> Result<usize, source::Error> {
            self.left = self.left.saturating_sub(1);
            Ok(if self.left == 0 { 0 } else { out.len() })
        }

        fn title(&self) -> String {
            "played".into()
        }

        fn is_live(&self) -> bool {
            true
        }

        fn overruns(&self) -> u32 {
            if self.left < 50 { 3 } else { 1 }
        }

        fn is_away(&self) -> bool {
            true
        }
    }

    #[test]
    fn live_sound_that_the_ear_has_no_room_for_is_counted_with_what_its_source_skipped() {
        let shared = Arc::new(Shared::new(Vec::new(), None));
        let (out, samples) = rtrb::RingBuffer::new(ROOM);
        Pump::new(Box::new(Played { left: 71 }), None, out, shared.clone()).run();
        assert_eq!(samples.slots(), ROOM);
        assert_eq!(shared.meters.get(Count::Overruns), 3 + 70 - (ROOM / HOP) as u32);
        assert!(shared.is_sound_away.load(Relaxed) && shared.source_ended.load(Relaxed));
    }
}
