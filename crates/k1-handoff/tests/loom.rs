//! Every interleaving and every stale value, in models small enough for complete exploration.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p k1-handoff --release --test loom -- --nocapture`
//!
//! A model that silently explores less proves less, so each states its number of executions when it was written, and
//! fails below that. Limits: loom has no load buffering, and treats `SeqCst` as `AcqRel` (not used here).
#![cfg(loom)]

use k1_handoff::order::{Mutant, weaken};
use k1_handoff::{FrameSwap, Mailbox, Read, RingReader, SnapshotRing};
use loom::thread;
use std::cell::Cell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// A model and its reach.
struct Model {
    name: &'static str,
    body: fn(),
    /// Limit of preemptions; `None` = all interleavings.
    bound: Option<usize>,
    /// Number of executions when the model was written (loom 0.7.2).
    recorded: usize,
}

const MODELS: [Model; 11] = [
    Model { name: "ring_k2_w4r1", body: ring_k2_w4r1, bound: None, recorded: 2_111_192 },
    Model { name: "ring_k2_w2r2", body: ring_k2_w2r2, bound: None, recorded: 80_683 },
    Model { name: "ring_k4_w2r2", body: ring_k4_w2r2, bound: None, recorded: 44 },
    Model { name: "ring_k4_w1_2readers", body: ring_k4_w1_2readers, bound: None, recorded: 84 },
    // Without a bound it did not end within nine minutes.
    Model { name: "ring_k2_w2_2readers", body: ring_k2_w2_2readers, bound: Some(3), recorded: 45_437 },
    Model { name: "ring_k2_wrap", body: ring_k2_wrap, bound: None, recorded: 12_722 },
    Model { name: "mailbox_batches_w2o2", body: mailbox_batches, bound: None, recorded: 330 },
    Model { name: "mailbox_one_slot_w2o2", body: mailbox_one_slot, bound: None, recorded: 3_668 },
    Model { name: "mailbox_overlap_w1o2", body: mailbox_overlap, bound: None, recorded: 191 },
    Model { name: "swap_w3r3", body: swap_w3r3, bound: None, recorded: 447 },
    Model { name: "ends_taken_once", body: ends_taken_once, bound: None, recorded: 40 },
];

impl Model {
    /// Explores the model, counting executions; panics as soon as one of them fails.
    fn explore(&self, executions: &Arc<AtomicUsize>) {
        let (body, executions) = (self.body, executions.clone());
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.bound;
        builder.check(move || {
            executions.fetch_add(1, Relaxed);
            body();
        });
    }
}

fn explore(name: &str) {
    let model = MODELS.iter().find(|model| model.name == name).expect("the test names a model");
    let (executions, start) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    model.explore(&executions);
    let executions = executions.load(Relaxed);
    println!("loom {name}: {executions} executions, {:.1} s", start.elapsed().as_secs_f32());
    assert!(executions >= model.recorded, "{executions} executions, {} recorded", model.recorded);
}

