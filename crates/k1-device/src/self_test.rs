//! Reading the newest snapshot many times on one core while the other hears and writes: the hand-off of the very lamp
//! that runs, at the pace at which it is used.

use core::ops::Deref;

use crate::answers::{SelfTest, TestState};
use crate::exchange::{Outcome, SoundReader, SoundRing};

/// Reads between two pauses: well below a millisecond of a lamp's time, so that whatever shares the core is on time.
pub const BATCH: u32 = 64;

/// A self-test at its work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    began_ms: u64,
    last: u64,
    so_far: SelfTest,
}

impl Reading {
    /// One that is to read so many times, from now on.
    pub fn new(wanted: u32, now_ms: u64) -> Self {
        let so_far = SelfTest { state: TestState::Running, wanted, ..SelfTest::default() };
        Self { began_ms: now_ms, last: 0, so_far }
    }

    /// Reads a few times and says how it stands; call it again until it is done, with pauses between.
    pub fn batch<S: Deref<Target = SoundRing>>(
        &mut self,
        reader: &mut SoundReader<S>,
        now_ms: u64,
    ) -> SelfTest {
        let t = &mut self.so_far;
        for _ in 0..BATCH.min(t.wanted - t.reads) {
            t.reads += 1;
            match reader.read() {
                // Nothing was heard yet: there is nothing to read, which is no success.
                Outcome::Empty | Outcome::Contended => t.kept_previous += 1,
                Outcome::Torn => t.torn += 1,
                Outcome::Read(retries) => {
                    let sequence = reader.snapshot().sequence;
                    t.retries += u32::from(retries);
                    t.new += u32::from(sequence > self.last);
                    t.backwards += u32::from(sequence < self.last);
                    self.last = sequence;
                }
            }
        }
        t.took_ms = now_ms.saturating_sub(self.began_ms) as u32;
        if t.reads >= t.wanted {
            t.state = TestState::Done;
        }
        *t
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Crossing;
    use k1_engine::audio::Snapshot;

    #[test]
    fn it_reads_as_often_as_it_was_asked_and_counts_what_is_new() {
        static PLACE: Crossing = Crossing::new();
        let (mut writer, mut reader) = (PLACE.take_sound().unwrap(), PLACE.sound());
        let mut test = Reading::new(200, 1_000);
        let first = test.batch(&mut reader, 1_001);
        assert_eq!((first.reads, first.kept_previous, first.state), (BATCH, BATCH, TestState::Running));
        for sequence in [5, 6] {
            writer.publish(&Snapshot { sequence, ..Snapshot::EMPTY });
            test.batch(&mut reader, 1_002);
        }
        writer.publish(&Snapshot { sequence: 3, ..Snapshot::EMPTY });
        let end = test.batch(&mut reader, 1_010);
        assert_eq!((end.reads, end.new, end.backwards, end.torn), (200, 2, 1, 0));
        assert_eq!((end.state, end.took_ms), (TestState::Done, 10));
        assert_eq!(test.batch(&mut reader, 1_010).reads, 200, "and no more");
    }
}
