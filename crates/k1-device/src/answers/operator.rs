//! Answers for an operator: how a lamp has started, and the state of a self-test.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

/// `GET /api/v1/boot-log`: the first lines of the console, and the errors since then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootLog {
    /// The first lines, oldest first; empty if there is no console.
    pub lines: Vec<BootLine>,
    /// Number of lines since the start that report an error; null if there is no console.
    pub error_lines: Option<u32>,
    /// The newest line that reports an error.
    pub last_error: Option<String>,
}

/// A line of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootLine {
    /// Milliseconds since the start.
    pub at_ms: u32,
    /// Text of the line.
    pub text: String,
}

/// Whether a self-test runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TestState {
    /// No self-test was started since the start.
    #[default]
    Never,
    /// The self-test is reading.
    Running,
    /// The self-test has done all its reads.
    Done,
}

/// `/api/v1/self-test`: snapshots read on one core while the other hears and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelfTest {
    /// Whether the self-test runs.
    pub state: TestState,
    /// Number of reads that were requested.
    pub wanted: u32,
    /// Number of reads so far.
    pub reads: u32,
    /// Reads that returned a new snapshot.
    pub new: u32,
    /// Number of second tries.
    pub retries: u32,
    /// Reads that returned no snapshot, because both tries were overtaken; the counterpart of a time-out.
    pub kept_previous: u32,
    /// Copies whose checksum was wrong.
    pub torn: u32,
    /// Snapshots older than the one from the previous read.
    pub backwards: u32,
    /// Milliseconds since the self-test was started, or the milliseconds that it took.
    pub took_ms: u32,
}

impl SelfTest {
    /// A self-test that was never started.
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
