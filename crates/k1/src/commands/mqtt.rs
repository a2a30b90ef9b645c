//! `k1 mqtt`: lamps and an MQTT broker, in both directions.
//!
//! Each lamp has a thread that looks at it and does what is wished of it; this one keeps up the connection. The last
//! will tells everybody when the bridge has gone without a word.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{
    Client as Broker, Connection, Event, LastWill, MqttOptions, Packet, QoS, RecvTimeoutError as Quiet,
};
use serde_json::{Map, Value, json};

use k1_device::firmware::Standing;

use super::Failure;
use crate::cli::MqttArgs;
use crate::lamps::delivery::{self, Plan};
use crate::lamps::figures::Reading;
use crate::lamps::fleet::{self, ALL, Card, INSTALL, OFFLINE, ONLINE, ROLLOUT, Topics, Wish};
use crate::lamps::rollout::{Order, Rollout};
use crate::lamps::{self, Client, Trouble};
use crate::update::package::Update;

/// A broker that has not answered for so long has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Messages of each lamp that may wait for the broker: all that is said of one that was just met, and some.
const WAITING: usize = 32;
/// Pause before another try to reach the broker.
const AGAIN: Duration = Duration::from_secs(2);
/// Largest message that is taken.
const MOST_BYTES: usize = 64 * 1024;

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
    end: AtomicBool,
    /// What each lamp said last.
    fleet: Mutex<BTreeMap<String, Seen>>,
    /// What the user calls each lamp.
    labels: Vec<String>,
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
        self.fleet
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(lamp.to_owned())
            .or_default()
            .look(reading);
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
    said_update: Option<Value>,
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
            takes_firmware: self.client.firmware().is_ok(),
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
        if self.card.as_ref().is_some_and(|c| c.takes_firmware) {
            self.say_update(false)?;
        }
        Ok(())
    }

    /// Says what runs, what is offered and whether it is being tried.
    fn say_update(&mut self, is_sending: bool) -> Result<(), Trouble> {
        let (state, _) = self.client.firmware()?;
        let installed =
            state.running.as_ref().map_or_else(|| "unknown".to_owned(), |i| i.version.to_string());
        let offered = self.shared.offer.as_ref().map(|o| &o.update.manifest);
        let offered =
            offered.filter(|m| m.board.as_str() == state.board).map(|m| m.version.as_str().to_owned());
        let said = json!({
            "title": "K1", "installed_version": installed, "latest_version": offered.as_ref().unwrap_or(&installed),
            "in_progress": is_sending || state.state == Standing::OnTrial,
            "release_summary": state.last.map(|l| match l.reason.as_str() {
                "" => format!("{} was found good", l.version),
                why => format!("{} was taken back: {why}", l.version),
            }),
        });
        if self.said_update.as_ref() != Some(&said) {
            self.shared.say(self.shared.topics.of(self.name(), "update"), said.to_string(), true);
            self.said_update = Some(said);
        }
        Ok(())
    }

    /// Takes what is offered, and waits for the lamp's own verdict.
    fn install(&mut self) -> Result<(), String> {
        let shared = self.shared;
        let offer = shared.offer.as_ref().ok_or("nothing is offered: start `k1 mqtt` with --update FILE")?;
        if delivery::plan(&self.client, &offer.update, false)?.0 == Plan::Done {
            return Ok(());
        }
        // What is not said now is said after it.
        let _ = self.say_update(true);
        self.client.install(&offer.bytes, |_| ()).map_err(|e| e.to_string())?;
        delivery::verdict(&self.client, &offer.update).1.map(drop)
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
fn tend(
    shared: &Shared,
    place: usize,
    address: lamps::Address,
    wishes: &Receiver<Ask>,
    verdicts: &Sender<Verdict>,
) {
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
        said_update: None,
        lit: 1.0,
    };
    let mut anew = shared.anew.load(SeqCst);
    let mut next = Instant::now();
    while !shared.end.load(SeqCst) {
        let now = shared.anew.load(SeqCst);
        if now != anew {
            (anew, next) = (now, Instant::now());
            (voice.card, voice.said_online) = (None, None);
            (voice.said_state, voice.said_update) = (None, None);
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
            Ok(ask) => {
                match ask {
                    Ask::Wish(message) => voice.fulfil(&message),
                    Ask::Install => {
                        let done = voice.install();
                        if let Err(why) = &done {
                            shared.say(shared.topics.of(voice.name(), "error"), why.clone(), false);
                        }
                        // Nobody listens at the end.
                        let _ = verdicts.send((place, done));
                    }
                }
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
    let lamps = args.reach.find_some(&args.lamps)?;
    let offer = match &args.update {
        None => None,
        Some(file) => {
            let update = Update::read(file)?;
            Some(Offer { bytes: update.bytes(), update })
        }
    };
    let (broker, connection) = Broker::new(options(args, &topics)?, WAITING * (lamps.len() + 8));
    let shared = Arc::new(Shared {
        offer,
        broker,
        topics,
        every: Duration::from_secs_f64(args.every.max(0.5)),
        anew: AtomicU32::new(0),
        end: AtomicBool::new(false),
        fleet: Mutex::new(BTreeMap::new()),
        labels: lamps.iter().map(|l| l.label.clone()).collect(),
        names: Mutex::new(lamps.iter().map(|l| fleet::segment(&l.label)).collect()),
    });
    let signal = shared.clone();
    ctrlc::set_handler(move || signal.end.store(true, SeqCst))
        .map_err(|e| Failure(format!("signals cannot be handled: {e}")))?;
    let until = args.duration.map(|s| Instant::now() + Duration::from_secs_f64(s));
    let mut tenders = Vec::new();
    let mut ears: Vec<Sender<Ask>> = Vec::new();
    let (judge, verdicts) = channel();
    for (place, address) in lamps.into_iter().enumerate() {
        let (sender, wishes) = channel();
        ears.push(sender);
        let (shared, judge) = (shared.clone(), judge.clone());
        tenders.push(std::thread::spawn(move || tend(&shared, place, address, &wishes, &judge)));
    }
    let steps = Steps { shared: &shared, ears: &ears, verdicts, rollout: None, said: None };
    let result = converse(&shared, connection, steps, until, &args.broker, tenders);
    shared.end.store(true, SeqCst);
    result
}

/// The lamps' ears, and the rollout that goes through them.
struct Steps<'a> {
    shared: &'a Shared,
    ears: &'a [Sender<Ask>],
    verdicts: Receiver<Verdict>,
    rollout: Option<Rollout>,
    said: Option<Value>,
}

impl Steps<'_> {
    fn names(&self) -> MutexGuard<'_, Vec<String>> {
        self.shared.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message on.
    fn hear(&mut self, topic: &str, message: &[u8]) {
        let topics = &self.shared.topics;
        if topics.asked(topic) == Some(ROLLOUT) {
            if let Err(why) = self.order(message) {
                self.shared.say(topics.of(ROLLOUT, "error"), why, false);
            }
        } else if let Some(asked) = topics.asked(topic) {
            self.ask(asked, || Ask::Wish(message.to_vec()));
        } else if let Some(asked) = topics.told_to_install(topic).filter(|_| message == INSTALL.as_bytes()) {
            self.ask(asked, || Ask::Install);
        }
    }

    /// Asks the lamp of this name, or all.
    fn ask(&self, asked: &str, what: impl Fn() -> Ask) {
        let names = self.names();
        for (ear, _) in self.ears.iter().zip(&*names).filter(|(_, name)| *name == asked || asked == ALL) {
            // A thread that has ended has said why.
            let _ = ear.send(what());
        }
    }

    fn order(&mut self, message: &[u8]) -> Result<(), String> {
        let order = Order::read(message)?;
        match (order, &mut self.rollout) {
            (Order::Start(_), Some(rollout)) if rollout.is_going() => {
                Err("a rollout is on its way; it can be paused, resumed and aborted".into())
            }
            (Order::Start(plan), _) => {
                let offer = self.shared.offer.as_ref().map(|o| o.update.manifest.version.as_str().to_owned());
                let version = offer.ok_or("nothing is offered: start `k1 mqtt` with --update FILE")?;
                self.rollout = Some(Rollout::new(&version, self.shared.labels.clone(), plan)?);
                Ok(())
            }
            (_, None) => Err("no rollout is on its way".into()),
            (order, Some(rollout)) => {
                rollout.obey(&order);
                Ok(())
            }
        }
    }

    /// Goes on with the rollout, and says how it stands.
    fn go_on(&mut self) {
        let Some(rollout) = &mut self.rollout else { return };
        let labels = &self.shared.labels;
        for (place, verdict) in self.verdicts.try_iter() {
            rollout.tell(&labels[place], verdict);
        }
        if rollout.is_going() {
            // Who has the new firmware stays well, or it was not good.
            let fleet = self.shared.fleet.lock().unwrap_or_else(PoisonError::into_inner);
            for label in labels {
                if rollout.is_good(label)
                    && let Some(why) = fleet.get(label).and_then(Seen::fault)
                {
                    rollout.tell(label, Err(why));
                }
            }
        }
        while let Some(lamp) = rollout.next(Instant::now()) {
            if let Some(place) = labels.iter().position(|l| *l == lamp) {
                // A thread that has ended has said why.
                let _ = self.ears[place].send(Ask::Install);
            }
        }
        let told = rollout.told();
        if self.said.as_ref() != Some(&told) {
            self.shared.say(self.shared.topics.of(ROLLOUT, "state"), told.to_string(), true);
            self.said = Some(told);
        }
    }
}

/// Keeps up the connection, and hands wishes on.
fn converse(
    shared: &Shared,
    mut connection: Connection,
    mut steps: Steps<'_>,
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
        if was_there {
            steps.go_on();
        }
        match connection.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                (was_there, told) = (true, false);
                for topic in [topics.wishes(), topics.installs(), topics.birth()] {
                    let _ = shared.broker.try_subscribe(topic, QoS::AtLeastOnce);
                }
                shared.say(topics.of("bridge", "availability"), ONLINE, true);
                shared.anew.fetch_add(1, SeqCst);
                steps.said = None;
                crate::say(format_args!("k1: connected to {broker}; {} lamps", steps.ears.len()));
            }
            Ok(Ok(Event::Incoming(Packet::Publish(message)))) => {
                if message.topic == topics.birth() && &*message.payload == ONLINE.as_bytes() {
                    shared.anew.fetch_add(1, SeqCst);
                } else {
                    steps.hear(&message.topic, &message.payload);
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
