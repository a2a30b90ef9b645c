//! Never brick: the power fails in every step of a complete update, in every way, and from all records that a lamp may
//! have. Afterwards a whole image runs that was confirmed or is on trial, and the next update succeeds without a cable.

mod common;

use common::*;
use embassy_futures::block_on;
use k1_sim::flash::{Flash, Tear};
use k1_update::boot::{self, Start};
use k1_update::layout::{Layout, SECTOR, Slot};
use k1_update::otadata::{Entry, Note, Pace, State};
use k1_update::record::{self, Standing};
use k1_update::refusal::Refusal;
use k1_update::session::Session;
use k1_update::trust::Trust;

struct World {
    layout: Layout,
    trust: Trust,
    old: Vec<u8>,
    new: Vec<u8>,
    file: Vec<u8>,
}

/// Records that a lamp may start with, and the slot of the old image.
const RECORDS: [(&str, Slot); 6] = [
    ("blank", Slot::App0),
    ("one confirmed", Slot::App0),
    ("both confirmed, the second runs", Slot::App1),
    ("one confirmed, one torn", Slot::App0),
    ("one confirmed, the other failed its trial", Slot::App0),
    ("written by a tool that knows no trials", Slot::App1),
];

impl World {
    fn new(old: usize, new: usize) -> Self {
        let sectors = (old.max(new) as u32).div_ceil(SECTOR) + 1;
        let (old, new) = (image(1, old), image(2, new));
        let file = update(&new);
        Self { layout: layout(sectors), trust: trust(), old, new, file }
    }

    fn flash(&self, records: usize) -> Flash {
        let mut f = Flash::new(2 + 2 * (self.layout.slot_size / SECTOR) as usize);
        let slot = RECORDS[records].1;
        let mut put = |at: u32, bytes: &[u8]| f.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
        put(self.layout.slot(slot), &self.old);
        put(self.layout.manifest(slot), &manifest(&self.old).envelope().0);
        let entry = |sequence, state| Entry { sequence, state, note: Note::default() }.bytes();
        match records {
            0 => {}
            1 => put(self.layout.record(0), &entry(1, State::Valid)),
            2 => {
                put(self.layout.record(0), &entry(5, State::Valid));
                put(self.layout.record(1), &entry(6, State::Valid));
            }
            3 => {
                put(self.layout.record(0), &entry(3, State::Valid));
                put(self.layout.record(1), &[0x5a; 32]);
            }
            4 => {
                put(self.layout.record(0), &entry(1, State::Valid));
                put(self.layout.record(1), &entry(2, State::Aborted));
            }
            _ => put(self.layout.record(0), &entry(2, State::Unjudged)),
        }
        f
    }

    /// From power on to a confirmed new image, or until the power fails. `true` if the new image is confirmed.
    fn live(&self, f: &mut Flash) -> Result<bool, Refusal> {
        block_on(async {
            let mut start = self.starts(f).await?;
            // The first start may be on trial, so it may take another one to update.
            for _ in 0..3 {
                let running = start.whole.slot();
                if *start.whole.manifest() == manifest(&self.new) {
                    record::confirm(f, &self.layout, running).await?;
                    return Ok(!self.starts(f).await?.on_trial);
                }
                let mut session = Session::new(self.layout, running);
                for piece in self.file.chunks(1_460) {
                    session.take(f, &gate(&self.trust), piece).await?;
                }
                let whole = session.finish(f).await?;
                record::activate(f, &self.layout, running, &whole, true, Pace::default()).await?;
                start = self.starts(f).await?;
            }
            Ok(false)
        })
    }

    /// Starts the lamp: there is always a whole image to start, and a new image is never started without a trial.
    async fn starts(&self, f: &mut Flash) -> Result<Start, Refusal> {
        let start = boot::start(f, &self.layout).await?.expect("a brick");
        let at = self.layout.slot(start.whole.slot()) as usize;
        let is = |image: &[u8]| f.bytes[at..at + image.len()] == *image;
        assert!(is(&self.old) || is(&self.new), "a mixture runs");
        if is(&self.new) {
            let records = record::read(f, &self.layout).await?;
            match record::standing(&records, start.whole.slot()) {
                Standing::Trial { note, armed: true } => assert!(start.on_trial && note.had_network),
                Standing::Sure(note) => assert!(note.is_armed, "confirmed without a trial"),
                other => panic!("the new image runs untried: {other:?}"),
            }
        }
        Ok(start)
    }

    /// Fails the power in a step, restores it, crashes during a trial if `crash` is set, and finishes the update.
    fn survives(&self, records: usize, cuts: &[(u64, Tear)], crash: bool) {
        let mut f = self.flash(records);
        for (step, tear) in cuts {
            f.cut_at(f.steps + step, *tear);
            let result = self.live(&mut f);
            assert!(result.is_err() || f.steps <= *step, "the cut did not come: {result:?}");
            f.power_on();
        }
        if crash {
            // The image that runs now crashes once before it does anything else.
            block_on(self.starts(&mut f)).unwrap();
        }
        assert_eq!(self.live(&mut f), Ok(true), "{} after {cuts:?}", RECORDS[records].0);
    }

