//! A thread that must be on time: on its own core, ahead of others where the system grants it.

use std::sync::atomic::{AtomicI32, Ordering};

use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// What a real-time thread got from the system.
#[derive(Debug, Default)]
pub struct Seat {
    /// Core that the thread found itself on plus one; 0 = not yet, −1 = the system does not say.
    core: AtomicI32,
    /// 1 = real-time scheduling was granted, −1 = refused.
    priority: AtomicI32,
}

impl Seat {
    /// Pins the calling thread to a core, asks for real-time scheduling, and records what became of it.
    ///
    /// `wanted` counts the cores this process may use; fewer cores than wanted wrap around.
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

    /// The core that the thread runs on: `None` until it runs, `Some(None)` where the system does not tell.
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

/// Asks for real-time scheduling on any core; false where it is refused.
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

/// Goes back to ordinary scheduling, which a thread does not have by itself if the one that started it has not.
pub fn do_not_hurry() {
    #[cfg(unix)]
    {
        use thread_priority::NormalThreadSchedulePolicy;
        // Where it cannot be set, it was never anything else.
        let _ = thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Min,
            ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other),
        );
    }
}

/// The core that the caller runs on, asked from the system.
fn current_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getcpu());
    #[cfg(not(target_os = "linux"))]
    None
}
