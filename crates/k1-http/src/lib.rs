#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! The one door to a K1: what it lets in over HTTP and WebSocket, and what it refuses. No I/O, no clock, and no table of
//! K1's: routes and files are passed in, and so is the time.
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
//! | [`client`] | who counts as one client |
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
