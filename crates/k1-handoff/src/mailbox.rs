//! The parameter mailbox: any number of writers, one owner, the newest value of each slot wins.
//!
//! A slot is a 32-bit value and a bit that marks it as changed. There is no queue, so it cannot be full: a slider
//! that moves a hundred times between two frames costs the owner one visit.
//!
//! # Guarantees
//!
//! - **Nothing is lost.** After a [`post`](Mailbox::post) returns, a drain that begins later (or one already under
//!   way) visits each of its slots with its value, or with a later value of that slot.
//! - **A batch arrives together.** The same drain visits all slots of one `post`, each with the batch's value or a
//!   newer one.
//! - **Newer values may arrive early.** A slot visited because of one post may already hold the value of another post
//!   that is still under way; that value is visited *again* when the other post completes. A slot may therefore be
//!   visited twice with the same value (harmless, because values are absolute rather than steps), and two posts that
//!   overlap on the same slots can appear mixed for one drain. Values that must never appear mixed belong into one
//!   slot, or the owner has to check them as a whole.
//! - **Two writers racing on one slot** leave one of their two values, never a third. A drain after both have returned
//!   sees the one that remains.

use crate::order::{MAILBOX_DRAIN, MAILBOX_POST};
use crate::sync::{AtomicBool, AtomicU32, array_of, const_unless_loom};
use core::fmt;
use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

/// `N` slots of 32 bits, 1 ≤ `N` ≤ 32 (one mask word; other sizes do not compile). At first all are zero and
/// unchanged.
///
/// Memory: `4·N + 8` bytes. Writers share it by reference or by `Arc`. Writers and owner agree on the meaning of a
/// slot's bits, for most `f32::to_bits`.
///
/// ```
/// static PARAMS: k1_handoff::Mailbox<8> = k1_handoff::Mailbox::new();
/// let mut owner = PARAMS.take_owner().expect("nobody took it before");
///
/// PARAMS.post(&[(2, 0.5_f32.to_bits()), (5, 1)])?;
/// let mut seen = vec![];
/// owner.drain(|slot, value| seen.push((slot, value)));
/// assert_eq!(seen, [(2, 0.5_f32.to_bits()), (5, 1)]);
/// # Ok::<(), k1_handoff::SlotOutOfRange>(())
/// ```
///
/// A second owner does not compile:
///
/// ```compile_fail
/// let mut mailbox = k1_handoff::Mailbox::<4>::new();
/// let (writer, mut owner) = mailbox.split();
/// let mut second = owner.clone();
/// ```
pub struct Mailbox<const N: usize> {
    values: [AtomicU32; N],
    /// Bit `i` is set while slot `i` holds a value that the owner has not visited.
    dirty: AtomicU32,
    owner_taken: AtomicBool,
}

/// A batch named a slot that does not exist; nothing was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotOutOfRange {
    /// The first such slot.
    pub slot: usize,
    /// Number of slots.
    pub slots: usize,
}

impl fmt::Display for SlotOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no slot {}: the mailbox has {}, numbered from 0", self.slot, self.slots)
    }
}

impl core::error::Error for SlotOutOfRange {}

impl<const N: usize> Mailbox<N> {
    const_unless_loom! {
        /// A mailbox whose slots are all zero and unchanged; `const`, so that it can be a `static`.
        #[must_use]
        pub fn new() -> Self {
            const { assert!(N >= 1 && N <= 32) };
            Self {
                values: array_of![AtomicU32::new(0); N],
                dirty: AtomicU32::new(0),
                owner_taken: AtomicBool::new(false),
            }
        }
    }

    /// Posts a batch of `(slot, value)` pairs: all of them, or none if a slot is out of range.
    ///
    /// Never waits and is never refused for lack of space. It takes one store per pair and one fetch-or. If a batch
    /// names a slot twice, the last value counts; an empty batch does nothing.
    ///
    /// # Errors
    ///
    /// [`SlotOutOfRange`] if a slot is not below `N`.
    pub fn post(&self, changes: &[(usize, u32)]) -> Result<(), SlotOutOfRange> {
        // Check the whole batch first, because a stored value can be seen at any time.
        let mut mask = 0;
        for &(slot, _) in changes {
            if slot >= N {
                return Err(SlotOutOfRange { slot, slots: N });
            }
            mask |= 1_u32 << slot;
        }
        for &(slot, value) in changes {
            self.values[slot].store(value, Relaxed);
        }
        // One operation for all bits keeps the batch together.
        self.dirty.fetch_or(mask, MAILBOX_POST.get());
        Ok(())
    }

    /// The owner, once; then `None`, also after [`split`](Self::split).
    #[must_use = "the owner cannot be taken a second time"]
    pub fn take_owner(&self) -> Option<MailboxOwner<&Self>> {
        // Relaxed: the flag guards no data; it only has to be won once.
        if self.owner_taken.swap(true, Relaxed) { None } else { Some(MailboxOwner { mailbox: self }) }
    }

