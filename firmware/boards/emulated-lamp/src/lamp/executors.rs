//! The executors: the network, the renderer above it in an interrupt, and the ear on its own core.
//!
//! The network cannot delay light or sound.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32};

use embassy_executor::raw::Executor;
use k1_device::guard::{Progress, Watch};
use k1_lamp::guard;
use static_cell::StaticCell;

use super::LAMP;
use crate::machine::machine;
use crate::time;

/// The network.
pub const NETWORK: usize = 0;
const RENDERER: usize = 1;
/// The ear.
pub const EAR: usize = 2;
static READY: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
/// Address of the renderer's executor for the software interrupt of the first core; 0 before it exists.
static RENDERER_AT: AtomicU32 = AtomicU32::new(0);
/// True while the first core renders.
static RENDERING: AtomicBool = AtomicBool::new(false);

#[unsafe(export_name = "__pender")]
fn pender(context: *mut ()) {
    let which = context as usize;
    READY[which].store(true, Release);
    match which {
        RENDERER => machine().poke(0),
        EAR if machine().core() != 1 => machine().poke(1),
        // The network's core is awake: it runs this code, or an interrupt has woken it.
        NETWORK if machine().core() != 0 => machine().poke(0),
        _ => {}
    }
}

/// True while this core runs code that must not allocate.
pub fn in_real_time() -> bool {
    match machine().core() {
        0 => RENDERING.load(Relaxed),
        _ => LAMP.hears_on.load(Relaxed) != 0,
    }
}

/// The renderer's executor, which [`software_interrupt`] polls from then on.
pub fn renderer() -> &'static Executor {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    EXECUTOR.init(Executor::new(RENDERER as *mut ()))
}

/// Lets the software interrupt poll the renderer's executor.
pub fn release_renderer(executor: &'static Executor) {
    RENDERER_AT.store(core::ptr::from_ref(executor) as u32, Release);
    READY[RENDERER].store(true, Release);
}

/// Handles the software interrupt, which the caller has cleared: on the first core it renders.
pub fn software_interrupt() {
    if machine().core() == 0 && READY[RENDERER].swap(false, Acquire) {
        let at = RENDERER_AT.load(Acquire) as *const Executor;
        if !at.is_null() {
            RENDERING.store(true, Relaxed);
            // SAFETY: the address of an executor in a `static`, which only this interrupt of this core polls.
            unsafe { (*at).poll() };
            RENDERING.store(false, Relaxed);
        }
    }
}

/// Handles this core's timer interrupt.
pub fn timer_interrupt() {
    time::alarm();
    watch();
}

/// Checks all parts from the timer interrupt of each core, so that each core notices when the other hangs. The machine
/// does not have a watchdog.
fn watch() {
    const EVERY_MS: u32 = 500;
    static WATCHES: [Watch; 2] = [const { Watch::new() }; 2];
    static LAST_MS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
    let (core, now_ms) = (machine().core(), (machine().now_us() / 1000) as u32);
    if now_ms.wrapping_sub(LAST_MS[core].load(Relaxed)) < EVERY_MS {
        return;
    }
    LAST_MS[core].store(now_ms, Relaxed);
    if let Progress::Starved(part) = guard::look(&LAMP, &WATCHES[core]) {
        panic!("{}", part.last_words());
    }
}

/// Runs an executor for ever.
pub fn run(which: usize, executor: &'static Executor) -> ! {
    machine().enable_interrupts();
    if which == NETWORK {
        machine().poke(0);
    }
    loop {
        READY[which].store(false, Release);
        // SAFETY: this executor is polled only here.
        unsafe { executor.poll() };
        machine().sleep_unless(&READY[which]);
    }
}
