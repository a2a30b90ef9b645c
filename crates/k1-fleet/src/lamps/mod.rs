//! Lamps on the network: who is there, what they are called, and talking with them.
//!
//! | Room | What it does |
//! |---|---|
//! | [`address`] | where a lamp is, and what opens it |
//! | [`selector`] | how a user says which lamp is meant |
//! | [`find`](mod@find) | from that to addresses |
//! | [`nearby`] | who answers to multicast DNS |
//! | [`virtual_lamp`] | the virtual lamps that run on this machine |
//! | [`tokens`] | the tokens that this user's lamps want |
//! | [`client`] | requests and answers, as the types of `k1-device` |
//! | [`watch`] | the live frames of a lamp |
//! | [`playback`] | sound for a lamp to hear |
//! | [`test_signal`] | the music by which a lamp is judged |
//! | [`figures`] | the figures of a lamp with their limits, each once |

pub mod address;
pub mod client;
pub mod figures;
pub mod find;
pub mod nearby;
pub mod playback;
pub mod selector;
pub mod test_signal;
pub mod tokens;
pub mod virtual_lamp;
pub mod watch;

pub use address::Address;
pub use client::{Client, Trouble};
pub use find::{find, find_all};
pub use selector::Selector;
