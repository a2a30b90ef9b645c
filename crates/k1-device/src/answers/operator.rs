//! What an operator is answered: how a lamp has started, and how a self-test stands.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

/// `GET /api/v1/boot-log`: the first lines of the console, and what it had to complain of since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootLog {
    /// The first lines, oldest first; none where there is no console.
    pub lines: Vec<BootLine>,
    /// Lines that told of an error, since the start; null where there is no console.
    pub error_lines: Option<u32>,
    /// The newest of them.
    pub last_error: Option<String>,
}

/// A line of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootLine {
    /// Milliseconds since the start.
    pub at_ms: u32,
    /// What it says.
    pub text: String,
}

/// Whether a self-test runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TestState {
    /// None was asked for since the start.
    #[default]
    Never,
    /// It reads.
    Running,
    /// It has read everything.
    Done,
}

/// `/api/v1/self-test`: snapshots read on one core while the other hears and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelfTest {
    /// Whether it runs.
    pub state: TestState,
    /// Reads that were asked for.
    pub wanted: u32,
    /// Reads so far.
    pub reads: u32,
    /// Reads that gave a snapshot that none before had given.
    pub new: u32,
    /// Second tries.
    pub retries: u32,
    /// Reads that gave nothing, because both tries were overtaken: what a time-out would be elsewhere.
    pub kept_previous: u32,
    /// Copies whose checksum was wrong.
    pub torn: u32,
    /// Snapshots older than the one read before.
    pub backwards: u32,
    /// Milliseconds since it was started, or that it took.
    pub took_ms: u32,
}

impl SelfTest {
    /// One that was never asked for.
    pub const NEVER: Self = Self {
        state: TestState::Never,
        wanted: 0,
        reads: 0,
        new: 0,
        retries: 0,
        kept_previous: 0,
        torn: 0,
        backwards: 0,
        took_ms: 0,
    };
}

impl Default for SelfTest {
    fn default() -> Self {
        Self::NEVER
    }
}
