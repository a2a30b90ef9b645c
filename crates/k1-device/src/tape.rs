//! The tape of a virtual lamp with a clock of its own: where the program puts it, and where the lamp finds it.
//!
//! [`MARK`], number of samples u32, samples i16 at 16 kHz, all little-endian.

/// How it begins.
pub const MARK: [u8; 4] = *b"TAPE";
/// Bytes before its samples.
pub const HEAD: usize = 8;
/// Address in the lamp's memory, which no image reaches.
pub const PLACE: u32 = 0x80f0_1000;
/// Address where it must end: the loader's stack is behind.
pub const END: u32 = 0x80fe_0000;
