//! One hop, the same for the program and the lamp: turns 8 ms of samples into a snapshot, and counts. The caller waits
//! for the samples and tells how they arrived. This module has no clock, no thread and no allocation.

use core::ops::{Deref, DerefMut};

use k1_engine::HOP;
use k1_engine::audio::Ear;
use k1_handoff::Mailbox;

use crate::exchange::{Controls, SLOTS, SettingsRing, SoundRing, SoundWriter};
use crate::meter::{Count, Meters};
use crate::pace::{Arrival, SoundClock};

/// The half that hears: `E` points to its ear, `W`, `M` and `R` to the hand-offs that it shares with the other half.
pub struct Hearing<E, W, M, R> {
    ear: E,
    snapshots: SoundWriter<W>,
    controls: Controls<M, R>,
    clock: SoundClock,
    gain: f32,
    floor_db: Option<f32>,
}

impl<E, W, M, R> Hearing<E, W, M, R>
where
    E: DerefMut<Target = Ear>,
    W: Deref<Target = SoundRing>,
    M: Deref<Target = Mailbox<SLOTS>>,
    R: Deref<Target = SettingsRing>,
{
    /// A half whose sound begins now.
    pub fn new(ear: E, snapshots: SoundWriter<W>, controls: Controls<M, R>, now_us: u64) -> Self {
        let clock = SoundClock::starting_at(now_us);
        Self { ear, snapshots, controls, clock, gain: 1.0, floor_db: None }
    }

    /// Time at which the last sample of the next hop is captured, in µs.
    pub fn due_us(&self) -> u64 {
        self.clock.due_us()
    }

    /// Time at which the first sample of the next hop is captured, in µs.
    pub fn began_us(&self) -> u64 {
        self.clock.began_us()
    }

    /// Notes how the next hop arrived, and whether it is sound or silence in its place. Call this before
    /// [`hop`](Self::hop). A gap is counted.
    pub fn arrives<const B: usize>(&mut self, how: Arrival, is_sound: bool, meters: &Meters<B>) {
        let is_gap = self.clock.arrives(how, is_sound);
        meters.count(Count::Underruns, is_gap.into());
    }

    /// Notes that nothing could be read until `now_us`, so that the next hop is silence. A gap is counted.
    pub fn unread<const B: usize>(&mut self, now_us: u64, meters: &Meters<B>) {
        let is_gap = self.clock.unread(now_us);
        meters.count(Count::Underruns, is_gap.into());
    }

    /// Analyses a hop of samples −1 … 1, with a fixed noise floor in dBFS or a learned one (`None`).
    ///
    /// `tap` gets the hop and the time of its first sample after the analysis; `now_us` reads the caller's clock.
    pub fn hop<const B: usize>(
        &mut self,
        samples: &[f32; HOP],
        floor_db: Option<f32>,
        meters: &Meters<B>,
        now_us: impl Fn() -> u64,
        tap: impl FnOnce(u64, &[f32; HOP]),
    ) {
        let began = now_us();
        let gain = self.controls.settings().gain;
        if gain != self.gain && self.ear.set_gain(gain) {
            self.gain = gain;
        }
        if floor_db != self.floor_db {
            self.floor_db = floor_db;
            self.ear.set_noise_floor(floor_db);
        }
        let captured = self.clock.began_us();
        self.ear.set_clock(captured);
        if let Some(snapshot) = self.ear.push(samples) {
            self.snapshots.publish(snapshot);
        }
        meters.count(Count::HearUs, now_us().saturating_sub(began) as u32);
        meters.count(Count::Hops, 1);
        tap(captured, samples);
        self.clock.advance();
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};

    use k1_engine::HOP_US;
    use k1_engine::audio::Snapshot;

    use super::*;
    use crate::exchange::{Change, Crossing, Owner, Settings, SoundReader};

    type Half = Hearing<Box<Ear>, &'static SoundRing, &'static Mailbox<SLOTS>, &'static SettingsRing>;

    /// A half that hears, and the ends of the other half.
    struct Room {
        hearing: Half,
        meters: Meters<16>,
        sound: SoundReader<&'static SoundRing>,
        owner: Owner<&'static Mailbox<SLOTS>, &'static SettingsRing>,
        crossing: &'static Crossing,
        tapped: RefCell<Vec<(u64, f32)>>,
    }

    impl Room {
        fn new() -> Self {
            let crossing: &'static Crossing = Box::leak(Box::default());
            // The owner publishes the settings before the first hop uses them.
            let owner = crossing.take_owner(Settings::default()).unwrap();
            let writer = crossing.take_sound().unwrap();
            Self {
                hearing: Hearing::new(Box::new(Ear::new()), writer, crossing.controls(), 1_000),
                meters: Meters::new(),
                sound: crossing.sound(),
                owner,
                crossing,
                tapped: RefCell::default(),
            }
        }

        /// A hop that takes 41 µs.
        fn hop(&mut self, samples: &[f32; HOP], floor: Option<f32>) -> Snapshot {
            let clock = Cell::new(5_000);
            let now = || clock.replace(clock.get() + 41);
            let tap = |at, samples: &[f32; HOP]| self.tapped.borrow_mut().push((at, samples[7]));
            self.hearing.hop(samples, floor, &self.meters, now, tap);
            *self.sound.latest()
        }

        fn counts(&self) -> [u32; 4] {
            use Count::*;
            [Hops, HearUs, Underruns, Frames].map(|c| self.meters.get(c))
        }
    }

    fn music(n: usize) -> [f32; HOP] {
        core::array::from_fn(|i| libm::sinf((n * HOP + i) as f32 * 0.2) * 0.3)
    }

    #[test]
    fn each_counter_counts_its_own() {
        use Arrival::*;
        let mut room = Room::new();
        let hops = [
            (Some((Live(900_000), true)), [0, 0, 0, 0]),
            (Some((Live(908_000), true)), [1, 41, 0, 0]),
            (Some((Live(1_500_000), true)), [2, 82, 1, 0]),
            (Some((Live(1_508_000), false)), [3, 123, 2, 0]),
            (None, [4, 164, 2, 0]),
            (Some((Live(1_524_000), true)), [5, 205, 2, 0]),
            (Some((InTime, true)), [6, 246, 2, 0]),
            (Some((Awaited(1_900_000), true)), [7, 287, 3, 0]),
            (None, [8, 328, 4, 0]),
        ];
        for (n, (how, want)) in hops.into_iter().enumerate() {
            match how {
                Some((how, is_sound)) => room.hearing.arrives(how, is_sound, &room.meters),
                None => room.hearing.unread(0, &room.meters),
            }
            assert_eq!(room.counts(), want, "{n}: {how:?}");
            room.hop(&music(n), None);
        }
        assert_eq!(room.counts(), [9, 369, 4, 0]);
    }

    #[test]
    fn a_hop_is_published_with_the_time_of_its_last_sample_and_tapped_with_that_of_its_first() {
        let mut room = Room::new();
        for n in 0..3 {
            let first = 1_000 + n * HOP_US;
            assert_eq!((room.hearing.began_us(), room.hearing.due_us()), (first, first + HOP_US));
            let snapshot = room.hop(&music(n as usize), None);
            assert_eq!((snapshot.sequence, snapshot.captured_us), (n + 1, first + HOP_US));
            assert_eq!(room.tapped.borrow()[n as usize], (first, music(n as usize)[7]));
        }
    }

    #[test]
    fn gain_and_noise_floor_are_in_force_from_the_next_hop_on() {
        let (mut room, mut ear) = (Room::new(), Box::new(Ear::new()));
        let mut alone = |n: usize, change: &dyn Fn(&mut Ear)| {
            change(&mut ear);
            ear.set_clock(1_000 + n as u64 * HOP_US);
            *ear.push(&music(n)).unwrap()
        };
        assert_eq!(room.hop(&music(0), None), alone(0, &|_| {}));
        room.crossing.controls().post([Change::Gain(2.0)]);
        assert!(room.owner.update());
        assert_eq!(room.hop(&music(1), None), alone(1, &|ear| assert!(ear.set_gain(2.0))));
        assert_eq!(room.hop(&music(2), Some(-40.0)), alone(2, &|ear| ear.set_noise_floor(Some(-40.0))));
        assert_eq!(room.hop(&music(3), Some(-40.0)).floor_db, -40.0);
        assert_eq!(alone(3, &|_| {}).floor_db, -40.0);
        assert_eq!(room.hop(&music(4), None), alone(4, &|ear| ear.set_noise_floor(None)));
        assert_ne!(room.sound.snapshot().floor_db, -40.0);
    }
}
