//! What a board must bring.

use core::fmt::Arguments;
use core::future::Future;

use embassy_time::Duration;
use k1_engine::HOP;

/// Why a read gave no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MicrophoneFault {
    /// Nothing came within the bound.
    Timeout,
    /// The bus reported an error.
    Bus,
}

/// A microphone. Moved into the task that hears: there cannot be two readers.
pub trait Microphone {
    /// Reads one hop, −1 … 1, and answers with the time of its last sample in µs. Waits no longer than `bound`.
    ///
    /// # Errors
    ///
    /// [`MicrophoneFault`]; then the hop is not to be used.
    fn read(
        &mut self,
        hop: &mut [f32; HOP],
        bound: Duration,
    ) -> impl Future<Output = Result<u64, MicrophoneFault>>;

    /// Hops that were lost since the last call because nobody read them.
    fn take_overruns(&mut self) -> u32;

    /// True if the slot that is heard is dead and the other one carries sound; of a microphone that has slots.
    fn speaks_elsewhere(&self) -> bool {
        false
    }
}

/// A strip. Moved into the task that shows: there cannot be two writers.
pub trait Strip {
    /// Puts a frame on the wire, in its order of colours, and returns while it is being sent; waits first until the
    /// frame before and its pause have gone.
    ///
    /// # Errors
    ///
    /// [`StripFault`] if the frame before was torn or this one was refused.
    fn send(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), StripFault>>;
}

/// A transmission failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripFault;

/// What only the board knows.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Name of the board.
    pub board: &'static str,
    /// What is heard: "I²S microphone", "RTP on port 5004".
    pub source: &'static str,
    /// Hardware address of the network.
    pub mac: [u8; 6],
    /// Why it started.
    pub reset_reason: &'static str,
    /// What the last panic said, if the last run ended with one.
    pub last_panic: Option<heapless::String<128>>,
    /// Hash of the firmware, first 8 bytes.
    pub firmware_hash: [u8; 8],
    /// Slot that runs.
    pub slot: &'static str,
    /// Bytes of flash that the image takes, where that is known.
    pub image_bytes: Option<u32>,
    /// Bytes of RAM that are taken from the start on, without stacks and heap, where that is known.
    pub static_ram_bytes: Option<u32>,
}

impl Facts {
    /// Before the board has said anything.
    pub const UNKNOWN: Self = Self {
        board: "unknown",
        source: "nothing",
        mac: [0; 6],
        reset_reason: "unknown",
        last_panic: None,
        firmware_hash: [0; 8],
        slot: "unknown",
        image_bytes: None,
        static_ram_bytes: None,
    };
}

/// Prints a line on the board's console; must not wait.
pub type Print = fn(Arguments);
/// Starts the lamp again; the words are told by the next start, and none are for a start that was asked for.
pub type Restart = fn(words: Option<&str>) -> !;
