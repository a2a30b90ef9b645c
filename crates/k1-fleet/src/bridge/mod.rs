//! `k1 mqtt`: lamps and programs, and an MQTT broker, in both directions.
//!
//! | Room | What it does |
//! |---|---|
//! | [`lamp`] | looks at a K1, says what is new of it, does what is wished of it; a thread each |
//! | [`broker`] | keeps up the connection, and hands wishes on |
//!
//! The last will tells everybody when the bridge has gone without a word.

mod broker;
mod lamp;
pub mod messages;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rumqttc::{Client as Broker, Connection, LastWill, MqttOptions, QoS};
use serde_json::{Value, json};

use crate::bridge::messages::{OFFLINE, Topics};
use crate::cli::{BrokerArgs, MqttArgs};
use crate::lamps::Address;
use crate::lamps::figures::Reading;
use crate::lamps::watch::Look;
use crate::signing::package::Update;
use broker::Steps;
use k1_host::Failure;
use k1_host::identity::{self, Role, Who};
use k1_host::private;

/// A broker that has not answered for this time has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Messages of each K1 that may wait for the broker: all that is said of one that was just met, and some.
const WAITING: usize = 64;
/// Pause between two looks of a program at itself.
const EVERY: Duration = Duration::from_secs(10);
/// Largest message that is said, and largest wish that is looked at.
const MOST_BYTES: usize = 64 * 1024;
/// Largest message that is taken in: a longer one ends the connection, again and again if the broker keeps it.
const MOST_TAKEN: usize = 1024 * 1024;

/// Firmware that every lamp may have.
struct Offer {
    update: Update,
    bytes: Vec<u8>,
}

/// What a lamp is asked for.
enum Ask {
    /// What somebody wishes.
    Wish(Vec<u8>),
    /// To take the firmware that is offered.
    Install,
    /// It has said itself what it shows now.
    Shown(Look),
    /// It may have gone: somebody should look.
    Look,
    /// Somebody else has said that it has gone, or speaks for it no more.
    Contradict,
}

/// What became of a lamp that was asked to take firmware: its place in the list, and why not.
type Verdict = (usize, Result<(), String>);

/// A lamp that has new firmware fails when so many looks in a row find it unwell: one late second is no fault of firmware.
const UNWELL: u32 = 3;

/// What a lamp said last.
#[derive(Default)]
struct Seen {
    /// Nothing if it did not answer.
    reading: Option<Reading>,
    /// Looks in a row at which it was beyond a limit or did not answer.
    unwell: u32,
}

impl Seen {
    fn look(&mut self, reading: Option<Reading>) {
        let is_well = reading.as_ref().is_some_and(|r| r.over().is_empty());
        self.unwell = if is_well { 0 } else { self.unwell.saturating_add(1) };
        self.reading = reading;
    }

    /// Why it is not to be trusted any more.
    fn fault(&self) -> Option<String> {
        (self.unwell >= UNWELL).then(|| match &self.reading {
            Some(reading) => format!("after its verdict: {} beyond its limit", reading.over().join(", ")),
            None => "it does not answer any more".into(),
        })
    }
}

/// What all threads share.
struct Shared {
    offer: Option<Offer>,
    broker: Broker,
    topics: Topics,
    every: Duration,
    /// Grows each time that everything is to be said anew: a new connection, a new Home Assistant.
    anew: AtomicU32,
    end: Arc<AtomicBool>,
    /// What each lamp said last.
    fleet: Mutex<BTreeMap<String, Seen>>,
    /// What the user calls each lamp.
    labels: Vec<String>,
    /// What each lamp is called in topics: its id, and until it has said that, what the user calls it.
    ids: Mutex<Vec<String>>,
}

impl Shared {
    /// Says something; what the broker does not take in time is not said.
    fn say(&self, topic: String, message: impl Into<Vec<u8>>, retain: bool) {
        // A full queue means that the broker is away: everything that lasts is said anew when it is back.
        let _ = self.broker.try_publish(topic, QoS::AtLeastOnce, retain, message);
    }

    fn note(&self, lamp: &str, reading: Option<Reading>) {
        self.fleet
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(lamp.to_owned())
            .or_default()
            .look(reading);
    }
}

/// Figures of all lamps together.
fn together(fleet: &BTreeMap<String, Seen>) -> Value {
    let there: Vec<_> = fleet.values().filter_map(|seen| seen.reading.as_ref()).collect();
    let least = there.iter().filter_map(|r| r.get("fps")).min_by(f64::total_cmp);
    let beyond: Vec<_> = fleet
        .iter()
        .filter(|(_, seen)| seen.reading.as_ref().is_some_and(|r| !r.over().is_empty()))
        .map(|(n, _)| n)
        .collect();
    json!({"lamps": fleet.len(), "online": there.len(), "least_fps": least, "beyond_limits": beyond})
}

fn options(broker: &str, args: &BrokerArgs, topics: &Topics) -> Result<MqttOptions, Failure> {
    let (host, port) = match broker.rsplit_once(':') {
        Some((host, port)) => {
            let port = port
                .parse()
                .map_err(|_| Failure(format!("“{broker}” is no broker; write HOST or HOST:PORT")))?;
            (host, port)
        }
        None => (broker, 1883),
    };
    // Two clients of one name would put each other out.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut options = MqttOptions::new(format!("k1-{}", topics.bridge), host, port);
    options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(MOST_TAKEN, MOST_BYTES);
    let will = LastWill::new(topics.bridge(), OFFLINE, QoS::AtLeastOnce, true);
    options.set_last_will(will);
    if let Some(user) = &args.user {
        let password = match &args.password_file {
            Some(path) => private::read(path).map_err(|e| {
                Failure(format!("the broker's password cannot be read from {}: {e}", path.display()))
            })?,
            None => String::new(),
        };
        options.set_credentials(user, password.trim_end_matches(['\r', '\n']));
    }
    Ok(options)
}

