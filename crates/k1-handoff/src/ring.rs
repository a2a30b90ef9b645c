//! The snapshot ring: one writer, any number of readers, the newest value wins.
//!
//! A plain sequence lock has one copy of the value; a writer that is preempted halfway leaves every reader
//! spinning. Here the writer walks around `K` copies, so that the newest whole one is left alone for `K − 1`
//! further publishes, and a reader that is overtaken nevertheless gives up after two tries and keeps what it had.
//!
//! # The protocol
//!
//! Each slot has a *mark*, the sequence number of the snapshot whose words it holds or is about to hold; the ring
//! has one *published* sequence number `n`, whose slot is `n mod K`.
//!
//! | Step | Writer, publishing `n` | Reader |
//! |---|---|---|
//! | 1 | slot's mark ← `n` (claim) | look: `n` ← published, acquire |
//! | 2 | **fence**, release | copy the words of slot `n mod K` |
//! | 3 | words ← payload | **fence**, acquire |
//! | 4 | published ← `n`, release | recheck: the slot's mark is still `n`, or the copy is thrown away |
//!
//! Step 4 to step 1 makes every word of snapshot `n` visible, so a word can only be too *new*; and whoever read
//! too new a word has, by the pair of fences, also to see the mark that claimed the slot for it. All words are
//! atomics, so that the race is defined behaviour (Boehm, *Can seqlocks get along with programming language memory
//! models?*, 2012). Boehm's writer marks a slot twice, odd before and even after. The second mark is
//! missing here on purpose: the published number already says that the slot is whole, loom could not tell an
//! ordering on a second mark from none, and the reader saves a load.

use crate::order::{RING_CLAIM, RING_LOOK, RING_PUBLISH, RING_RECHECK};
use crate::sync::{AtomicBool, AtomicU32, array_of, const_unless_loom};
use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

/// How often a reader tries before it keeps its previous copy.
///
/// The second try begins at the newest slot again. To spoil that one too the writer has to finish `K − 1` publishes
/// and begin another during one copy: at `K` = 4 and a hop of 8 ms the reader has to be stopped for 24 ms, twice in
/// a row.
const TRIES: u8 = 2;

/// Mark of a slot 0 that was never written. Slot 0 holds multiples of `K` only, and `K` is even.
const NEVER: u32 = u32::MAX;

/// A ring of `K` copies of a payload of `W` words, for one [`RingWriter`] and any number of [`RingReader`]s.
///
/// `K` is a power of two of at least 2 (so that the slots stay in step when the sequence number wraps), `W` is at
/// least 1; anything else does not compile. Memory: `4·K·(W + 1) + 8` bytes. Put it into internal RAM, not PSRAM.
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
/// Nor does a ring whose slots would fall out of step:
///
/// ```compile_fail
/// static RING: k1_handoff::SnapshotRing<8, 3> = k1_handoff::SnapshotRing::new();
/// ```
pub struct SnapshotRing<const W: usize, const K: usize = 4> {
    /// Sequence number of the newest whole snapshot.
    published: AtomicU32,
    slots: [Slot<W>; K],
    writer_taken: AtomicBool,
}

struct Slot<const W: usize> {
    /// Sequence number of the snapshot that these words belong to, or will when they are complete.
    mark: AtomicU32,
    words: [AtomicU32; W],
}

impl<const W: usize> Slot<W> {
    const_unless_loom! {
        fn new() -> Self {
            Self { mark: AtomicU32::new(NEVER), words: array_of![AtomicU32::new(0); W] }
        }
    }
}

