//! The verdict on a criterion.

use serde::Serialize;

/// The verdict on a criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The criterion holds.
    Passed,
    /// The criterion does not hold.
    Failed,
    /// The criterion could not be measured, so it does not pass.
    NotMeasured,
}

/// A criterion with its measurement and verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Identifier for scripts.
    pub id: &'static str,
    /// The criterion: what must be true.
    pub criterion: String,
    /// What was measured.
    pub measured: String,
    /// Verdict on the criterion.
    pub verdict: Verdict,
}
