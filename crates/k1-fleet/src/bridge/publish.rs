//! Messages on their way to a broker.

/// A message that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
}

impl Publish {
    /// A message for those who listen now.
    pub fn once(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic, payload: payload.into(), retain: false }
    }

    /// A message that the broker keeps; an empty one takes back what it has kept.
    pub fn kept(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic, payload: payload.into(), retain: true }
    }
}
