//! The half that hears: takes hops from the source, analyses them, publishes snapshots. Nothing can slow it.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use k1_device::live::HeardHop;
use k1_device::meter::Count;
use k1_device::pace::SoundClock;
use k1_engine::audio::Ear;
use k1_engine::{HOP, HOP_US, SAMPLE_RATE};

use super::{Controls, SEAT_HEARS, Shared, SoundWriter};

/// What the ear thread owns.
pub struct Hearing {
    pub shared: Arc<Shared>,
    pub samples: rtrb::Consumer<f32>,
    pub is_live: bool,
    pub writer: SoundWriter,
    pub controls: Controls,
    /// Sound for the page; `None` if nobody can listen.
    pub tap: Option<rtrb::Producer<HeardHop>>,
}

/// How long the ear sleeps while it waits for live sound: an eighth of a hop.
const GLANCE: Duration = Duration::from_micros(HOP_US / 8);

/// Runs until the program stops or the source has ended.
pub fn run(mut h: Hearing) {
    let shared = h.shared.clone();
    shared.hear_seat.take(SEAT_HEARS, 70);
    let mut ear = Box::new(Ear::new());
    let clock = shared.clock;
    let mut hop = [0.0_f32; HOP];
    let mut sound = SoundClock::starting_at(clock.now_us());
    let mut gain = 1.0;
    while !shared.stop.load(Relaxed) {
        if !h.is_live {
            clock.sleep_until(sound.due_us());
        }
        let mut have = h.samples.slots();
        if have < HOP && !shared.source_ended.load(Acquire) {
            while have < HOP && !shared.source_ended.load(Acquire) && !shared.stop.load(Relaxed) {
                std::thread::sleep(GLANCE);
                have = h.samples.slots();
            }
            if !h.is_live {
                let gap = sound.resumed(clock.now_us());
                shared.meters.count(Count::Underruns, gap.into());
            }
        }
        // The end may have come between the two looks.
        have = h.samples.slots();
        if have == 0 {
            break;
        }
        if h.is_live {
            let waiting = (have.saturating_sub(HOP)) as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
            // Right after the start sound may be older than the clock.
            let arrived = clock.now_us().saturating_sub(waiting).max(HOP_US);
            let gap = sound.arrived(arrived);
            shared.meters.count(Count::Underruns, gap.into());
        }
        let violations = assert_no_alloc::violation_count();
        assert_no_alloc::assert_no_alloc(|| {
            let began = clock.now_us();
            hop.fill(0.0);
            if let Ok(chunk) = h.samples.read_chunk(have.min(HOP)) {
                let (a, b) = chunk.as_slices();
                hop[..a.len()].copy_from_slice(a);
                hop[a.len()..a.len() + b.len()].copy_from_slice(b);
                chunk.commit_all();
            }
            let wanted = h.controls.settings().gain;
            if wanted != gain && ear.set_gain(wanted) {
                gain = wanted;
            }
            if ear.samples() == 0 {
                shared.first_sample_us.store(sound.began_us(), Release);
            }
            ear.set_clock(sound.began_us());
            if let Some(snapshot) = ear.push(&hop) {
                h.writer.publish(snapshot);
            }
            let m = &shared.meters;
            m.count(Count::Hops, 1);
            m.count(Count::HearTenths, ((clock.now_us() - began) * 10) as u32);
            if let Some(tap) = &mut h.tap {
                // Nobody listening is no error: the tap is full and the hop is not offered.
                let _ = tap.push(HeardHop::new(sound.began_us(), &hop));
            }
        });
        let new = assert_no_alloc::violation_count().wrapping_sub(violations);
        shared.meters.count(Count::Allocations, new);
        sound.advance();
    }
    shared.hearing_ended.store(true, Release);
}
