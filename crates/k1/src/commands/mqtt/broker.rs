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

use super::super::Failure;
use super::{Ask, Seen, Shared, Verdict, together};
use crate::lamps::fleet::{ALL, INSTALL, OFFLINE, ONLINE, ROLLOUT};
use crate::lamps::rollout::{Order, Rollout};

/// Pause before another try to reach the broker, and the longest one.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
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
}

impl<'a> Steps<'a> {
    pub(super) fn new(shared: &'a Shared, ears: &'a [Sender<Ask>], verdicts: Receiver<Verdict>) -> Self {
        Self { shared, ears, verdicts, rollout: None, said: None }
    }

    fn ids(&self) -> MutexGuard<'_, Vec<String>> {
        self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message on.
    fn hear(&mut self, topic: &str, message: &[u8]) {
        let topics = &self.shared.topics;
        if topics.asked(topic) == Some(ROLLOUT) {
            if let Err(why) = self.order(message) {
                self.shared.say(topics.of(ROLLOUT, "error"), harmless(&why).into_owned(), false);
            }
        } else if topics.is_light(topic) {
            self.remember(message);
        } else if let Some(asked) = topics.asked(topic) {
            self.ask(asked, || Ask::Wish(message.to_vec()));
        } else if let Some(asked) = topics.told_to_install(topic).filter(|_| message == INSTALL.as_bytes()) {
            self.ask(asked, || Ask::Install);
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

/// Why there is no connection, as a sentence that says what to do.
fn sentence(broker: &str, e: &ConnectionError) -> String {
    use ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    match e {
        ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => format!(
            "the broker {broker} refuses this user or password; look at --user and --password-file. It is tried again"
        ),
        e => format!("the broker {broker} does not answer ({e}); it is tried again"),
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
    let (mut was_there, mut is_there) = (false, false);
    // The trouble that was said last, until there is a connection; when the broker is tried again, and the pause then.
    let mut told: Option<String> = None;
    let (mut again, mut pause) = (Instant::now(), AGAIN);
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
        if Instant::now() < again && farewell.is_none() {
            std::thread::sleep(GLANCE.min(again - Instant::now().min(again)));
            continue;
        }
        let patience = if is_there || farewell.is_some() { GLANCE } else { CONNECT };
        match connection.recv_timeout(patience) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                (was_there, is_there, told, pause) = (true, true, None, AGAIN);
                for topic in [topics.wishes(), topics.installs(), topics.birth(), topics.lights()] {
                    let _ = shared.broker.try_subscribe(topic, QoS::AtLeastOnce);
                }
                shared.say(topics.former_bridge(), "", true);
                shared.say(topics.bridge(), ONLINE, true);
                shared.anew.fetch_add(1, SeqCst);
                steps.said = None;
                let n = steps.ears.len();
                crate::say(format_args!(
                    "k1: connected to {broker}; {n} K1{}",
                    if n == 1 { "" } else { "s" }
                ));
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
                is_there = false;
                let sentence = sentence(broker, &e);
                if told.as_ref() != Some(&sentence) {
                    crate::say(format_args!("k1: {sentence}"));
                    told = Some(sentence);
                }
                again = Instant::now() + pause;
                pause = (2 * pause).min(AGAIN_AT_MOST);
            }
            Err(Quiet::Disconnected) => return Err(Failure("the connection's own queue has ended".into())),
        }
    }
}
