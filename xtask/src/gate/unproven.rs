//! Statements that a run could not prove because a machine lacks something that it may lack. They do not fail the gate,
//! and its last lines name them.

use super::list::List;

/// These statements.
pub const LIST: List = List("unproven");
