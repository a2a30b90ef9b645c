//! A pipe that is heard while it is written. If it carries live sound, samples that have waited in it are too old to be
//! shown; if it carries a file, no sample may be lost. Nothing but the timing of the samples tells the two apart.
//!
//! A thread reads the pipe as soon as samples arrive, up to a minute ahead. A file fills that minute at once, or at its
//! writer's speed. Live sound arrives in even pieces at the pace of real time, once the backlog is through. If samples have
//! arrived in this way for a while, and the store was never nearly empty in that time, the store is too old and is skipped,
//! except for the newest samples. The check goes on all the time, so that a program that was stopped and continued
//! recovers.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_engine::{HOP, HOP_US, SAMPLE_RATE};

use super::presence::Presence;
use super::stdin::Decoder;
use super::{AHEAD, Error, Source};

/// Largest store in samples: a minute. Further samples wait in the pipe.
const MOST: usize = 60 * SAMPLE_RATE as usize;
/// Lead of the ear in samples for live sound: 16 ms, which is also its delay.
const AHEAD_LIVE: usize = 2 * HOP;
/// Time for which a pipe counts as live after it looked live.
const LIVE: Duration = Duration::from_secs(5);
/// Largest store that is not skipped (20 ms), and the rest that a skip leaves (10 ms), in samples.
const WORTH: usize = 20 * SAMPLE_RATE as usize / 1000;
const LEFT: usize = 10 * SAMPLE_RATE as usize / 1000;
/// Time without samples after which silence begins.
const QUIET: Duration = Duration::from_millis(300);
/// Time after which K1 reports a pipe that has not delivered anything yet.
const PATIENCE: Duration = Duration::from_secs(2);
const HOP_TIME: Duration = Duration::from_micros(HOP_US);
/// A reader that is later than this skips the missed silence.
const LATE: Duration = Duration::from_millis(100);
/// Smallest skip that K1 reports, in samples: a quarter of a second.
const NOTABLE: usize = SAMPLE_RATE as usize / 4;

const NOTHING_YET: &str = "nothing has come through standard input yet";

/// Standard input, or any other pipe, in real time.
pub struct PipeSource {
    pipe: Arc<Pipe>,
    presence: Presence,
    began: Instant,
    has_complained: bool,
}

#[derive(Debug)]
struct Pipe {
    store: Mutex<Store>,
    changed: Condvar,
}

#[derive(Debug)]
struct Store {
    samples: VecDeque<f32>,
    pace: Pace,
    end: Option<Result<(), io::Error>>,
    has_spoken: bool,
    /// What was taken last is silence in place of sound.
    is_silent: bool,
    silence_due: Instant,
    /// Time until which it counts as live sound.
    live_until: Instant,
    skips: u32,
    /// Skipped samples that were not reported yet.
    skipped: usize,
    is_dropped: bool,
}

impl PipeSource {
    /// Reads samples at `rate` from `pipe`.
    pub fn new(pipe: impl Read + Send + 'static, rate: u32) -> Result<Self, Error> {
        let decoder = Decoder::new(rate)?;
        let began = Instant::now();
        let store = Store {
            samples: VecDeque::new(),
            pace: Pace::default(),
            end: None,
            has_spoken: false,
            is_silent: false,
            silence_due: began + QUIET,
            live_until: began,
            skips: 0,
            skipped: 0,
            is_dropped: false,
        };
        let shared = Arc::new(Pipe { store: Mutex::new(store), changed: Condvar::new() });
        let filled = shared.clone();
        std::thread::Builder::new()
            .name("k1-pipe".into())
            .spawn(move || fill(pipe, decoder, &filled))
            .map_err(Error::Read)?;
        let presence = Presence::waiting_for(None, "standard input", NOTHING_YET);
        Ok(Self { pipe: shared, presence, began, has_complained: false })
    }
}

