//! The snapshot ring: one writer, any number of readers, the newest value wins.
//!
//! A plain sequence lock has one copy of the value; if its writer is preempted halfway, every reader spins. Here the
//! writer cycles through `K` copies, so that the newest complete one stays untouched for `K − 1` further publishes. A
//! reader that is overtaken nevertheless gives up after two tries and keeps its previous copy.
//!
//! # The protocol
//!
//! Each slot has a *mark*: the sequence number of the snapshot whose words it holds or is about to hold. The ring has
//! one *published* sequence number `n`, whose slot is `n mod K`.
//!
//! | Step | Writer, publishing `n` | Reader |
//! |---|---|---|
//! | 1 | slot's mark ← `n` (claim) | look: `n` ← published, acquire |
//! | 2 | **fence**, release | copy the words of slot `n mod K` |
//! | 3 | words ← payload | **fence**, acquire |
//! | 4 | published ← `n`, release | recheck: the slot's mark is still `n`, or the copy is thrown away |
//!
//! From step 4 to the reader's step 1, every word of snapshot `n` is visible, so a word can only be too *new*. A
//! reader of such a word must, by the pair of fences, also see the mark that claimed the slot for it. All words are
//! atomics, so that the race is defined behaviour (Boehm, *Can seqlocks get along with programming language memory
//! models?*, 2012). Boehm's writer marks a slot twice, odd before and even after. The second mark is left out on
//! purpose: the published number already says that the slot is complete, loom could not tell an ordering on a second
//! mark from its absence, and the reader saves a load.

use crate::order::{RING_CLAIM, RING_LOOK, RING_PUBLISH, RING_RECHECK};
use crate::sync::{AtomicBool, AtomicU32, array_of, const_unless_loom};
use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

/// Number of tries before a reader keeps its previous copy.
///
/// The second try starts at the newest slot again. To spoil it too, the writer has to finish `K − 1` publishes and
/// begin another during one copy: at `K` = 4 and a hop of 8 ms the reader has to be stopped for 24 ms, twice in a
/// row.
const TRIES: u8 = 2;

/// Mark of a slot 0 that was never written. Slot 0 holds only multiples of `K`, and `K` is even.
const NEVER: u32 = u32::MAX;

/// A mark as its slot stores it. A slot that was never written is all zeros, so that no image has to hold it.
#[inline(always)]
const fn stored(mark: u32) -> u32 {
    !mark
}

/// A ring of `K` copies of a payload of `W` words, for one [`RingWriter`] and any number of [`RingReader`]s.
///
/// `K` is a power of two and at least 2, so that the slots stay in step when the sequence number wraps; `W` is at
/// least 1. Other values do not compile. Memory: `4·K·(W + 1) + 8` bytes. Put it into internal RAM rather than PSRAM.
///
/// A second writer does not compile:
///
/// ```compile_fail
/// let mut ring: k1_handoff::SnapshotRing<8> = k1_handoff::SnapshotRing::new();
/// let (mut writer, reader) = ring.split();
/// let mut second = writer.clone();
/// ```
///
/// ```compile_fail
/// let mut ring: k1_handoff::SnapshotRing<8> = k1_handoff::SnapshotRing::new();
/// let (mut writer, _) = ring.split();
/// let (mut second, _) = ring.split();
/// writer.publish(&[0; 8]);
/// ```
///
/// A ring whose slots would fall out of step does not compile either:
///
/// ```compile_fail
/// static RING: k1_handoff::SnapshotRing<8, 3> = k1_handoff::SnapshotRing::new();
/// ```
pub struct SnapshotRing<const W: usize, const K: usize = 4> {
    /// Sequence number of the newest complete snapshot.
    published: AtomicU32,
    slots: [Slot<W>; K],
    writer_taken: AtomicBool,
}

struct Slot<const W: usize> {
    /// Sequence number of the snapshot to which these words belong, or will belong when they are complete; see
    /// [`stored`].
    mark: AtomicU32,
    words: [AtomicU32; W],
}

impl<const W: usize> Slot<W> {
    const_unless_loom! {
        fn new() -> Self {
            Self { mark: AtomicU32::new(stored(NEVER)), words: array_of![AtomicU32::new(0); W] }
        }
    }
}

impl<const W: usize, const K: usize> SnapshotRing<W, K> {
    const_unless_loom! {
        /// An empty ring; `const`, so that it can be a `static`.
        ///
        /// If the type is not written elsewhere, write `<SnapshotRing<W>>::new()`.
        #[must_use]
        pub fn new() -> Self {
            const { assert!(W >= 1 && K >= 2 && K.is_power_of_two()) };
            Self {
                published: AtomicU32::new(0),
                slots: array_of![Slot::<W>::new(); K],
                writer_taken: AtomicBool::new(false),
            }
        }
    }

