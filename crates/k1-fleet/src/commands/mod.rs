//! The fleet's commands.

#[cfg(feature = "usb")]
pub mod cable;
pub mod deploy;
pub mod devices;
#[cfg(feature = "usb")]
pub mod install;
pub mod keys;
pub mod monitor;
pub mod mqtt;
mod report;
pub mod validate;
#[cfg(feature = "usb")]
mod validate_cable;
mod verdicts;