/// Reads samples as soon as they arrive.
fn fill(mut from: impl Read, mut decoder: Decoder, pipe: &Pipe) {
    let mut samples = Vec::new();
    loop {
        samples.clear();
        let end = match decoder.read(&mut from, &mut samples) {
            Ok(0) => Some(Ok(())),
            Ok(_) => None,
            Err(e) => Some(Err(e)),
        };
        let mut store = pipe.lock();
        store.arrive(&samples, Instant::now());
        let ends = end.is_some();
        store.end = end;
        while store.samples.len() >= MOST && !store.is_dropped && !ends {
            // From here on the writer has to wait for this program, so its timing says nothing.
            store.pace = Pace::default();
            store = pipe.changed.wait(store).unwrap_or_else(PoisonError::into_inner);
            store.pace = Pace::default();
        }
        let is_over = ends || store.is_dropped;
        drop(store);
        pipe.changed.notify_all();
        if is_over {
            return;
        }
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn arrive(&mut self, samples: &[f32], now: Instant) {
        if samples.is_empty() {
            return;
        }
        self.has_spoken = true;
        self.silence_due = now + QUIET;
        let least = self.pace.arrive(samples.len(), self.samples.len(), now);
        self.samples.extend(samples);
        if least.is_some() {
            self.live_until = now + LIVE;
        }
        if least.is_some_and(|least| least > WORTH) {
            let skip = self.samples.len().saturating_sub(LEFT);
            self.samples.drain(..skip);
            self.skips = self.skips.wrapping_add(1);
            self.skipped += skip;
            self.pace = Pace::default();
        }
    }

    /// Takes samples from the store, or silence that is due; `None` if there is neither yet.
    fn take(&mut self, out: &mut [f32], now: Instant) -> Option<Result<usize, io::Error>> {
        if !self.samples.is_empty() {
            let n = out.len().min(self.samples.len());
            out.iter_mut().zip(self.samples.drain(..n)).for_each(|(to, x)| *to = x);
            self.is_silent = false;
            return Some(Ok(n));
        }
        match self.end.take() {
            Some(Ok(())) => {
                self.end = Some(Ok(()));
                return Some(Ok(0));
            }
            Some(Err(e)) => {
                self.end = Some(Ok(()));
                return Some(Err(e));
            }
            None => {}
        }
        // Do not report sound from a pipe that has not delivered any.
        if !self.has_spoken || now < self.silence_due {
            return None;
        }
        let n = out.len().min(HOP);
        out[..n].fill(0.0);
        self.is_silent = true;
        let step = HOP_TIME.mul_f64(n as f64 / HOP as f64);
        self.silence_due = if now - self.silence_due > LATE { now } else { self.silence_due } + step;
        Some(Ok(n))
    }
}

impl Source for PipeSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        let mut store = self.pipe.lock();
        loop {
            let now = Instant::now();
            if let Some(taken) = store.take(out, now) {
                let skipped = std::mem::take(&mut store.skipped);
                drop(store);
                self.pipe.changed.notify_all();
                if self.presence.reason().is_some() {
                    self.presence.listens("standard input");
                }
                if skipped >= NOTABLE {
                    let seconds = skipped as f64 / f64::from(SAMPLE_RATE);
                    k1_host::say(format_args!(
                        "k1: {seconds:.1} s of sound had waited in the pipe and were skipped, so that the light is on time"
                    ));
                }
                return taken.map_err(Error::Read);
            }
            if !store.has_spoken && !self.has_complained && now - self.began > PATIENCE {
                self.has_complained = true;
                k1_host::say(format_args!("k1: {NOTHING_YET}; K1 listens as soon as something does"));
            }
            let due = if store.has_spoken { store.silence_due } else { self.began + PATIENCE };
            let pause = due.saturating_duration_since(now).clamp(Duration::from_millis(1), QUIET);
            store = self.pipe.changed.wait_timeout(store, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn title(&self) -> String {
        "standard input".into()
    }

    fn overruns(&self) -> u32 {
        self.pipe.lock().skips
    }

    fn is_away(&self) -> bool {
        self.pipe.lock().is_silent
    }

    fn ahead(&self) -> usize {
        if Instant::now() < self.pipe.lock().live_until { AHEAD_LIVE } else { AHEAD }
    }

    fn presence(&self) -> Option<Presence> {
        Some(self.presence.clone())
    }
}

impl Drop for PipeSource {
    fn drop(&mut self) {
        self.pipe.lock().is_dropped = true;
        self.pipe.changed.notify_all();
    }
}

/// Timing of the latest samples.
#[derive(Debug, Default)]
struct Pace(VecDeque<Arrival>);

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Instant,
    samples: usize,
    /// Size of the store just before.
    store: usize,
}

impl Pace {
    /// Samples must have come like live sound for at least this long, and in at least this many pieces.
    const LEAST: Duration = Duration::from_millis(800);
    const PIECES: usize = 6;
    /// Length of the history. Writers with pieces of half a second are judged after three pieces.
    const LONGEST: Duration = Duration::from_millis(3_200);
    /// Range of speeds that count as real time, to allow for clock differences and jitter.
    const REAL: std::ops::Range<f64> = 0.88..1.14;

    /// Records a piece. If samples have arrived at the pace of real time for a while, returns the smallest size of the store.
    fn arrive(&mut self, samples: usize, store: usize, at: Instant) -> Option<usize> {
        self.0.push_back(Arrival { at, samples, store });
        while self.0.front().is_some_and(|a| at - a.at > Self::LONGEST) {
            self.0.pop_front();
        }
        // The shortest recent period that is long enough.
        let first = (0..self.0.len().saturating_sub(Self::PIECES))
            .rev()
            .find(|i| at - self.0[*i].at >= Self::LEAST)?;
        let window = || self.0.range(first + 1..);
        let span = (at - self.0[first].at).as_secs_f64();
        let total: usize = window().map(|a| a.samples).sum();
        let largest = window().map(|a| a.samples).max()?;
        let gaps = self.0.range(first..).zip(window()).map(|(a, b)| b.at - a.at);
        let longest = gaps.max()?.as_secs_f64();
        let is_real = Self::REAL.contains(&(total as f64 / f64::from(SAMPLE_RATE) / span));
        // A pause followed by a burst may look like real time.
        let is_even = 3 * largest <= total && 3.0 * longest <= span;
        (is_real && is_even).then(|| window().map(|a| a.store).min()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: usize = SAMPLE_RATE as usize / 1000;

    /// A pipe of which the time is the test's.
    struct Bench {
        store: Store,
        now: Instant,
        heard: Vec<f32>,
        written: usize,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            let store = Store {
                samples: VecDeque::new(),
                pace: Pace::default(),
                end: None,
                has_spoken: false,
                is_silent: false,
                silence_due: now + QUIET,
                live_until: now,
                skips: 0,
                skipped: 0,
                is_dropped: false,
            };
            Self { store, now, heard: Vec::new(), written: 0 }
        }

        /// Writes `ms` of sound at once. All samples are different, and not 0.
        fn write(&mut self, ms: usize) {
            let samples: Vec<f32> = (0..ms * MS).map(|i| (self.written + i + 1) as f32).collect();
            self.written += samples.len();
            self.store.arrive(&samples, self.now);
        }

        /// The ear hears for `ms`.
        fn hear(&mut self, ms: usize) {
            for _ in 0..ms {
                let mut out = [0.0; MS];
                if let Some(Ok(n)) = self.store.take(&mut out, self.now) {
                    self.heard.extend(&out[..n]);
                }
                self.now += Duration::from_millis(1);
            }
        }

        /// How late the ear is, in ms.
        fn late(&self) -> usize {
            self.store.samples.len() / MS
        }
    }

    #[test]
    fn live_sound_that_waited_is_skipped_whatever_its_pieces() {
        for piece in [4, 10, 21, 64, 125, 250] {
            for before in [100, 500, 1_024, 16_000] {
                let mut pipe = Bench::new();
                pipe.write(before);
                for _ in 0..4_000 / piece {
                    pipe.hear(piece);
                    pipe.write(piece);
                }
                assert!(pipe.late() <= piece + 50, "pieces of {piece} after {before}: {} late", pipe.late());
                assert!(
                    pipe.store.skips <= 2,
                    "pieces of {piece} after {before}: {} skips",
                    pipe.store.skips
                );
            }
        }
    }

    #[test]
    fn live_sound_on_time_loses_nothing() {
        for piece in [1, 10, 64, 125, 250, 500] {
            let mut pipe = Bench::new();
            for n in 0..10_000 / piece {
                pipe.hear(piece + n % 3);
                pipe.write(piece);
            }
            assert_eq!(pipe.store.skips, 0, "pieces of {piece}");
        }
    }

    #[test]
    fn a_stop_and_continue_is_made_up_for() {
        for stop in [300, 1_000, 5_000] {
            let mut pipe = Bench::new();
            for _ in 0..200 {
                pipe.write(10);
                pipe.hear(10);
            }
            pipe.now += Duration::from_millis(stop);
            // The pipe has kept a second at most.
            pipe.write(stop.min(1_000) as usize);
            for _ in 0..120 {
                pipe.write(10);
                pipe.hear(10);
            }
            assert!(pipe.late() <= 60, "{stop} ms: {} late after 1.2 s", pipe.late());
        }
    }

    #[test]
    fn a_file_keeps_every_sample_whatever_its_writer_does() {
        // (length of a piece in ms, pause after it in ms, number of pieces), one after the other.
        let writers: [&[(usize, usize, usize)]; 6] = [
            &[(1_000, 0, 50)],                            // cat
            &[(64, 6, 400)],                              // ten times real time
            &[(64, 40, 300)],                             // half as fast again as real time
            &[(500, 0, 10), (0, 3_000, 1), (500, 0, 10)], // cat a; sleep 3; cat b
            &[(1_024, 1_000, 2), (1_024, 0, 30)],         // a slow start
            &[(200, 900, 5)],                             // far too slow
        ];
        for (i, writer) in writers.iter().enumerate() {
            let mut pipe = Bench::new();
            for (piece, pause, times) in writer.iter() {
                for _ in 0..*times {
                    pipe.write(*piece);
                    pipe.hear(*pause);
                }
            }
            while pipe.late() > 0 {
                pipe.hear(100);
            }
            assert_eq!(pipe.store.skips, 0, "writer {i}");
            let sound: Vec<f32> = pipe.heard.iter().copied().filter(|x| *x != 0.0).collect();
            assert_eq!(sound.len(), pipe.written, "writer {i}");
            assert!(sound.windows(2).all(|w| w[1] == w[0] + 1.0), "writer {i}: in order");
        }
    }

    #[test]
    fn a_pause_is_silence_at_the_pace_of_real_time_and_a_pipe_that_never_spoke_is_none() {
        let mut pipe = Bench::new();
        pipe.hear(2_000);
        assert!(pipe.heard.is_empty());
        pipe.write(100);
        pipe.hear(1_300);
        let silence = pipe.heard.iter().filter(|x| **x == 0.0).count();
        assert!((900 * MS..=1_010 * MS).contains(&silence), "{silence}");
        pipe.write(100);
        pipe.hear(100);
        assert_eq!(*pipe.heard.last().unwrap() as usize, pipe.written, "and goes on");
    }

    /// What a pipe really does: another thread writes into it, in pieces that cut samples.
    #[test]
    fn a_real_pipe_that_is_filled_at_once_comes_out_whole() {
        for rate in [16_000, 44_100] {
            let (reads, mut writes) = io::pipe().unwrap();
            let bytes: Vec<u8> = (1..=rate * 3).flat_map(|i| (i as f32).recip().to_le_bytes()).collect();
            let writer = std::thread::spawn(move || {
                for piece in bytes.chunks(9_999) {
                    io::Write::write_all(&mut writes, piece).unwrap();
                }
                io::Write::write_all(&mut writes, &[1, 2]).unwrap();
            });
            let mut source = PipeSource::new(reads, rate).unwrap();
            let mut out = [0.0; 777];
            let mut heard = 0;
            while let n @ 1.. = source.read(&mut out).unwrap() {
                heard += n;
            }
            writer.join().unwrap();
            assert!(heard.abs_diff(48_000) < 40, "{rate}: {heard}");
            assert_eq!((source.overruns(), source.read(&mut out).unwrap()), (0, 0));
            assert!(source.presence().unwrap().reason().is_none());
        }
    }

    #[test]
    fn a_pipe_that_breaks_says_so_after_its_last_sample() {
        struct Breaks(u32);
        impl Read for Breaks {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(io::ErrorKind::Interrupted.into()),
                    2 => {
                        buf[..8].fill(0);
                        Ok(8)
                    }
                    _ => Err(io::Error::other("it broke")),
                }
            }
        }
        let mut source = PipeSource::new(Breaks(0), 16_000).unwrap();
        let mut out = [9.0; 128];
        assert_eq!(source.read(&mut out).unwrap(), 2);
        assert!(source.read(&mut out).unwrap_err().to_string().contains("it broke"));
        assert_eq!(source.read(&mut out).unwrap(), 0);
    }
}