    /// The writer, once; then `None`, also after [`split`](Self::split).
    ///
    /// It costs one 32-bit swap. If two cores ask at the same time, exactly one gets it.
    #[must_use = "the writer cannot be taken a second time"]
    pub fn take_writer(&self) -> Option<RingWriter<&Self>> {
        // Relaxed: the flag guards no data; it only has to be won once.
        if self.writer_taken.swap(true, Relaxed) { None } else { Some(self.writer()) }
    }

    /// A reader. There may be any number of them, before and after the writer is taken.
    #[must_use]
    pub fn reader(&self) -> RingReader<&Self> {
        RingReader { ring: self }
    }

    /// Both ends, borrowed. May be called again once they are gone; the sequence continues.
    #[must_use]
    pub fn split(&mut self) -> (RingWriter<&Self>, RingReader<&Self>) {
        // Relaxed: `&mut` proves that no end is in use.
        self.writer_taken.store(true, Relaxed);
        (self.writer(), RingReader { ring: self })
    }

    /// Both ends, owned.
    #[cfg(any(loom, feature = "std"))]
    #[must_use]
    pub fn channel() -> (RingWriter<std::sync::Arc<Self>>, RingReader<std::sync::Arc<Self>>) {
        let ring = std::sync::Arc::new(Self::new());
        (RingWriter { ring: ring.clone(), sequence: 0 }, RingReader { ring })
    }

    /// A ring as if `words` had just been published as number `sequence`, for tests and models of the wrap.
    #[cfg(any(test, loom))]
    #[doc(hidden)]
    pub fn starting_at(sequence: u32, words: &[u32; W]) -> Self {
        let ring = Self::new();
        RingWriter { ring: &ring, sequence: sequence.wrapping_sub(1) }.publish(words);
        ring
    }

    /// The single writer. The caller ensures that there is no other, so the relaxed load sees the last publish.
    fn writer(&self) -> RingWriter<&Self> {
        RingWriter { ring: self, sequence: self.published.load(Relaxed) }
    }

    #[inline(always)]
    fn slot(&self, sequence: u32) -> &Slot<W> {
        &self.slots[sequence as usize % K]
    }
}

impl<const W: usize, const K: usize> Default for SnapshotRing<W, K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The publishing end. `S` is a reference to the ring or an `Arc` of it.
pub struct RingWriter<S> {
    ring: S,
    /// Sequence number of the last publish; a private copy, so that the writer never reads what it shares.
    sequence: u32,
}

impl<S, const W: usize, const K: usize> RingWriter<S>
where
    S: Deref<Target = SnapshotRing<W, K>>,
{
    /// Makes `words` the newest snapshot and returns its sequence number: 1 for the first, 0 after 4,294,967,295.
    ///
    /// Wait-free: `W + 2` stores and one fence, whatever the readers do. A writer that is preempted halfway delays
    /// nobody: readers continue with the snapshot before.
    pub fn publish(&mut self, words: &[u32; W]) -> u32 {
        let sequence = self.sequence.wrapping_add(1);
        let slot = self.ring.slot(sequence);
        slot.mark.store(stored(sequence), Relaxed);
        // A mutant for the lamp in which `k1 validate` must find it: the number is published before the words.
        if cfg!(k1_broken_ring) {
            self.ring.published.store(sequence, Relaxed);
        }
        RING_CLAIM.fence();
        for (cell, word) in slot.words.iter().zip(words) {
            cell.store(*word, Relaxed);
        }
        self.ring.published.store(sequence, RING_PUBLISH.get());
        self.sequence = sequence;
        sequence
    }
}

/// A reading end. Clone it for every core or task that reads the snapshots.
#[derive(Clone, Copy)]
pub struct RingReader<S> {
    ring: S,
}

/// Result of [`RingReader::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Read {
    /// `out` holds the snapshot that was the newest when the last try began.
    Fresh {
        /// Its number. If it equals the previous one, nothing was published in between. Numbers wrap at 2³², so
        /// compare with `wrapping_sub`.
        sequence: u32,
        /// Number of discarded tries before this one, 0 or 1.
        retries: u8,
    },
    /// Nothing has been published; `out` is unchanged.
    Empty,
    /// The writer overtook both tries; `out` is unchanged. Count it and go on.
    Contended,
}

