//! How a value crosses from one core to another without anybody waiting.
//!
//! | Module | For | Writers → readers | Writer | Reader | Needs of the processor |
//! |---|---|---|---|---|---|
//! | [`ring`] | the audio [snapshot](SnapshotRing): copied, newest wins | 1 → any number | wait-free | at most two tries, else it keeps its previous copy | 32-bit load and store |
//! | [`mailbox`] | [parameters](Mailbox): single values, newest per slot wins | any number → 1 | wait-free | wait-free | 32-bit swap and fetch-or |
//! | [`swap`] | LED [frames](FrameSwap): moved in place, newest wins | 1 → 1 | wait-free | wait-free | 32-bit swap |
//!
//! One principle: **who may write is a matter of ownership, not of discipline.** The single writer of a ring, the
//! single owner of a mailbox and the two ends of a frame swap are values that cannot be cloned, so a second one
//! does not compile. (On cores without a fetch-or instruction, such as Xtensa, the compiler makes it from a
//! compare-and-swap loop: lock-free there, and wait-free only where the instruction exists.)
//!
//! # Getting the two ends
//!
//! Each primitive has the same three doors, and its ends are the same types behind each of them:
//!
//! - `split(&mut self)`: ends that borrow; for tests and scoped threads;
//! - `take_…(&self)`: for a `static`; gives the single end once and `None` ever after;
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
//! 320 words, x86-64 virtual machine with two busy cores, `benches/handoff.rs` (nanoseconds, medians):
//!
//! | | read into an array | write from an array | write and read in place |
//! |---|---|---|---|
//! | `Mutex<[u32; 320]>`, nobody else there | 38 to 51 | 37 to 50 | - |
//! | ring | 159 to 181 | 99 to 122 | - |
//! | frame swap | 17 to 19 | 30 to 37 | 24 to 44 |
//!
//! The ring is three to five times a mutex that nobody contends, because words that are atomics are copied one by
//! one and not by vector instructions. That is a fifth of a microsecond in 8 ms, and it buys a reader and a writer
//! that never wait.
//!
//! # What stands behind it
//!
//! No heap without `std`, no dependency, no 64-bit atomic (32-bit targets have none), no operating system. `unsafe`
//! is in [`swap`] alone. Every ordering and fence is a row of one table (`order.rs`), and the test suite removes
//! each in turn and demands that loom notices:
//!
//! - `RUSTFLAGS="--cfg loom" cargo test -p k1-handoff --release --test loom` explores every interleaving and every
//!   stale value that the memory model permits in small models, and kills every mutant. Its blind spots: loom has
//!   no load buffering (no load sees a store that comes later in time); it treats `SeqCst` as `AcqRel` (nothing here
//!   uses it); and it may reorder two threads' plain stores to one cell afterwards (tokio-rs/loom#282), which gives
//!   false alarms and concerns the values of the mailbox only.
//! - `cargo run -p k1-handoff --release --features std --example soak` reads a self-checking payload 10⁹ times from
//!   a second thread. On x86 it says little about fences (the processor hides their absence); it is meant for the
//!   chip.
//! - `cargo bench -p k1-handoff --features std` compares with a mutex and with another triple buffer.
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
