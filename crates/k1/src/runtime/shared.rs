//! What the threads share.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_device::answers::Vitals;
use k1_device::meter::Count;

use super::{Clock, HISTORY, Meters, Seat};
use crate::sink::Light;
use crate::source::Presence;

/// What all threads see.
#[derive(Debug)]
pub struct Shared {
    /// The one clock.
    pub clock: Clock,
    /// Set once, when the program is to end.
    pub stop: AtomicBool,
    /// The source has no more sound; what is in the queue is still to be heard.
    pub source_ended: AtomicBool,
    /// The source gives silence in place of live sound that is away.
    pub is_sound_away: AtomicBool,
    /// The ear has heard the last hop.
    pub hearing_ended: AtomicBool,
    /// Counters.
    pub meters: Meters,
    /// Capture time of the first sample, in µs; 0 before it.
    pub first_sample_us: AtomicU64,
    /// What the ear's thread got from the system.
    pub hear_seat: Seat,
    /// What the renderer's thread got from the system.
    pub show_seat: Seat,
    /// Figures of the last seconds, newest last; never touched by the real-time halves.
    pub history: Mutex<VecDeque<Vitals>>,
    /// Where light goes besides the page.
    pub lights: Vec<Arc<Light>>,
    /// Lights that have not had their last frame.
    pub(super) lit: AtomicUsize,
    /// Why the sound stopped, if it was an error.
    pub source_error: Mutex<Option<String>>,
    /// Whether sound arrives, where that can change.
    pub presence: Option<Presence>,
}

impl Shared {
    /// Before anything runs; the clock starts now.
    pub fn new(lights: Vec<Arc<Light>>, presence: Option<Presence>) -> Self {
        Self {
            clock: Clock::start(),
            stop: AtomicBool::new(false),
            source_ended: AtomicBool::new(false),
            is_sound_away: AtomicBool::new(false),
            hearing_ended: AtomicBool::new(false),
            meters: Meters::new(),
            first_sample_us: AtomicU64::new(0),
            hear_seat: Seat::default(),
            show_seat: Seat::default(),
            history: Mutex::new(VecDeque::with_capacity(HISTORY + 1)),
            lit: AtomicUsize::new(lights.len()),
            lights,
            source_error: Mutex::new(None),
            presence,
        }
    }

    /// Runs a turn of a real-time loop and counts what it allocates.
    pub(super) fn without_allocating<T>(&self, turn: impl FnOnce() -> T) -> T {
        let before = assert_no_alloc::violation_count();
        let result = assert_no_alloc::assert_no_alloc(turn);
        self.meters.count(Count::Allocations, assert_no_alloc::violation_count().wrapping_sub(before));
        result
    }

    /// The newest figures; zeros before the first second is over.
    pub fn vitals(&self) -> Vitals {
        self.lock_history().back().copied().unwrap_or_default()
    }

    /// Stops everything, and waits until each light has had its last frame, but no longer than `patience`.
    pub fn darken(&self, patience: Duration) {
        self.stop.store(true, Release);
        let until = Instant::now() + patience;
        while self.lit.load(Acquire) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The history, oldest first.
    pub fn lock_history(&self) -> MutexGuard<'_, VecDeque<Vitals>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts as the program's own allocator does.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;
