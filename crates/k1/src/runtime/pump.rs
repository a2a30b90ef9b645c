//! The thread that brings samples from a source to the ear.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use k1_device::meter::Count;
use k1_engine::{HOP, SAMPLE_RATE};

use super::{NextSource, ROOM, Reopen, Shared};
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
        shared.is_live.store(is_live, Release);
        Self { source, reopen, out, shared, is_live, overruns: 0, turn }
    }

    /// Runs until the program stops or the source has ended.
    pub fn run(mut self) {
        let mut block = [0.0; HOP];
        let mut teller = source::Teller::default();
        while !self.shared.stop.load(Relaxed) {
            let next = self.shared.next_source().take();
            if let Some(next) = next {
                self.change_to(next);
                teller = source::Teller::default();
            }
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

    /// Goes on with another source, from the next hop on.
    fn change_to(&mut self, NextSource { source, reopen }: NextSource) {
        let begun = self.queued() % HOP;
        if begun > 0 {
            self.push(&[0.0; HOP][begun..]);
        }
        let is_live = source.is_live();
        if is_live && !self.is_live {
            // Live sound is heard as it comes. What is left of the other sound would delay it.
            while self.queued() > HOP && !self.shared.stop.load(Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        (self.overruns, self.turn, self.is_live) = (source.overruns(), source.turn(), is_live);
        self.shared.is_live.store(is_live, Release);
        self.shared.set_presence(source.presence());
        self.shared.set_title(&source.title());
        (self.source, self.reopen) = (source, reopen);
    }

    /// Number of samples that the ear has not taken yet.
    fn queued(&self) -> usize {
        ROOM - self.out.slots()
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
        if self.is_live { free } else { self.source.ahead().saturating_sub(self.queued()) }
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
            if self.queued() >= HOP {
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

    /// A sound of one value without an end.
    struct Constant {
        value: f32,
        is_live: bool,
    }

    impl Source for Constant {
        fn read(&mut self, out: &mut [f32]) -> Result<usize, source::Error> {
            if self.is_live {
                std::thread::sleep(Duration::from_millis(2));
            }
            // Never a whole hop.
            out[..50].fill(self.value);
            Ok(50)
        }

        fn title(&self) -> String {
            self.value.to_string()
        }

        fn is_live(&self) -> bool {
            self.is_live
        }
    }

    #[test]
    fn another_source_begins_with_a_hop_whatever_its_pace() {
        let shared = Arc::new(Shared::new(Vec::new(), None));
        let (out, mut samples) = rtrb::RingBuffer::new(ROOM);
        let of = |value, is_live| Box::new(Constant { value, is_live });
        let pump = Pump::new(of(0.1, false), None, out, shared.clone());
        let pumps = std::thread::spawn(move || pump.run());
        let heard = shared.clone();
        let ear = std::thread::spawn(move || {
            let mut values = Vec::new();
            while !heard.stop.load(Relaxed) {
                let Ok(chunk) = samples.read_chunk(HOP) else {
                    std::thread::sleep(Duration::from_micros(500));
                    continue;
                };
                let mut hop: Vec<f32> = chunk.into_iter().collect();
                // The last hop of a source may end in silence.
                let first = hop[0];
                hop.retain(|x| *x != 0.0);
                assert!(hop.iter().all(|x| *x == first), "two sources in one hop: {hop:?}");
                if values.last() != Some(&first) {
                    values.push(first);
                }
            }
            values
        });
        for (value, is_live) in [(0.2, true), (0.3, false), (0.4, false), (0.5, true), (0.6, true)] {
            std::thread::sleep(Duration::from_millis(60));
            let source = of(value, is_live);
            shared.change_source(NextSource { source, reopen: None }).unwrap();
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!((shared.title(), shared.is_live.load(Relaxed)), (value.to_string(), is_live));
        }
        shared.stop.store(true, Relaxed);
        assert_eq!(ear.join().unwrap(), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        pumps.join().unwrap();
    }

    #[test]
    fn a_source_that_has_ended_is_not_followed_by_another() {
        let shared = Arc::new(Shared::new(Vec::new(), None));
        let (out, _samples) = rtrb::RingBuffer::new(ROOM);
        Pump::new(Box::new(Played { left: 1 }), None, out, shared.clone()).run();
        let source = Box::new(Constant { value: 0.1, is_live: false });
        let why = shared.change_source(NextSource { source, reopen: None }).unwrap_err();
        assert!(why.contains("has ended"), "{why}");
    }
}
