//! What the threads of a bridge share.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::{Client as Broker, QoS};

use super::hub::{Effect, Hub, Task};
use super::publish::Publish;
use super::topics::Topics;
use crate::signing::package::Update;

/// Firmware that every lamp may have.
pub struct Offer {
    /// What it is.
    pub update: Update,
    /// The file.
    pub bytes: Vec<u8>,
}

impl From<Update> for Offer {
    fn from(update: Update) -> Self {
        Self { bytes: update.bytes(), update }
    }
}

/// What the threads of a bridge share.
pub(super) struct Shared {
    pub(super) hub: Mutex<Hub>,
    pub(super) topics: Topics,
    pub(super) offer: Option<Offer>,
    pub(super) broker: Broker,
    /// The way to whoever talks with each K1.
    pub(super) tasks: Vec<Sender<Task>>,
    /// Pause between two looks at a K1.
    pub(super) every: Duration,
    /// Grows each time that everything is to be published anew.
    pub(super) anew: AtomicU32,
    pub(super) end: Arc<AtomicBool>,
}

impl Shared {
    /// Has the hub decide, and does what it says. Nobody else decides meanwhile, so that what is published follows from
    /// what was known.
    pub(super) fn decide(&self, decide: impl FnOnce(&mut Hub) -> Vec<Effect>) {
        let mut hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        for effect in decide(&mut hub) {
            match effect {
                Effect::Publish(message) => self.publish(message),
                // A thread that has ended has said why.
                Effect::Task(lamp, task) => drop(self.tasks[lamp].send(task)),
                Effect::Anew => drop(self.anew.fetch_add(1, SeqCst)),
                Effect::Say(line) => k1_host::say(format_args!("k1: {line}")),
            }
        }
    }

    /// Publishes a message. What the broker does not take in time is dropped.
    pub(super) fn publish(&self, message: Publish) {
        // A full queue means that the broker is away: everything that lasts is published anew when it is back.
        let Publish { topic, payload, retain } = message;
        let _ = self.broker.try_publish(topic, QoS::AtLeastOnce, retain, payload);
    }

    /// True once the bridge is to end.
    pub(super) fn is_over(&self) -> bool {
        self.end.load(SeqCst)
    }
}
