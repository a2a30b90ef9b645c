//! Faults of this firmware. It has none, unless a test has written one into the image.
//!
//! Tests of updates need firmware that is bad in a known way and otherwise the same. They change the letters after the
//! mark below in a whole image, and sign the result.

/// A fault that a test may request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// Panics at boot.
    Panic,
    /// Hangs at boot.
    Hang,
    /// Shows a third of the frames.
    Slow,
    /// Finds no network.
    Deaf,
    /// Panics some time after it was confirmed.
    Late,
    /// Has a task that leaks memory.
    Leak,
    /// Has a microphone that sends in the slot that is not heard.
    Side,
    /// Prints nothing on its console after the first lines.
    Mute,
}

#[used]
static WISHED: [u8; 16] = *b"K1 FAULT: none. ";

/// The fault that the image requests.
pub fn wished() -> Fault {
    // SAFETY: a `static` of this image; the read is volatile, because a test may have changed it after compilation.
    let letters = unsafe { (&raw const WISHED).read_volatile() };
    match &letters[10..14] {
        b"pani" => Fault::Panic,
        b"hang" => Fault::Hang,
        b"slow" => Fault::Slow,
        b"deaf" => Fault::Deaf,
        b"late" => Fault::Late,
        b"leak" => Fault::Leak,
        b"side" => Fault::Side,
        b"mute" => Fault::Mute,
        _ => Fault::None,
    }
}
