//! Gives light and sound priority over everything else on their cores.
//!
//! On chips whose task switch saves the floating-point registers, or that have none (Xtensa; RISC-V without F),
//! renderer and ear are threads of the scheduler with their own stacks. With two cores they have the highest priority.
//! On a single core without floating-point hardware they would use all its time and the lamp could not be reached.
//! There they share the time with the network in equal slices, and lose hops and frames instead, which are counted.
//!
//! On chips whose task switch does not save these registers (RISC-V with F: neither esp-rtos 0.4 nor esp-riscv-rt 0.15
//! saves them), renderer and ear each run in a software interrupt, which saves the registers of the interrupted code
//! and has its own stack. Threads on these chips still share the registers: on the ESP32-S31 a few functions of the
//! radio's power saving, which is off, use them, so that a figure of the API might be wrong once, but neither light nor
//! sound.

use embassy_executor::Spawner;

/// Size of the stack of renderer and ear in bytes. A stack that only an interrupt uses needs no more than the virtual
/// lamp's; a thread's also carries the interrupts of the radio.
const fn stack(interrupt: usize) -> usize {
    if cfg!(interrupt_levels) { interrupt } else { 16 * 1024 }
}
/// Size of the renderer's stack in bytes.
pub const RENDERER_STACK: usize = stack(13 * 1024);
/// Size of the ear's stack in bytes.
pub const EAR_STACK: usize = stack(12 * 1024);

#[cfg(interrupt_levels)]
pub use levels::{Levels, ear, renderer, stacks};
#[cfg(all(not(interrupt_levels), not(multi_core)))]
pub use threads::ear;
#[cfg(not(interrupt_levels))]
pub use threads::renderer;
#[cfg(all(not(interrupt_levels), multi_core))]
pub use threads::run_above;

#[cfg(interrupt_levels)]
mod levels {
    use core::arch::naked_asm;
    use core::mem::MaybeUninit;
    use core::ptr;
    use core::sync::atomic::AtomicPtr;
    use core::sync::atomic::Ordering::{Acquire, Release};

    use embassy_executor::raw::Executor;
    use esp_hal::interrupt::software::SoftwareInterrupt;
    use esp_hal::interrupt::{InterruptHandler, Priority};
    use esp_hal::peripherals::{FROM_CPU_INTR2, FROM_CPU_INTR3};
    use k1_device::answers::Stack as StackUse;
    use static_cell::StaticCell;

    use super::{EAR_STACK, RENDERER_STACK, Spawner};

    /// The interrupts: esp-rtos wakes executors 0 to 3 through the interrupt of that number.
    pub struct Levels {
        /// Interrupt of the renderer.
        pub renderer: FROM_CPU_INTR2<'static>,
        /// Interrupt of the ear.
        pub ear: FROM_CPU_INTR3<'static>,
    }

    const RENDERER: usize = 2;
    const EAR: usize = 3;
    /// A higher priority than the scheduler, its timer and the network.
    const ABOVE: Priority = Priority::Priority3;
    /// Value of an unused word of a stack.
    const PAINT: u32 = 0x4b31_5afe;

    #[repr(align(16))]
    struct Stack<const WORDS: usize>(MaybeUninit<[u32; WORDS]>);

    static mut RENDERER_STACK_AT: Stack<{ RENDERER_STACK / 4 }> = Stack(MaybeUninit::uninit());
    static mut EAR_STACK_AT: Stack<{ EAR_STACK / 4 }> = Stack(MaybeUninit::uninit());
    static RENDERER_EXECUTOR: AtomicPtr<Executor> = AtomicPtr::new(ptr::null_mut());
    static EAR_EXECUTOR: AtomicPtr<Executor> = AtomicPtr::new(ptr::null_mut());

