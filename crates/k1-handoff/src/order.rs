//! Every memory ordering of this crate stronger than `Relaxed`, in one table.
//!
//! The other files name a row of this table in place of an ordering. So the reason for each ordering is in one place,
//! and the loom build can weaken a single row at run time (`weaken`): one test binary proves for each row that loom
//! fails without it. A test below scans the sources for orderings outside the table; everything else is `Relaxed`.
//!
//! | Row | Operation | Without it |
//! |---|---|---|
//! | [`RING_CLAIM`] | writer's fence between a slot's new mark and its words | a reader sees a new word under the old mark: torn |
//! | [`RING_PUBLISH`] | writer's store of the published sequence number | a reader is sent to a slot whose words have not arrived |
//! | [`RING_LOOK`] | reader's load of the published sequence number | as above, from the reader's side |
//! | [`RING_RECHECK`] | reader's fence between a slot's words and the second look at its mark | the mark is looked at before the words: torn |
//! | [`MAILBOX_POST`] | writer's `fetch_or` of its batch into the dirty mask | the owner sees the bit and an old value |
//! | [`MAILBOX_DRAIN`] | owner's `swap` of the dirty mask | as above, from the owner's side |
//! | [`SWAP_PUBLISH`], release half | writer's `swap`, giving a frame away | the reader sees a frame that is not finished |
//! | [`SWAP_PUBLISH`], acquire half | writer's `swap`, taking a frame over | the writer paints over a frame still being read |
//! | [`SWAP_TAKE`], acquire half | reader's `swap`, taking a frame over | the reader sees a frame that is not finished |
//! | [`SWAP_TAKE`], release half | reader's `swap`, giving a frame back | the writer paints over a frame still being read |

use core::sync::atomic::Ordering;

/// A place in the code whose ordering matters for correctness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// File and operation, for the report of the mutation test.
    pub name: &'static str,
    /// The ordering used in production.
    pub ordering: Ordering,
    /// Whether it is a fence. A fence with a weakened ordering does nothing.
    pub is_fence: bool,
}

/// Writer's fence between a slot's new mark and its words.
pub const RING_CLAIM: Site = Site::fence_at("ring: claim fence", Ordering::Release);
/// Writer's store of the published sequence number.
pub const RING_PUBLISH: Site = Site::at("ring: publish store", Ordering::Release);
/// Reader's load of the published sequence number.
pub const RING_LOOK: Site = Site::at("ring: look load", Ordering::Acquire);
/// Reader's fence between a slot's words and the second look at its mark.
pub const RING_RECHECK: Site = Site::fence_at("ring: recheck fence", Ordering::Acquire);
/// Writer's `fetch_or` of its batch into the dirty mask.
pub const MAILBOX_POST: Site = Site::at("mailbox: post fetch_or", Ordering::Release);
/// Owner's `swap` of the dirty mask.
pub const MAILBOX_DRAIN: Site = Site::at("mailbox: drain swap", Ordering::Acquire);
/// Writer's `swap` of its finished frame for the one that waits.
pub const SWAP_PUBLISH: Site = Site::at("swap: publish swap", Ordering::AcqRel);
/// Reader's `swap` of its old frame for the one that waits.
pub const SWAP_TAKE: Site = Site::at("swap: take swap", Ordering::AcqRel);

impl Site {
    const fn at(name: &'static str, ordering: Ordering) -> Self {
        Self { name, ordering, is_fence: false }
    }

    const fn fence_at(name: &'static str, ordering: Ordering) -> Self {
        Self { name, ordering, is_fence: true }
    }

    /// The ordering to use here.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) const fn get(self) -> Ordering {
        self.ordering
    }

    /// Executes the fence.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn fence(self) {
        core::sync::atomic::fence(self.ordering);
    }
}

#[cfg(loom)]
pub use mutation::{Mutant, SITES, weaken};

#[cfg(loom)]
mod mutation {
    use super::{
        MAILBOX_DRAIN, MAILBOX_POST, Ordering, RING_CLAIM, RING_LOOK, RING_PUBLISH, RING_RECHECK,
        SWAP_PUBLISH, SWAP_TAKE, Site,
    };
    use std::cell::Cell;

    /// The whole table, for the test that weakens each row in turn.
    pub const SITES: [Site; 8] = [
        RING_CLAIM,
        RING_PUBLISH,
        RING_LOOK,
        RING_RECHECK,
        MAILBOX_POST,
        MAILBOX_DRAIN,
        SWAP_PUBLISH,
        SWAP_TAKE,
    ];

    /// A row of the table with half of its ordering removed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Mutant {
        /// The weakened row.
        pub site: Site,
        /// The remaining ordering; `Relaxed` for a fence means that the fence is gone.
        pub ordering: Ordering,
    }

    impl Mutant {
        /// Every mutant: one for each release and each acquire of the table.
        pub fn all() -> Vec<Self> {
            let halves = |ordering| match ordering {
                Ordering::AcqRel => vec![Ordering::Acquire, Ordering::Release],
                _ => vec![Ordering::Relaxed],
            };
            SITES
                .iter()
                .flat_map(|&site| {
                    halves(site.ordering).into_iter().map(move |ordering| Self { site, ordering })
                })
                .collect()
        }
    }

    // Loom runs all threads of a model on the calling thread of the operating system, so this reaches the whole model
    // and no other test of the same binary.
    thread_local!(static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) });

    /// Runs the models of this thread with `mutant` in force, or unchanged.
    pub fn weaken(mutant: Option<Mutant>) {
        MUTANT.set(mutant);
    }

    impl Site {
        /// The ordering to use here.
        pub(crate) fn get(self) -> Ordering {
            MUTANT.get().filter(|mutant| mutant.site == self).map_or(self.ordering, |mutant| mutant.ordering)
        }

        /// Executes the fence, unless the mutant in force removes it.
        pub(crate) fn fence(self) {
            if self.get() == self.ordering {
                loom::sync::atomic::fence(self.ordering);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    /// The mutation test proves the table; this test proves that nothing bypasses it.
    #[test]
    fn no_ordering_bypasses_the_table() {
        let sources = [
            include_str!("ring.rs"),
            include_str!("mailbox.rs"),
            include_str!("swap.rs"),
            include_str!("sync.rs"),
        ];
        for source in sources {
            for word in ["Acquire", "Release", "AcqRel", "SeqCst", "fence("] {
                let strays = source
                    .lines()
                    .map(|line| line.split("//").next().unwrap_or_default())
                    .filter(|code| code.contains(word) && !code.contains(".fence("));
                assert_eq!(strays.count(), 0, "{word} outside order.rs");
            }
        }
    }
}
