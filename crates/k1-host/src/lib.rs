//! Everything that the commands of `k1` share on the machine they run on.
//!
//! | Room | What it does |
//! |---|---|
//! | [`console`] | prints all text, with terminal escapes made visible |
//! | [`strip_line`] | the terminal while the strip is drawn on it |
//! | [`foreign`] | cleans text from outside on arrival |
//! | [`output`] | files that commands write: whole or not at all, and never over their input |
//! | [`progress`] | progress bars |
//! | [`private`] | the user's own folder, and files that only the user can read |
//! | [`identity`] | the name and the id of this program |
//! | [`keys`] | single keys that are pressed while a command runs |
//! | [`signals`] | requests to end |
//! | [`failure`] | why a command failed |

#![forbid(unsafe_code)]

pub mod console;
pub mod failure;
pub mod foreign;
pub mod identity;
pub mod keys;
pub mod output;
pub mod private;
pub mod progress;
pub mod signals;
pub mod strip_line;

pub use console::say;
pub use failure::Failure;