    /// Polls an executor on its own stack. It first saves the floating-point registers that a call may change, because
    /// they belong to the interrupted code.
    macro_rules! handler {
        ($name:ident, $poll:ident, $stack:ident, $bytes:ident, $executor:ident, $interrupt:ident) => {
            extern "C" fn $poll() {
                // SAFETY: `levels` owns the interrupt and uses it only for this.
                SoftwareInterrupt::new(unsafe { $interrupt::steal() }).reset();
                let executor = $executor.load(Acquire);
                if !executor.is_null() {
                    // SAFETY: the executor is in a `static`, and only this interrupt polls it, on the core it is bound
                    // to.
                    unsafe { (*executor).poll() };
                }
            }

            #[unsafe(naked)]
            extern "C" fn $name() {
                naked_asm!(
                    ".attribute arch, \"rv32imafc\"",
                    "addi sp, sp, -16",
                    "sw ra, 12(sp)",
                    "sw s0, 8(sp)",
                    "mv s0, sp",
                    "la t0, {stack}",
                    "li t1, {bytes}",
                    "add sp, t0, t1",
                    "addi sp, sp, -96",
                    "fsw ft0, 0(sp)",
                    "fsw ft1, 4(sp)",
                    "fsw ft2, 8(sp)",
                    "fsw ft3, 12(sp)",
                    "fsw ft4, 16(sp)",
                    "fsw ft5, 20(sp)",
                    "fsw ft6, 24(sp)",
                    "fsw ft7, 28(sp)",
                    "fsw fa0, 32(sp)",
                    "fsw fa1, 36(sp)",
                    "fsw fa2, 40(sp)",
                    "fsw fa3, 44(sp)",
                    "fsw fa4, 48(sp)",
                    "fsw fa5, 52(sp)",
                    "fsw fa6, 56(sp)",
                    "fsw fa7, 60(sp)",
                    "fsw ft8, 64(sp)",
                    "fsw ft9, 68(sp)",
                    "fsw ft10, 72(sp)",
                    "fsw ft11, 76(sp)",
                    "frcsr t0",
                    "sw t0, 80(sp)",
                    "call {poll}",
                    "lw t0, 80(sp)",
                    "fscsr t0",
                    "flw ft0, 0(sp)",
                    "flw ft1, 4(sp)",
                    "flw ft2, 8(sp)",
                    "flw ft3, 12(sp)",
                    "flw ft4, 16(sp)",
                    "flw ft5, 20(sp)",
                    "flw ft6, 24(sp)",
                    "flw ft7, 28(sp)",
                    "flw fa0, 32(sp)",
                    "flw fa1, 36(sp)",
                    "flw fa2, 40(sp)",
                    "flw fa3, 44(sp)",
                    "flw fa4, 48(sp)",
                    "flw fa5, 52(sp)",
                    "flw fa6, 56(sp)",
                    "flw fa7, 60(sp)",
                    "flw ft8, 64(sp)",
                    "flw ft9, 68(sp)",
                    "flw ft10, 72(sp)",
                    "flw ft11, 76(sp)",
                    "mv sp, s0",
                    "lw s0, 8(sp)",
                    "lw ra, 12(sp)",
                    "addi sp, sp, 16",
                    "ret",
                    stack = sym $stack,
                    bytes = const $bytes,
                    poll = sym $poll,
                )
            }
        };
    }

    handler!(
        on_renderer,
        poll_renderer,
        RENDERER_STACK_AT,
        RENDERER_STACK,
        RENDERER_EXECUTOR,
        FROM_CPU_INTR2
    );
    handler!(on_ear, poll_ear, EAR_STACK_AT, EAR_STACK, EAR_EXECUTOR, FROM_CPU_INTR3);

    /// Fills a stack with [`PAINT`], so that its used part can be measured.
    fn paint(bottom: *mut u32, bytes: usize) {
        for word in 0..bytes / 4 {
            // SAFETY: inside the stack, which is not used before its interrupt is enabled.
            unsafe { bottom.add(word).write_volatile(PAINT) };
        }
    }

    /// Number of bytes at the bottom of a stack that were never used.
    fn headroom(bottom: *const u32, bytes: usize) -> u32 {
        // SAFETY: inside the stack; reads of whole words are valid even while the stack is in use.
        let unused = (0..bytes / 4).take_while(|word| unsafe { bottom.add(*word).read_volatile() } == PAINT);
        unused.count() as u32 * 4
    }

