//! The state that the threads share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use k1_device::answers::Vitals;
use k1_device::dimmer::Dim;
use k1_device::harmless::harmless;
use k1_device::meter::Count;

use super::{Clock, HISTORY, Meters, Reopen, Seat};
use crate::sink::Light;
use crate::source::{Presence, Source};

/// Longest time that the present source takes to let go.
const LET_GO: Duration = Duration::from_secs(2);

/// A source that is open.
pub struct NextSource {
    /// Where sound comes from.
    pub source: Box<dyn Source>,
    /// Opens it again when it ends; `None` if it plays once.
    pub reopen: Option<Reopen>,
}

impl fmt::Debug for NextSource {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.source.title())
    }
}

/// The state that all threads share.
#[derive(Debug)]
pub struct Shared {
    /// The program's clock.
    pub clock: Clock,
    /// True once the program is to end.
    pub stop: AtomicBool,
    /// True once the source has ended; the queue may still hold sound.
    pub source_ended: AtomicBool,
    /// True while the source delivers silence in place of live sound that is away.
    pub is_sound_away: AtomicBool,
    /// True if sound arrives by itself; false if the ear sets the pace.
    pub(super) is_live: AtomicBool,
    /// True once the ear has heard the last hop.
    pub hearing_ended: AtomicBool,
    /// The brightness of all zones.
    pub dim: Dim,
    /// The counters of the two halves.
    pub meters: Meters,
    /// Capture time of the first sample, in µs; 0 before it.
    pub first_sample_us: AtomicU64,
    /// The core and scheduling of the ear's thread.
    pub hear_seat: Seat,
    /// The ear's thread, which sleeps while it waits for sound; empty until it runs.
    pub(super) ear: OnceLock<Thread>,
    /// The core and scheduling of the renderer's thread.
    pub show_seat: Seat,
    /// Figures of the last seconds, newest last. The real-time halves never touch it.
    pub history: Mutex<VecDeque<Vitals>>,
    /// All lights, without the page.
    lights: Mutex<Vec<Arc<Light>>>,
    /// Number of lights that have not had their last frame.
    pub(super) lit: AtomicUsize,
    /// Name of the sound that plays, for people, at the start or after its last change.
    title: Mutex<String>,
    /// Why the sound stopped, if it was an error.
    pub source_error: Mutex<Option<String>>,
    /// Whether sound arrives; `None` if the source cannot lose it.
    presence: Mutex<Option<Presence>>,
    /// A source that is to take the place of the present one.
    next_source: Mutex<Option<NextSource>>,
}

impl Shared {
    /// The state before anything runs. The clock starts now.
    pub fn new(lights: Vec<Arc<Light>>, presence: Option<Presence>) -> Self {
        Self {
            clock: Clock::start(),
            stop: AtomicBool::new(false),
            source_ended: AtomicBool::new(false),
            is_sound_away: AtomicBool::new(false),
            is_live: AtomicBool::new(false),
            hearing_ended: AtomicBool::new(false),
            dim: Dim::default(),
            meters: Meters::new(),
            first_sample_us: AtomicU64::new(0),
            hear_seat: Seat::default(),
            ear: OnceLock::new(),
            show_seat: Seat::default(),
            history: Mutex::new(VecDeque::with_capacity(HISTORY + 1)),
            lit: AtomicUsize::new(lights.len()),
            lights: Mutex::new(lights),
            title: Mutex::default(),
            source_error: Mutex::new(None),
            presence: Mutex::new(presence),
            next_source: Mutex::default(),
        }
    }

    /// Runs one turn of a real-time loop and counts its allocations.
    pub(super) fn without_allocating<T>(&self, turn: impl FnOnce() -> T) -> T {
        let before = assert_no_alloc::violation_count();
        let result = assert_no_alloc::assert_no_alloc(turn);
        self.meters.count(Count::Allocations, assert_no_alloc::violation_count().wrapping_sub(before));
        result
    }

    /// The newest figures; all zero during the first second.
    pub fn vitals(&self) -> Vitals {
        self.lock_history().back().copied().unwrap_or_default()
    }

    /// Wakes the ear if it waits for sound.
    pub(super) fn wake_ear(&self) {
        if let Some(ear) = self.ear.get() {
            ear.unpark();
        }
    }

    /// Name of the sound that plays, for people.
    pub fn title(&self) -> String {
        match self.presence() {
            Some(presence) => presence.title(),
            None => self.title.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Whether sound arrives; `None` if the source cannot lose it.
    pub fn presence(&self) -> Option<Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what tells whether sound arrives.
    pub(super) fn set_presence(&self, presence: Option<Presence>) {
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner) = presence;
    }

    /// Puts a source in the place of the present one, while light and ear go on.
    ///
    /// # Errors
    ///
    /// A sentence if the sound has ended, or if the present source does not let go.
    pub fn change_source(&self, next: NextSource) -> Result<(), String> {
        *self.next_source() = Some(next);
        let until = Instant::now() + LET_GO;
        while self.next_source().is_some() {
            let has_ended = self.source_ended.load(Acquire);
            if has_ended || Instant::now() > until {
                // It may have been taken a moment ago.
                if self.next_source().take().is_none() {
                    return Ok(());
                }
                return Err(match has_ended {
                    true => "the sound has ended, and K1 ends with it; start it again".into(),
                    false => format!("{} does not let go, so it goes on; start K1 again", self.title()),
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The source that is to take the place of the present one.
    pub(super) fn next_source(&self) -> MutexGuard<'_, Option<NextSource>> {
        self.next_source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the name of the sound that plays.
    pub(super) fn set_title(&self, title: &str) {
        *self.title.lock().unwrap_or_else(PoisonError::into_inner) = harmless(title).into_owned();
    }

    /// All lights, without the page.
    pub fn lights(&self) -> Vec<Arc<Light>> {
        self.lights.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the lights.
    pub(super) fn set_lights(&self, lights: Vec<Arc<Light>>) {
        *self.lights.lock().unwrap_or_else(PoisonError::into_inner) = lights;
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

/// Counts allocations as the program's own allocator does.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;
