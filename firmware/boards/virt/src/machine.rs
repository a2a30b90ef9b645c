//! The bare machine: start of both harts, traps, time and critical sections.

use core::arch::{asm, global_asm};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU32};

use k1_emulated_lamp::machine::Machine;

use crate::{power, serial};

const CLINT: usize = 0x0200_0000;
const MTIMECMP: usize = CLINT + 0x4000;
const MTIME: usize = CLINT + 0xbff8;
const PLIC: usize = 0x0c00_0000;
/// Address of the flash with the lamp's images and settings: the second of two.
pub const FLASH: usize = 0x2200_0000;
/// Ticks of the machine's timer per µs.
const TICKS_PER_US: u64 = 10;
/// Value of unused words of a stack.
const PAINT: u32 = 0x4b31_4b31;

// Both harts start here. Hart 0 clears memory, paints the stacks and releases hart 1, which waits for a word in
// `.data`, because this section is not cleared. A trap saves the registers that a Rust function may change and calls
// `trap`; on hart 0 the renderer runs in the software interrupt, on its own stack.
global_asm!(
    r#"
    .section .init
    .global _start
_start:
    li t0, 8                   # the other hart's word wakes from here on; it interrupts later
    csrw mie, t0
    la t0, trap_entry
    csrw mtvec, t0
    li t0, 0x6000              # the floating point unit, on
    csrs mstatus, t0
    csrw fcsr, zero
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    csrr t0, mhartid
    bnez t0, 2f
    mv s0, a0                  # what the loader says: which slot this is
    la t0, _bss_start
    la t1, _bss_end
1:  bgeu t0, t1, 3f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
3:  la t0, _audio_stack_bottom
    la t1, _main_stack_top
    li t2, 0x4b314b31
4:  bgeu t0, t1, 5f
    sw t2, 0(t0)
    addi t0, t0, 4
    j 4b
5:  la sp, _main_stack_top
    mv a0, s0
    call hart0
2:  li t5, 10000               # looks, one in a ms: hart 0 hangs in its first steps
    la t1, HART1_MAY_GO
    li t0, 0x02004008          # mtimecmp of hart 1
    li t4, -1
    li t3, 0x80                # the timer wakes, and interrupts nothing
    csrw mie, t3
7:  lw t3, 0(t1)
    bnez t3, 8f
    rdtimeh t2
    rdtime t3
    rdtimeh t6
    bne t2, t6, 7b
    li t6, 10000
    add t6, t3, t6
    sltu t3, t6, t3
    add t2, t2, t3
    sw t4, 4(t0)
    sw t6, 0(t0)
    sw t2, 4(t0)
    wfi
    addi t5, t5, -1
    bnez t5, 7b
    li t0, 0x00100000
    li t1, 0x7777
    sw t1, 0(t0)
9:  wfi
    j 9b
8:  li t3, 8
    csrw mie, t3
    sw t4, 4(t0)
    fence
    la sp, _audio_stack_top
    call hart1

    .balign 4
trap_entry:
    addi sp, sp, -160
    sw ra, 0(sp)
    sw t0, 4(sp)
    sw t1, 8(sp)
    sw t2, 12(sp)
    sw t3, 16(sp)
    sw t4, 20(sp)
    sw t5, 24(sp)
    sw t6, 28(sp)
    sw a0, 32(sp)
    sw a1, 36(sp)
    sw a2, 40(sp)
    sw a3, 44(sp)
    sw a4, 48(sp)
    sw a5, 52(sp)
    sw a6, 56(sp)
    sw a7, 60(sp)
    fsw ft0, 64(sp)
    fsw ft1, 68(sp)
    fsw ft2, 72(sp)
    fsw ft3, 76(sp)
    fsw ft4, 80(sp)
    fsw ft5, 84(sp)
    fsw ft6, 88(sp)
    fsw ft7, 92(sp)
    fsw ft8, 96(sp)
    fsw ft9, 100(sp)
    fsw ft10, 104(sp)
    fsw ft11, 108(sp)
    fsw fa0, 112(sp)
    fsw fa1, 116(sp)
    fsw fa2, 120(sp)
    fsw fa3, 124(sp)
    fsw fa4, 128(sp)
    fsw fa5, 132(sp)
    fsw fa6, 136(sp)
    fsw fa7, 140(sp)
    frcsr t0
    sw t0, 144(sp)
    sw s0, 148(sp)
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    mv s0, sp
    csrr t0, mhartid
    bnez t0, 6f
    li t1, 0x80000003
    bne a0, t1, 6f
    la sp, _render_stack_top
6:  call trap
    mv sp, s0
    lw t0, 144(sp)
    fscsr t0
    flw ft0, 64(sp)
    flw ft1, 68(sp)
    flw ft2, 72(sp)
    flw ft3, 76(sp)
    flw ft4, 80(sp)
    flw ft5, 84(sp)
    flw ft6, 88(sp)
    flw ft7, 92(sp)
    flw ft8, 96(sp)
    flw ft9, 100(sp)
    flw ft10, 104(sp)
    flw ft11, 108(sp)
    flw fa0, 112(sp)
    flw fa1, 116(sp)
    flw fa2, 120(sp)
    flw fa3, 124(sp)
    flw fa4, 128(sp)
    flw fa5, 132(sp)
    flw fa6, 136(sp)
    flw fa7, 140(sp)
    lw ra, 0(sp)
    lw t0, 4(sp)
    lw t1, 8(sp)
    lw t2, 12(sp)
    lw t3, 16(sp)
    lw t4, 20(sp)
    lw t5, 24(sp)
    lw t6, 28(sp)
    lw a0, 32(sp)
    lw a1, 36(sp)
    lw a2, 40(sp)
    lw a3, 44(sp)
    lw a4, 48(sp)
    lw a5, 52(sp)
    lw a6, 56(sp)
    lw a7, 60(sp)
    lw s0, 148(sp)
    addi sp, sp, 160
    mret
"#
);

