//! Messages to a broker.

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Topic of the message.
    pub topic: String,
    /// Content of the message.
    pub payload: Vec<u8>,
    /// True if the broker keeps the message for later subscribers.
    pub retain: bool,
}

impl Publish {
    /// A message for present subscribers only.
    pub fn once(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic, payload: payload.into(), retain: false }
    }

    /// A message that the broker keeps. An empty one deletes the kept message.
    pub fn kept(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic, payload: payload.into(), retain: true }
    }
}
