//! The self-test of the hand-off. It has the lowest priority on the core that shows, and runs only briefly at a time.

use alloc::boxed::Box;

use embassy_time::Timer;
use k1_device::answers::TestState;
use k1_device::self_test::Reading;

use crate::{Lamp, now_us};

/// Pause between two batches of reads, in µs. Requests are answered during the pause.
const PAUSE_US: u64 = 200;

/// Runs each requested self-test. Never returns.
pub async fn read(lamp: &'static Lamp) -> ! {
    loop {
        let wanted = lamp.test_wanted.wait().await;
        let mut reading = Reading::new(wanted, now_us() / 1000);
        // On the heap and only while it is needed, because the copy of a snapshot is large.
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
