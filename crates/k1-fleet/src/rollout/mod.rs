//! Firmware for many lamps, in steps.
//!
//! | Room | What it does |
//! |---|---|
//! | [`plan`] | how a rollout goes: steps, patience, what stops it |
//! | [`machine`] | the rollout: which lamp is next, and when it stops; without a network and without a clock |
//! | [`health`] | whether a lamp is well, from what it says of itself |
//! | [`delivery`] | the firmware of one lamp: whether it would take an update, and its verdict |
//!
//! `k1 deploy` and the bridge to a broker both drive this [`Rollout`].

pub mod delivery;
pub mod health;
pub mod machine;
pub mod plan;

pub use machine::{Rollout, Status};
pub use plan::Plan;
