//! The hand-off alone: three ways for a value to cross from one thread to another, none of which waits.
//!
//! `cargo run -p k1-handoff --features std --example handoff`

use std::thread;
use std::time::Duration;

use k1_handoff::{FrameSwap, Mailbox, Read, SnapshotRing};

fn main() {
    // Copied, newest wins: what was heard.
    let (mut heard, snapshots) = SnapshotRing::<4>::channel();
    // A number per slot, newest wins: what somebody turned.
    let (settings, mut turned) = Mailbox::<2>::channel();
    // Moved in place, newest wins: a frame of light.
    let (mut drawn, mut shown) = FrameSwap::<[u8; 6]>::channel([0; 6], [0; 6], [0; 6]);

    let hears = thread::spawn(move || {
        for hop in 1..=100 {
            heard.publish(&[hop, hop * 2, hop * 3, hop * 4]);
            thread::sleep(Duration::from_micros(200));
        }
    });
    let turns = thread::spawn(move || {
        for brightness in 0..10 {
            settings.post(&[(0, brightness)]).expect("there are two slots");
            thread::sleep(Duration::from_millis(2));
        }
    });
    let shows = thread::spawn(move || {
        let (mut copy, mut last, mut seen, mut brightness) = ([0; 4], 0, 0, 0);
        while copy[0] < 100 {
            turned.drain(|slot, value| {
                if slot == 0 {
                    brightness = value;
                }
            });
            if let Read::Fresh { sequence, .. } = snapshots.read(&mut copy)
                && sequence != last
            {
                (last, seen) = (sequence, seen + 1);
                // Never torn: the four words are of one hop.
                assert_eq!(copy, [copy[0], copy[0] * 2, copy[0] * 3, copy[0] * 4]);
                drawn.back().fill(copy[0] as u8);
                drawn.publish();
            }
            thread::yield_now();
        }
        (seen, brightness)
    });

    hears.join().expect("the writer ends");
    turns.join().expect("the hand at the knob ends");
    let (seen, brightness) = shows.join().expect("the reader ends");
    let frame = shown.take().expect("a frame was drawn");
    println!("{seen} of 100 snapshots read, none torn; brightness {brightness}; last frame {frame:?}");
}
