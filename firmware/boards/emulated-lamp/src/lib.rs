#![no_std]

//! What the lamps on the emulated boards share: RISC-V in `virt`, Xtensa in `virt-xtensa`.

#[cfg(feature = "lamp")]
extern crate alloc;

#[cfg(feature = "lamp")]
mod faults;
#[cfg(feature = "lamp")]
pub mod flash;
pub mod halves;
pub mod heap;
#[cfg(feature = "lamp")]
pub mod lamp;
#[cfg(feature = "lamp")]
mod last_words;
#[cfg(feature = "lamp")]
pub mod machine;
#[cfg(feature = "lamp")]
mod tape;
#[cfg(feature = "lamp")]
mod time;
