//! The connection to the broker: kept up, and wishes handed on.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_device::harmless::harmless;
use rumqttc::{
    ConnectReturnCode, Connection, ConnectionError, Event, Packet, QoS, RecvTimeoutError as Quiet,
};
use serde_json::Value;

use super::{Ask, MOST_BYTES, MOST_TAKEN, Seen, Shared, Verdict, together};
use crate::bridge::messages::{ALL, INSTALL, OFFLINE, ONLINE, ROLLOUT};
use crate::rollout::{Order, Rollout};
use k1_host::Failure;

/// Pause before another try to reach the broker, and the longest one.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// A connection that has held for so long holds.
const STEADY: Duration = Duration::from_secs(5);
/// Longest wait for a connection: a try that is broken off begins anew.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for something to come: rollouts and the end are looked after in between.
const GLANCE: Duration = Duration::from_millis(100);

/// The lamps' ears, and the rollout that goes through them.
pub(super) struct Steps<'a> {
    shared: &'a Shared,
    ears: &'a [Sender<Ask>],
    verdicts: Receiver<Verdict>,
    rollout: Option<Rollout>,
    said: Option<Value>,
    /// A message that is too long was spoken of.
    said_long: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(shared: &'a Shared, ears: &'a [Sender<Ask>], verdicts: Receiver<Verdict>) -> Self {
        Self { shared, ears, verdicts, rollout: None, said: None, said_long: false }
    }

    fn ids(&self) -> MutexGuard<'_, Vec<String>> {
        self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message on.
    fn hear(&mut self, topic: &str, message: &[u8]) {
        let topics = &self.shared.topics;
        let command = topics.asked(topic).or_else(|| topics.told_to_install(topic));
        if let Some(asked) = command.filter(|_| message.len() > MOST_BYTES) {
            self.ignore(topic, asked, message.len());
        } else if topics.asked(topic) == Some(ROLLOUT) {
            if let Err(why) = self.order(message) {
                self.shared.say(topics.of(ROLLOUT, "error"), harmless(&why).into_owned(), false);
            }
        } else if topics.is_light(topic) {
            self.remember(message);
        } else if let Some(asked) = topics.asked(topic) {
            self.ask(asked, || Ask::Wish(message.to_vec()));
        } else if let Some(asked) = topics.told_to_install(topic).filter(|_| message == INSTALL.as_bytes()) {
            self.ask(asked, || Ask::Install);
        } else if let Some(named) = topics.speaks_of(topic).filter(|_| message == OFFLINE.as_bytes()) {
            // Another bridge for the same K1 has ended, and what Home Assistant was told last may lead to it.
            self.ask(if topics.is_other_bridge(named) { ALL } else { named }, || Ask::Contradict);
        }
    }

    /// Says of a message that it is no command.
    fn ignore(&mut self, topic: &str, asked: &str, length: usize) {
        let why =
            format!("a message of {length} bytes is no command, and is ignored; {MOST_BYTES} are the most");
        self.shared.say(self.shared.topics.of(asked, "error"), &*why, false);
        // A broker that keeps it hands it out again with every connection.
        if !std::mem::replace(&mut self.said_long, true) {
            k1_host::say(format_args!("k1: at {topic}, {why}"));
        }
    }

    /// A K1 that was announced once and has not been met by now is not there, whatever was said of it before a power cut.
    fn remember(&self, config: &[u8]) {
        let topics = &self.shared.topics;
        let Some(id) = topics.announced(config) else { return };
        // Held while it is said: whoever meets it now says so later.
        let ids = self.ids();
        if !ids.contains(&id) {
            self.shared.say(topics.of(&id, "availability"), OFFLINE, true);
        }
    }

    /// Asks the lamp of this id, or all.
    fn ask(&self, asked: &str, what: impl Fn() -> Ask) {
        let ids = self.ids();
        for (ear, _) in self.ears.iter().zip(&*ids).filter(|(_, id)| *id == asked || asked == ALL) {
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

/// Kinds of trouble; each is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Refused,
    TooLong,
    Away,
}

/// Why there is no connection, as a sentence that says what to do.
fn sentence(broker: &str, e: &ConnectionError) -> (Trouble, String) {
    use ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    use rumqttc::StateError::Deserialization;
    use rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded;
    match e {
        ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => (
            Trouble::Refused,
            format!(
                "the broker {broker} refuses this user or password; look at --user and --password-file. It is tried again"
            ),
        ),
        ConnectionError::MqttState(Deserialization(PayloadSizeLimitExceeded(length))) => (
            Trouble::TooLong,
            format!(
                "the broker {broker} sends a message of {length} bytes, and K1 takes {MOST_TAKEN} at most; if it is a \
                 retained one at a topic of K1's that ends with /set, remove it (mosquitto_pub -r -n -t TOPIC). It is \
                 tried again"
            ),
        ),
        e => (Trouble::Away, format!("the broker {broker} does not answer ({e}); it is tried again")),
    }
}

/// What is said of the connection: each trouble once until a connection has held, and that there is one.
struct Line<'a> {
    broker: &'a str,
    lamps: usize,
    /// When the connection came, while there is one.
    since: Option<Instant>,
    told: Vec<Trouble>,
    said_there: bool,
    /// The one before has not held.
    is_shaky: bool,
    /// When the broker is tried again, and the pause then.
    again: Instant,
    pause: Duration,
}

