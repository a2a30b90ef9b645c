//! Time that stands until it is moved. Each thread has a clock of its own, so tests that run side by side do not share
//! their time. It is the clock of everything that uses embassy-time.

use std::cell::RefCell;
use std::task::Waker;

use embassy_time_driver::Driver;

struct Clock {
    now_us: u64,
    timers: Vec<(u64, Waker)>,
}

thread_local! {
    static CLOCK: RefCell<Clock> = const { RefCell::new(Clock { now_us: 0, timers: Vec::new() }) };
}

struct OfThisThread;

embassy_time_driver::time_driver_impl!(static DRIVER: OfThisThread = OfThisThread);

impl Driver for OfThisThread {
    fn now(&self) -> u64 {
        now_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        let is_past = CLOCK.with_borrow_mut(|clock| {
            if at <= clock.now_us {
                return true;
            }
            match clock.timers.iter_mut().find(|(_, known)| known.will_wake(waker)) {
                Some((known, _)) => *known = at.min(*known),
                None => clock.timers.push((at, waker.clone())),
            }
            false
        });
        if is_past {
            waker.wake_by_ref();
        }
    }
}

/// Microseconds on this thread's clock.
pub fn now_us() -> u64 {
    CLOCK.with_borrow(|clock| clock.now_us)
}

/// Sets the clock, and forgets who waits for it.
pub fn reset(now_us: u64) {
    let old = CLOCK.replace(Clock { now_us, timers: Vec::new() });
    drop(old);
}

/// When the next timer is due, in µs.
pub fn next_us() -> Option<u64> {
    CLOCK.with_borrow(|clock| clock.timers.iter().map(|(at, _)| *at).min())
}

/// Moves the clock forward, and wakes those whose time has come.
pub fn move_to(at_us: u64) {
    let due = CLOCK.with_borrow_mut(|clock| {
        clock.now_us = clock.now_us.max(at_us);
        let now = clock.now_us;
        clock.timers.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>()
    });
    for (_, waker) in due {
        waker.wake();
    }
}
