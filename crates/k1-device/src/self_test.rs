//! Reads the newest snapshot many times on one core while the other hears and writes. This tests the hand-off of a
//! running lamp at the pace at which the lamp uses it.

use core::ops::Deref;

use crate::answers::{SelfTest, TestState};
use crate::exchange::{Outcome, SoundReader, SoundRing};

/// Number of reads between two pauses. They take a lamp much less than a millisecond, so that other tasks on the core
/// are on time.
pub const BATCH: u32 = 64;

/// A running self-test.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    began_ms: u64,
    last: u64,
    so_far: SelfTest,
}

impl Reading {
    /// A self-test of `wanted` reads that begins at `now_ms`.
    pub fn new(wanted: u32, now_ms: u64) -> Self {
        let so_far = SelfTest { state: TestState::Running, wanted, ..SelfTest::default() };
        Self { began_ms: now_ms, last: 0, so_far }
    }

    /// Reads up to [`BATCH`] times and returns the state. Call it until the state is done, with pauses between the
    /// calls.
    pub fn batch<S: Deref<Target = SoundRing>>(
        &mut self,
        reader: &mut SoundReader<S>,
        now_ms: u64,
    ) -> SelfTest {
        let t = &mut self.so_far;
        for _ in 0..BATCH.min(t.wanted - t.reads) {
            t.reads += 1;
            match reader.read() {
                // An empty hand-off gives no snapshot, so the read does not count as a success.
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
