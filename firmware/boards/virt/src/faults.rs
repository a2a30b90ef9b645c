//! What is wrong with this firmware: nothing, unless a test has written into the image what shall be.
//!
//! Tests of updates need firmware that is bad in a known way and otherwise the same. They change the letters behind the
//! mark below in an image that is whole, and sign the result.

/// What a test may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Falls over at boot.
    Panic,
    /// Stands still at boot.
    Hang,
    /// Shows a third of the frames.
    Slow,
    /// Finds no network.
    Deaf,
    /// Falls over a while after it was confirmed.
    Late,
    /// Has a task that leaks memory.
    Leak,
    /// Has a microphone that speaks in the slot that is not heard.
    Side,
    /// Says nothing on its console after the first lines.
    Mute,
}

#[used]
static WISHED: [u8; 16] = *b"K1 FAULT: none. ";

/// What is wrong.
pub fn wished() -> Fault {
    // SAFETY: a place of this image; volatile, because it may differ from what the compiler has seen.
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
