//! Many lamps: finding, asking, watching, judging and updating them, and the bridge to an MQTT broker.
//!
//! | Room | What it does |
//! |---|---|
//! | [`lamps`] | lamps on the network: found, asked, watched |
//! | [`signing`] | the side that makes updates: keys, and signed updates as files |
//! | [`rollout`] | firmware for many lamps, in steps |
//! | [`espota`] | an update over the network as the Arduino world sends it |
//! | `cable` | an update through a cable (feature `usb`) |
//! | [`virt`] | the virtual lamp on this machine |
//! | [`bridge`] | lamps through an MQTT broker |
//! | [`validate`] | whether a lamp meets the success criteria |
//! | [`cli`] | the options of the fleet's commands |
//! | [`commands`] | what these commands do with the rooms above |

#![forbid(unsafe_code)]

pub mod bridge;
#[cfg(feature = "usb")]
pub mod cable;
pub mod cli;
pub mod commands;
pub mod espota;
pub mod lamps;
pub mod rollout;
pub mod signing;
pub mod validate;
pub mod virt;
