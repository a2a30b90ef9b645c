#![no_std]
#![forbid(unsafe_code)]

//! What an update is, without I/O and without a heap: state machines over a NOR flash.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`envelope`] | 128 bytes with a signature: what an operator states |
//! | [`manifest`] | what an image is: board, chip, version, size, hash, counter |
//! | [`trust`] | whose signature counts, and how that changes |
//! | [`layout`] | where slots and records lie |
//! | [`otadata`] | the two records that say which slot runs, in ESP-IDF's form |
//! | [`boot`] | what a bootloader does with them |
//! | [`session`] | an update on its way in: checked, written, read back |
//! | [`slot`] | what a slot holds, read from end to end |
//! | [`record`] | activation, confirmation, and the way back |
//! | [`trial`] | whether a new image is good, judged by its own evidence |
//! | [`refusal`] | why not |
//!
//! The order of an update is a chain of types: only a finished [`Session`](session::Session), or a look at the slot
//! itself, gives a [`Whole`](slot::Whole); only a `Whole` can be activated.

pub mod boot;
pub mod envelope;
pub mod layout;
pub mod manifest;
pub mod otadata;
pub mod record;
pub mod refusal;
pub mod session;
pub mod slot;
pub mod trial;
pub mod trust;
