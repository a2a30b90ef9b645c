//! The serial console. A line waits in memory and is sent in small pieces, so that printing does not block.

use core::fmt::{Arguments, Write};

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::Timer;
use esp_println::Printer;

/// Longest line in bytes; the rest is cut.
const LINE: usize = 320;
/// Number of bytes that may wait; bytes without room are lost.
const WAITING: usize = 2_048;
/// Number of bytes that are sent at once. The hardware's queue accepts them without a wait …
const PIECE: usize = 48;
/// … if it had this time in ms to empty at 115,200 baud.
const PAUSE_MS: u64 = 5;

static OUT: Pipe<CriticalSectionRawMutex, WAITING> = Pipe::new();

/// Prints a line; does not wait.
pub fn print(line: Arguments) {
    let mut text = heapless::String::<LINE>::new();
    // Text that does not fit is left out.
    let _ = text.write_fmt(line);
    text.truncate(text.floor_char_boundary(LINE - 2));
    let _ = text.push_str("\r\n");
    send(text.as_bytes());
}

/// Sends bytes; does not wait.
pub fn send(mut bytes: &[u8]) {
    while let Ok(n @ 1..) = OUT.try_write(bytes) {
        bytes = &bytes[n..];
    }
}

/// Sends the waiting lines. Never returns.
pub async fn drain() -> ! {
    let mut piece = [0; PIECE];
    loop {
        let n = OUT.read(&mut piece).await;
        Printer::write_bytes(&piece[..n]);
        Timer::after_millis(PAUSE_MS).await;
    }
}
