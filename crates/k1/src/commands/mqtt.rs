//! `k1 mqtt`: lamps and an MQTT broker, in both directions.
//!
//! Each lamp has a thread that looks at it and does what is wished of it; this one keeps up the connection. The last
//! will tells everybody when the bridge has gone without a word.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{
    Client as Broker, Connection, Event, LastWill, MqttOptions, Packet, QoS, RecvTimeoutError as Quiet,
};
use serde_json::{Map, Value, json};

use super::Failure;
use crate::cli::MqttArgs;
use crate::lamps::figures::Reading;
use crate::lamps::fleet::{self, ALL, Card, OFFLINE, ONLINE, Topics, Wish};
use crate::lamps::{self, Client, Trouble};

/// A broker that has not answered for so long has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Messages that may wait for the broker. A lamp has few; those of one that has gone are not kept for ever.
const WAITING: usize = 256;
/// Pause before another try to reach the broker.
const AGAIN: Duration = Duration::from_secs(2);
/// Largest message that is taken.
const MOST_BYTES: usize = 64 * 1024;

/// What all threads share.
struct Shared {
    broker: Broker,
    topics: Topics,
    every: Duration,
    /// Grows each time that everything is to be said anew: a new connection, a new Home Assistant.
    anew: AtomicU32,
    end: AtomicBool,
    /// What each lamp said last; nothing if it does not answer.
    fleet: Mutex<BTreeMap<String, Option<Reading>>>,
    /// What each lamp is called in topics: its own name, and until it has said that, what the user calls it.
    names: Mutex<Vec<String>>,
}

impl Shared {
    /// Says something; what the broker does not take in time is not said.
    fn say(&self, topic: String, message: impl Into<Vec<u8>>, retain: bool) {
        // A full queue means that the broker is away: everything that lasts is said anew when it is back.
        let _ = self.broker.try_publish(topic, QoS::AtLeastOnce, retain, message);
    }

    fn note(&self, lamp: &str, reading: Option<Reading>) {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner).insert(lamp.to_owned(), reading);
    }
}

/// A lamp with what was said of it.
struct Voice<'a> {
    shared: &'a Shared,
    /// Its place in the list.
    place: usize,
    client: Client,
    label: String,
    /// Its own name, once it has said it.
    name: Option<String>,
    card: Option<Card>,
    said_online: Option<bool>,
    said_state: Option<Value>,
    /// Brightness to which it comes back when it is switched on.
    lit: f64,
}

impl Voice<'_> {
    fn name(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.label)
    }

    fn meet(&self) -> Result<Card, Trouble> {
        #[derive(serde::Deserialize)]
        struct Pattern {
            id: String,
        }
        #[derive(serde::Deserialize)]
        struct Patterns {
            patterns: Vec<Pattern>,
        }
        let (info, name) = (self.client.info()?, self.client.name()?);
        let patterns: Patterns = self.client.get("/api/patterns")?;
        Ok(Card {
            id: info.mac.map_or_else(|| name.clone(), |m| m.into_owned()),
            name,
            board: info.board.into_owned(),
            version: info.firmware.into_owned(),
            patterns: patterns.patterns.into_iter().map(|p| p.id).collect(),
        })
    }

    /// Looks at the lamp and says what is new.
    fn look(&mut self) -> Result<(), Trouble> {
        if self.card.is_none() {
            let card = self.meet()?;
            for (topic, message) in card.discovery(&self.shared.topics) {
                self.shared.say(topic, message.to_string(), true);
            }
            let names = &mut self.shared.names.lock().unwrap_or_else(PoisonError::into_inner);
            names[self.place] = fleet::segment(&card.name);
            self.name = Some(card.name.clone());
            self.card = Some(card);
        }
        let (status, device) = (self.client.status()?, self.client.device()?);
        let params: Map<String, Value> = self.client.get("/api/params")?;
        self.online(true);
        let reading = Reading::of(&status, &device);
        let telemetry = serde_json::to_vec(&reading).unwrap_or_default();
        self.shared.say(self.shared.topics.of(self.name(), "telemetry"), telemetry, false);
        self.shared.note(&self.label, Some(reading));
        if let Some(b) = params.get("brightness").and_then(Value::as_f64).filter(|b| *b > 0.0) {
            self.lit = b;
        }
        let state = fleet::state(&params, &status.pattern);
        if self.said_state.as_ref() != Some(&state) {
            self.shared.say(self.shared.topics.of(self.name(), "state"), state.to_string(), true);
            self.said_state = Some(state);
        }
        Ok(())
    }

    fn online(&mut self, is: bool) {
        if self.said_online != Some(is) {
            let word = if is { ONLINE } else { OFFLINE };
            self.shared.say(self.shared.topics.of(self.name(), "availability"), word, true);
            self.said_online = Some(is);
        }
    }

    fn fulfil(&mut self, message: &[u8]) {
        let done = Wish::read(message).and_then(|wish| {
            let requests = wish.requests(&mut self.lit);
            let ask = |(path, body): &(&str, Value)| self.client.post::<Value>(path, body).map(drop);
            requests.iter().try_for_each(ask).map_err(|t| t.to_string())
        });
        if let Err(why) = done {
            self.shared.say(self.shared.topics.of(self.name(), "error"), why, false);
        }
    }
}

