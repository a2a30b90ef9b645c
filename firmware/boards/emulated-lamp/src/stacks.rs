//! Paint on stacks, which shows how much of each was used, and the sizes of what a linker script lays out.

/// Value of unused words of a stack, with which each board's start-up code paints.
const PAINT: u32 = 0x4b31_4b31;

/// Size in bytes of a painted stack, and the number of its bytes that were never used. Both ends are symbols of the board's
/// linker script.
pub fn untouched(bottom: *const u32, top: *const u32) -> (u32, u32) {
    let words = (top as usize - bottom as usize) / 4;
    let clean = (0..words).take_while(|i| {
        // SAFETY: within the stack, which lives as long as the machine; a word in use may change during the read, which
        // a volatile read permits.
        unsafe { bottom.add(*i).read_volatile() == PAINT }
    });
    ((words * 4) as u32, (clean.count() * 4) as u32)
}

/// Number of bytes of a painted stack that were used so far.
pub fn used(bottom: *const u32, top: *const u32) -> u32 {
    let (size, unused) = untouched(bottom, top);
    size - unused
}
