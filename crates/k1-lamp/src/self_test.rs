//! The self-test of the hand-off: behind everything else on the core that shows, and never for long.

use alloc::boxed::Box;

use embassy_time::Timer;
use k1_device::answers::TestState;
use k1_device::self_test::Reading;

use crate::{Lamp, now_us};

/// Pause between two batches of reads, in µs: requests are answered meanwhile.
const PAUSE_US: u64 = 200;

/// Reads when it is asked to, for ever.
pub async fn read(lamp: &'static Lamp) -> ! {
    loop {
        let wanted = lamp.test_wanted.wait().await;
        let mut reading = Reading::new(wanted, now_us() / 1000);
        // On the heap, and only while it is needed: the copy of a snapshot is large.
        let mut reader = Box::new(lamp.crossing.sound());
        loop {
            let so_far = reading.batch(&mut reader, now_us() / 1000);
            lamp.note(|s| s.self_test = so_far);
            if so_far.state == TestState::Done {
                break;
            }
            Timer::after_micros(PAUSE_US).await;
        }
    }
}
