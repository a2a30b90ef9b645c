//! From reset to `main`: vectors, register windows and the processor's modes.
//!
//! The numbers of chapters are those of the *Xtensa Instruction Set Architecture Reference Manual* (Cadence, RG-2010).

use core::arch::{asm, global_asm};

// A call with a window does not save registers: it turns the window, and only if it reaches registers that an earlier
// caller still holds does the processor take an overflow exception, whose handler stores them; a return to registers
// that are not there takes an underflow exception (4.7.1.3 to 4.7.1.5). The handlers are the manual's own, because the
// compiler lays out each frame for exactly these: the 4 lowest registers of a caller lie 16 bytes below the stack pointer
// of the function that it called, the others below the end of the caller's caller's frame.
//
// The places of the vectors from VECBASE on are fixed when a core is made; this core's are those of the ESP32-S3.
// Assembly of the windows' own instructions and special registers is for LLVM 22, which does not know ATOMCTL.
global_asm!(
    r#"
    .section .vectors, "ax"
    .p2align 10
    .global _vectors
_vectors:
    # 0x000: overflow of a window of 4
    s32e a0, a5, -16
    s32e a1, a5, -12
    s32e a2, a5, -8
    s32e a3, a5, -4
    rfwo
    .p2align 6
    # 0x040: underflow of a window of 4
    l32e a0, a5, -16
    l32e a1, a5, -12
    l32e a2, a5, -8
    l32e a3, a5, -4
    rfwu
    .p2align 6
    # 0x080: overflow of a window of 8
    s32e a0, a9, -16
    l32e a0, a1, -12
    s32e a1, a9, -12
    s32e a2, a9, -8
    s32e a3, a9, -4
    s32e a4, a0, -32
    s32e a5, a0, -28
    s32e a6, a0, -24
    s32e a7, a0, -20
    rfwo
    .p2align 6
    # 0x0c0: underflow of a window of 8
    l32e a0, a9, -16
    l32e a1, a9, -12
    l32e a2, a9, -8
    l32e a7, a1, -12
    l32e a3, a9, -4
    l32e a4, a7, -32
    l32e a5, a7, -28
    l32e a6, a7, -24
    l32e a7, a7, -20
    rfwu
    .p2align 6
    # 0x100: overflow of a window of 12
    s32e a0, a13, -16
    l32e a0, a1, -12
    s32e a1, a13, -12
    s32e a2, a13, -8
    s32e a3, a13, -4
    s32e a4, a0, -48
    s32e a5, a0, -44
    s32e a6, a0, -40
    s32e a7, a0, -36
    s32e a8, a0, -32
    s32e a9, a0, -28
    s32e a10, a0, -24
    s32e a11, a0, -20
    rfwo
    .p2align 6
    # 0x140: underflow of a window of 12
    l32e a0, a13, -16
    l32e a1, a13, -12
    l32e a2, a13, -8
    l32e a11, a1, -12
    l32e a3, a13, -4
    l32e a4, a11, -48
    l32e a5, a11, -44
    l32e a6, a11, -40
    l32e a7, a11, -36
    l32e a8, a11, -32
    l32e a9, a11, -28
    l32e a10, a11, -24
    l32e a11, a11, -20
    rfwu
    .p2align 6
    # 0x180 to 0x2c0: interrupts of levels 2 to 5, debug, NMI: none is enabled here
    .rept 6
    movi a2, 0x7f
    j _unexpected
    .p2align 6
    .endr
    # 0x300: exception in kernel mode
    rsr a2, EXCCAUSE
    j _unexpected
    .p2align 6
    # 0x340: exception in user mode (PS.UM), in which all of this runs. Cause 4 is an interrupt of level 1.
    wsr a0, EXCSAVE1
    rsr a0, EXCCAUSE
    bnei a0, 4, 1f
    j _interrupt
1:  mov a2, a0
    j _unexpected
    .p2align 6
    .space 64
    # 0x3c0: exception within one of the handlers above; the address is in DEPC
    rsr a2, EXCCAUSE
    rsr a3, DEPC
    wsr a3, EPC1
    rsync
    j _unexpected
    .p2align 6

    # Nothing returns from here, so the windows are forgotten and the report has a stack of its own.
    .section .text.start, "ax"
    .p2align 2
.Lexception_stack: .long _exception_stack_top
.Lexception: .long k1_exception
.Lreporting: .long 0x4002f
_unexpected:
    wsr a2, EXCSAVE1
    movi a0, 0
    wsr a0, WINDOWBASE
    rsync
    movi a2, 1
    wsr a2, WINDOWSTART
    rsync
    l32r a1, .Lexception_stack
    l32r a2, .Lreporting
    wsr a2, PS
    rsync
    rsr a6, EXCSAVE1
    rsr a7, EPC1
    rsr a8, EXCVADDR
    l32r a4, .Lexception
    callx4 a4

    .section .reset, "ax"
    .global _reset
_reset:
    j .Lreset
    .p2align 2
.Lstart: .long _start
.Lreset:
    l32r a0, .Lstart
    jx a0

    # The second core starts at an address of its own.
    .section .reset1, "ax"
    .global _reset1
_reset1:
    j .Lreset1
    .p2align 2
.Lstart1: .long _start
.Lreset1:
    l32r a0, .Lstart1
    jx a0

    .section .text.start, "ax"
    .p2align 2
    .weak k1_second            # a program without it does not start the second core
.Lsecond_stack: .long _audio_stack_top
.Lsecond: .long k1_second
.Lvectors: .long _vectors
.Lstack: .long _main_stack_top
.Lpaint_from: .long _audio_stack_bottom
.Lpaint: .long 0x4b314b31
.Lbss: .long _bss_start
.Lbss_end: .long _bss_end
.Lprivate: .long 0x4002f
.Lrunning: .long 0x40020
.Lmain: .long k1_main
    .global _start
_start:
    # The first window is the only one (a reset leaves WINDOWSTART as it was); EXCM, which a reset sets, still holds
    # off window exceptions.
    movi a0, 0
    wsr a0, WINDOWBASE
    rsync
    movi a2, 1
    wsr a2, WINDOWSTART
    rsync
    # ATOMCTL, register 99: `s32c1i` works on memory itself whether it is cached or not. A reset forbids it for memory
    # that is not cached, and nothing is cached yet (4.3.13.2).
    movi a2, 0x15
    .byte 0x20, 0x63, 0x13
    l32r a2, .Lvectors
    wsr a2, VECBASE
    # The floating point unit is coprocessor 0.
    movi a2, 0xff
    wsr a2, CPENABLE
    movi a2, 0
    wsr a2, INTENABLE
    rsync
    # The second core finds memory and stacks as the first has prepared them.
    rsr a2, PRID
    beqz a2, 5f
    l32r a1, .Lsecond_stack
    l32r a4, .Lsecond
    j 6f
5:  l32r a2, .Lbss
    l32r a3, .Lbss_end
    movi a4, 0
1:  bgeu a2, a3, 2f
    s32i a4, a2, 0
    addi a2, a2, 4
    j 1b
2:  l32r a1, .Lstack
    l32r a2, .Lpaint_from
    l32r a4, .Lpaint
3:  bgeu a2, a1, 4f
    s32i a4, a2, 0
    addi a2, a2, 4
    j 3b
    # PS: windows (WOE) and user mode (UM), first without interrupts (INTLEVEL 15), then with them. A return address of
    # 0 is the end of the stack.
4:  l32r a4, .Lmain
6:  l32r a2, .Lprivate
    wsr a2, PS
    rsync
    l32r a2, .Lrunning
    wsr a2, PS
    rsync
    callx4 a4
"#
);

/// The cause of an exception for a vector that nothing enables.
const NO_CAUSE: u32 = 0x7f;

/// Reports an exception, and ends the machine.
#[unsafe(no_mangle)]
extern "C" fn k1_exception(cause: u32, address: u32, value: u32) -> ! {
    if cause == NO_CAUSE {
        panic!("an interrupt that nothing enables")
    }
    panic!("exception {cause} at {address:#x}, value {value:#x}")
}

/// The address of this function's stack frame.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let at;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, a1", out(reg) at, options(nomem, nostack)) };
    at
}

/// The cycle counter, which runs at the 40 MHz of this core in the emulator.
#[inline(always)]
pub fn cycles() -> u32 {
    let count;
    // SAFETY: reads a counter.
    unsafe { asm!("rsr {}, CCOUNT", out(reg) count, options(nomem, nostack)) };
    count
}
