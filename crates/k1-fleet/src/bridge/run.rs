//! Starts and ends a bridge.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k1_host::Failure;
use k1_host::identity::{self, Role, Who};
use rumqttc::{Connection, LastWill, MqttOptions, QoS};

use super::hub::{Hub, MOST_BYTES};
use super::link::MOST_TAKEN;
use super::shared::{Offer, Shared};
use super::topics::{OFFLINE, Topics};
use super::{attend, client};
use crate::lamps::Address;

/// Time without an answer after which the broker counts as gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Messages per K1 that may wait for the broker: everything that is published about a K1 that was just met, and some
/// more.
const WAITING: usize = 64;
/// Default port of a broker.
const PORT: u16 = 1883;

/// A broker, with login and topics.
#[derive(Clone, Debug)]
pub struct Broker {
    /// `HOST` or `HOST:PORT`.
    pub name: String,
    /// User and password, if the broker needs them.
    pub login: Option<(String, String)>,
    /// First part of every topic of K1.
    pub prefix: String,
    /// First part of Home Assistant's discovery topics.
    pub discovery: String,
}

impl Broker {
    fn options(&self, topics: &Topics) -> Result<MqttOptions, Failure> {
        let (host, port) = match self.name.rsplit_once(':') {
            Some((host, port)) => {
                let wrong =
                    |_| Failure::new(format!("“{}” is not a broker; write HOST or HOST:PORT", self.name));
                (host, port.parse().map_err(wrong)?)
            }
            None => (&*self.name, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // A broker disconnects a client when another one with the same name connects.
        let mut options = MqttOptions::new(format!("k1-{}", topics.bridge), host, port);
        options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(MOST_TAKEN, MOST_BYTES);
        // Tells all subscribers if the bridge disappears without a last message.
        options.set_last_will(LastWill::new(topics.bridge(), OFFLINE, QoS::AtLeastOnce, true));
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password);
        }
        Ok(options)
    }
}

/// A bridge between K1s and a broker.
pub struct Bridge {
    shared: Shared,
    connection: Connection,
    lamps: Vec<(Address, std::sync::mpsc::Receiver<super::hub::Task>)>,
    broker: String,
    /// Keeps the bridge's id locked.
    _who: Who,
}

impl Bridge {
    /// Prepares a bridge; does not send anything yet.
    ///
    /// # Errors
    ///
    /// A sentence if the broker's name is wrong, or the bridge cannot get an id.
    pub fn new(
        broker: &Broker,
        lamps: Vec<Address>,
        offer: Option<Offer>,
        every: Duration,
    ) -> Result<Self, Failure> {
        let (who, trouble) = identity::claim(Role { kind: "mqtt", name: identity::NAME, port: 0 })?;
        if let Some(trouble) = trouble {
            k1_host::say(format_args!("k1: {trouble}"));
        }
        let (prefix, discovery) = (broker.prefix.clone(), broker.discovery.clone());
        let topics = Topics { prefix, discovery, bridge: who.id.clone() };
        let options = broker.options(&topics)?;
        let (publisher, connection) = rumqttc::Client::new(options, WAITING * (lamps.len() + 8));
        let labels: Vec<_> = lamps.iter().map(|lamp| lamp.label.clone()).collect();
        let version = offer.as_ref().map(|offer| offer.update.manifest.version.as_str().to_owned());
        let (tasks, receivers): (Vec<_>, Vec<_>) = lamps.iter().map(|_| channel()).unzip();
        let shared = Shared {
            hub: Mutex::new(Hub::new(topics.clone(), &labels, version)),
            topics,
            offer,
            broker: publisher,
            tasks,
            every,
            anew: AtomicU32::new(0),
            end: Arc::default(),
        };
        let lamps = lamps.into_iter().zip(receivers).collect();
        Ok(Self { shared, connection, lamps, broker: broker.name.clone(), _who: who })
    }

    /// The bridge ends when this becomes true.
    pub fn end(&self) -> Arc<AtomicBool> {
        self.shared.end.clone()
    }

    /// Runs the bridge until its end.
    ///
    /// # Errors
    ///
    /// A sentence if the broker was never reached.
    pub fn run(self, until: Option<Instant>) -> Result<(), Failure> {
        let shared = Arc::new(self.shared);
        let mut attendants = Vec::new();
        for (lamp, (address, tasks)) in self.lamps.into_iter().enumerate() {
            let (listening, from, sender) = (shared.clone(), address.clone(), shared.tasks[lamp].clone());
            // Do not wait for this thread at the end, because it may be blocked.
            std::thread::spawn(move || attend::listen(&listening, &from, &sender));
            let shared = shared.clone();
            attendants.push(std::thread::spawn(move || attend::attend(&shared, lamp, address, &tasks)));
        }
        let result = client::converse(&shared, self.connection, &self.broker, until, &attendants);
        shared.end.store(true, SeqCst);
        result
    }
}
