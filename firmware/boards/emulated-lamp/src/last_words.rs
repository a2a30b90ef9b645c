//! How the last run ended: a record in RAM that a reset of the machine keeps and a power-on clears.

use core::mem::MaybeUninit;

use heapless::String;

const MARK: u32 = 0x4b31_dead;
const MOST: usize = 120;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum End {
    /// Unknown: it hung until it was reset.
    Silent = 0,
    /// The restart was requested.
    Asked = 1,
    /// The run panicked.
    Panic = 2,
    /// The image rolled itself back.
    TakenBack = 3,
}

#[repr(C)]
struct Place {
    mark: u32,
    end: u32,
    /// Number of starts in a row that have not come to rest.
    crashes: u32,
    length: u32,
    text: [u8; MOST],
}

#[unsafe(link_section = ".noinit")]
static mut PLACE: MaybeUninit<Place> = MaybeUninit::uninit();

fn place() -> *mut Place {
    (&raw mut PLACE).cast()
}

/// The record that a start finds.
pub struct Found {
    /// Reason of the start.
    pub reason: &'static str,
    /// Last words of the previous run.
    pub words: Option<String<128>>,
    /// Number of starts in a row before this one that have not come to rest.
    pub crashes: u32,
}

/// Takes the words and deletes them, so that they are reported once. Counts this start as one that has not come to
/// rest.
pub fn take() -> Found {
    // SAFETY: called once at the start, before anything can panic on the other core; any bits are valid values.
    let p = unsafe { &mut *place() };
    if p.mark != MARK {
        *p = Place { mark: MARK, end: End::Silent as u32, crashes: 1, length: 0, text: [0; MOST] };
        return Found { reason: "power on", words: None, crashes: 0 };
    }
    let reason = match p.end {
        1 => "asked for",
        2 => "panic",
        3 => "taken back",
        _ => "watchdog",
    };
    let text = p.text.get(..p.length as usize).filter(|t| !t.is_empty());
    let words = text.and_then(|t| String::try_from(core::str::from_utf8(t).ok()?).ok());
    // A rollback resets the count as a requested restart does, because the crashes were those of another image.
    let crashes = if p.end == End::Asked as u32 || p.end == End::TakenBack as u32 { 0 } else { p.crashes };
    (p.end, p.length, p.crashes) = (End::Silent as u32, 0, crashes + 1);
    Found { reason, words, crashes }
}

/// Leaves words for the next start. The caller resets the machine next.
pub fn leave(end: End, words: &str) {
    // SAFETY: the caller resets the machine next, and the record is not read before the next start.
    let p = unsafe { &mut *place() };
    let length = words.floor_char_boundary(MOST);
    p.text[..length].copy_from_slice(&words.as_bytes()[..length]);
    (p.mark, p.end, p.length) = (MARK, end as u32, length as u32);
}

/// Notes that this start has come to rest.
pub fn forget_crashes() {
    // SAFETY: a write of one word, which only a start reads.
    unsafe { (&raw mut (*place()).crashes).write(0) };
}
