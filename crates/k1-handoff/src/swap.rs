//! The frame swap: one writer, one reader; frames change hands in place, and the newest wins.
//!
//! There are three frames. The writer owns and paints one, the reader owns and shows one, and the third waits between
//! them. Ownership moves by swapping indices; frames are never copied.
//!
//! | Operation | The writer's frame | The waiting frame | The reader's frame |
//! |---|---|---|---|
//! | at first | a | b, old | c |
//! | `publish` | b | a, **fresh** | c |
//! | `take` | b | c, old | a |
//! | `publish`, `publish` | b | c, **fresh** (and what was in b is dropped) | a |
//!
//! The exchange word holds the index of the waiting frame and the fresh bit. Each swap of it gives one frame away
//! (release: the other side sees everything done to it) and takes one over (acquire: the other side is done with it).

use crate::order::{SWAP_PUBLISH, SWAP_TAKE};
use crate::sync::{AtomicBool, AtomicU32, UnsafeCell, const_unless_loom};
use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

/// Set in the exchange word while the waiting frame is published and not yet taken.
const FRESH: u32 = 1 << 2;
/// Index of the waiting frame, 0 to 2.
const INDEX: u32 = FRESH - 1;

/// Initial frame of each party.
const WRITER_FIRST: usize = 0;
const WAITING_FIRST: u32 = 1;
const READER_FIRST: usize = 2;

/// Three frames of `T` between one [`SwapWriter`] and one [`SwapReader`].
///
/// Memory: three `T` and 8 bytes. To cross threads, `T` has to be `Send + Sync`; frames are plain arrays, and several
/// tasks of one core may share a reader by reference.
///
/// ```
/// let mut swap = k1_handoff::FrameSwap::new([0_u8; 3], [0; 3], [0; 3]);
/// let (mut writer, mut reader) = swap.split();
///
/// assert_eq!(reader.take(), None);
/// *writer.back() = [1, 2, 3];
/// assert!(!writer.publish());
/// assert_eq!(reader.take(), Some(&[1, 2, 3]));
/// assert_eq!(reader.take(), None);
/// assert_eq!(reader.latest(), &[1, 2, 3]);
/// ```
///
/// A second writer does not compile, and a frame that was given away cannot be kept:
///
/// ```compile_fail
/// let mut swap = k1_handoff::FrameSwap::new(0, 0, 0);
/// let (mut writer, _) = swap.split();
/// let mut second = writer.clone();
/// ```
///
/// ```compile_fail
/// let mut swap = k1_handoff::FrameSwap::new(0, 0, 0);
/// let (mut writer, _) = swap.split();
/// let back = writer.back();
/// writer.publish();
/// *back = 1;
/// ```
///
/// ```compile_fail
/// let mut swap = k1_handoff::FrameSwap::new(0, 0, 0);
/// let (_, mut reader) = swap.split();
/// let frame = reader.latest();
/// reader.take();
/// assert_eq!(*frame, 0);
/// ```
///
/// Frames that threads must not share do not cross:
///
/// ```compile_fail
/// fn crosses<T: Sync>(_: &T) {}
/// crosses(&k1_handoff::FrameSwap::new(std::cell::Cell::new(0), Default::default(), Default::default()));
/// ```
pub struct FrameSwap<T> {
    frames: [UnsafeCell<T>; 3],
    exchange: AtomicU32,
    taken: AtomicBool,
}

// SAFETY: a shared `FrameSwap` only gives out its two ends, once. They never hold the same index (each changes its
// own only for the one it swapped out of the exchange word, and the three start different), so a `&mut T` and a `&T`
// never meet; the orderings of the two swaps keep the two sides' uses of one frame apart in time. Both threads use
// frames in turn, which requires `T: Send`; a shared `SwapReader` hands `&T` to several threads, which requires `T:
// Sync`.
unsafe impl<T: Send + Sync> Sync for FrameSwap<T> {}

impl<T> FrameSwap<T> {
    const_unless_loom! {
        /// A swap of three unpublished frames; `const`, so that it can be a `static`.
        ///
        /// The writer paints `a` first; the reader sees `c` until it takes another frame.
        #[must_use]
        pub fn new(a: T, b: T, c: T) -> Self {
            Self {
                frames: [UnsafeCell::new(a), UnsafeCell::new(b), UnsafeCell::new(c)],
                exchange: AtomicU32::new(WAITING_FIRST),
                taken: AtomicBool::new(false),
            }
        }
    }

    /// Both ends, once; then `None`, also after [`split`](Self::split).
    #[must_use = "the ends cannot be taken a second time"]
    pub fn take_ends(&self) -> Option<(SwapWriter<&Self>, SwapReader<&Self>)> {
        // Relaxed: the flag guards no data; it only has to be won once.
        if self.taken.swap(true, Relaxed) { None } else { Some(ends(self, self)) }
    }

    /// Both ends, borrowed. May be called again once they are gone: then no frame counts as published, and the frames
    /// are where [`new`](Self::new) put them, with their last contents.
    #[must_use]
    pub fn split(&mut self) -> (SwapWriter<&Self>, SwapReader<&Self>) {
        // Both relaxed: `&mut` proves that no end is in use.
        self.taken.store(true, Relaxed);
        self.exchange.store(WAITING_FIRST, Relaxed);
        ends(self, self)
    }