unsafe extern "C" {
    static _audio_stack_bottom: u32;
    static _audio_stack_top: u32;
    static _render_stack_bottom: u32;
    static _render_stack_top: u32;
    static _main_stack_bottom: u32;
    static _main_stack_top: u32;
    static _start: u32;
    static _data_start: u32;
    static _data_end: u32;
    static _bss_start: u32;
    static _bss_end: u32;
}

/// In `.data` and initially not zero, so that no linker moves it into the cleared memory.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data")]
static HART1_MAY_GO: AtomicU32 = AtomicU32::new(0);

/// Releases hart 1.
pub fn start_hart1() {
    HART1_MAY_GO.store(1, Release);
}

fn write(address: usize, value: u32) {
    // SAFETY: every caller names a register of this machine, 32 bits wide and aligned.
    unsafe { (address as *mut u32).write_volatile(value) }
}

fn read(address: usize) -> u32 {
    // SAFETY: every caller names a register of this machine, 32 bits wide and aligned.
    unsafe { (address as *const u32).read_volatile() }
}

/// Number of the hart that runs this code, from the hardware.
pub fn hart() -> u32 {
    let hart: u32;
    // SAFETY: reading this register changes nothing.
    unsafe { asm!("csrr {}, mhartid", out(reg) hart, options(nomem, nostack)) };
    hart
}

/// Number of instructions that this hart has retired; exact under `-icount`.
#[allow(dead_code, reason = "the proofs count")]
pub fn instructions() -> u32 {
    let count: u32;
    // SAFETY: reading this register changes nothing.
    unsafe { asm!("csrr {}, minstret", out(reg) count, options(nomem, nostack)) };
    count
}

/// Microseconds since the machine was switched on, from the clock that both harts share.
pub fn now_us() -> u64 {
    loop {
        let (high, low, again): (u32, u32, u32);
        // SAFETY: reads of the clock. Reads of its registers in memory would take the emulator's big lock three times.
        unsafe {
            asm!("rdtimeh {}", "rdtime {}", "rdtimeh {}", out(reg) high, out(reg) low, out(reg) again,
                options(nomem, nostack));
        }
        if high == again {
            return (u64::from(high) << 32 | u64::from(low)) / TICKS_PER_US;
        }
    }
}

/// Advances the clock if the host has written a number of ticks after the lamp's memory. Tests get a lamp that has run
/// for a long time without a wait. Must run before anything reads the clock.
#[allow(dead_code, reason = "the proofs begin at 0")]
pub fn begin_late() {
    const PLACE: usize = 0x80f0_0000;
    let (low, high) = (read(PLACE), read(PLACE + 4));
    if low | high != 0 {
        write(MTIME, low);
        write(MTIME + 4, high);
    }
}

