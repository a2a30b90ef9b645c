//! Sound that has arrived and waits for the ear. While there is none, the ear hears silence at the pace of real time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_engine::{HOP, HOP_US, SAMPLE_RATE};

/// Largest store in samples: 20 s. Further sound waits in the connection.
const MOST: usize = 20 * SAMPLE_RATE as usize;
/// Samples that wait before the sound begins, and begins again after a gap: half a second.
const CUSHION: usize = SAMPLE_RATE as usize / 2;
/// Time without samples after which silence begins.
const QUIET: Duration = Duration::from_millis(200);
const HOP_TIME: Duration = Duration::from_micros(HOP_US);
/// A reader that is later than this skips the missed silence.
const LATE: Duration = Duration::from_millis(100);

/// Sound between the thread that decodes and the thread that feeds the ear.
pub struct Store {
    samples: Mutex<Samples>,
    changed: Condvar,
}

struct Samples {
    waiting: VecDeque<f32>,
    /// True while sound is passed on as it is.
    flows: bool,
    /// True if the connection has ended: what is left is passed on without a cushion.
    has_ended: bool,
    silence_due: Instant,
    is_silent: bool,
    is_dropped: bool,
}

impl Samples {
    fn starting(now: Instant) -> Self {
        let waiting = VecDeque::with_capacity(MOST);
        Self {
            waiting,
            flows: false,
            has_ended: false,
            silence_due: now + QUIET,
            is_silent: false,
            is_dropped: false,
        }
    }

    /// Takes samples, or silence that is due. Returns 0 if there is neither yet.
    fn take(&mut self, out: &mut [f32], now: Instant) -> usize {
        if self.waiting.is_empty() {
            self.flows = false;
        } else if self.flows || self.has_ended || self.waiting.len() >= CUSHION {
            self.flows = true;
            let n = out.len().min(self.waiting.len());
            out.iter_mut().zip(self.waiting.drain(..n)).for_each(|(to, x)| *to = x);
            self.silence_due = now + QUIET;
            self.is_silent = false;
            return n;
        }
        if now < self.silence_due {
            return 0;
        }
        let n = out.len().min(HOP);
        out[..n].fill(0.0);
        self.is_silent = true;
        let step = HOP_TIME.mul_f64(n as f64 / HOP as f64);
        self.silence_due = if now - self.silence_due > LATE { now } else { self.silence_due } + step;
        n
    }
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self { samples: Mutex::new(Samples::starting(Instant::now())), changed: Condvar::new() }
    }

    /// Adds samples, and waits while the store is full.
    pub fn push(&self, samples: &[f32]) {
        let mut store = self.lock();
        while store.waiting.len() + samples.len() > MOST && !store.is_dropped {
            store = self.changed.wait(store).unwrap_or_else(PoisonError::into_inner);
        }
        store.waiting.extend(samples);
        store.has_ended = false;
        drop(store);
        self.changed.notify_all();
    }

    /// Says that no more samples come for now.
    pub fn end(&self) {
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    /// Waits for samples or for the next piece of silence; returns their number.
    pub fn read(&self, out: &mut [f32]) -> usize {
        let mut store = self.lock();
        loop {
            let now = Instant::now();
            let n = store.take(out, now);
            if n > 0 || out.is_empty() {
                drop(store);
                self.changed.notify_all();
                return n;
            }
            let pause =
                store.silence_due.saturating_duration_since(now).clamp(Duration::from_millis(1), QUIET);
            store = self.changed.wait_timeout(store, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// True if the last read gave silence in place of sound.
    pub fn is_silent(&self) -> bool {
        self.lock().is_silent
    }

    /// Waits for a time, or until the reader is gone. True if it is gone.
    pub fn sleep(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut store = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if store.is_dropped || left.is_zero() {
                return store.is_dropped;
            }
            store = self.changed.wait_timeout(store, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The reader is gone.
    pub fn close(&self) {
        self.lock().is_dropped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Samples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_silence_in_real_time_and_sound_returns_with_a_cushion() {
        let mut now = Instant::now();
        let mut store = Samples::starting(now);
        let mut out = [9.0; HOP];
        let mut hear = |store: &mut Samples, now: &mut Instant, ms: u64| {
            let mut heard = Vec::new();
            for _ in 0..ms {
                let n = store.take(&mut out, *now);
                heard.extend_from_slice(&out[..n]);
                *now += Duration::from_millis(1);
            }
            heard
        };
        let heard = hear(&mut store, &mut now, 1_000);
        assert!(
            heard.len().abs_diff(800 * 16) <= 2 * HOP && heard.iter().all(|x| *x == 0.0),
            "{}",
            heard.len()
        );
        store.waiting.extend([1.0; CUSHION - 1]);
        let heard = hear(&mut store, &mut now, 80);
        assert!(store.is_silent && heard.iter().all(|x| *x == 0.0), "too little to begin");
        store.waiting.extend([1.0; 1]);
        let heard = hear(&mut store, &mut now, 100);
        assert_eq!(heard.iter().filter(|x| **x == 1.0).count(), CUSHION);
        store.waiting.extend([1.0; 100]);
        assert!(hear(&mut store, &mut now, 10).is_empty(), "a cushion first, without silence at once");
    }

    #[test]
    fn a_full_store_lets_its_writer_wait_until_the_reader_takes_or_goes() {
        let store = std::sync::Arc::new(Store::new());
        store.push(&[1.0; MOST]);
        let writer = {
            let store = store.clone();
            std::thread::spawn(move || {
                store.push(&[2.0; HOP]);
                store.push(&[3.0; HOP]);
                store.sleep(Duration::from_secs(60))
            })
        };
        assert_eq!(store.read(&mut [0.0; HOP]), HOP);
        while store.lock().waiting.len() < MOST {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!writer.is_finished());
        store.close();
        assert!(writer.join().unwrap());
    }
}
