//! The program's only clock: microseconds since the start, in 64 bits.

use std::time::{Duration, Instant};

/// The clock as the two halves use it: they read it, and sleep by it.
pub trait Time {
    /// Time in microseconds since the start.
    fn now_us(&self) -> u64;

    /// Sleeps until `us` (microseconds since the start); returns at once if that time has passed.
    fn sleep_until(&self, us: u64);

    /// Sleeps until `us` (microseconds since the start), but no longer than until another thread wakes this one. May
    /// return earlier.
    fn wait_until(&self, us: u64);
}

/// A monotonic clock. All copies show the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time in microseconds since the start.
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

    fn wait_until(&self, us: u64) {
        std::thread::park_timeout(Duration::from_micros(us.saturating_sub(self.now_us())));
    }
}

/// A clock that only a test moves.
#[cfg(test)]
pub mod script {
    use std::cell::{Cell, RefCell};

    use super::Time;

    /// Number of readings of the clock after which a loop must have slept.
    const MOST_LOOKS: u32 = 100;

    /// Longest time that a loop waits to be woken, in µs: an eighth of a hop.
    pub const GLANCE_US: u64 = k1_engine::HOP_US / 8;

    /// Runs while a loop sleeps. It gets the time at which the loop is to wake, and returns that time or a later one.
    pub type WhileAsleep<'a> = Box<dyn FnMut(u64) -> u64 + 'a>;

    pub struct Script<'a> {
        now: Cell<u64>,
        sleeps: RefCell<Vec<u64>>,
        while_asleep: RefCell<WhileAsleep<'a>>,
        looks: Cell<u32>,
        /// Time that each reading of the clock takes, in µs.
        pub look_us: Cell<u64>,
        /// True if each reading of the clock allocates.
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

        /// The times until which the loop slept, in order.
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

        fn wait_until(&self, us: u64) {
            self.sleep_until(us.min(self.now.get() + GLANCE_US));
        }
    }
}
