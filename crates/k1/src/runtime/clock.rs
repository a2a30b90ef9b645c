//! The one clock: microseconds since the program started, 64 bits.

use std::time::{Duration, Instant};

/// The time as the two halves see it: read, and slept through.
pub trait Time {
    /// Microseconds since the start.
    fn now_us(&self) -> u64;

    /// Sleeps until `us`; returns at once if that has passed.
    fn sleep_until(&self, us: u64);
}

/// A monotonic clock; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }
}

impl Time for Clock {
    fn now_us(&self) -> u64 {
        Self::now_us(self)
    }

    fn sleep_until(&self, us: u64) {
        let now = self.now_us();
        if us > now {
            std::thread::sleep(Duration::from_micros(us - now));
        }
    }
}

/// Time that passes only where a test says so.
#[cfg(test)]
pub mod script {
    use std::cell::{Cell, RefCell};

    use super::Time;

    /// Looks at the clock after which a loop should have slept.
    const MOST_LOOKS: u32 = 100;

    /// What happens while a loop sleeps: it is told when it wakes, and may make that later.
    pub type WhileAsleep<'a> = Box<dyn FnMut(u64) -> u64 + 'a>;

    pub struct Script<'a> {
        now: Cell<u64>,
        sleeps: RefCell<Vec<u64>>,
        while_asleep: RefCell<WhileAsleep<'a>>,
        looks: Cell<u32>,
        /// µs that each look at the clock takes.
        pub look_us: Cell<u64>,
        /// Looks at the clock allocate.
        pub allocates: Cell<bool>,
    }

    impl<'a> Script<'a> {
        pub fn from(now: u64, while_asleep: impl FnMut(u64) -> u64 + 'a) -> Self {
            Self {
                now: Cell::new(now),
                sleeps: RefCell::default(),
                while_asleep: RefCell::new(Box::new(while_asleep)),
                looks: Cell::new(0),
                look_us: Cell::new(0),
                allocates: Cell::new(false),
            }
        }

        /// Until when was slept, in order.
        pub fn sleeps(&self) -> Vec<u64> {
            self.sleeps.borrow().clone()
        }
    }

    impl Time for Script<'_> {
        fn now_us(&self) -> u64 {
            if self.allocates.get() {
                drop(std::hint::black_box(Box::new(7)));
            }
            assert!(self.looks.replace(self.looks.get() + 1) < MOST_LOOKS, "the loop does not sleep");
            self.now.replace(self.now.get() + self.look_us.get())
        }

        fn sleep_until(&self, us: u64) {
            self.looks.set(0);
            self.sleeps.borrow_mut().push(us);
            let wakes = self.now.get().max(us);
            self.now.set((self.while_asleep.borrow_mut())(wakes));
        }
    }
}
