//! What a lamp needs of the machine that it runs on.

use core::fmt::{self, Write};
use core::sync::atomic::AtomicBool;

/// A machine with two cores, of which the first shows and the second hears.
pub trait Machine: Sync {
    /// Name of the board.
    fn name(&self) -> &'static str;

    /// Address at which the machine's memory begins.
    fn memory(&self) -> usize;

    /// Number of the core that runs this code.
    fn core(&self) -> usize;

    /// Time in µs since the machine was switched on, from the clock that both cores share.
    fn now_us(&self) -> u64;

    /// A number that differs at each start.
    fn chance(&self) -> u64;

    /// Sets the time in µs at which this core is next interrupted; `u64::MAX` = never. It may be interrupted earlier.
    fn set_alarm(&self, at_us: u64);

    /// Raises the software interrupt of a core.
    fn poke(&self, core: usize);

    /// Lets the second core run, which then calls [`second`](crate::lamp::second).
    fn start_second(&self);

    /// Enables this core's interrupts.
    fn enable_interrupts(&self);

    /// Sleeps until an interrupt is pending, unless `ready` says that there is work.
    fn sleep_unless(&self, ready: &AtomicBool);

    /// Total time that each core has slept, in µs; wraps at 2³².
    fn asleep_us(&self) -> [u32; 2];

    /// Size and unused bytes of the renderer's stack and of the ear's.
    fn stacks(&self) -> [(u32, u32); 2];

    /// Number of bytes of the main stack that were used so far.
    fn main_stack_used(&self) -> u32;

    /// Size in bytes of the image, and of its static RAM: initialised and zeroed data.
    fn sizes(&self) -> (u32, u32);

    /// Writes text to the console.
    fn write(&self, text: &str);

    /// Resets the machine.
    fn reset(&self) -> !;
}

unsafe extern "Rust" {
    /// The machine of the program that is linked.
    static K1_MACHINE: &'static dyn Machine;
}

/// The machine.
#[inline(always)]
pub fn machine() -> &'static dyn Machine {
    // SAFETY: each program with a lamp defines it by `is_the_machine`, with this type, and it does not change.
    unsafe { K1_MACHINE }
}

/// Makes a value the machine of this program.
#[macro_export]
macro_rules! is_the_machine {
    ($machine:expr) => {
        #[unsafe(no_mangle)]
        static K1_MACHINE: &dyn $crate::machine::Machine = &$machine;
    };
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        machine().write(text);
        Ok(())
    }
}

/// Prints a line.
pub fn print(line: fmt::Arguments) {
    // Writing to the console does not fail.
    let _ = writeln!(Console, "{line}\r");
}
