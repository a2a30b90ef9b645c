//! The two cores: number, start of the second, and interrupts between them.
//!
//! The machine's interrupt distributor (MX) has its registers in a space of their own, which `rer` and `wer` reach.

use core::arch::asm;

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
