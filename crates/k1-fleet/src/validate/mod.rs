//! Whether a lamp meets the success criteria.
//!
//! | Room | What it does |
//! |---|---|
//! | [`measure`] | measures a lamp |
//! | [`clock`] | the clock by which an examination is timed |
//! | [`signal`] | music and silence for the lamp to hear |
//! | [`light`] | whether the light answers to sound |
//! | [`watcher`], [`presence`] | whether the machine that emulates a lamp was there |
//! | [`raw`] | writes every second to a file as it arrives |
//! | [`evidence`] | what was measured |
//! | [`criteria`] | derives a verdict on each criterion from what was measured |
//! | [`verdict`] | the verdict on a criterion |
//! | [`transcript`] | what a lamp says on its cable, and the verdicts that follow from it |
//! | [`record`] | measurements and verdicts, for the archive |

pub mod clock;
pub mod criteria;
pub mod evidence;
pub mod light;
pub mod measure;
pub mod presence;
pub mod raw;
pub mod record;
pub mod signal;
pub mod transcript;
pub mod verdict;
pub mod watcher;
