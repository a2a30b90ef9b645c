//! What becomes of a criterion.

use serde::Serialize;

/// What became of a criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It could not be measured, so it does not pass.
    NotMeasured,
}

/// A criterion with what was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Identifier for scripts.
    pub id: &'static str,
    /// What must be true.
    pub criterion: String,
    /// What was measured.
    pub measured: String,
    /// Verdict.
    pub verdict: Verdict,
}
