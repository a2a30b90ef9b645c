//! The frame swap: one writer, one reader, frames change hands in place, the newest wins.
//!
//! Three frames exist. The writer owns one and paints it, the reader owns one and shows it, the third waits
//! between them. Who owns which is settled by swapping indices; no frame is ever copied.
//!
//! | Operation | The writer's frame | The waiting frame | The reader's frame |
//! |---|---|---|---|
//! | at first | a | b, old | c |
//! | `publish` | b | a, **fresh** | c |
//! | `take` | b | c, old | a |
//! | `publish`, `publish` | b | c, **fresh** (and what was in b is dropped) | a |
//!
//! The word between the two holds the index of the waiting frame and the fresh bit. Each swap of it gives a frame
//! away (release: the other side sees everything done to it) and takes one over (acquire: the other side is done
//! with it).

use crate::order::{SWAP_PUBLISH, SWAP_TAKE};
use crate::sync::{AtomicBool, AtomicU32, UnsafeCell, const_unless_loom};
use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

/// Set in the exchange word when the waiting frame was published and not yet taken.
const FRESH: u32 = 1 << 2;
/// The index of the waiting frame, 0 to 2.
const INDEX: u32 = FRESH - 1;

/// Which frame each party starts with.
const WRITER_FIRST: usize = 0;
const WAITING_FIRST: u32 = 1;
const READER_FIRST: usize = 2;

/// Three frames of `T` between one [`SwapWriter`] and one [`SwapReader`].
///
/// Memory: three `T` and 8 bytes. To go between threads `T` has to be `Send + Sync`; frames are plain arrays, and
/// a reader that several tasks of one core look at may then be shared by reference.
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
/// A second writer does not compile, and nobody keeps a frame that was given away:
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
/// Frames that several threads must not look at do not cross:
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

// SAFETY: a shared `FrameSwap` gives nothing but, once, its two ends. They never hold the same index (each changes
// its own only for the one it swapped out of the exchange word, and the three start different), so a `&mut T` and a
// `&T` never meet; the orderings of the two swaps keep uses of one frame by the two sides apart in time. Frames are
// used from both threads in turn, which takes `T: Send`; a shared `SwapReader` hands `&T` to several threads, which
// takes `T: Sync`.
unsafe impl<T: Send + Sync> Sync for FrameSwap<T> {}

impl<T> FrameSwap<T> {
    const_unless_loom! {
        /// A swap of three frames, none of them published; `const`, so that it can be a `static`.
        ///
        /// `a` is the one that the writer paints first, `c` the one that the reader sees until it takes another.
        #[must_use]
        pub fn new(a: T, b: T, c: T) -> Self {
            Self {
                frames: [UnsafeCell::new(a), UnsafeCell::new(b), UnsafeCell::new(c)],
                exchange: AtomicU32::new(WAITING_FIRST),
                taken: AtomicBool::new(false),
            }
        }
    }

    /// Both ends, once; `None` ever after, also when [`split`](Self::split) was called before.
    #[must_use = "the ends cannot be taken a second time"]
    pub fn take_ends(&self) -> Option<(SwapWriter<&Self>, SwapReader<&Self>)> {
        // Relaxed: the flag guards no data, it only has to be won once.
        if self.taken.swap(true, Relaxed) { None } else { Some(ends(self, self)) }
    }

    /// Both ends, borrowed. May be called again when they are gone: nothing counts as published then, and the
    /// frames have the places they had in [`new`](Self::new), with whatever was painted last in each.
    #[must_use]
    pub fn split(&mut self) -> (SwapWriter<&Self>, SwapReader<&Self>) {
        // Relaxed, both: `&mut` says that nobody else holds an end.
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

/// The pair of ends of one swap whose exchange word is as at first. Whoever calls this does it once per swap and
/// exclusive borrow: the soundness of everything below rests on it.
fn ends<S>(writer: S, reader: S) -> (SwapWriter<S>, SwapReader<S>) {
    (SwapWriter { swap: writer, index: WRITER_FIRST }, SwapReader { swap: reader, index: READER_FIRST })
}

/// The end that paints frames. `S` is a reference to the swap, or an `Arc` of it.
pub struct SwapWriter<S> {
    swap: S,
    index: usize,
}

impl<S, T> SwapWriter<S>
where
    S: Deref<Target = FrameSwap<T>>,
{
    /// The frame to paint. It holds *some* earlier frame, not the last one: paint all of it.
    #[inline]
    pub fn back(&mut self) -> &mut T {
        // SAFETY: frame `index` is this writer's: the index is neither the waiting one nor the reader's, and the
        // acquire half of the swap that brought it here put the reader's last use of it before this. `&mut self`
        // keeps the reference from outliving the next publish, or meeting another one.
        self.swap.frames[self.index].with_mut(|frame| unsafe { &mut *frame })
    }

    /// Gives the painted frame to the reader, as the newest.
    ///
    /// Returns whether that replaced a frame which the reader had never taken, a *dropped* frame. Wait-free: one
    /// swap.
    pub fn publish(&mut self) -> bool {
        let replaced = self.swap.exchange.swap(self.index as u32 | FRESH, SWAP_PUBLISH.get());
        self.index = (replaced & INDEX) as usize;
        replaced & FRESH != 0
    }
}

/// The end that shows frames. `S` is a reference to the swap, or an `Arc` of it.
pub struct SwapReader<S> {
    swap: S,
    index: usize,
}

impl<S, T> SwapReader<S>
where
    S: Deref<Target = FrameSwap<T>>,
{
    /// The newest frame, if one was published since the last call; gives the previous one back.
    ///
    /// Wait-free: one load when there is nothing new, otherwise one swap more.
    pub fn take(&mut self) -> Option<&T> {
        // Relaxed: only this reader clears the bit, so the swap below finds it set too, and synchronises.
        if self.swap.exchange.load(Relaxed) & FRESH == 0 {
            return None;
        }
        let waiting = self.swap.exchange.swap(self.index as u32, SWAP_TAKE.get());
        self.index = (waiting & INDEX) as usize;
        Some(self.latest())
    }

    /// The frame taken last, or the third one given to the swap before the first.
    #[inline]
    #[must_use]
    pub fn latest(&self) -> &T {
        // SAFETY: frame `index` is this reader's: the index is neither the waiting one nor the writer's, and the
        // acquire half of the swap that brought it here put the writer's last use of it before this. The
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
