//! Whether a lamp meets the success criteria.
//!
//! | Room | What it does |
//! |---|---|
//! | [`measure`] | measures a lamp |
//! | [`clock`] | which clock the time of an examination is of |
//! | [`signal`] | music and silence for the lamp to hear |
//! | [`light`] | whether light answers to sound |
//! | [`watcher`], [`presence`] | whether the machine that emulates a lamp was there |
//! | [`raw`] | every second as it came, in a file |
//! | [`evidence`] | what was measured |
//! | [`criteria`] | from what was measured to a verdict on each criterion |
//! | [`verdict`] | what becomes of a criterion |
//! | [`record`] | all of it, for the archive |

pub mod clock;
pub mod criteria;
pub mod evidence;
pub mod light;
pub mod measure;
pub mod presence;
pub mod raw;
pub mod record;
pub mod signal;
pub mod verdict;
pub mod watcher;
