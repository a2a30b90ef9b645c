#![cfg_attr(not(any(test, feature = "schema")), no_std)]
#![forbid(unsafe_code)]

//! The outside of a K1, independent of board and transport.
//!
//! | Room | Purpose |
//! |---|---|
//! | [`routes`] | the table of every path, method and limit |
//! | [`requests`] | types of the requests |
//! | [`answers`] | types of the answers |
//! | [`backend`] | what the API needs from the K1 that it serves |
//! | [`api`] | what each path does, for any back end |
//! | [`scenery`] | what a path that concerns scenes or the whole light does |
//! | [`shows`] | what a path that concerns the show does, in a K1 that runs shows |
//! | [`respond`] | the answer to a request that the door ([`k1_http`]) has judged |
//! | [`error`] | every refusal, with its status and its sentence |
//! | [`exchange`] | the hand-offs between the two halves |
//! | [`hop`] | one hop: samples → ear → snapshot |
//! | [`dimmer`] | on, off, and the brightness of everything |
//! | [`frame`] | one frame: snapshot → renderer → light |
//! | [`pace`] | when hops and frames are due, and which are late |
//! | [`ws2812`] | the wire of a strip, as bits on an SPI bus |
//! | [`meter`] | counts of the two halves, and the figures computed from them |
//! | [`metrics`] | the table of every figure for Prometheus |
//! | [`console`] | the lines of a lamp's console, written and read |
//! | [`harmless`] | foreign text, made safe to show |
//! | [`self_test`] | reading the hand-off on one core while the other writes |
//! | [`microphone`] | whether a microphone is present |
//! | [`guard`] | which part of the lamp has stopped |
//! | [`health`] | whether a K1 is healthy, from its own measurements |
//! | [`settings`] | what a lamp remembers, in flash |
//! | [`live`] | messages of the WebSockets |
//! | [`thumbnails`] | small moving pictures of every pattern |
//! | [`packed`] | text that is unpacked while it is sent |
//! | [`page`] | the table of the page's files |
//! | [`portal`] | the lamp's own access point, on which its owner names a network |
//!
//! The same types serve the program and the lamp; only answers need a heap. The paths, fields and status codes of the
//! lamps in the field stay valid; new paths are below `/api/v1/`.

extern crate alloc;

pub mod answers;
pub mod api;
pub mod backend;
pub mod console;
#[cfg(feature = "schema")]
pub mod description;
pub mod dimmer;
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
pub mod packed;
pub mod page;
pub mod portal;
pub mod requests;
pub mod respond;
pub mod routes;
pub mod scenery;
pub mod self_test;
pub mod settings;
pub mod shows;
pub mod tape;
pub mod thumbnails;
pub mod ws2812;
