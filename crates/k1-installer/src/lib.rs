#![cfg_attr(not(test), no_std)]

//! The installer in the browser, without the page: what it computes.
//!
//! | Room | Purpose |
//! |---|---|
//! | [`installer`] | a bundle, the owner's key, and what is written to the chip |
//! | [`network`] | Improv: the lamp's network over the same cable |
//! | [`exports`] | the functions that JavaScript calls |

extern crate alloc;

pub mod exports;
pub mod installer;
#[cfg(target_arch = "wasm32")]
mod machine;
pub mod network;
