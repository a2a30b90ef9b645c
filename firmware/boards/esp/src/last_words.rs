//! How the last run ended: a record in memory that a reset does not clear.
//!
//! The record is only loaded and stored, never exchanged: this memory is behind the chip's peripheral bus, and no manual
//! says whether Xtensa's compare-and-swap (`s32c1i`) works there. It is written by one core at a time.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::Ordering::Relaxed;

use esp_hal::ram;
use esp_hal::system::{Cpu, reset_reason, software_reset};
use k1_device::guard::{Part, reset_reason_of};
use portable_atomic::AtomicU32;

use crate::chip::BOARD;

const MARK: u32 = 0x4b31_dead;
/// Longest text in bytes.
const MOST: usize = 120;

/// A mark, the length, and the text. They are atomic words, so that any bits are valid values and a panic on either
/// core may write.
#[ram(unstable(rtc_fast, persistent))]
static RECORD: [AtomicU32; 2 + MOST / 4] = [const { AtomicU32::new(0) }; 2 + MOST / 4];

/// Part whose count had not moved at the guard's last check, as its index in [`Part::ALL`] plus one. It names the part
/// after a reset by the hardware watchdog, which leaves no words.
#[ram(unstable(rtc_fast, persistent))]
static SUSPECT: AtomicU32 = AtomicU32::new(0);

/// Notes which part has not moved.
pub fn suspect(missed: Option<Part>) {
    let place = missed.and_then(|part| Part::ALL.iter().position(|p| *p == part));
    SUSPECT.store(place.map_or(0, |place| place as u32 + 1), Relaxed);
}

/// Takes the words of the last panic and deletes them, so that they are reported once.
pub fn take() -> Option<heapless::String<128>> {
    let [mark, length, words @ ..] = &RECORD;
    let is_there = mark.load(Relaxed) == MARK;
    mark.store(0, Relaxed);
    let length = length.load(Relaxed) as usize;
    let mut text = [0; MOST];
    for (four, word) in text.as_chunks_mut().0.iter_mut().zip(words) {
        *four = word.load(Relaxed).to_le_bytes();
    }
    let text = text.get(..length).filter(|_| is_there)?;
    heapless::String::try_from(core::str::from_utf8(text).ok()?).ok()
}

/// A mark, and the number of starts in a row that have not come to rest.
#[ram(unstable(rtc_fast, persistent))]
static STARTS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Counts this start as one that has not come to rest. Returns the number of such starts in a row before it.
pub fn count_start() -> u32 {
    let [mark, count] = &STARTS;
    let before = if mark.load(Relaxed) == MARK { count.load(Relaxed) } else { 0 };
    mark.store(MARK, Relaxed);
    count.store(before.saturating_add(1), Relaxed);
    before
}

/// Notes that this start has come to rest.
pub fn forget_starts() {
    STARTS[1].store(0, Relaxed);
}

/// Restarts, and resets the count of starts. The next start reports the words; a requested restart has no words.
pub fn restart(words: Option<&str>) -> ! {
    forget_starts();
    if let Some(words) = words {
        leave(&words[..words.floor_char_boundary(MOST)]);
    }
    software_reset()
}

fn leave(text: &str) {
    let [mark, length, words @ ..] = &RECORD;
    for (word, four) in words.iter().zip(text.as_bytes().chunks(4)) {
        let mut bytes = [0; 4];
        bytes[..four.len()].copy_from_slice(four);
        word.store(u32::from_le_bytes(bytes), Relaxed);
    }
    length.store(text.len() as u32, Relaxed);
    mark.store(MARK, Relaxed);
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    esp_println::println!("[PANIC] core {}: {info}", Cpu::current() as u32);
    let mut text = heapless::String::<MOST>::new();
    // Text that does not fit is left out.
    let _ = write!(text, "{}", info.message());
    if let Some(at) = info.location() {
        let _ = write!(text, " ({}:{})", at.file().rsplit('/').next().unwrap_or_default(), at.line());
    }
    leave(&text);
    software_reset()
}

/// Reason of the last start, in the words of the API.
pub fn why(last_words: Option<&str>) -> &'static str {
    let suspect = SUSPECT.load(Relaxed).checked_sub(1);
    SUSPECT.store(0, Relaxed);
    if let Some(words) = last_words {
        let otherwise = if words.starts_with("trial: ") { "taken back" } else { "panic" };
        return Part::named_in(words).map_or(otherwise, Part::reset_reason);
    }
    let reason = reset_reason_of(reset_reason().map_or(0, |reason| reason as u32), BOARD);
    // After a power cut this memory has random content, but then the reason is not a watchdog.
    match suspect.and_then(|place| Part::ALL.get(place as usize)) {
        Some(part) if reason == "watchdog" => part.reset_reason(),
        _ => reason,
    }
}
