#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! The one door to a K1: it decides which requests over HTTP and WebSocket are let in, and how the others are refused.
//! No I/O and no clock. Routes, files and the time are passed in.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`head`] | the head of a request, parsed and checked |
//! | [`body`] | a body on its way in, whole or in chunks |
//! | [`admission`] | whether a request is let in, and to what |
//! | [`rejection`] | every refusal of the door: status, code and sentence |
//! | [`names`] | the `Host` and `Origin` under which a K1 may be asked |
//! | [`token`], [`strength`] | the token of a request; how hard a token is to guess |
//! | [`interval`] | how often a client may ask for the same |
//! | [`guesses`] | how often a client may guess at the token |
//! | [`limits`] | sizes, numbers and times, of the lamp and of the program |
//! | [`connections`], [`sockets`] | which connection and which WebSocket gives way to a newcomer |
//! | [`route`] | a path, its method and its limits |
//! | [`answer`] | the head of an answer |
//! | [`etag`] | entity tags |
//! | [`websocket`] | handshake, frames and close codes |
//! | [`client`] | which addresses count as one client |
//!
//! The program uses it behind a full server (hyper), the lamp on its own.

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
