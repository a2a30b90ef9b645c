//! Makes updates, and signs the files of a release.
//!
//! | Room | What it does |
//! |---|---|
//! | [`keys`] | this user's keys, in files that only the user can read |
//! | [`package`] | images and signed updates as files |
//! | [`sums`] | the sums of a release's files, signed |

pub mod keys;
pub mod package;
pub mod sums;