impl<const W: usize, const K: usize> SnapshotRing<W, K> {
    const_unless_loom! {
        /// An empty ring; `const`, so that it can be a `static`.
        ///
        /// Where the type is not written anywhere else, write `<SnapshotRing<W>>::new()`.
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

    /// The writer, once; `None` for everybody after, also when [`split`](Self::split) was called before.
    ///
    /// Costs one 32-bit swap. Two cores may ask at the same time: exactly one gets it.
    #[must_use = "the writer cannot be taken a second time"]
    pub fn take_writer(&self) -> Option<RingWriter<&Self>> {
        // Relaxed: the flag guards no data, it only has to be won once.
        if self.writer_taken.swap(true, Relaxed) { None } else { Some(self.writer()) }
    }

    /// A reader; as many as you like, before or after the writer is taken.
    #[must_use]
    pub fn reader(&self) -> RingReader<&Self> {
        RingReader { ring: self }
    }

    /// Both ends, borrowed. May be called again when they are gone: the sequence goes on where it stood.
    #[must_use]
    pub fn split(&mut self) -> (RingWriter<&Self>, RingReader<&Self>) {
        // Relaxed: `&mut` says that nobody else holds an end.
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

    /// A ring as if `words` had just been published under `sequence`, for tests and models of the wrap.
    #[cfg(any(test, loom))]
    #[doc(hidden)]
    pub fn starting_at(sequence: u32, words: &[u32; W]) -> Self {
        let ring = Self::new();
        RingWriter { ring: &ring, sequence: sequence.wrapping_sub(1) }.publish(words);
        ring
    }

    /// The one writer; its caller has made sure that there is no other, so the relaxed load sees the last publish.
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

/// The one end that publishes. `S` is a reference to the ring, or an `Arc` of it.
pub struct RingWriter<S> {
    ring: S,
    /// Sequence number of the last publish; private, so that the writer never reads what it shares.
    sequence: u32,
}

impl<S, const W: usize, const K: usize> RingWriter<S>
where
    S: Deref<Target = SnapshotRing<W, K>>,
{
    /// Makes `words` the newest snapshot and returns its sequence number: 1 for the first, 0 after 4,294,967,295.
    ///
    /// Wait-free: `W + 2` stores and one fence, whatever the readers do. Preempted halfway it holds up nobody:
    /// readers go on with the snapshot before.
    pub fn publish(&mut self, words: &[u32; W]) -> u32 {
        let sequence = self.sequence.wrapping_add(1);
        let slot = self.ring.slot(sequence);
        slot.mark.store(sequence, Relaxed);
        // A mutant, for the lamp on which `k1 validate` must find it: told of before it is there.
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

/// An end that reads; clone it for every core or task that wants to see the snapshots.
#[derive(Clone, Copy)]
pub struct RingReader<S> {
    ring: S,
}

/// What became of one [`RingReader::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Read {
    /// `out` holds the snapshot that was the newest when the (last) try began.
    Fresh {
        /// Its number. The same as last time: nothing was published in between. Numbers wrap at 2³², so compare
        /// with `wrapping_sub`.
        sequence: u32,
        /// Tries that were thrown away before this one, 0 or 1.
        retries: u8,
    },
    /// Nothing was published yet; `out` is as it was.
    Empty,
    /// The writer came round the whole ring during both tries; `out` is as it was. Count it and go on.
    Contended,
}

impl<S, const W: usize, const K: usize> RingReader<S>
where
    S: Deref<Target = SnapshotRing<W, K>>,
{
    /// Copies the newest snapshot into `out`, whole or not at all.
    ///
    /// Never waits: at most two tries of `W + 2` loads and one fence each. A try fails only if meanwhile the writer
    /// finished `K − 1` further publishes and began another. The copy is made on the stack and committed when it is
    /// known to be whole, so this needs `4·W` bytes of stack beside `out`.
    ///
    /// A reader never sees sequence numbers go backwards, and never sees one older than a publish that its core
    /// has been told of by other means.
    ///
    /// The edge: a reader stopped in mid-copy for exactly a multiple of 2³² publishes (397 days at 8 ms) could
    /// take a torn copy for whole.
    pub fn read(&self, out: &mut [u32; W]) -> Read {
        // One array for both tries, filled in place: built by `array::from_fn` it went over the stack three times.
        let mut copy = [0; W];
        for retries in 0..TRIES {
            let sequence = self.ring.published.load(RING_LOOK.get());
            let slot = self.ring.slot(sequence);
            for (word, cell) in copy.iter_mut().zip(&slot.words) {
                *word = cell.load(Relaxed);
            }
            RING_RECHECK.fence();
            let mark = slot.mark.load(Relaxed);
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

    /// What a reader meets when the writer has claimed the newest slot again: stopped here for good, it changes
    /// nothing and ends.
    #[test]
    fn a_reader_lapped_twice_keeps_its_copy() {
        for sequence in [0, 1, u32::MAX] {
            let ring: SnapshotRing<2> = SnapshotRing::starting_at(sequence, &[0, 0]);
            ring.slot(sequence).mark.store(sequence.wrapping_add(4), Relaxed);
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