impl<'a> Line<'a> {
    fn new(broker: &'a str, lamps: usize) -> Self {
        Self {
            broker,
            lamps,
            since: None,
            told: Vec::new(),
            said_there: false,
            is_shaky: false,
            again: Instant::now(),
            pause: AGAIN,
        }
    }

    fn connected(&mut self) {
        self.since = Some(Instant::now());
        if !self.is_shaky {
            self.say_there();
        }
    }

    fn say_there(&mut self) {
        if !std::mem::replace(&mut self.said_there, true) {
            let (broker, n) = (self.broker, self.lamps);
            k1_host::say(format_args!("k1: connected to {broker}; {n} K1{}", if n == 1 { "" } else { "s" }));
        }
    }

    /// Looks whether the connection has held.
    fn glance(&mut self) {
        if self.since.is_some_and(|s| s.elapsed() >= STEADY) {
            (self.is_shaky, self.pause) = (false, AGAIN);
            self.told.clear();
            self.say_there();
        }
    }

    fn lost(&mut self, e: &ConnectionError) {
        self.glance();
        // A try that failed is not a connection that did not hold.
        self.is_shaky |= self.since.take().is_some_and(|s| s.elapsed() < STEADY);
        let (trouble, sentence) = sentence(self.broker, e);
        if !self.told.contains(&trouble) {
            self.told.push(trouble);
            self.said_there = false;
            k1_host::say(format_args!("k1: {sentence}"));
        }
        self.again = Instant::now() + self.pause;
        self.pause = (2 * self.pause).min(AGAIN_AT_MOST);
    }
}

/// Keeps up the connection, and hands wishes on.
pub(super) fn converse(
    shared: &Shared,
    mut connection: Connection,
    mut steps: Steps<'_>,
    until: Option<Instant>,
    broker: &str,
    tenders: Vec<JoinHandle<()>>,
) -> Result<(), Failure> {
    // A wish is small, and waits for no other.
    connection.eventloop.network_options.set_tcp_nodelay(true);
    let topics = &shared.topics;
    let mut was_there = false;
    let mut line = Line::new(broker, steps.ears.len());
    let mut next = Instant::now() + shared.every;
    // At the end a little time is left for the last words.
    let mut farewell: Option<Instant> = None;
    loop {
        let over = shared.end.load(SeqCst) || until.is_some_and(|u| Instant::now() >= u);
        if over && farewell.is_none() {
            shared.end.store(true, SeqCst);
            shared.say(topics.bridge(), OFFLINE, true);
            farewell = Some(Instant::now() + Duration::from_secs(3));
        }
        if let Some(last) = farewell
            && (Instant::now() > last || tenders.iter().all(JoinHandle::is_finished))
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
        line.glance();
        if Instant::now() < line.again && farewell.is_none() {
            std::thread::sleep(GLANCE.min(line.again - Instant::now().min(line.again)));
            continue;
        }
        let patience = if line.since.is_some() || farewell.is_some() { GLANCE } else { CONNECT };
        match connection.recv_timeout(patience) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                was_there = true;
                let all = [
                    topics.wishes(),
                    topics.installs(),
                    topics.birth(),
                    topics.lights(),
                    topics.availabilities(),
                ];
                for topic in all {
                    let _ = shared.broker.try_subscribe(topic, QoS::AtLeastOnce);
                }
                shared.say(topics.former_bridge(), "", true);
                shared.say(topics.bridge(), ONLINE, true);
                shared.anew.fetch_add(1, SeqCst);
                steps.said = None;
                line.connected();
            }
            Ok(Ok(Event::Incoming(Packet::Publish(message)))) => {
                if message.topic == topics.birth() && &*message.payload == ONLINE.as_bytes() {
                    shared.anew.fetch_add(1, SeqCst);
                } else {
                    steps.hear(&message.topic, &message.payload);
                }
            }
            Ok(Ok(_)) | Err(Quiet::Timeout) => {}
            Ok(Err(e)) => line.lost(&e),
            Err(Quiet::Disconnected) => return Err(Failure("the connection's own queue has ended".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_does_not_hold_is_said_once_and_tried_less_and_less_often() {
        use rumqttc::StateError;
        use rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded;
        let mut line = Line::new("b", 1);
        let too_long =
            || ConnectionError::MqttState(StateError::Deserialization(PayloadSizeLimitExceeded(9)));
        let away = || ConnectionError::NetworkTimeout;
        let mut pauses = Vec::new();
        for n in 0..7 {
            line.connected();
            // The first is said at once, and no other before it holds.
            assert_eq!(line.said_there, n == 0);
            pauses.push(line.pause.as_secs());
            line.lost(&too_long());
            assert!(line.told == [Trouble::TooLong] && !line.said_there);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        line.lost(&away());
        assert!(line.told == [Trouble::TooLong, Trouble::Away], "another trouble is news");
        // One that holds is said, and what comes after it is said anew.
        line.connected();
        line.since = Instant::now().checked_sub(STEADY);
        line.glance();
        assert!(line.said_there && line.told.is_empty() && line.pause == AGAIN);
        line.lost(&away());
        line.lost(&away());
        assert!(line.told == [Trouble::Away] && !line.said_there);
        line.connected();
        assert!(line.said_there, "a broker that restarts is one line away and one line back");
    }
}
