//! The bridge between K1s and an MQTT broker, in both directions.
//!
//! | Room | What it does |
//! |---|---|
//! | [`topics`] | the names of all topics |
//! | [`discovery`] | announces a K1 to Home Assistant |
//! | [`command`] | commands to a light |
//! | [`scenes`] | scenes and the playlist: announced, and commanded |
//! | [`order`] | orders for a rollout |
//! | [`publish`] | a message to the broker |
//! | [`lamp`] | the messages about one K1, and the requests that carry out its commands |
//! | [`hub`] | the reaction to messages of the broker and news of the K1s |
//! | [`link`] | reports on the connection, and times of new attempts |
//! | `shared` | values that the threads share |
//! | `attend` | talks to one K1, each on a thread of its own |
//! | `client` | maintains the connection to the broker |
//! | `run` | starts and ends a bridge |
//!
//! All decisions are made without a network and without a clock (`lamp`, `hub`, `link`); the threads carry them out.

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
pub mod scenes;
mod shared;
pub mod topics;

pub use run::{Bridge, Broker};
pub use shared::Offer;
