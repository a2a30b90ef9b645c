//! What a board must provide.

use core::fmt::Arguments;
use core::future::Future;

use embassy_time::Duration;
use k1_engine::HOP;

/// Why a read returned no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MicrophoneFault {
    /// No hop arrived within the bound.
    Timeout,
    /// The bus reported an error.
    Bus,
}

/// A microphone. The task that hears owns it, so that there cannot be two readers.
pub trait Microphone {
    /// Reads one hop of samples −1 … 1 and returns the capture time of its last sample in µs. Waits at most `bound`.
    ///
    /// # Errors
    ///
    /// [`MicrophoneFault`]; in this case the content of `hop` is not valid.
    fn read(
        &mut self,
        hop: &mut [f32; HOP],
        bound: Duration,
    ) -> impl Future<Output = Result<u64, MicrophoneFault>>;

    /// Number of hops that were lost since the last call because they were not read in time.
    fn take_overruns(&mut self) -> u32;

    /// True if the slot that is heard is dead and the other one carries sound. Always false for a microphone without
    /// slots.
    fn speaks_elsewhere(&self) -> bool {
        false
    }

    /// Lowest bit of a word of 32 bits that changed in the first second; see [`k1_device::microphone::Alignment`]. `None`
    /// before that, and for a microphone without such words.
    fn lowest_bit(&self) -> Option<u8> {
        None
    }
}

/// A strip. The task that shows owns it, so that there cannot be two writers.
pub trait Strip {
    /// Waits until the previous frame and its pause are over, then puts a frame on the wire and returns while it is
    /// being sent. `bytes` are in the order of the wire.
    ///
    /// # Errors
    ///
    /// [`StripFault`] if the previous frame was torn or this one was refused.
    fn send(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), StripFault>>;
}

/// A failed transmission to the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripFault;

/// Facts that only the board knows.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Name of the board.
    pub board: &'static str,
    /// Source of sound, such as "I²S microphone" or "RTP on port 5004".
    pub source: &'static str,
    /// Hardware (MAC) address.
    pub mac: [u8; 6],
    /// Reason of the last start.
    pub reset_reason: &'static str,
    /// Message of the panic that ended the last run, if there was one.
    pub last_panic: Option<heapless::String<128>>,
    /// Hash of the firmware, first 8 bytes.
    pub firmware_hash: [u8; 8],
    /// Name of the running slot.
    pub slot: &'static str,
    /// Size of the image in flash, in bytes, if known.
    pub image_bytes: Option<u32>,
    /// Statically allocated RAM in bytes, without stacks and heap, if known.
    pub static_ram_bytes: Option<u32>,
}

impl Facts {
    /// Facts before the board has provided them.
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
/// Restarts the lamp. The next start prints the words; a requested restart has no words.
pub type Restart = fn(words: Option<&str>) -> !;

/// Starts a task of embassy's executor. Each kind of task has room for exactly the number that is started.
///
/// # Panics
///
/// If there is no room.
#[macro_export]
macro_rules! start {
    ($spawner:expr, $task:expr) => {
        match $task {
            Ok(token) => $spawner.spawn(token),
            Err(_) => panic!("a task was started twice"),
        }
    };
}