/// Bridges until it is told to end.
pub fn mqtt(args: &MqttArgs) -> Result<(), Failure> {
    let lamps = args.reach.find_some(&args.lamps)?;
    let offer = match &args.update {
        None => None,
        Some(file) => {
            let update = Update::read(file)?;
            Some(Offer { bytes: update.bytes(), update })
        }
    };
    let every = Duration::from_secs_f64(args.every.max(0.5));
    let bridge = Bridge::new(&args.broker, &args.with, lamps, offer, every)?;
    let end = bridge.end.clone();
    ctrlc::set_handler(move || end.store(true, SeqCst))
        .map_err(|e| Failure(format!("signals cannot be handled: {e}")))?;
    bridge.run(args.duration.map(|s| Instant::now() + Duration::from_secs_f64(s)))
}

/// The bridge of one program, on a thread of its own.
pub struct Beside {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Connects the K1 at an address with a broker; what goes wrong later is said.
    pub fn start(broker: &str, with: &BrokerArgs, own: Address) -> Result<Self, Failure> {
        let bridge = Bridge::new(broker, with, vec![own], None, EVERY)?;
        let end = bridge.end.clone();
        let run = move || {
            if let Err(failure) = bridge.run(None) {
                k1_host::say(format_args!("k1: {failure}"));
            }
        };
        let thread = std::thread::Builder::new().name("k1-mqtt".into()).spawn(run)?;
        Ok(Self { end, thread: Some(thread) })
    }
}

impl Drop for Beside {
    /// Says that it goes, as long as it takes to say it.
    fn drop(&mut self) {
        self.end.store(true, SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

/// What a bridge needs.
struct Bridge {
    shared: Arc<Shared>,
    connection: Connection,
    lamps: Vec<Address>,
    broker: String,
    end: Arc<AtomicBool>,
    /// Holds its id.
    _who: Who,
}

impl Bridge {
    fn new(
        name: &str,
        with: &BrokerArgs,
        lamps: Vec<Address>,
        offer: Option<Offer>,
        every: Duration,
    ) -> Result<Self, Failure> {
        let (who, trouble) = identity::claim(Role { kind: "mqtt", name: identity::NAME, port: 0 })?;
        if let Some(trouble) = trouble {
            k1_host::say(format_args!("k1: {trouble}"));
        }
        let (prefix, discovery) = (with.prefix.clone(), with.discovery_prefix.clone());
        let topics = Topics { prefix, discovery, bridge: who.id.clone() };
        let (broker, connection) = Broker::new(options(name, with, &topics)?, WAITING * (lamps.len() + 8));
        let end = Arc::<AtomicBool>::default();
        let shared = Arc::new(Shared {
            offer,
            broker,
            topics,
            every,
            anew: AtomicU32::new(0),
            end: end.clone(),
            fleet: Mutex::new(BTreeMap::new()),
            labels: lamps.iter().map(|l| l.label.clone()).collect(),
            ids: Mutex::new(lamps.iter().map(|l| messages::segment(&l.label)).collect()),
        });
        Ok(Self { shared, connection, lamps, broker: name.to_owned(), end, _who: who })
    }

    /// Until it is told to end.
    fn run(self, until: Option<Instant>) -> Result<(), Failure> {
        let mut tenders = Vec::new();
        let mut ears: Vec<Sender<Ask>> = Vec::new();
        let (judge, verdicts) = channel();
        for (place, address) in self.lamps.into_iter().enumerate() {
            let (sender, wishes) = channel();
            ears.push(sender.clone());
            let (listening, from) = (self.shared.clone(), address.clone());
            // Not waited for at the end: it may be listening.
            std::thread::spawn(move || lamp::listen(&listening, &from, &sender));
            let (shared, judge) = (self.shared.clone(), judge.clone());
            tenders.push(std::thread::spawn(move || lamp::tend(&shared, place, address, &wishes, &judge)));
        }
        let steps = Steps::new(&self.shared, &ears, verdicts);
        let result = broker::converse(&self.shared, self.connection, steps, until, &self.broker, tenders);
        self.end.store(true, SeqCst);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_second_is_no_fault_and_three_are() {
        let reading = |age: f64| {
            let mut reading = Reading::default();
            reading.take([("fps", 175.0), ("age_ms", 8.0), ("age_p99_ms", age)]);
            Some(reading)
        };
        let mut seen = Seen::default();
        for late in [true, true, false, true, true] {
            seen.look(reading(if late { 25.0 } else { 12.0 }));
            assert_eq!(seen.fault(), None);
        }
        seen.look(reading(25.0));
        assert_eq!(seen.fault().as_deref(), Some("after its verdict: age_p99_ms beyond its limit"));
        seen.look(None);
        assert_eq!(seen.fault().as_deref(), Some("it does not answer any more"));
        seen.look(reading(12.0));
        assert_eq!(seen.fault(), None);
    }
}