macro_rules! explore_each {
    ($($name:ident)*) => { $(mod $name { #[test] fn explored() { super::explore(stringify!($name)); } })* };
}
explore_each! {
    ring_k2_w4r1 ring_k2_w2r2 ring_k4_w2r2 ring_k4_w1_2readers ring_k2_w2_2readers ring_k2_wrap
    mailbox_batches_w2o2 mailbox_one_slot_w2o2 mailbox_overlap_w1o2
    swap_w3r3 ends_taken_once
}

// ---- the ring ----

/// Words of a sequence number; no two snapshots share one.
fn payload(sequence: u32) -> [u32; 2] {
    [sequence.wrapping_mul(2).wrapping_add(101), sequence.wrapping_mul(2).wrapping_add(102)]
}

/// Reads once and asserts every guarantee. Returns the last sequence number and the retries.
fn read_whole<S, const K: usize>(reader: &RingReader<S>, copy: &mut [u32; 2], last: u32) -> (u32, u8)
where
    S: Deref<Target = SnapshotRing<2, K>>,
{
    let before = *copy;
    match reader.read(copy) {
        Read::Fresh { sequence, retries } => {
            assert_eq!(*copy, payload(sequence), "torn");
            assert!(sequence.wrapping_sub(last) < u32::MAX / 2, "backwards");
            (sequence, retries)
        }
        Read::Empty => {
            assert_eq!((*copy, last), (before, 0), "empty after a snapshot");
            (last, 0)
        }
        Read::Contended => {
            assert_eq!(*copy, before, "contended, but the previous copy is gone");
            (last, 2)
        }
    }
}

fn ring_k2_w4r1() {
    let (mut writer, reader) = SnapshotRing::<2, 2>::channel();
    let writes = thread::spawn(move || (1..=4).for_each(|n| assert_eq!(writer.publish(&payload(n)), n)));
    let mut copy = [0; 2];
    let (last, _) = read_whole(&reader, &mut copy, 0);
    writes.join().unwrap();
    assert_eq!(read_whole(&reader, &mut copy, last), (4, 0), "a read after the last publish gets it at once");
}

fn ring_k2_w2r2() {
    two_reads::<2>();
}

/// With four slots, two publishes cannot reach the slot being read, so there is never a retry.
fn ring_k4_w2r2() {
    assert_eq!(two_reads::<4>(), 0, "retried although not lapped");
}

/// Two publishes, two reads. Returns the number of discarded tries.
fn two_reads<const K: usize>() -> u8 {
    let (mut writer, reader) = SnapshotRing::<2, K>::channel();
    let writes = thread::spawn(move || (1..=2).for_each(|n| assert_eq!(writer.publish(&payload(n)), n)));
    let mut copy = [0; 2];
    let (last, first_retries) = read_whole(&reader, &mut copy, 0);
    let (last, second_retries) = read_whole(&reader, &mut copy, last);
    writes.join().unwrap();
    assert_eq!(read_whole(&reader, &mut copy, last), (2, 0));
    first_retries + second_retries
}

fn ring_k4_w1_2readers() {
    two_readers::<4>(1);
}

fn ring_k2_w2_2readers() {
    two_readers::<2>(2);
}

fn two_readers<const K: usize>(publishes: u32) {
    let (mut writer, reader) = SnapshotRing::<2, K>::channel();
    let second = reader.clone();
    let writes =
        thread::spawn(move || (1..=publishes).for_each(|n| assert_eq!(writer.publish(&payload(n)), n)));
    let reads = thread::spawn(move || read_whole(&second, &mut [0; 2], 0).0);
    read_whole(&reader, &mut [0; 2], 0);
    reads.join().unwrap();
    writes.join().unwrap();
}

/// Across 2³², where 0 is an ordinary number and must not look "empty".
fn ring_k2_wrap() {
    let start = u32::MAX;
    let ring = Arc::new(SnapshotRing::<2, 2>::starting_at(start, &payload(start)));
    let writing = ring.clone();
    let writes = thread::spawn(move || {
        let mut writer = writing.take_writer().unwrap();
        (0..=2).for_each(|n| assert_eq!(writer.publish(&payload(n)), n));
    });
    let mut copy = payload(start);
    let (last, _) = read_whole(&ring.reader(), &mut copy, start);
    writes.join().unwrap();
    assert_eq!(read_whole(&ring.reader(), &mut copy, last), (2, 0));
}

// ---- the mailbox ----

/// Two writers, two batches of two slots each; every drain sees a batch completely or not at all.
fn mailbox_batches() {
    let (mailbox, mut owner) = Mailbox::<4>::channel();
    let writer = mailbox.clone();
    let first = thread::spawn(move || writer.post(&[(0, 11), (2, 12)]).unwrap());
    let second = thread::spawn(move || mailbox.post(&[(1, 21), (3, 22)]).unwrap());
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut drain = Vec::new();
        owner.drain(|slot, value| drain.push((slot, value)));
        let part = |batch: [(usize, u32); 2]| batch.iter().filter(|change| drain.contains(change)).count();
        assert_eq!(drain.len(), part([(0, 11), (2, 12)]) + part([(1, 21), (3, 22)]), "a value nobody posted");
        assert!(part([(0, 11), (2, 12)]) != 1 && part([(1, 21), (3, 22)]) != 1, "half a batch");
        seen.extend(drain);
    }
    first.join().unwrap();
    second.join().unwrap();
    owner.drain(|slot, value| seen.push((slot, value)));
    seen.sort_unstable();
    assert_eq!(seen, [(0, 11), (1, 21), (2, 12), (3, 22)], "each change exactly once");
}

/// Two writers race on one slot: the last drain saw the value that remains.
///
/// One post each, because loom does not keep the order of two threads' plain stores to one cell once a third follows
/// (tokio-rs/loom#282): with a second post it reports a slot that returns to its own writer's previous value, which
/// coherence forbids.
fn mailbox_one_slot() {
    let (mailbox, mut owner) = Mailbox::<1>::channel();
    let (writer, probe) = (mailbox.clone(), mailbox.clone());
    let first = thread::spawn(move || writer.post(&[(0, 1)]).unwrap());
    let second = thread::spawn(move || mailbox.post(&[(0, 2)]).unwrap());
    let mut seen = Vec::new();
    for _ in 0..2 {
        owner.drain(|_, value| seen.push(value));
    }
    first.join().unwrap();
    second.join().unwrap();
    owner.drain(|_, value| seen.push(value));
    assert!(!seen.is_empty() && seen.iter().all(|value| [1, 2].contains(value)), "a value nobody posted");
    assert_eq!(seen.last(), Some(&probe.value(0)), "the value that stays was not seen");
}

/// One writer, two batches on the same slots: an old value never follows a new one, and both slots arrive.
fn mailbox_overlap() {
    let (mailbox, mut owner) = Mailbox::<2>::channel();
    let writes = thread::spawn(move || (1..=2).for_each(|n| mailbox.post(&[(0, n), (1, n)]).unwrap()));
    let mut last = [0; 2];
    for _ in 0..2 {
        let before = last;
        let mut lowest = u32::MAX;
        let slots = owner.drain(|slot, value| {
            assert!(value >= before[slot], "a slot went backwards");
            last[slot] = value;
            lowest = lowest.min(value);
        });
        assert!(slots == 0 || slots == 2 && lowest >= 1, "half a batch, or an old value under a new bit");
    }
    writes.join().unwrap();
    owner.drain(|slot, value| last[slot] = value);
    assert_eq!(last, [2, 2]);
}

// ---- the frame swap ----

/// Three publishes, three takes. Loom's cell checks that no two uses of a frame overlap.
fn swap_w3r3() {
    let (mut writer, mut reader) = FrameSwap::channel([0; 2], [0; 2], [0; 2]);
    let writes = thread::spawn(move || {
        let mut dropped = 0;
        for n in 1..=3 {
            *writer.back() = payload(n);
            dropped += usize::from(writer.publish());
        }
        dropped
    });
    let (mut last, mut taken) = ([0; 2], 0);
    let mut take = |last: &mut [u32; 2]| {
        if let Some(&frame) = reader.take() {
            assert!((1..=3).any(|n| frame == payload(n)), "not a whole frame");
            assert!(frame > *last, "backwards, or taken twice");
            (*last, taken) = (frame, taken + 1);
        }
        // A second look, as late as the frame is ours; loom checks this use too.
        assert_eq!(reader.latest(), last);
    };
    for _ in 0..3 {
        take(&mut last);
    }
    let dropped = writes.join().unwrap();
    take(&mut last);
    assert_eq!(last, payload(3), "the newest frame was lost");
    assert_eq!(taken + dropped, 3, "each frame is taken or counted as dropped");
}

// ---- ownership of the single ends ----

/// Two threads ask a shared primitive for its single end; exactly one gets it.
fn ends_taken_once() {
    let shared = Arc::new((SnapshotRing::<1, 2>::new(), Mailbox::<1>::new(), FrameSwap::new(0, 0, 0)));
    let takes = |shared: &(SnapshotRing<1, 2>, Mailbox<1>, FrameSwap<i32>)| {
        [shared.0.take_writer().is_some(), shared.1.take_owner().is_some(), shared.2.take_ends().is_some()]
    };
    let other = shared.clone();
    let theirs = thread::spawn(move || takes(&other));
    let ours = takes(&shared);
    let theirs = theirs.join().unwrap();
    assert!((0..3).all(|end| ours[end] != theirs[end]), "{ours:?} {theirs:?}");
}

// ---- the mutants ----

thread_local!(static EXPECTING_FAILURE: Cell<bool> = const { Cell::new(false) });

/// Weakens every row of `order.rs` in turn; a model must fail for each.
#[test]
fn mutants() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !EXPECTING_FAILURE.get() {
            report(panic);
        }
    }));
    let mutants = Mutant::all();
    let mut killed = 0;
    for &mutant in &mutants {
        // A site is named "ring: …", and so are its models.
        let room = mutant.site.name.split(':').next().unwrap();
        EXPECTING_FAILURE.set(true);
        weaken(Some(mutant));
        let killer = MODELS.iter().filter(|model| model.name.starts_with(room)).find_map(|model| {
            let executions = Arc::new(AtomicUsize::new(0));
            catch_unwind(AssertUnwindSafe(|| model.explore(&executions)))
                .err()
                .map(|panic| (model.name, executions.load(Relaxed), message(&*panic)))
        });
        weaken(None);
        EXPECTING_FAILURE.set(false);
        let what = format!("{} {:?} -> {:?}", mutant.site.name, mutant.site.ordering, mutant.ordering);
        match &killer {
            Some((model, executions, why)) => {
                println!("killed {what}: {model}, execution {executions}: {why}")
            }
            None => println!("ALIVE  {what}"),
        }
        killed += usize::from(killer.is_some());
    }
    println!("mutants killed: {killed} of {}", mutants.len());
    assert_eq!(mutants.len(), 10, "the table of order.rs has ten halves");
    assert_eq!(killed, mutants.len());
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
    text.lines().next().unwrap_or_default().trim().to_owned()
}
