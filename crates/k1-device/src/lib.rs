#![cfg_attr(not(any(test, feature = "schema")), no_std)]
#![forbid(unsafe_code)]

//! What a K1 is to the outside, independent of board and transport.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`routes`] | every path, method and limit, once |
//! | [`requests`] | what may be asked, as types |
//! | [`answers`] | what is answered, as types |
//! | [`error`] | every refusal, with its status and its sentence |
//! | [`limit`] | how often a client may ask |
//! | [`access`] | who may ask: token, Host and Origin |
//!
//! The same types serve the program and the lamp; they need no heap. The paths, fields and status codes of the lamps
//! in the field stay valid; what is new lies under `/api/v1/`.

pub mod access;
pub mod answers;
pub mod error;
pub mod limit;
pub mod requests;
pub mod routes;
