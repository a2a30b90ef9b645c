#![cfg_attr(not(any(test, feature = "schema")), no_std)]
#![forbid(unsafe_code)]

//! What a K1 is to the outside, independent of board and transport.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`routes`] | every path, method and limit, once |
//! | [`requests`] | what may be asked, as types |
//! | [`answers`] | what is answered, as types |
//! | [`backend`] | what the API needs of the K1 that it serves |
//! | [`api`] | what each path does, for any back end |
//! | [`respond`] | the answer to a request that the door ([`k1_http`]) has judged |
//! | [`error`] | every refusal, with its status and its sentence |
//! | [`exchange`] | what crosses between the two halves |
//! | [`hop`] | what happens in a hop: samples → ear → snapshot |
//! | [`frame`] | what happens in a frame: snapshot → renderer → light |
//! | [`pace`] | when hops and frames are due, and what is late |
//! | [`meter`] | what the two halves count, and figures made of it |
//! | [`metrics`] | every figure's name for Prometheus, once |
//! | [`console`] | the lines of a lamp's console, written and read |
//! | [`harmless`] | text from outside, before anybody sees it |
//! | [`self_test`] | reading the hand-off on one core while the other writes |
//! | [`microphone`] | whether there is one |
//! | [`guard`] | who stands still, and must not |
//! | [`health`] | whether it is well, from what it measures |
//! | [`settings`] | what a lamp remembers, in flash |
//! | [`live`] | messages of the WebSockets |
//! | [`page`] | the files of the page, once |
//! | [`portal`] | the lamp's own access point, on which its owner names a network |
//!
//! The same types serve the program and the lamp; only answers need a heap. The paths, fields and status codes of the
//! lamps in the field stay valid; what is new lies under `/api/v1/`.

extern crate alloc;

pub mod answers;
pub mod api;
pub mod backend;
pub mod console;
#[cfg(feature = "schema")]
pub mod description;
pub mod error;
pub mod exchange;
pub mod firmware;
pub mod frame;
pub mod guard;
pub mod harmless;
pub mod health;
pub mod hop;
pub mod live;
pub mod meter;
pub mod metrics;
pub mod microphone;
pub mod pace;
pub mod page;
pub mod portal;
pub mod requests;
pub mod respond;
pub mod routes;
pub mod self_test;
pub mod settings;
pub mod tape;