/// The host's clock in nanoseconds, the only value in this machine that differs at each start.
pub fn host_ns() -> u64 {
    const CLOCK: usize = 0x0010_1000;
    // A read of the lower half freezes the upper half.
    let low = read(CLOCK);
    u64::from(read(CLOCK + 4)) << 32 | u64::from(low)
}

/// Sets the time in µs at which a hart wakes; `u64::MAX` = never.
pub fn set_alarm(hart: u32, at_us: u64) {
    let ticks = at_us.saturating_mul(TICKS_PER_US);
    let place = MTIMECMP + 8 * hart as usize;
    // First the upper half with its largest value, so that no intermediate value is in the past (privileged
    // specification, 3.2.1).
    write(place + 4, u32::MAX);
    write(place, ticks as u32);
    write(place + 4, (ticks >> 32) as u32);
}

/// Raises the software interrupt of a hart.
pub fn poke(hart: u32) {
    write(CLINT + 4 * hart as usize, 1);
}

/// Clears the software interrupt of a hart.
pub fn unpoke(hart: u32) {
    write(CLINT + 4 * hart as usize, 0);
}

/// Enables timer and software interrupts, and device interrupts on hart 0.
pub fn enable_interrupts() {
    let which = if hart() == 0 { 0x888 } else { 0x088 };
    // SAFETY: the trap vector was set at the start, and every handler exists.
    unsafe {
        asm!("csrs mie, {}", in(reg) which, options(nostack));
        asm!("csrsi mstatus, 8", options(nostack));
    }
}

static ASLEEP_US: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Total time that each hart has slept, in µs; wraps at 2³².
pub fn asleep_us() -> [u32; 2] {
    ASLEEP_US.each_ref().map(|us| us.load(Relaxed))
}

/// Sleeps until an interrupt is pending, unless `ready` says that there is work.
pub fn sleep_unless(ready: &AtomicBool) {
    // SAFETY: interrupts are enabled again below; `wfi` wakes for a pending interrupt even while they are disabled, so
    // none is missed between the check and the sleep.
    unsafe { asm!("csrci mstatus, 8", options(nostack)) };
    if !ready.load(Acquire) {
        let began = now_us();
        // SAFETY: as above.
        unsafe { asm!("wfi", options(nomem, nostack)) };
        ASLEEP_US[hart() as usize].fetch_add((now_us() - began) as u32, Relaxed);
    }
    // SAFETY: as above.
    unsafe { asm!("csrsi mstatus, 8", options(nostack)) };
}

/// Enables a device's interrupt on hart 0.
pub fn enable_device(irq: u32) {
    write(PLIC + 4 * irq as usize, 1);
    write(PLIC + 0x2000, read(PLIC + 0x2000) | 1 << irq);
    write(PLIC + 0x20_0000, 0);
}

/// Claims an interrupt and returns its number; 0 = none.
pub fn claim_device() -> u32 {
    read(PLIC + 0x20_0004)
}

/// Notes that the device's interrupt was served.
pub fn complete_device(irq: u32) {
    write(PLIC + 0x20_0004, irq);
}

// Critical sections across both harts: interrupts off, then a lock that the same hart may take again. The other hart
// sleeps while it waits: if the emulator runs one hart at a time, a spinning hart would keep the holder from leaving.
struct BothHarts;
critical_section::set_impl!(BothHarts);
/// Time in µs that is far longer than any critical section.
const MOST_LOCKED_US: u64 = 5_000_000;
/// A cause for `trap` in addition to those of the hardware: the hart in the second argument does not leave a critical
/// section.
pub const STUCK: u32 = 0x4000_0000;
/// Hart that holds the lock, plus one.
static HOLDER: AtomicU32 = AtomicU32::new(0);
/// Harts that wait for the lock. A waiting hart sets its flag before its last check of the lock, and the holder checks
/// the flags after its release; both use `SeqCst`, so that one of them sees the other.
static WAITING: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];

