//! The tape of a virtual lamp that has its own clock: the program puts the sound into the lamp's memory.
//!
//! Format: [`MARK`], number of samples u32, samples i16 at 16 kHz, all little-endian.

/// The first bytes of the tape.
pub const MARK: [u8; 4] = *b"TAPE";
/// Number of bytes before the samples.
pub const HEAD: usize = 8;
/// Address at which the memory of board `virt` begins; the other boards keep the tape as far behind their memory's begin.
pub const MEMORY: u32 = 0x8000_0000;
/// Address of the tape in the lamp's memory; no image reaches this far.
pub const PLACE: u32 = 0x80f0_1000;
/// Address at which the tape must end, because the loader's stack follows.
pub const END: u32 = 0x80fe_0000;
