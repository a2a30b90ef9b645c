//! Paint on the stack of `main`, which shows how much of it was used.

use core::hint::black_box;

/// Value of an unused word.
const PAINT: u32 = 0x4b31_5afe;
/// Number of bytes below the painting function that stay unpainted, because that function and the processor use them.
/// They count as used.
const OWN: usize = 256;

// Symbols of the HAL's linker script: a word near the end of the stack that must keep its value, and the beginning of
// the stack, which grows towards that word.
unsafe extern "C" {
    static __stack_chk_guard: u32;
    static _stack_start_cpu0: u32;
}

/// The words between the guard and an address in the stack, the last word first.
fn words(to: usize) -> impl Iterator<Item = *mut u32> {
    let from = (&raw const __stack_chk_guard) as usize + 4;
    (from..to).step_by(4).map(|at| at as *mut u32)
}

/// Paints the unused stack. Must be the first call in `main`, which does not yet have interrupts.
#[inline(never)]
pub fn paint() {
    let here = black_box(0_u32);
    for word in words((&raw const here) as usize - OWN) {
        // SAFETY: an aligned word of the stack below everything that is in use; no interrupt can use it yet.
        unsafe { word.write_volatile(PAINT) };
    }
}

/// Number of bytes of the stack that were used so far.
pub fn used() -> u32 {
    let top = (&raw const _stack_start_cpu0) as usize;
    // SAFETY: an aligned word of the stack, which lives as long as the lamp; a word in use may change during the read,
    // which a volatile read permits.
    let lowest = words(top).find(|word| unsafe { word.read_volatile() } != PAINT);
    lowest.map_or(0, |word| (top - word as usize) as u32)
}
