//! Lamps on the network: finds them and communicates with them.
//!
//! | Room | What it does |
//! |---|---|
//! | [`address`] | the address of a lamp, and its token |
//! | [`selector`] | how a user names a lamp |
//! | [`find`](mod@find) | finds the lamps that a user has named |
//! | [`nearby`] | finds lamps and other lights by multicast DNS |
//! | [`wled`] | what a WLED device says about itself |
//! | [`virtual_lamp`] | the virtual lamps on this machine |
//! | [`tokens`] | the tokens of this user's lamps |
//! | [`client`] | requests to a lamp, with answers as the types of `k1-device` |
//! | [`trouble`] | why a lamp could not be asked |
//! | [`scenes`] | what a K1 says of scenes, its playlist and its light as a whole |
//! | [`watch`] | the live frames of a lamp |
//! | [`playback`] | plays sound to a lamp |
//! | [`test_signal`] | the music with which a lamp is judged |
//! | [`figures`] | the table of a lamp's figures, with their limits |

pub mod address;
pub mod client;
pub mod figures;
pub mod find;
pub mod nearby;
pub mod playback;
pub mod scenes;
pub mod selector;
pub mod test_signal;
pub mod tokens;
pub mod trouble;
pub mod virtual_lamp;
pub mod watch;
pub mod wled;

pub use address::Address;
pub use client::Client;
pub use find::{find, find_all};
pub use selector::Selector;
pub use trouble::Trouble;
