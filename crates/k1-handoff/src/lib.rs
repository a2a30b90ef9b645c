//! Hand-off: how a value crosses from one core to another without waiting.
//!
//! | Module | For | Writers → readers | Writer | Reader | Needs of the processor |
//! |---|---|---|---|---|---|
//! | [`ring`] | the audio [snapshot](SnapshotRing): copied, newest wins | 1 → any number | wait-free | at most two tries, else it keeps its previous copy | 32-bit load and store |
//! | [`mailbox`] | [parameters](Mailbox): single values, newest per slot wins | any number → 1 | wait-free | wait-free | 32-bit swap and fetch-or |
//! | [`swap`] | LED [frames](FrameSwap): moved in place, newest wins | 1 → 1 | wait-free | wait-free | 32-bit swap |
//!
//! **Ownership decides who may write.** The single writer of a ring, the single owner of a mailbox and the two ends
//! of a frame swap are values that cannot be cloned, so a second one does not compile. (Without a fetch-or
//! instruction, as on Xtensa, the compiler emits a compare-and-swap loop, which is lock-free but not wait-free.)
//!
//! # Getting the two ends
//!
//! Each primitive offers its ends in the same three ways, with the same types:
//!
//! - `split(&mut self)`: ends that borrow; for tests and scoped threads;
//! - `take_…(&self)`: for a `static`; returns the single end once, then always `None`;
//! - `channel(…)`, with feature `std`: ends that share an `Arc`; for threads.
//!
//! ```
//! use k1_handoff::{Read, SnapshotRing};
//!
//! static SNAPSHOTS: SnapshotRing<2> = SnapshotRing::new();
//!
//! let mut writer = SNAPSHOTS.take_writer().expect("nobody took it before");
//! assert!(SNAPSHOTS.take_writer().is_none());
//!
//! let reader = SNAPSHOTS.reader();
//! let mut copy = [0; 2];
//! assert_eq!(reader.read(&mut copy), Read::Empty);
//! writer.publish(&[3, 4]);
//! assert_eq!(reader.read(&mut copy), Read::Fresh { sequence: 1, retries: 0 });
//! assert_eq!(copy, [3, 4]);
//! ```
//!
//! # What it costs
//!
//! Measured with 320 words on a virtual x86-64 machine with two busy cores by `benches/handoff.rs` (medians in ns):
//!
//! | | read into an array | write from an array | write and read in place |
//! |---|---|---|---|
//! | `Mutex<[u32; 320]>`, uncontended | 38 to 51 | 37 to 50 | - |
//! | ring | 159 to 181 | 99 to 122 | - |
//! | frame swap | 17 to 19 | 30 to 37 | 24 to 44 |
//!
//! The ring takes three to five times as long as an uncontended mutex, because its words are atomics, which are
//! copied one by one rather than by vector instructions. That is a fifth of a microsecond in 8 ms, for a reader and a
//! writer that never wait.
//!
//! # What it rests on
//!
//! No heap without `std`, no dependency, no 64-bit atomics (32-bit targets have none), no operating system. [`swap`]
//! alone contains `unsafe`. Every ordering and fence is a row of one table (`order.rs`); the test suite weakens each
//! in turn and requires that loom notices:
//!
//! - `RUSTFLAGS="--cfg loom" cargo test -p k1-handoff --release --test loom` explores every interleaving and every
//!   stale value that the memory model permits in small models, and must catch every mutant. Its limits: loom has no
//!   load buffering (a load never sees a store that comes later in time); it treats `SeqCst` as `AcqRel` (not used
//!   here); and it may reorder two threads' plain stores to one cell afterwards (tokio-rs/loom#282), which causes
//!   false alarms for the values of the mailbox only.
//! - `cargo run -p k1-handoff --release --features std --example soak` reads a self-checking payload 10⁹ times from
//!   a second thread. On x86 it says little about fences, whose absence that processor hides; it is meant for chips.
//! - `cargo bench -p k1-handoff --features std` compares it with a mutex and with another triple buffer.
#![cfg_attr(not(any(test, loom, feature = "std")), no_std)]
#![deny(missing_docs, clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

pub mod mailbox;
pub mod ring;
pub mod swap;

#[cfg(not(loom))]
mod order;
#[cfg(loom)]
pub mod order;
mod sync;

pub use mailbox::{Mailbox, MailboxOwner, SlotOutOfRange};
pub use ring::{Read, RingReader, RingWriter, SnapshotRing};
pub use swap::{FrameSwap, SwapReader, SwapWriter};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
