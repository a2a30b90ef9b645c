//! Makes updates.
//!
//! | Room | What it does |
//! |---|---|
//! | [`keys`] | this user's keys, in files that only the user can read |
//! | [`package`] | images and signed updates as files |

pub mod keys;
pub mod package;
