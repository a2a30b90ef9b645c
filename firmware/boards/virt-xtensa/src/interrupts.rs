//! Interrupts of level 1: entry, numbers and masks.

use core::arch::{asm, global_asm};

/// Interrupt that one core raises in another.
pub const POKE: u32 = 0;
/// Interrupt of the network card: the second line into the distributor.
pub const CARD: u32 = 4;
/// Interrupt of the timer CCOMPARE0.
pub const TIMER: u32 = 6;
/// Interrupt that software raises on its own core; on core 0 it runs on the renderer's stack.
pub const SOFTWARE: u32 = 7;

// An interrupt turns no window: the handler has the registers of the function that it interrupted. It saves all sixteen,
// because those of that function's next calls may already hold arguments, and as many special registers as Rust code
// changes. Until PS.EXCM is cleared, no access is checked for registers of an earlier caller, so the handler uses only a0
// to a3, which belong to the function. It leaves a1 alone: an overflow handler finds the caller's save area by it.
// The registers are saved where `_interrupt_frame`, the function that is called next, has its frame.
global_asm!(
    r#"
    .section .text.interrupt, "ax"
    .p2align 2
.Lcalled: .long 0x40023        # PS: windows, user mode, INTLEVEL 3
.Lreturning: .long 0x40033     # the same with EXCM
.Lframe: .long _interrupt_frame
.Lrender_stack: .long _render_stack_top
.Lhandler: .long k1_interrupt
    .weak k1_interrupt         # a program without it enables no interrupt
    .global _interrupt
    .p2align 2
_interrupt:
    addmi a0, a1, -256
    s32i a2, a0, 8
    s32i a3, a0, 12
    s32i a4, a0, 16
    s32i a5, a0, 20
    s32i a6, a0, 24
    s32i a7, a0, 28
    s32i a8, a0, 32
    s32i a9, a0, 36
    s32i a10, a0, 40
    s32i a11, a0, 44
    s32i a12, a0, 48
    s32i a13, a0, 52
    s32i a14, a0, 56
    s32i a15, a0, 60
    rsr a2, EXCSAVE1
    s32i a2, a0, 0
    rsr a2, EPC1
    s32i a2, a0, 64
    rsr a2, PS
    s32i a2, a0, 68
    rsr a2, SAR
    s32i a2, a0, 72
    rsr a2, LBEG
    s32i a2, a0, 76
    rsr a2, LEND
    s32i a2, a0, 80
    rsr a2, LCOUNT
    s32i a2, a0, 84
    movi a2, 0                 # a loop that was interrupted must not continue in the handler
    wsr a2, LCOUNT
    rsr a2, SCOMPARE1
    s32i a2, a0, 88
    rsr a2, BR
    s32i a2, a0, 92
    ssi f0, a0, 96
    ssi f1, a0, 100
    ssi f2, a0, 104
    ssi f3, a0, 108
    ssi f4, a0, 112
    ssi f5, a0, 116
    ssi f6, a0, 120
    ssi f7, a0, 124
    ssi f8, a0, 128
    ssi f9, a0, 132
    ssi f10, a0, 136
    ssi f11, a0, 140
    ssi f12, a0, 144
    ssi f13, a0, 148
    ssi f14, a0, 152
    ssi f15, a0, 156
    rur a2, FCR
    s32i a2, a0, 160
    rur a2, FSR
    s32i a2, a0, 164
    l32r a2, .Lcalled
    wsr a2, PS
    rsync
    l32r a2, .Lframe
    callx4 a2
    l32r a2, .Lreturning
    wsr a2, PS
    rsync
    addmi a0, a1, -256
    l32i a2, a0, 64
    wsr a2, EPC1
    l32i a2, a0, 68
    wsr a2, PS
    l32i a2, a0, 72
    wsr a2, SAR
    l32i a2, a0, 76
    wsr a2, LBEG
    l32i a2, a0, 80
    wsr a2, LEND
    l32i a2, a0, 84
    wsr a2, LCOUNT
    l32i a2, a0, 88
    wsr a2, SCOMPARE1
    l32i a2, a0, 92
    wsr a2, BR
    l32i a2, a0, 160
    wur a2, FCR
    l32i a2, a0, 164
    wur a2, FSR
    rsync
    lsi f0, a0, 96
    lsi f1, a0, 100
    lsi f2, a0, 104
    lsi f3, a0, 108
    lsi f4, a0, 112
    lsi f5, a0, 116
    lsi f6, a0, 120
    lsi f7, a0, 124
    lsi f8, a0, 128
    lsi f9, a0, 132
    lsi f10, a0, 136
    lsi f11, a0, 140
    lsi f12, a0, 144
    lsi f13, a0, 148
    lsi f14, a0, 152
    lsi f15, a0, 156
    l32i a2, a0, 8
    l32i a3, a0, 12
    l32i a4, a0, 16
    l32i a5, a0, 20
    l32i a6, a0, 24
    l32i a7, a0, 28
    l32i a8, a0, 32
    l32i a9, a0, 36
    l32i a10, a0, 40
    l32i a11, a0, 44
    l32i a12, a0, 48
    l32i a13, a0, 52
    l32i a14, a0, 56
    l32i a15, a0, 60
    l32i a0, a0, 0
    rfe

    # The frame of this function covers what was saved, below the areas for the windows of its callers. The caller's
    # window is still in the registers, so a new stack needs no copy of its save area.
    .p2align 2
_interrupt_frame:
    entry a1, 256
    rsr a2, INTERRUPT
    rsr a3, INTENABLE
    and a10, a2, a3
    bbci a10, 7, 1f
    rsr a3, PRID
    bnez a3, 1f
    l32r a3, .Lrender_stack
    movsp a1, a3
1:  l32r a3, .Lhandler
    callx8 a3
    retw
"#
);

/// Enables the interrupts with these numbers on this core.
pub fn enable(numbers: &[u32]) {
    let mask = numbers.iter().fold(0, |mask, n| mask | 1_u32 << n);
    let on: u32;
    // SAFETY: each of these interrupts has a handler.
    unsafe {
        asm!("rsr {}, INTENABLE", out(reg) on, options(nomem, nostack));
        asm!("wsr {}, INTENABLE", "rsync", in(reg) on | mask, options(nostack));
    }
}

/// Raises the software interrupt of this core.
pub fn raise_software() {
    // SAFETY: sets one bit; the interrupt has a handler.
    unsafe { asm!("wsr {}, INTSET", "rsync", in(reg) 1_u32 << SOFTWARE, options(nostack)) };
}

/// Clears the software interrupt of this core.
pub fn clear_software() {
    // SAFETY: clears one bit.
    unsafe { asm!("wsr {}, INTCLEAR", "rsync", in(reg) 1_u32 << SOFTWARE, options(nostack)) };
}

/// Holds off interrupts of all levels. Returns the processor's state before, for [`restore`].
pub fn hold_off() -> u32 {
    let before;
    // SAFETY: `restore` gives the level back.
    unsafe { asm!("rsil {}, 15", out(reg) before) };
    before
}

/// Gives back the level of interrupts that [`hold_off`] found.
pub fn restore(before: u32) {
    // SAFETY: the value came from this register on this core. Of what else it holds, only fields change that the processor
    // sets at each call and window exception.
    unsafe { asm!("wsr {}, PS", "rsync", in(reg) before) };
}

/// Waits for an interrupt and lets all of them through.
pub fn wait() {
    // SAFETY: lets interrupts through, all of which have handlers.
    unsafe { asm!("waiti 0") };
}