    fn steps(&self, records: usize) -> u64 {
        let mut f = self.flash(records);
        assert_eq!(self.live(&mut f), Ok(true), "{}", RECORDS[records].0);
        f.steps
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn every_step_of_a_small_update_may_be_the_last() {
    let world = World::new(5_000, 64 * 1024);
    let mut cases = 0;
    for (records, _) in RECORDS.iter().enumerate() {
        let steps = world.steps(records);
        for step in 0..steps {
            for tear in Tear::ALL {
                world.survives(records, &[(step, tear)], false);
                cases += 1;
                // During activation, start and confirmation, the running image may also crash after the power failure.
                if step + 12 > steps {
                    world.survives(records, &[(step, tear)], true);
                    cases += 1;
                }
            }
        }
    }
    println!(
        "{cases} of {cases} cuts: a whole, verified image ran; none untried; the next update went through"
    );
}

#[test]
fn steps_of_a_large_update_may_be_the_last() {
    let samples = setting("K1_CUTS", 300);
    let world = World::new(5_000, 1 << 20);
    let steps: Vec<_> = (0..RECORDS.len()).map(|records| world.steps(records)).collect();
    for n in 0..samples {
        let chance = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let records = n as usize % RECORDS.len();
        let tear = Tear::ALL[(chance >> 60) as usize % 5];
        world.survives(records, &[((chance >> 8) % steps[records], tear)], chance & 1 == 0);
    }
    println!("{samples} of {samples} cuts in an update of 1 MiB");
}

#[test]
fn two_cuts_around_the_activation() {
    let world = World::new(1_000, 1_000);
    let mut pairs = 0;
    for (records, (name, _)) in RECORDS.iter().enumerate() {
        let steps = world.steps(records);
        for first in 0..steps {
            for second in 0..steps {
                for (a, b) in [(0, 0), (1, 3), (2, 1), (3, 4), (4, 2)] {
                    let mut f = world.flash(records);
                    for (step, tear) in [(first, Tear::ALL[a]), (second, Tear::ALL[b])] {
                        f.cut_at(f.steps + step, tear);
                        // The second failure may come after the last step.
                        let _ = world.live(&mut f);
                        f.power_on();
                    }
                    assert_eq!(world.live(&mut f), Ok(true), "{name} {first} {second}");
                    pairs += 1;
                }
            }
        }
    }
    println!("{pairs} of {pairs} pairs of cuts over a whole small update");
}

#[test]
fn what_fails_its_trial_is_left_and_can_be_tried_again() {
    let world = World::new(5_000, 9_000);
    for (records, (name, old)) in RECORDS.into_iter().enumerate() {
        let mut f = world.flash(records);
        block_on(async {
            let mut session = Session::new(world.layout, old);
            session.take(&mut f, &gate(&world.trust), &world.file).await.unwrap();
            let whole = session.finish(&mut f).await.unwrap();
            for give_up in [false, true] {
                record::activate(&mut f, &world.layout, old, &whole, true, Pace::default()).await.unwrap();
                let start = world.starts(&mut f).await.unwrap();
                assert!(start.on_trial && start.whole.slot() == old.other());
                // Another update must not overwrite the image that would be rolled back to.
                let mut again = Session::new(world.layout, old.other());
                let result = again.take(&mut f, &gate(&world.trust), &world.file).await;
                assert_eq!(result, Err(Refusal::OnTrial));
                if give_up {
                    record::give_up(&mut f, &world.layout, old.other()).await.unwrap();
                }
                let start = world.starts(&mut f).await.unwrap();
                assert_eq!((start.whole.slot(), start.on_trial), (old, false), "{name}");
            }
        });
    }
}

#[test]
fn a_drill_shows_whether_the_bootloader_knows_of_trials() {
    let world = World::new(5_000, 5_000);
    for armed in [true, false] {
        let mut f = world.flash(0);
        block_on(async {
            record::drill(&mut f, &world.layout, Slot::App0).await.unwrap();
            if armed {
                assert!(world.starts(&mut f).await.unwrap().on_trial);
            }
            let standing = record::standing(&record::read(&mut f, &world.layout).await.unwrap(), Slot::App0);
            assert_eq!(standing, Standing::Trial { note: Note::default(), armed });
            record::confirm(&mut f, &world.layout, Slot::App0).await.unwrap();
            let standing = record::standing(&record::read(&mut f, &world.layout).await.unwrap(), Slot::App0);
            assert_eq!(
                standing,
                Standing::Sure(Note {
                    had_network: false,
                    is_armed: armed,
                    was_asked: true,
                    before: Pace::default()
                })
            );
            assert!(!world.starts(&mut f).await.unwrap().on_trial);
        });
    }
}
