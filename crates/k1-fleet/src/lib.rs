//! Many lamps: finding, querying, watching, judging and updating them, and the bridge to an MQTT broker.
//!
//! | Room | What it does |
//! |---|---|
//! | [`lamps`] | lamps on the network: finds, queries and watches them |
//! | [`signing`] | makes updates: keys, and signed updates as files |
//! | [`rollout`] | firmware for many lamps, in steps |
//! | [`espota`] | an update over the network by the protocol of Arduino's espota |
//! | `cable` | an update through a cable (feature `usb`) |
//! | `bundle` | firmware that its maker has built, with everything that a blank chip needs (feature `usb`) |
//! | [`port`] | serial ports |
//! | [`virt`] | runs a virtual lamp on this machine |
//! | [`bridge`] | connects lamps to an MQTT broker |
//! | [`validate`] | tests whether a lamp meets the success criteria |
//! | [`cli`] | the options of the fleet's commands |
//! | [`commands`] | the fleet's commands, made of the rooms above |

#![forbid(unsafe_code)]

pub mod bridge;
#[cfg(feature = "usb")]
pub mod bundle;
#[cfg(feature = "usb")]
pub mod cable;
pub mod cli;
pub mod commands;
pub mod espota;
pub mod lamps;
pub mod port;
pub mod rollout;
pub mod signing;
pub mod validate;
pub mod virt;
