//! The thread that hears: takes hops from the source when they are due and passes them to the ear. It waits for nothing
//! but sound and its own clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use k1_device::hop::Hearing;
use k1_device::live::HeardHop;
use k1_device::pace::{Arrival, captured_us};
use k1_engine::HOP;
use k1_engine::audio::Ear;

use super::clock::Time;
use super::{Controls, Shared, SoundWriter};

/// Everything that the ear's thread owns.
pub struct EarThread {
    pub shared: Arc<Shared>,
    pub samples: rtrb::Consumer<f32>,
    pub writer: SoundWriter,
    pub controls: Controls,
    /// Carries sound to the page; `None` if there is no page.
    pub tap: Option<rtrb::Producer<HeardHop>>,
}

/// Longest time that the ear sleeps while it waits for sound, in µs. Sound wakes it.
const LOOK_US: u64 = 20_000;

impl EarThread {
    /// Runs until the program stops or the source has ended.
    pub fn run(self, time: &impl Time) {
        let Self { shared, mut samples, writer, controls, mut tap } = self;
        let _ = shared.ear.set(std::thread::current());
        let mut hearing = Hearing::new(Box::new(Ear::new()), writer, controls, time.now_us());
        let mut hop = [0.0_f32; HOP];
        let mut is_first = true;
        while !shared.stop.load(Relaxed) {
            // Another source may have another pace.
            let is_live = shared.is_live.load(Acquire);
            if !is_live {
                time.sleep_until(hearing.due_us());
            }
            let waits =
                || samples.slots() < HOP && !shared.source_ended.load(Acquire) && !shared.stop.load(Relaxed);
            let is_awaited = waits();
            while waits() {
                time.wait_until(time.now_us() + LOOK_US);
            }
            // The source may have ended between the two checks.
            let have = samples.slots();
            if have == 0 {
                break;
            }
            let now = time.now_us();
            let how = match (is_live, is_awaited) {
                (true, _) => Arrival::Live(captured_us(now, have.saturating_sub(HOP))),
                (false, true) => Arrival::Awaited(now),
                (false, false) => Arrival::InTime,
            };
            shared.without_allocating(|| {
                hop.fill(0.0);
                if let Ok(chunk) = samples.read_chunk(have.min(HOP)) {
                    let (a, b) = chunk.as_slices();
                    hop[..a.len()].copy_from_slice(a);
                    hop[a.len()..a.len() + b.len()].copy_from_slice(b);
                    chunk.commit_all();
                }
                hearing.arrives(how, !shared.is_sound_away.load(Relaxed), &shared.meters);
                if std::mem::take(&mut is_first) {
                    shared.first_sample_us.store(hearing.began_us(), Release);
                }
                hearing.hop(
                    &hop,
                    None,
                    &shared.meters,
                    || time.now_us(),
                    |at_us, hop| {
                        if let Some(tap) = &mut tap {
                            // If nobody listens, the tap is full and the hop is dropped. That is not an error.
                            let _ = tap.push(HeardHop::new(at_us, hop));
                        }
                    },
                );
            });
        }
        shared.hearing_ended.store(true, Release);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use k1_device::exchange::{Owner, Settings, SettingsRing, SoundRing};
    use k1_device::meter::Count;
    use k1_engine::HOP_US;
    use k1_handoff::Mailbox;

    use super::super::clock::script::{GLANCE_US, Script};
    use super::super::{ROOM, SoundReader};
    use super::*;

    const START: u64 = 1_000_000;

    struct Bench {
        thread: EarThread,
        shared: Arc<Shared>,
        source: RefCell<rtrb::Producer<f32>>,
        tapped: rtrb::Consumer<HeardHop>,
        sound: SoundReader,
    }

    impl Bench {
        fn new(is_live: bool) -> Self {
            let shared = Arc::new(Shared::new(Vec::new(), None));
            shared.is_live.store(is_live, Release);
            let (mailbox, owner) = Mailbox::channel();
            let (published, settings) = SettingsRing::channel();
            Owner::new(owner, published, Settings::default());
            let (writer, sound) = SoundRing::channel();
            let (source, samples) = rtrb::RingBuffer::new(ROOM);
            let (tap, tapped) = rtrb::RingBuffer::new(128);
            let thread = EarThread {
                shared: shared.clone(),
                samples,
                writer: SoundWriter::new(writer),
                controls: Controls::new(mailbox, settings, Settings::default()),
                tap: Some(tap),
            };
            Self { thread, shared, source: RefCell::new(source), tapped, sound: SoundReader::new(sound) }
        }

        fn counts(shared: &Shared) -> [u32; 3] {
            [Count::Hops, Count::Underruns, Count::Allocations].map(|c| shared.meters.get(c))
        }
    }

    fn give(source: &RefCell<rtrb::Producer<f32>>, samples: usize) {
        (0..samples).for_each(|_| source.borrow_mut().push(0.25).unwrap());
    }

    /// Capture times of the tapped hops, in ms since the start.
    fn tapped(mut tapped: rtrb::Consumer<HeardHop>) -> Vec<f64> {
        std::iter::from_fn(|| tapped.pop().ok()).map(|hop| (hop.at_us - START) as f64 / 1000.0).collect()
    }

    #[test]
    fn sound_without_a_pace_is_taken_when_it_is_due() {
        let Bench { thread, shared, source, tapped: tap, mut sound } = Bench::new(false);
        give(&source, 2 * HOP + 5);
        shared.source_ended.store(true, Relaxed);
        let time = Script::from(START, |wakes| wakes);
        time.look_us.set(3);
        thread.run(&time);
        let due = [1, 2, 3, 4].map(|hop| START + hop * HOP_US);
        assert_eq!(time.sleeps(), due, "the last finds nothing");
        assert_eq!(Bench::counts(&shared), [3, 0, 0], "a last piece is filled up");
        assert_eq!(shared.meters.get(Count::HearUs), 9, "from the first look to the second");
        assert_eq!(tapped(tap), [0.0, 8.0, 16.0]);
        assert_eq!(sound.latest().captured_us, due[2]);
        assert_eq!(shared.first_sample_us.load(Relaxed), START);
        assert!(shared.hearing_ended.load(Relaxed));
    }

    #[test]
    fn sound_that_is_awaited_is_a_gap_and_is_not_caught_up_with() {
        let Bench { thread, shared, source, tapped: tap, .. } = Bench::new(false);
        give(&source, HOP);
        let mut is_given = false;
        let time = Script::from(START, |wakes| {
            if !is_given && wakes >= START + 100_000 {
                is_given = true;
                give(&source, 2 * HOP);
                shared.source_ended.store(true, Relaxed);
            }
            wakes
        });
        thread.run(&time);
        assert_eq!(Bench::counts(&shared), [3, 1, 0]);
        assert_eq!(tapped(tap), [0.0, 92.0, 100.0]);
        let sleeps = time.sleeps();
        let glances = 100 - 16;
        assert_eq!(sleeps.len(), 2 + glances + 2);
        assert_eq!(sleeps[2 + glances..], [START + 108_000, START + 116_000]);
    }

    /// Runs the ear for the time of 100 hops. A live hop arrives every 8 ms, except where `comes` returns `None`;
    /// `false` marks a hop as silence in place of sound that is away.
    fn live(comes: impl Fn(u64) -> Option<bool>) -> ([u32; 3], Vec<f64>) {
        let Bench { thread, shared, source, tapped: tap, .. } = Bench::new(true);
        let mut given = 0;
        let time = Script::from(START, |wakes| {
            while START + (given + 1) * HOP_US <= wakes {
                given += 1;
                if let Some(is_sound) = comes(given) {
                    shared.is_sound_away.store(!is_sound, Relaxed);
                    give(&source, HOP);
                }
            }
            shared.stop.store(given >= 100, Relaxed);
            wakes
        });
        thread.run(&time);
        let sleeps = time.sleeps();
        assert!(sleeps.windows(2).all(|w| w[1] - w[0] == GLANCE_US), "it only glances: {sleeps:?}");
        (Bench::counts(&shared), tapped(tap))
    }

    #[test]
    fn live_sound_is_taken_when_it_comes_and_its_gaps_are_counted() {
        let (counts, times) = live(|_| Some(true));
        assert_eq!(counts, [100, 0, 0]);
        assert!((0..100).all(|n| (times[n] - n as f64 * 8.0).abs() < 1.0), "{times:?}");
        let (counts, times) = live(|hop| (!(40..60).contains(&hop)).then_some(true));
        assert_eq!(counts, [80, 1, 0], "20 hops are missing");
        assert!((times[39] - 59.0 * 8.0).abs() < 1.0, "{times:?}");
        let (counts, _) = live(|hop| (!(40..45).contains(&hop)).then_some(true));
        assert_eq!(counts, [95, 0, 0], "40 ms are jitter");
        let (counts, _) = live(|hop| Some(!(40..60).contains(&hop)));
        assert_eq!(counts, [100, 1, 0], "silence in time, in place of sound");
    }

    #[test]
    fn what_waits_behind_a_live_hop_tells_how_old_it_is() {
        let Bench { thread, shared, source, tapped: tap, .. } = Bench::new(true);
        let time = Script::from(START, |wakes| {
            if wakes < START + 900_000 {
                give(&source, 13 * HOP);
                shared.source_ended.store(true, Relaxed);
            }
            START + 900_000
        });
        thread.run(&time);
        assert_eq!(tapped(tap)[0], 900.0 - 13.0 * 8.0);
    }

    #[test]
    fn allocations_of_a_hop_are_counted() {
        let Bench { thread, shared, source, .. } = Bench::new(false);
        give(&source, HOP);
        shared.source_ended.store(true, Relaxed);
        let time = Script::from(START, |wakes| wakes);
        time.allocates.set(true);
        thread.run(&time);
        assert_eq!(
            shared.meters.get(Count::Allocations),
            4,
            "two looks at the clock, each taken and given back"
        );
    }
}
