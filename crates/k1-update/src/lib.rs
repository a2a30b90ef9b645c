#![no_std]
#![forbid(unsafe_code)]

//! Firmware updates without I/O and without a heap, as state machines over a NOR flash.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`envelope`] | 128 bytes and a signature: a statement of the operator |
//! | [`manifest`] | the description of an image: board, chip, version, size, hash, counter |
//! | [`trust`] | the keys whose signatures count, and how they are replaced |
//! | [`layout`] | addresses of slots and records |
//! | [`otadata`] | the two records that select the slot to start, in ESP-IDF's format |
//! | [`boot`] | what a bootloader does with the records |
//! | [`session`] | an incoming update: checked, written, read back |
//! | [`slot`] | the content of a slot, read completely |
//! | [`record`] | activation, confirmation and rollback |
//! | [`trial`] | whether a new image is good, judged by its own evidence |
//! | [`refusal`] | reasons to refuse an update |
//!
//! The order of an update is a chain of types: only a finished [`Session`](session::Session), or reading the slot
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
