//! K1 as a service of systemd: its unit file, and what the running program tells systemd.
//!
//! | Room | What it does |
//! |---|---|
//! | `unit` | the text of the unit file, and its place |
//! | `manager` | messages to systemd, in the protocol of `sd_notify` |
//! | `heartbeat` | the watchdog: a message as long as frames are rendered |

mod heartbeat;
mod manager;
mod unit;

pub use heartbeat::Heartbeat;
pub use manager::Manager;
pub use unit::{Arguments, NAME, Scope, Unit};
