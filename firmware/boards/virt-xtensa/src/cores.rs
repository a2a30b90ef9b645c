//! The two cores: number, start of the second, a word between them, and critical sections across both.
//!
//! The machine's interrupt distributor (MX) has its registers in a space of their own, which `rer` and `wer` reach.

use core::arch::asm;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::interrupts;

/// Interrupts between cores that are pending for core 0; core 1 has the next register.
const CAUSE: u32 = 0x100;
/// Raises interrupt 0 in the cores whose bits are set.
const RAISE: u32 = 0x140;
/// Cores that are stalled, a bit each.
const STALLED: u32 = 0x200;

fn read_distributor(register: u32) -> u32 {
    let value;
    // SAFETY: reads a register. These are the bytes of `rer a2, a3`, which the assembler does not know.
    unsafe { asm!(".byte 0x20, 0x63, 0x40", out("a2") value, in("a3") register, options(nostack)) };
    value
}

fn write_distributor(register: u32, value: u32) {
    // SAFETY: every caller names a register. These are the bytes of `wer a2, a3`.
    unsafe { asm!("memw", ".byte 0x20, 0x73, 0x40", in("a2") value, in("a3") register, options(nostack)) };
}

/// Number of the core that runs this code.
#[inline(always)]
pub fn core() -> u32 {
    let id: u32;
    // SAFETY: reads a register that does not change.
    unsafe { asm!("rsr {}, PRID", out(reg) id, options(pure, nomem, nostack)) };
    id
}

/// Lets core 1 run, which begins at its reset vector.
pub fn start_second() {
    write_distributor(STALLED, read_distributor(STALLED) & !2);
}

/// Raises an interrupt in a core.
pub fn poke(core: u32) {
    write_distributor(RAISE, 1 << core);
}

/// Clears the interrupt that [`poke`] raised in this core.
pub fn unpoke() {
    write_distributor(CAUSE + core(), 1);
}

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