impl<S, const W: usize, const K: usize> RingReader<S>
where
    S: Deref<Target = SnapshotRing<W, K>>,
{
    /// Copies the newest snapshot into `out`, completely or not at all.
    ///
    /// Never waits: at most two tries of `W + 2` loads and one fence each. A try fails only if the writer meanwhile
    /// finishes `K − 1` further publishes and begins another. The copy is made on the stack and committed once it is
    /// known to be complete, which takes `4·W` bytes of stack besides `out`.
    ///
    /// Sequence numbers never go backwards for a reader, and are never older than a publish of which its core has
    /// learned by other means.
    ///
    /// One limit: a reader that is stopped in the middle of a copy for exactly a multiple of 2³² publishes (397 days
    /// at 8 ms) could take a torn copy for a complete one.
    pub fn read(&self, out: &mut [u32; W]) -> Read {
        // One array for both tries, filled in place: `array::from_fn` copied it across the stack three times.
        let mut copy = [0; W];
        for retries in 0..TRIES {
            let sequence = self.ring.published.load(RING_LOOK.get());
            let slot = self.ring.slot(sequence);
            for (word, cell) in copy.iter_mut().zip(&slot.words) {
                *word = cell.load(Relaxed);
            }
            RING_RECHECK.fence();
            let mark = stored(slot.mark.load(Relaxed));
            if mark == sequence {
                *out = copy;
                return Read::Fresh { sequence, retries };
            }
            if sequence == 0 && mark == NEVER {
                return Read::Empty;
            }
        }
        Read::Contended
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn empty_until_the_first_publish_and_then_the_newest() {
        let mut ring: SnapshotRing<3> = SnapshotRing::new();
        let (mut writer, reader) = ring.split();
        let mut copy = [7; 3];
        assert_eq!(reader.read(&mut copy), Read::Empty);
        assert_eq!(copy, [7; 3]);
        for n in 1..=20 {
            assert_eq!(writer.publish(&[n, n + 1, n + 2]), n);
            let other = reader;
            assert_eq!(other.read(&mut copy), Read::Fresh { sequence: n, retries: 0 });
            assert_eq!(copy, [n, n + 1, n + 2]);
        }
    }

    #[test]
    fn the_sequence_wraps_through_zero_without_looking_empty() {
        fn check<const K: usize>() {
            let start = u32::MAX - 9;
            let mut ring: SnapshotRing<1, K> = SnapshotRing::starting_at(start, &[0]);
            let (mut writer, reader) = ring.split();
            let mut copy = [0];
            for step in 1..30 {
                let sequence = start.wrapping_add(step);
                assert_eq!(writer.publish(&[step]), sequence);
                assert_eq!(reader.read(&mut copy), Read::Fresh { sequence, retries: 0 });
                assert_eq!(copy, [step]);
            }
        }
        check::<2>();
        check::<4>();
        check::<8>();
    }

    /// A reader finds the newest slot claimed again by a writer that has stopped for good: it changes nothing and
    /// ends.
    #[test]
    fn a_reader_lapped_twice_keeps_its_copy() {
        for sequence in [0, 1, u32::MAX] {
            let ring: SnapshotRing<2> = SnapshotRing::starting_at(sequence, &[0, 0]);
            ring.slot(sequence).mark.store(stored(sequence.wrapping_add(4)), Relaxed);
            let mut copy = [5, 6];
            assert_eq!(ring.reader().read(&mut copy), Read::Contended);
            assert_eq!(copy, [5, 6]);
        }
    }

    #[test]
    fn there_is_one_writer() {
        let mut ring: SnapshotRing<1> = SnapshotRing::new();
        {
            let mut writer = ring.take_writer().expect("the first asks");
            assert!(ring.take_writer().is_none());
            assert_eq!(writer.publish(&[1]), 1);
        }
        assert!(ring.take_writer().is_none(), "a writer that is gone does not come back");
        assert_eq!(ring.split().0.publish(&[2]), 2, "a later split goes on counting");

        let mut ring = <SnapshotRing<1>>::default();
        let _ = ring.split();
        assert!(ring.take_writer().is_none(), "split counts as taking");
    }

    #[cfg(feature = "std")]
    #[test]
    fn owned_ends_outlive_the_scope_that_made_them() {
        let (mut writer, reader) = SnapshotRing::<1, 4>::channel();
        let thread = std::thread::spawn(move || writer.publish(&[9]));
        assert_eq!(thread.join().expect("the writer does not panic"), 1);
        let mut copy = [0];
        assert_eq!(reader.clone().read(&mut copy), Read::Fresh { sequence: 1, retries: 0 });
        assert_eq!(copy, [9]);
    }
}
