//! The bridge between K1s and an MQTT broker, in both directions.
//!
//! | Room | What it does |
//! |---|---|
//! | [`topics`] | the names of all topics |
//! | [`discovery`] | how Home Assistant finds a K1, and what is published of it |
//! | [`command`] | commands to a light |
//! | [`order`] | orders for a rollout |
//! | [`publish`] | a message on its way |
//! | [`lamp`] | what is published of one K1, and which requests carry out its commands |
//! | [`hub`] | what is done with messages of the broker and news of the K1s |
//! | [`link`] | what is said of the connection, and when it is tried again |
//! | [`shared`] | what the threads share |
//! | [`attend`] | talks with one K1; a thread each |
//! | [`client`] | keeps up the connection to the broker |
//! | [`run`] | a bridge from its start to its end |
//!
//! All that decides is without a network and without a clock (`lamp`, `hub`, `link`); the threads carry out what it says.

mod attend;
mod client;
pub mod command;
pub mod discovery;
pub mod hub;
pub mod lamp;
pub mod link;
pub mod order;
pub mod publish;
mod run;
mod shared;
pub mod topics;

pub use run::{Bridge, Broker};
pub use shared::Offer;
