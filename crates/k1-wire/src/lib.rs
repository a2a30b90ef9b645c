#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! What lights say to each other, as bytes: codecs without I/O, without a heap and without a clock.
//!
//! Every protocol has two types: a *view* of raw bytes, whose accessors cannot panic once it was checked, and a
//! *value* with meaning. A view comes from [`check`](ddp::Packet::check)ed bytes only; a value is written to bytes
//! that always check.

pub mod ddp;
pub mod dns;
pub mod espota;
pub mod ethernet;
pub mod improv;
pub mod mdns;
pub mod rtp;
