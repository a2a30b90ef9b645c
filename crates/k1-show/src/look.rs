//! What a zone shows.

use k1_engine::params::Params;
use k1_engine::patterns::FIRST_PATTERN;

/// A pattern and its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Index of the pattern.
    pub pattern: usize,
    /// Values of the parameters.
    pub params: Params,
}

impl Default for Look {
    fn default() -> Self {
        Self { pattern: FIRST_PATTERN, params: Params::new() }
    }
}
