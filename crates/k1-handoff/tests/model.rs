//! One thread, random operations: each primitive agrees with a simple model.
#![cfg(not(loom))]

use k1_handoff::{FrameSwap, Mailbox, Read, SlotOutOfRange, SnapshotRing};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum RingStep {
    Publish([u32; 3]),
    Read,
}

fn ring_step() -> impl Strategy<Value = RingStep> {
    prop_oneof![any::<[u32; 3]>().prop_map(RingStep::Publish), Just(RingStep::Read)]
}

fn ring_follows_its_model<const K: usize>(steps: &[RingStep]) {
    let mut ring = SnapshotRing::<3, K>::new();
    let (mut writer, reader) = ring.split();
    let mut newest: Option<(u32, [u32; 3])> = None;
    for step in steps {
        match step {
            RingStep::Publish(words) => {
                let sequence = newest.map_or(1, |(sequence, _)| sequence + 1);
                assert_eq!(writer.publish(words), sequence);
                newest = Some((sequence, *words));
            }
            RingStep::Read => {
                let mut out = [42; 3];
                let answer = reader.read(&mut out);
                match newest {
                    None => assert_eq!((answer, out), (Read::Empty, [42; 3])),
                    Some((sequence, words)) => {
                        assert_eq!((answer, out), (Read::Fresh { sequence, retries: 0 }, words));
                    }
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum MailStep {
    Post(Vec<(usize, u32)>),
    Drain,
}

fn mail_step() -> impl Strategy<Value = MailStep> {
    // One slot more than exists, so that refusals occur.
    let batch = prop::collection::vec((0_usize..=SLOTS, any::<u32>()), 0..6);
    prop_oneof![batch.prop_map(MailStep::Post), Just(MailStep::Drain)]
}

const SLOTS: usize = 8;

#[derive(Clone, Copy, Debug)]
enum SwapStep {
    Publish,
    Take,
}

fn swap_step() -> impl Strategy<Value = SwapStep> {
    prop_oneof![Just(SwapStep::Publish), Just(SwapStep::Take)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_gives_the_newest(steps in prop::collection::vec(ring_step(), 0..60)) {
        ring_follows_its_model::<2>(&steps);
        ring_follows_its_model::<4>(&steps);
        ring_follows_its_model::<16>(&steps);
    }

    #[test]
    fn a_mailbox_is_a_map_emptied_by_each_drain(steps in prop::collection::vec(mail_step(), 0..60)) {
        let mut mailbox = Mailbox::<SLOTS>::new();
        let (writer, mut owner) = mailbox.split();
        let mut waiting = BTreeMap::new();
        for step in steps {
            match step {
                MailStep::Post(batch) => {
                    let bad = batch.iter().find(|(slot, _)| *slot >= SLOTS);
                    let answer = bad.map_or(Ok(()), |&(slot, _)| Err(SlotOutOfRange { slot, slots: SLOTS }));
                    prop_assert_eq!(writer.post(&batch), answer);
                    if bad.is_none() {
                        waiting.extend(batch);
                    }
                }
                MailStep::Drain => {
                    let mut seen = Vec::new();
                    let slots = owner.drain(|slot, value| seen.push((slot, value)));
                    prop_assert_eq!(slots as usize, seen.len());
                    prop_assert_eq!(seen, std::mem::take(&mut waiting).into_iter().collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn a_swap_is_one_waiting_frame(steps in prop::collection::vec(swap_step(), 0..60)) {
        let mut swap = FrameSwap::new(0_u32, 0, 0);
        let (mut writer, mut reader) = swap.split();
        let (mut number, mut waiting, mut shown) = (0, None, 0);
        for step in steps {
            match step {
                SwapStep::Publish => {
                    number += 1;
                    *writer.back() = number;
                    prop_assert_eq!(writer.publish(), waiting.is_some());
                    waiting = Some(number);
                }
                SwapStep::Take => {
                    prop_assert_eq!(reader.take().copied(), waiting);
                    shown = waiting.take().unwrap_or(shown);
                }
            }
            prop_assert_eq!(*reader.latest(), shown);
        }
    }
}