    /// Runs the renderer's tasks with the highest priority on this core. `init` spawns them.
    pub fn renderer(interrupt: FROM_CPU_INTR2<'static>, init: impl FnOnce(Spawner)) {
        static EXECUTOR: StaticCell<Executor> = StaticCell::new();
        paint((&raw mut RENDERER_STACK_AT).cast(), RENDERER_STACK);
        let executor: &'static Executor = EXECUTOR.init(Executor::new(RENDERER as *mut ()));
        init(executor.spawner());
        RENDERER_EXECUTOR.store(ptr::from_ref(executor).cast_mut(), Release);
        let mut interrupt = SoftwareInterrupt::new(interrupt);
        interrupt.set_interrupt_handler(InterruptHandler::new(on_renderer, ABOVE));
        interrupt.raise();
    }

    /// Runs the ear's tasks with the highest priority on this core. `init` spawns them.
    pub fn ear(interrupt: FROM_CPU_INTR3<'static>, init: impl FnOnce(Spawner)) {
        static EXECUTOR: StaticCell<Executor> = StaticCell::new();
        paint((&raw mut EAR_STACK_AT).cast(), EAR_STACK);
        let executor: &'static Executor = EXECUTOR.init(Executor::new(EAR as *mut ()));
        init(executor.spawner());
        EAR_EXECUTOR.store(ptr::from_ref(executor).cast_mut(), Release);
        let mut interrupt = SoftwareInterrupt::new(interrupt);
        interrupt.set_interrupt_handler(InterruptHandler::new(on_ear, ABOVE));
        interrupt.raise();
    }

    /// Size and headroom of the stacks of renderer and ear, measured from their paint.
    pub fn stacks() -> [StackUse; 2] {
        let of = |bottom: *const u32, size: usize| StackUse {
            size: size as u32,
            headroom: headroom(bottom, size),
        };
        [
            of((&raw const RENDERER_STACK_AT).cast(), RENDERER_STACK),
            of((&raw const EAR_STACK_AT).cast(), EAR_STACK),
        ]
    }
}

#[cfg(not(interrupt_levels))]
mod threads {
    use alloc::boxed::Box;
    use core::ffi::c_void;

    use esp_radio_rtos_driver::task_create;
    use esp_rtos::embassy::Executor;

    use super::{RENDERER_STACK, Spawner};

    /// A higher priority than the network's driver.
    #[cfg(multi_core)]
    const PRIORITY: u32 = 30;
    /// The same priority as the network: the scheduler gives each thread a slice.
    #[cfg(not(multi_core))]
    const PRIORITY: u32 = 0;

    type Init = Box<dyn FnOnce(Spawner) + Send>;

    extern "C" fn run(init: *mut c_void) {
        // SAFETY: `start` has boxed the value, and a thread begins once.
        let init = unsafe { Box::from_raw(init.cast::<Init>()) };
        let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
        executor.run(init)
    }

    fn start(name: &str, stack: usize, init: impl FnOnce(Spawner) + Send + 'static) {
        let init: Init = Box::new(init);
        let init = Box::into_raw(Box::new(init));
        // SAFETY: the thread owns the box, whose content is `Send`, and lives for ever.
        unsafe { task_create(name, run, init.cast(), PRIORITY, Some(0), stack) };
    }

    /// Starts the renderer's thread on core 0; `init` spawns its tasks there.
    pub fn renderer(init: impl FnOnce(Spawner) + Send + 'static) {
        start("renderer", RENDERER_STACK, init);
    }

    /// Starts the ear's thread on the only core; `init` spawns its tasks there.
    #[cfg(not(multi_core))]
    pub fn ear(init: impl FnOnce(Spawner) + Send + 'static) {
        start("ear", super::EAR_STACK, init);
    }

    /// Makes this thread the ear's, with the highest priority on its core; `init` spawns its tasks.
    #[cfg(multi_core)]
    pub fn run_above(init: impl FnOnce(Spawner)) -> ! {
        esp_rtos::CurrentThreadHandle::get().set_priority(PRIORITY as usize);
        let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
        executor.run(init)
    }
}
