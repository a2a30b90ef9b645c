//! Threads that must be on time: on a core of their own, and with real-time scheduling if the system grants it.

use std::sync::atomic::{AtomicI32, Ordering};

use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// The core and the scheduling that a real-time thread got from the system.
#[derive(Debug, Default)]
pub struct Seat {
    /// Number of the thread's core plus one; 0 = not running yet, −1 = the system does not report it.
    core: AtomicI32,
    /// 1 = real-time scheduling was granted, −1 = refused, 0 = not asked for yet.
    priority: AtomicI32,
}

impl Seat {
    /// Pins the calling thread to a core, asks for real-time scheduling, and records the result.
    ///
    /// `wanted` is an index into the cores that this process may use; it wraps around if there are fewer.
    pub fn take(&self, wanted: usize, priority: u8) {
        if let Some(cores) = core_affinity::get_core_ids()
            && !cores.is_empty()
        {
            core_affinity::set_for_current(cores[wanted % cores.len()]);
        }
        let granted = hurry(priority);
        self.priority.store(if granted { 1 } else { -1 }, Ordering::Relaxed);
        self.core.store(current_core().map_or(-1, |c| c as i32 + 1), Ordering::Release);
    }

    /// The core that the thread runs on: `None` until it runs, `Some(None)` if the system does not report it.
    pub fn core(&self) -> Option<Option<usize>> {
        match self.core.load(Ordering::Acquire) {
            0 => None,
            -1 => Some(None),
            n => Some(Some(n as usize - 1)),
        }
    }

    /// True if the system granted real-time scheduling.
    pub fn is_realtime(&self) -> bool {
        self.priority.load(Ordering::Relaxed) == 1
    }
}

/// Asks for real-time scheduling of the calling thread; false if the system refuses.
pub fn hurry(priority: u8) -> bool {
    thread_priority::ThreadPriorityValue::try_from(priority).is_ok_and(|value| {
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Crossplatform(value),
            policy,
        )
        .is_ok()
    })
}

/// Returns the calling thread to ordinary scheduling. A thread inherits the scheduling of the thread that started it.
pub fn do_not_hurry() {
    #[cfg(unix)]
    {
        use thread_priority::NormalThreadSchedulePolicy;
        // If this fails, the thread never had any other scheduling.
        let _ = thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Min,
            ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other),
        );
    }
}

/// The core that the calling thread runs on, if the system reports it.
fn current_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getcpu());
    #[cfg(not(target_os = "linux"))]
    None
}