/// Looks after one lamp until the end.
fn tend(shared: &Shared, place: usize, address: lamps::Address, wishes: &Receiver<Vec<u8>>) {
    let label = address.label.clone();
    let mut voice = Voice {
        shared,
        place,
        name: None,
        client: Client::new(address),
        label,
        card: None,
        said_online: None,
        said_state: None,
        lit: 1.0,
    };
    let mut anew = shared.anew.load(SeqCst);
    let mut next = Instant::now();
    while !shared.end.load(SeqCst) {
        let now = shared.anew.load(SeqCst);
        if now != anew {
            (anew, next) = (now, Instant::now());
            (voice.card, voice.said_online, voice.said_state) = (None, None, None);
        }
        if Instant::now() >= next {
            next = Instant::now() + shared.every;
            if voice.look().is_err() {
                voice.online(false);
                voice.shared.note(&voice.label, None);
            }
        }
        // Not longer, so that the end and a new connection are noticed.
        match wishes.recv_timeout((next - Instant::now().min(next)).min(Duration::from_millis(200))) {
            Ok(message) => {
                voice.fulfil(&message);
                // What became of it is said at once.
                next = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
    voice.online(false);
}

/// Figures of all lamps together.
fn together(fleet: &BTreeMap<String, Option<Reading>>) -> Value {
    let there: Vec<_> = fleet.values().flatten().collect();
    let least = there.iter().filter_map(|r| r.get("fps")).min_by(f64::total_cmp);
    let beyond: Vec<_> = fleet
        .iter()
        .filter(|(_, r)| r.as_ref().is_some_and(|r| !r.over().is_empty()))
        .map(|(n, _)| n)
        .collect();
    json!({"lamps": fleet.len(), "online": there.len(), "least_fps": least, "beyond_limits": beyond})
}

fn options(args: &MqttArgs, topics: &Topics) -> Result<MqttOptions, Failure> {
    let (host, port) = match args.broker.rsplit_once(':') {
        Some((host, port)) => {
            let port = port
                .parse()
                .map_err(|_| Failure(format!("“{}” is no broker; write HOST or HOST:PORT", args.broker)))?;
            (host, port)
        }
        None => (&*args.broker, 1883),
    };
    let mut options = MqttOptions::new(format!("k1-{}", std::process::id()), host, port);
    options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(MOST_BYTES, MOST_BYTES);
    let will = LastWill::new(topics.of("bridge", "availability"), OFFLINE, QoS::AtLeastOnce, true);
    options.set_last_will(will);
    if let Some(user) = &args.user {
        let password = match &args.password_file {
            Some(path) => std::fs::read_to_string(path).map_err(|e| {
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
    let topics = Topics { prefix: args.prefix.clone(), discovery: args.discovery_prefix.clone() };
    let lamps = lamps::find_all(&args.lamps, args.token.as_deref(), Duration::from_secs_f64(args.search))?;
    if lamps.is_empty() {
        return Err(Failure(
            "no lamp answers; name one by its address, or `k1 virt` starts one on this machine".into(),
        ));
    }
    let (broker, connection) = Broker::new(options(args, &topics)?, WAITING);
    let shared = Arc::new(Shared {
        broker,
        topics,
        every: Duration::from_secs_f64(args.every.max(0.5)),
        anew: AtomicU32::new(0),
        end: AtomicBool::new(false),
        fleet: Mutex::new(BTreeMap::new()),
        names: Mutex::new(lamps.iter().map(|l| fleet::segment(&l.label)).collect()),
    });
    let signal = shared.clone();
    ctrlc::set_handler(move || signal.end.store(true, SeqCst))
        .map_err(|e| Failure(format!("signals cannot be handled: {e}")))?;
    let until = args.duration.map(|s| Instant::now() + Duration::from_secs_f64(s));
    let mut tenders = Vec::new();
    let mut ears: Vec<Sender<Vec<u8>>> = Vec::new();
    for (place, address) in lamps.into_iter().enumerate() {
        let (sender, wishes) = channel();
        ears.push(sender);
        let shared = shared.clone();
        tenders.push(std::thread::spawn(move || tend(&shared, place, address, &wishes)));
    }
    let result = converse(&shared, connection, &ears, until, &args.broker, tenders);
    shared.end.store(true, SeqCst);
    result
}

/// Keeps up the connection, and hands wishes on.
fn converse(
    shared: &Shared,
    mut connection: Connection,
    ears: &[Sender<Vec<u8>>],
    until: Option<Instant>,
    broker: &str,
    tenders: Vec<std::thread::JoinHandle<()>>,
) -> Result<(), Failure> {
    let topics = &shared.topics;
    let (mut was_there, mut told) = (false, false);
    let mut next = Instant::now() + shared.every;
    // At the end a little time is left for the last words.
    let mut farewell: Option<Instant> = None;
    loop {
        let over = shared.end.load(SeqCst) || until.is_some_and(|u| Instant::now() >= u);
        if over && farewell.is_none() {
            shared.end.store(true, SeqCst);
            shared.say(topics.of("bridge", "availability"), OFFLINE, true);
            farewell = Some(Instant::now() + Duration::from_secs(3));
        }
        if let Some(last) = farewell
            && (Instant::now() > last || tenders.iter().all(std::thread::JoinHandle::is_finished))
        {
            let _ = shared.broker.try_disconnect();
            // What still waits goes out before the word that ends the connection.
            let last = Instant::now() + Duration::from_secs(1);
            while Instant::now() < last
                && matches!(connection.recv_timeout(Duration::from_millis(200)), Ok(Ok(_)))
            {}
            return match was_there {
                true => Ok(()),
                false => Err(Failure(format!(
                    "the broker {broker} was never reached; is it on, and is its name right?"
                ))),
            };
        }
        if Instant::now() >= next {
            next = Instant::now() + shared.every;
            let all = together(&shared.fleet.lock().unwrap_or_else(PoisonError::into_inner));
            shared.say(topics.of("fleet", "telemetry"), all.to_string(), false);
        }
        match connection.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                (was_there, told) = (true, false);
                for topic in [topics.wishes(), topics.birth()] {
                    let _ = shared.broker.try_subscribe(topic, QoS::AtLeastOnce);
                }
                shared.say(topics.of("bridge", "availability"), ONLINE, true);
                shared.anew.fetch_add(1, SeqCst);
                crate::say(format_args!("k1: connected to {broker}; {} lamps", ears.len()));
            }
            Ok(Ok(Event::Incoming(Packet::Publish(message)))) => {
                if message.topic == topics.birth() && &*message.payload == ONLINE.as_bytes() {
                    shared.anew.fetch_add(1, SeqCst);
                } else if let Some(asked) = topics.asked(&message.topic) {
                    let names = shared.names.lock().unwrap_or_else(PoisonError::into_inner);
                    let meant = ears.iter().zip(&*names).filter(|(_, name)| *name == asked || asked == ALL);
                    for (ear, _) in meant {
                        let _ = ear.send(message.payload.to_vec());
                    }
                }
            }
            Ok(Ok(_)) | Err(Quiet::Timeout) => {}
            Ok(Err(e)) => {
                if !told {
                    told = true;
                    crate::say(format_args!(
                        "k1: the broker {broker} does not answer ({e}); it is tried again"
                    ));
                }
                // In small steps, so that the end is noticed.
                let again = Instant::now() + AGAIN;
                while Instant::now() < again && !shared.end.load(SeqCst) {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            Err(Quiet::Disconnected) => return Err(Failure("the connection's own queue has ended".into())),
        }
    }
}
