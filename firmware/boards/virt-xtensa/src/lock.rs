//! Critical sections across both cores: interrupts held off, then a lock that the same core may take again.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::cores::core;
use crate::interrupts;

struct BothCores;
critical_section::set_impl!(BothCores);
/// Core that holds the lock, plus one.
static HOLDER: AtomicU32 = AtomicU32::new(0);

/// Marks the state of a section within another.
const NESTED: u32 = 1 << 31;

// SAFETY: only one core holds the lock at a time, with its interrupts held off; an acquire is ordered after the previous
// release, because `s32c1i` works on memory itself and `memw` precedes and follows it.
unsafe impl critical_section::Impl for BothCores {
    unsafe fn acquire() -> u32 {
        let before = interrupts::hold_off();
        let me = core() + 1;
        if HOLDER.load(Relaxed) == me {
            return before | NESTED;
        }
        while HOLDER.compare_exchange(0, me, SeqCst, Relaxed).is_err() {
            core::hint::spin_loop();
        }
        before
    }

    unsafe fn release(state: u32) {
        if state & NESTED == 0 {
            HOLDER.store(0, SeqCst);
        }
        interrupts::restore(state & !NESTED);
    }
}
