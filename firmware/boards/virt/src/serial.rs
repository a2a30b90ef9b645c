//! The serial console.

use core::fmt::{self, Write};

const UART: usize = 0x1000_0000;

/// Writes text.
pub fn write(text: &str) {
    for byte in text.bytes() {
        // SAFETY: the transmit register of the console, which is always ready in the emulator.
        unsafe { (UART as *mut u8).write_volatile(byte) };
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
