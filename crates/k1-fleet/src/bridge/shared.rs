//! Values that the threads of a bridge share.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::{Client as Broker, QoS};

use super::hub::{Effect, Hub, Task};
use super::publish::Publish;
use super::topics::Topics;
use crate::signing::package::Update;

/// The firmware that is offered to every lamp.
pub struct Offer {
    /// The update, parsed.
    pub update: Update,
    /// The bytes of its file.
    pub bytes: Vec<u8>,
}

impl From<Update> for Offer {
    fn from(update: Update) -> Self {
        Self { bytes: update.bytes(), update }
    }
}

/// Values that the threads of a bridge share.
pub(super) struct Shared {
    pub(super) hub: Mutex<Hub>,
    pub(super) topics: Topics,
    pub(super) offer: Option<Offer>,
    pub(super) broker: Broker,
    /// Task queues of the threads that talk to the K1s.
    pub(super) tasks: Vec<Sender<Task>>,
    /// Pause between two looks at a K1.
    pub(super) every: Duration,
    /// Rises each time that everything must be published again.
    pub(super) anew: AtomicU32,
    pub(super) end: Arc<AtomicBool>,
}

impl Shared {
    /// Calls `decide` with the hub and carries out its effects. Only one thread at a time does this, so that published
    /// messages follow from the state that led to them.
    pub(super) fn decide(&self, decide: impl FnOnce(&mut Hub) -> Vec<Effect>) {
        let mut hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        for effect in decide(&mut hub) {
            match effect {
                Effect::Publish(message) => self.publish(message),
                // A thread that has ended has reported the reason.
                Effect::Task(lamp, task) => drop(self.tasks[lamp].send(task)),
                Effect::Anew => drop(self.anew.fetch_add(1, SeqCst)),
                Effect::Say(line) => k1_host::say(format_args!("k1: {line}")),
            }
        }
    }

    /// Publishes a message. Drops it if the broker does not accept it in time.
    pub(super) fn publish(&self, message: Publish) {
        // A full queue means that the broker is away. Everything that is kept is published again when it is back.
        let Publish { topic, payload, retain } = message;
        let _ = self.broker.try_publish(topic, QoS::AtLeastOnce, retain, payload);
    }

    /// True when the bridge must end.
    pub(super) fn is_over(&self) -> bool {
        self.end.load(SeqCst)
    }
}
