//! Two threads, a self-checking payload, and counts of what the reader saw.
//!
//! Shared by the short test (`tests/threads.rs`) and the long soak (`examples/soak.rs`).

use k1_handoff::{FrameSwap, Read, SnapshotRing};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// What all readers saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Number of calls of `read` or `take`.
    pub reads: u64,
    /// Calls that returned a value new to this reader.
    pub new: u64,
    /// Values that mix two publishes; must be 0.
    pub torn: u64,
    /// Values older than an earlier one of the same reader; must be 0.
    pub backwards: u64,
    /// Calls that gave up and kept the previous copy.
    pub contended: u64,
    /// Longest run of failed tries, across calls.
    pub worst_run: u64,
    /// Number of publishes during the run.
    pub publishes: u64,
    /// Frames that were replaced before they were taken (swap only).
    pub dropped: u64,
    /// Wall-clock time in seconds.
    pub seconds: f64,
}

impl Report {
    fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.new += other.new;
        self.torn += other.torn;
        self.backwards += other.backwards;
        self.contended += other.contended;
        self.worst_run = self.worst_run.max(other.worst_run);
    }
}

/// Writes the payload of a number: every word differs from the same word of every other number.
#[inline]
fn paint<const W: usize>(words: &mut [u32; W], number: u32) {
    for (index, word) in words.iter_mut().enumerate() {
        *word = expected(number, index as u32);
    }
}

/// Whether all words belong to `number`.
#[inline]
fn is_whole<const W: usize>(words: &[u32; W], number: u32) -> bool {
    // No early exit: this compiles to vector code, so that 10⁹ reads finish sooner.
    let mut difference = 0;
    for (index, word) in words.iter().enumerate() {
        difference |= word ^ expected(number, index as u32);
    }
    difference == 0
}

/// Word 0 is the number itself, so that a payload names its publish. The multiplier is odd, hence a bijection.
#[inline]
fn expected(number: u32, index: u32) -> u32 {
    number.wrapping_mul(index.wrapping_mul(0x9E37_79B2).wrapping_add(1)).wrapping_add(index)
}

/// Publishes until the readers are done, with a rest of `period` in between.
fn publish_until(done: &AtomicBool, period: Duration, mut publish: impl FnMut(u32)) -> u64 {
    let mut number = 0_u32;
    let mut publishes = 0;
    while !done.load(Relaxed) {
        number = number.wrapping_add(1);
        publish(number);
        publishes += 1;
        if !period.is_zero() {
            thread::sleep(period);
        }
    }
    publishes
}

/// `readers` threads share `reads` reads of a ring that another thread writes.
pub fn soak_ring<const W: usize, const K: usize>(reads: u64, readers: u64, period: Duration) -> Report {
    let mut ring = Box::new(SnapshotRing::<W, K>::new());
    let (mut writer, reader) = ring.split();
    let done = AtomicBool::new(false);
    let start = Instant::now();
    let mut report = Report::default();
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut words = [0; W];
            publish_until(&done, period, |number| {
                paint(&mut words, number);
                writer.publish(&words);
            })
        });
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(move || {
                    let mut seen = Report { reads: reads / readers, ..Report::default() };
                    let (mut words, mut last, mut run) = ([0; W], 0, 0);
                    for _ in 0..seen.reads {
                        match reader.read(&mut words) {
                            Read::Fresh { sequence, retries } => {
                                seen.new += u64::from(sequence != last);
                                seen.torn += u64::from(!is_whole(&words, sequence));
                                seen.backwards += u64::from(sequence.wrapping_sub(last) > u32::MAX / 2);
                                seen.worst_run = seen.worst_run.max(run + u64::from(retries));
                                (last, run) = (sequence, 0);
                            }
                            Read::Empty => {}
                            Read::Contended => {
                                // A kept copy has to be complete as well.
                                seen.torn += u64::from(last != 0 && !is_whole(&words, last));
                                seen.contended += 1;
                                run += 2;
                                seen.worst_run = seen.worst_run.max(run);
                            }
                        }
                    }
                    seen
                })
            })
            .collect();
        for reader in reading {
            report.add(&reader.join().expect("a reader does not panic"));
        }
        done.store(true, Relaxed);
        report.publishes = writing.join().expect("the writer does not panic");
    });
    report.seconds = start.elapsed().as_secs_f64();
    report
}

/// One thread takes `reads` times from a swap that another writes.
pub fn soak_swap<const W: usize>(reads: u64, period: Duration) -> Report {
    let mut swap = Box::new(FrameSwap::new([0; W], [0; W], [0; W]));
    let (mut writer, mut reader) = swap.split();
    let done = AtomicBool::new(false);
    let start = Instant::now();
    let mut report = Report { reads, ..Report::default() };
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut dropped = 0;
            let publishes = publish_until(&done, period, |number| {
                paint(writer.back(), number);
                dropped += u64::from(writer.publish());
            });
            (publishes, dropped)
        });
        let mut last = 0_u32;
        for _ in 0..reads {
            if let Some(frame) = reader.take() {
                let number = frame[0];
                report.new += 1;
                report.backwards += u64::from(number.wrapping_sub(last).wrapping_sub(1) > u32::MAX / 2);
                last = number;
            }
            // New or not: a taken frame must not change until the next is taken.
            report.torn += u64::from(last != 0 && !is_whole(black_box(reader.latest()), last));
        }
        done.store(true, Relaxed);
        (report.publishes, report.dropped) = writing.join().expect("the writer does not panic");
    });
    // Every frame is taken, dropped or still waiting at the end.
    let accounted = report.new + report.dropped;
    assert!(accounted == report.publishes || accounted + 1 == report.publishes, "{report:?}");
    report.seconds = start.elapsed().as_secs_f64();
    report
}
