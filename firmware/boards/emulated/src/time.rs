//! Time for embassy: a queue and an alarm for each hart, so that the timers of one hart do not wait for the other.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::machine;

struct Alarms([Mutex<RefCell<Queue>>; 2]);

embassy_time_driver::time_driver_impl!(
    static ALARMS: Alarms = Alarms([const { Mutex::new(RefCell::new(Queue::new())) }; 2])
);

impl Driver for Alarms {
    fn now(&self) -> u64 {
        machine::now_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // A task is polled on its own hart, so its timers are kept there.
        let hart = machine::hart();
        critical_section::with(|cs| {
            let mut queue = self.0[hart as usize].borrow_ref_mut(cs);
            if queue.schedule_wake(at, waker) {
                rearm(hart, &mut queue);
            }
        });
    }
}

fn rearm(hart: u32, queue: &mut Queue) {
    let mut next = queue.next_expiration(machine::now_us());
    loop {
        machine::set_alarm(hart, next);
        if next > machine::now_us() {
            return;
        }
        next = queue.next_expiration(machine::now_us());
    }
}

/// Handles the alarm of a hart.
pub fn alarm(hart: u32) {
    critical_section::with(|cs| rearm(hart, &mut ALARMS.0[hart as usize].borrow_ref_mut(cs)));
}
