//! The serial console: a 16550 whose registers lie 4 bytes apart.

use core::fmt::{self, Write};

const TRANSMIT: *mut u32 = 0xfd05_0020 as *mut u32;
const LINE_STATUS: *const u32 = 0xfd05_0034 as *const u32;
const IS_EMPTY: u32 = 0x20;

/// Writes text.
pub fn write(text: &str) {
    for byte in text.bytes() {
        // SAFETY: the registers of the console.
        unsafe {
            while LINE_STATUS.read_volatile() & IS_EMPTY == 0 {}
            TRANSMIT.write_volatile(byte.into());
        }
    }
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text);
        Ok(())
    }
}

/// Prints a line.
pub fn print(line: fmt::Arguments) {
    // Writing to the console does not fail.
    let _ = writeln!(Console, "{line}\r");
}