    /// The writers' end, which can be copied, and the owner. May be called again once both are gone; the next owner
    /// receives what was not drained.
    #[must_use]
    pub fn split(&mut self) -> (&Self, MailboxOwner<&Self>) {
        // Without this, a writer could take a second owner through its reference.
        self.owner_taken.store(true, Relaxed);
        (self, MailboxOwner { mailbox: self })
    }

    /// The writers' end, which can be cloned, and the owner.
    #[cfg(any(loom, feature = "std"))]
    #[must_use]
    pub fn channel() -> (std::sync::Arc<Self>, MailboxOwner<std::sync::Arc<Self>>) {
        let mailbox = std::sync::Arc::new(Self::new());
        mailbox.owner_taken.store(true, Relaxed);
        (mailbox.clone(), MailboxOwner { mailbox })
    }

    /// Value of a slot, visited or not. For models.
    #[cfg(loom)]
    #[doc(hidden)]
    pub fn value(&self, slot: usize) -> u32 {
        self.values[slot].load(Relaxed)
    }
}

impl<const N: usize> Default for Mailbox<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The receiving end. `S` is a reference to the mailbox or an `Arc` of it.
pub struct MailboxOwner<S> {
    mailbox: S,
}

impl<S, const N: usize> MailboxOwner<S>
where
    S: Deref<Target = Mailbox<N>>,
{
    /// Visits every slot posted since the last drain, in ascending order. Returns their number.
    ///
    /// Never waits: one swap, then one load per visited slot; without posts the swap alone. Posts during a drain are
    /// left for the next one, so it always ends. If `visit` panics, the remaining slots count as visited.
    pub fn drain(&mut self, mut visit: impl FnMut(usize, u32)) -> u32 {
        let mut dirty = self.mailbox.dirty.swap(0, MAILBOX_DRAIN.get());
        let slots = dirty.count_ones();
        while dirty != 0 {
            let slot = dirty.trailing_zeros() as usize;
            visit(slot, self.mailbox.values[slot].load(Relaxed));
            dirty &= dirty - 1;
        }
        slots
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn drained<S: Deref<Target = Mailbox<N>>, const N: usize>(
        owner: &mut MailboxOwner<S>,
    ) -> Vec<(usize, u32)> {
        let mut seen = Vec::new();
        let slots = owner.drain(|slot, value| seen.push((slot, value)));
        assert_eq!(slots as usize, seen.len());
        seen
    }

    #[test]
    fn the_newest_value_of_each_slot_is_visited_once() {
        let mut mailbox = Mailbox::<32>::new();
        let (writer, mut owner) = mailbox.split();
        assert_eq!(drained(&mut owner), []);
        assert_eq!(writer.post(&[(31, 1), (0, 2)]), Ok(()));
        assert_eq!(writer.post(&[(31, 3), (7, 4), (7, 5)]), Ok(()));
        assert_eq!(drained(&mut owner), [(0, 2), (7, 5), (31, 3)]);
        assert_eq!(drained(&mut owner), []);
    }

    #[test]
    fn a_batch_with_a_wrong_slot_changes_nothing() {
        let mut mailbox = Mailbox::<4>::new();
        let (writer, mut owner) = mailbox.split();
        assert_eq!(writer.post(&[(1, 9), (4, 9), (5, 9)]), Err(SlotOutOfRange { slot: 4, slots: 4 }));
        assert_eq!(writer.post(&[(usize::MAX, 9)]), Err(SlotOutOfRange { slot: usize::MAX, slots: 4 }));
        assert_eq!(writer.post(&[]), Ok(()));
        assert_eq!(drained(&mut owner), []);
        assert_eq!(writer.post(&[(0, 1)]), Ok(()));
        assert_eq!(drained(&mut owner), [(0, 1)], "slot 1 was not touched");
        let error = SlotOutOfRange { slot: 4, slots: 4 };
        assert_eq!(error.to_string(), "there is no slot 4: the mailbox has 4, numbered from 0");
    }

    #[test]
    fn there_is_one_owner() {
        let mailbox = Mailbox::<1>::default();
        assert!(mailbox.take_owner().is_some());
        assert!(mailbox.take_owner().is_none());
        let mut mailbox = Mailbox::<1>::new();
        {
            let (writer, _owner) = mailbox.split();
            assert!(writer.take_owner().is_none(), "a writer cannot make itself owner");
            assert_eq!(writer.post(&[(0, 3)]), Ok(()));
        }
        assert_eq!(drained(&mut mailbox.split().1), [(0, 3)], "the next owner finds what was left");
    }

    #[cfg(feature = "std")]
    #[test]
    fn owned_ends_outlive_the_scope_that_made_them() {
        let (writer, mut owner) = Mailbox::<2>::channel();
        assert!(writer.take_owner().is_none());
        let second = writer.clone();
        let threads = [
            std::thread::spawn(move || writer.post(&[(0, 1)])),
            std::thread::spawn(move || second.post(&[(1, 2)])),
        ];
        for thread in threads {
            assert_eq!(thread.join().expect("a writer does not panic"), Ok(()));
        }
        assert_eq!(drained(&mut owner), [(0, 1), (1, 2)]);
    }
}
