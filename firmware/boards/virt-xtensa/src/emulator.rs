//! What the emulator does for a program: `simcall`, the instruction of the maker's simulator, which QEMU runs under
//! `-semihosting`.

use core::arch::asm;
use core::fmt::{self, Write};

const EXIT: u32 = 1;
const WRITE: u32 = 4;

fn simcall(number: u32, a: u32, b: u32, c: u32) -> u32 {
    let result;
    // SAFETY: the calls of this room only read memory that their callers lend.
    unsafe {
        // The assembler does not know the instruction's name.
        asm!(".byte 0x00, 0x51, 0x00", inout("a2") number => result, inout("a3") a => _, in("a4") b, in("a5") c,
            options(nostack));
    }
    result
}

/// Ends the emulator with an exit status.
pub fn exit(status: u32) -> ! {
    simcall(EXIT, status, 0, 0);
    loop {
        core::hint::spin_loop();
    }
}

/// The emulator's standard output.
struct Console;

impl Write for Console {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        simcall(WRITE, 1, s.as_ptr() as u32, s.len() as u32);
        Ok(())
    }
}

/// Prints a line.
pub fn print(line: fmt::Arguments) {
    // Writing to the console does not fail.
    let _ = writeln!(Console, "{line}");
}
