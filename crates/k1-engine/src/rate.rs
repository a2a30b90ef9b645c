//! The rates from which everything in the engine derives. The build script reads them too.

/// Samples per second of the input. Every rate in the engine derives from it.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples per analysis step: 8 ms at [`SAMPLE_RATE`].
pub const HOP: usize = 128;

/// Analysis steps per second (125).
pub const HOP_RATE: f32 = SAMPLE_RATE as f32 / HOP as f32;

/// Duration of one hop in microseconds (8,000; exact).
pub const HOP_US: u64 = HOP as u64 * 1_000_000 / SAMPLE_RATE as u64;

const _: () = assert!(
    (HOP as u64 * 1_000_000).is_multiple_of(SAMPLE_RATE as u64),
    "a hop must be a whole number of µs"
);
