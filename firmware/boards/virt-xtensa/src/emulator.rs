//! What the emulator does for a program: `simcall`, the instruction of the maker's simulator, which QEMU runs under
//! `-semihosting`.

use core::arch::asm;
use core::fmt::{self, Write};

const EXIT: u32 = 1;
const WRITE: u32 = 4;
const OPEN: u32 = 5;
/// The host's `O_WRONLY | O_CREAT | O_TRUNC`, in Linux's numbers.
const ANEW: u32 = 0o1101;

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

/// A new file in the folder in which the emulator runs.
pub struct File {
    number: u32,
    waiting: [u8; 4096],
    used: usize,
}

impl File {
    /// Creates or empties the file `name`, which ends with a zero.
    ///
    /// # Panics
    /// If the host refuses.
    pub fn create(name: &core::ffi::CStr) -> Self {
        let number = simcall(OPEN, name.as_ptr() as u32, ANEW, 0o644);
        assert!(number as i32 >= 0, "the host opens no file {name:?}");
        Self { number, waiting: [0; 4096], used: 0 }
    }

    /// Appends bytes.
    ///
    /// # Panics
    /// If the host cannot write them.
    pub fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.used == self.waiting.len() {
                self.flush();
            }
            self.waiting[self.used] = *byte;
            self.used += 1;
        }
    }

    /// Writes what is still here.
    ///
    /// # Panics
    /// If the host cannot.
    pub fn flush(&mut self) {
        let mut rest = &self.waiting[..self.used];
        while !rest.is_empty() {
            let n = simcall(WRITE, self.number, rest.as_ptr() as u32, rest.len() as u32);
            assert!(0 < n as i32 && n as usize <= rest.len(), "the host writes nothing to its file");
            rest = &rest[n as usize..];
        }
        self.used = 0;
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
