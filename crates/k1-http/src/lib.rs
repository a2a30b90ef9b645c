#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! The one door to a K1: it decides which HTTP and WebSocket requests are admitted, and how the others are refused.
//! It has no I/O and no clock: the caller passes routes, files and the time.
//!
//! | Room | Purpose |
//! |---|---|
//! | [`head`] | the head of a request, parsed and checked |
//! | [`body`] | a body that is arriving, whole or in chunks |
//! | [`admission`] | whether a request is admitted, and to what |
//! | [`rejection`] | every refusal of the door: status, code and sentence |
//! | [`names`] | the `Host` and `Origin` values that a K1 accepts |
//! | [`token`], [`strength`] | the token in a request; how hard a token is to guess |
//! | [`interval`] | how often a client may repeat a request |
//! | [`guesses`] | how often a client may guess at the token |
//! | [`limits`] | sizes, numbers and times, for the lamp and for the program |
//! | [`connections`], [`sockets`] | which connection and which WebSocket gives way to a newcomer |
//! | [`route`] | a path, its method and its limits |
//! | [`answer`] | the head of an answer |
//! | [`etag`] | entity tags |
//! | [`websocket`] | handshake, frames and close codes |
//! | [`client`] | which addresses count as one client |
//!
//! The program uses it behind a full server (hyper); the lamp uses it without another server.

extern crate alloc;

pub mod admission;
pub mod answer;
pub mod body;
pub mod client;
pub mod connections;
pub mod etag;
pub mod guesses;
pub mod head;
pub mod interval;
pub mod limits;
pub mod names;
pub mod rejection;
pub mod route;
pub mod sockets;
pub mod strength;
pub mod token;
pub mod websocket;