// SAFETY: only one hart holds the lock at a time, with its interrupts off; an acquire is ordered after the previous
// release.
unsafe impl critical_section::Impl for BothHarts {
    unsafe fn acquire() -> u8 {
        let status: u32;
        // SAFETY: `release` restores the interrupt flag.
        unsafe { asm!("csrrci {}, mstatus, 8", out(reg) status) };
        let interrupts = (status >> 3 & 1) as u8;
        let me = hart() + 1;
        if HOLDER.load(Relaxed) == me {
            return 2 | interrupts;
        }
        if HOLDER.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
            let began = now_us();
            WAITING[me as usize - 1].store(true, SeqCst);
            while HOLDER.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
                // SAFETY: it wakes for a pending interrupt, from the holder or a timer, and does not run its handler.
                unsafe { asm!("wfi", options(nomem, nostack)) };
                // A hart that hangs inside a section would also hang this hart, whose interrupts are off.
                if now_us() - began > MOST_LOCKED_US {
                    crate::trap(STUCK, HOLDER.load(Relaxed).wrapping_sub(1), 0);
                }
            }
            WAITING[me as usize - 1].store(false, Relaxed);
        }
        interrupts
    }

    unsafe fn release(state: u8) {
        if state & 2 == 0 {
            HOLDER.store(0, SeqCst);
            let other = 1 - hart();
            if WAITING[other as usize].load(SeqCst) {
                poke(other);
            }
        }
        if state & 1 != 0 {
            // SAFETY: interrupts were on when the section was entered.
            unsafe { asm!("csrsi mstatus, 8") };
        }
    }
}

/// Size of a painted stack, and the number of its bytes that were never used.
fn untouched(bottom: *const u32, top: *const u32) -> (u32, u32) {
    let words = (top as usize - bottom as usize) / 4;
    let clean = (0..words).take_while(|i| {
        // SAFETY: within the stack, which lives as long as the machine; a word in use may change during the read, which
        // a volatile read permits.
        unsafe { bottom.add(*i).read_volatile() == PAINT }
    });
    ((words * 4) as u32, (clean.count() * 4) as u32)
}

/// Size and unused bytes of the renderer's stack and of the ear's.
pub fn stacks() -> [(u32, u32); 2] {
    [
        untouched(&raw const _render_stack_bottom, &raw const _render_stack_top),
        untouched(&raw const _audio_stack_bottom, &raw const _audio_stack_top),
    ]
}

/// Number of bytes of the main stack that were used so far.
#[allow(dead_code, reason = "the proofs do not measure it")]
pub fn main_stack_used() -> u32 {
    let (size, unused) = untouched(&raw const _main_stack_bottom, &raw const _main_stack_top);
    size - unused
}

/// Size in bytes of the image, and of its static RAM: initialised and zeroed data.
pub fn sizes() -> (u32, u32) {
    let between = |from: *const u32, to: *const u32| (to as usize - from as usize) as u32;
    let data = between(&raw const _data_start, &raw const _data_end);
    let image = between(&raw const _start, &raw const _data_end);
    (image, data + between(&raw const _bss_start, &raw const _bss_end))
}

/// This machine, for the lamp.
pub struct Virt;

impl Machine for Virt {
    fn name(&self) -> &'static str {
        "virt"
    }

    fn memory(&self) -> usize {
        0x8000_0000
    }

    fn core(&self) -> usize {
        hart() as usize
    }

    fn now_us(&self) -> u64 {
        now_us()
    }

    fn chance(&self) -> u64 {
        host_ns()
    }

    fn set_alarm(&self, at_us: u64) {
        set_alarm(hart(), at_us);
    }

    fn poke(&self, core: usize) {
        poke(core as u32);
    }

    fn start_second(&self) {
        start_hart1();
    }

    fn enable_interrupts(&self) {
        enable_interrupts();
    }

    fn sleep_unless(&self, ready: &AtomicBool) {
        sleep_unless(ready);
    }

    fn asleep_us(&self) -> [u32; 2] {
        asleep_us()
    }

    fn stacks(&self) -> [(u32, u32); 2] {
        stacks()
    }

    fn main_stack_used(&self) -> u32 {
        main_stack_used()
    }

    fn sizes(&self) -> (u32, u32) {
        sizes()
    }

    fn write(&self, text: &str) {
        serial::write(text);
    }

    fn reset(&self) -> ! {
        power::reset()
    }
}
