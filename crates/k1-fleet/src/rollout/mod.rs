//! Firmware for many lamps, in steps.
//!
//! | Room | What it does |
//! |---|---|
//! | [`plan`] | the plan of a rollout: steps, times, and limits |
//! | [`machine`] | the rollout: which lamp is next, and when it stops; without a network and without a clock |
//! | [`health`] | whether a lamp is well, judged by its own answers |
//! | [`delivery`] | firmware for one lamp: whether it would accept an update, and its verdict |
//!
//! Both `k1 deploy` and the bridge to a broker drive this [`Rollout`].

pub mod delivery;
pub mod health;
pub mod machine;
pub mod plan;

pub use machine::{Rollout, Status};
pub use plan::Plan;
