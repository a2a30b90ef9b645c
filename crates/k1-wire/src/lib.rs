#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! Codecs of the protocols that lights and lamps speak: no I/O, no heap and no clock.
//!
//! Each protocol has two types: a *view* of raw bytes, whose accessors cannot panic once it was checked, and a
//! *value* with meaning. A view comes only from [`check`](ddp::Packet::check)ed bytes; a value encodes to bytes that
//! always pass the check.

pub mod artnet;
mod big_endian;
pub mod ddp;
pub mod dns;
pub mod espota;
pub mod ethernet;
pub mod improv;
pub mod mdns;
pub mod pixel;
pub mod rtp;
pub mod sacn;
pub mod serial;
pub mod spi;
pub mod universes;
pub mod wled;
