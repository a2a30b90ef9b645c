//! Time for embassy: a queue and an alarm for each core, so that the timers of one core do not wait for the other.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::machine::machine;

struct Alarms([Mutex<RefCell<Queue>>; 2]);

embassy_time_driver::time_driver_impl!(
    static ALARMS: Alarms = Alarms([const { Mutex::new(RefCell::new(Queue::new())) }; 2])
);

impl Driver for Alarms {
    fn now(&self) -> u64 {
        machine().now_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // A task is polled on its own core, so its timers are kept there.
        let core = machine().core();
        critical_section::with(|cs| {
            let mut queue = self.0[core].borrow_ref_mut(cs);
            if queue.schedule_wake(at, waker) {
                rearm(&mut queue);
            }
        });
    }
}

fn rearm(queue: &mut Queue) {
    let mut next = queue.next_expiration(machine().now_us());
    loop {
        machine().set_alarm(next);
        if next > machine().now_us() {
            return;
        }
        next = queue.next_expiration(machine().now_us());
    }
}

/// Handles the alarm of this core.
pub fn alarm() {
    critical_section::with(|cs| rearm(&mut ALARMS.0[machine().core()].borrow_ref_mut(cs)));
}
