#![cfg_attr(not(test), no_std)]

//! K1 in the browser.
//!
//! | Room | Purpose |
//! |---|---|
//! | [`resample`] | sound at any rate → sound at the engine's rate |
//! | [`listener`] | the half that hears, for an AudioWorklet |
//! | [`player`] | the half that shows, for the page: frames, and answers of the API |
//! | [`exports`] | the functions that JavaScript calls |
//!
//! A page makes two instances of the module, because an AudioWorklet shares no memory with its page: snapshots cross as
//! messages. The same code runs in tests without a browser.

extern crate alloc;

mod backend;
pub mod exports;
pub mod listener;
#[cfg(target_arch = "wasm32")]
mod machine;
pub mod player;
pub mod resample;