    /// Both ends, owned.
    #[cfg(any(loom, feature = "std"))]
    #[must_use]
    pub fn channel(a: T, b: T, c: T) -> (SwapWriter<std::sync::Arc<Self>>, SwapReader<std::sync::Arc<Self>>) {
        let swap = std::sync::Arc::new(Self::new(a, b, c));
        ends(swap.clone(), swap)
    }
}

/// The ends of a swap whose exchange word has its initial value. The caller must call this once per swap and
/// exclusive borrow: the soundness of everything below rests on it.
fn ends<S>(writer: S, reader: S) -> (SwapWriter<S>, SwapReader<S>) {
    (SwapWriter { swap: writer, index: WRITER_FIRST }, SwapReader { swap: reader, index: READER_FIRST })
}

/// The painting end. `S` is a reference to the swap or an `Arc` of it.
pub struct SwapWriter<S> {
    swap: S,
    index: usize,
}

impl<S, T> SwapWriter<S>
where
    S: Deref<Target = FrameSwap<T>>,
{
    /// The frame to paint. It holds *some* earlier frame, which may not be the last one, so paint all of it.
    #[inline]
    pub fn back(&mut self) -> &mut T {
        // SAFETY: frame `index` belongs to this writer: the index is neither the waiting one nor the reader's, and
        // the acquire half of the swap that brought it here put the reader's last use of it before this. `&mut self`
        // keeps the reference from outliving the next publish and from meeting another one.
        self.swap.frames[self.index].with_mut(|frame| unsafe { &mut *frame })
    }

    /// Makes the painted frame the newest for the reader.
    ///
    /// Returns whether it replaced a frame that the reader had not taken (a *dropped* frame). Wait-free: one swap.
    pub fn publish(&mut self) -> bool {
        let replaced = self.swap.exchange.swap(self.index as u32 | FRESH, SWAP_PUBLISH.get());
        self.index = (replaced & INDEX) as usize;
        replaced & FRESH != 0
    }
}

/// The showing end. `S` is a reference to the swap or an `Arc` of it.
pub struct SwapReader<S> {
    swap: S,
    index: usize,
}

impl<S, T> SwapReader<S>
where
    S: Deref<Target = FrameSwap<T>>,
{
    /// The newest frame if one was published since the last call; gives the previous one back.
    ///
    /// Wait-free: one load if there is no new frame, otherwise one swap more.
    pub fn take(&mut self) -> Option<&T> {
        // Relaxed: only this reader clears the bit, so the swap below finds it set too, and synchronises.
        if self.swap.exchange.load(Relaxed) & FRESH == 0 {
            return None;
        }
        let waiting = self.swap.exchange.swap(self.index as u32, SWAP_TAKE.get());
        self.index = (waiting & INDEX) as usize;
        Some(self.latest())
    }

    /// The frame taken last; before the first, the third frame of [`FrameSwap::new`].
    #[inline]
    #[must_use]
    pub fn latest(&self) -> &T {
        // SAFETY: frame `index` belongs to this reader: the index is neither the waiting one nor the writer's, and
        // the acquire half of the swap that brought it here put the writer's last use of it before this. The
        // reference borrows `self`, and only `take(&mut self)` gives the frame back.
        self.swap.frames[self.index].with(|frame| unsafe { &*frame })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_frame_is_taken_and_drops_are_told() {
        let mut swap = FrameSwap::new(10, 20, 30);
        let (mut writer, mut reader) = swap.split();
        assert_eq!(reader.take(), None);
        assert_eq!(*reader.latest(), 30);
        *writer.back() = 1;
        assert!(!writer.publish(), "nothing was waiting");
        *writer.back() = 2;
        assert!(writer.publish(), "frame 1 was never taken");
        assert_eq!(*reader.latest(), 30, "taking is the reader's decision");
        assert_eq!(reader.take(), Some(&2));
        assert_eq!(reader.take(), None);
        assert_eq!(*reader.latest(), 2);
        *writer.back() = 3;
        assert!(!writer.publish());
    }

    #[test]
    fn the_ends_are_given_once() {
        let swap = FrameSwap::new(0, 0, 0);
        assert!(swap.take_ends().is_some());
        assert!(swap.take_ends().is_none());
    }

    #[test]
    fn a_later_split_starts_over() {
        let mut swap = FrameSwap::new(1, 2, 3);
        for round in 0..5 {
            let (mut writer, mut reader) = swap.split();
            assert_eq!(reader.take(), None, "nothing counts as published");
            for frame in 0..=round {
                *writer.back() = frame;
                writer.publish();
            }
            if round % 2 == 0 {
                assert_eq!(reader.take(), Some(&round));
            }
        }
        assert!(swap.take_ends().is_none(), "split counts as taking");
    }

    #[test]
    fn every_frame_is_dropped_once() {
        let counter = std::rc::Rc::new(());
        let mut swap = FrameSwap::new(counter.clone(), counter.clone(), counter.clone());
        let (mut writer, mut reader) = swap.split();
        *writer.back() = counter.clone();
        writer.publish();
        assert!(reader.take().is_some());
        drop(swap);
        assert_eq!(std::rc::Rc::strong_count(&counter), 1);
    }

    #[cfg(feature = "std")]
    #[test]
    fn owned_ends_outlive_the_scope_that_made_them() {
        let (mut writer, mut reader) = FrameSwap::channel([0; 4], [0; 4], [0; 4]);
        let thread = std::thread::spawn(move || {
            *writer.back() = [1; 4];
            writer.publish()
        });
        assert!(!thread.join().expect("the writer does not panic"));
        assert_eq!(reader.take(), Some(&[1; 4]));
    }
}
