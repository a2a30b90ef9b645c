#![no_std]
#![forbid(unsafe_code)]

//! Firmware for a blank chip, without I/O: what `k1 install` and the installer in the browser share.
//!
//! | Room | What it does |
//! |---|---|
//! | [`statement`] | the files of a bundle, and what its maker says about them |
//! | [`archive`] | the files in one file |
//! | [`update`] | an image with its signed manifest |
//! | [`open`] | checks every byte of a bundle |
//! | [`chip`] | the chips that bundles are for, and the heads of their images |
//! | [`bootloader`] | the bootloader of a bundle |
//! | [`table`] | the partition table |
//! | [`plan`] | what is written to a chip, in which order |
//! | [`settings`] | what a chip that is a lamp already keeps |
//! | [`key`] | the owner's key as text |

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod archive;
pub mod bootloader;
pub mod chip;
pub mod key;
pub mod open;
pub mod plan;
pub mod settings;
pub mod statement;
pub mod table;
pub mod update;
