//! Maintains the connection to the broker, and passes messages on.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_host::Failure;
use rumqttc::{Connection, Event, Packet, QoS, RecvTimeoutError as Quiet};

use super::link::Link;
use super::shared::Shared;

/// Longest wait for a connection. A connection attempt that takes longer starts again.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for a message; in between, the client handles rollouts and the end.
const GLANCE: Duration = Duration::from_millis(100);
/// Time for the last message, and then for messages that are still waiting.
const LAST_WORDS: Duration = Duration::from_secs(3);
const WAITING_WORDS: Duration = Duration::from_secs(1);

fn say(lines: impl IntoIterator<Item = String>) {
    lines.into_iter().for_each(|line| k1_host::say(format_args!("k1: {line}")));
}

/// Maintains the connection until the bridge ends; `attendants` are the threads that talk to the K1s.
pub(super) fn converse(
    shared: &Shared,
    mut connection: Connection,
    broker: &str,
    until: Option<Instant>,
    attendants: &[JoinHandle<()>],
) -> Result<(), Failure> {
    // A command is small and must not wait for others.
    connection.eventloop.network_options.set_tcp_nodelay(true);
    let mut was_there = false;
    let mut link = Link::new(broker, attendants.len(), Instant::now());
    let mut next = Instant::now() + shared.every;
    let mut farewell: Option<Instant> = None;
    loop {
        let now = Instant::now();
        let is_over = shared.is_over() || until.is_some_and(|until| now >= until);
        if is_over && farewell.is_none() {
            shared.end.store(true, SeqCst);
            let word = shared.hub.lock().unwrap_or_else(PoisonError::into_inner).farewell();
            shared.publish(word);
            farewell = Some(now + LAST_WORDS);
        }
        if farewell.is_some_and(|last| now > last || attendants.iter().all(JoinHandle::is_finished)) {
            take_leave(shared, &mut connection);
            return match was_there {
                true => Ok(()),
                false => Err(Failure::new(format!(
                    "the broker {broker} was never reached; is it on, and is its name right?"
                ))),
            };
        }
        if now >= next {
            next = now + shared.every;
            let summary = shared.hub.lock().unwrap_or_else(PoisonError::into_inner).summary();
            shared.publish(summary);
        }
        if was_there {
            shared.decide(|hub| hub.go_on(now));
        }
        say(link.pass(now));
        let pause = link.pause(now);
        if !pause.is_zero() && farewell.is_none() {
            std::thread::sleep(GLANCE.min(pause));
            continue;
        }
        let patience = if link.is_up() || farewell.is_some() { GLANCE } else { CONNECT };
        match connection.recv_timeout(patience) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                was_there = true;
                shared.decide(|hub| {
                    for topic in hub.subscriptions() {
                        let _ = shared.broker.try_subscribe(topic, QoS::AtLeastOnce);
                    }
                    hub.connected()
                });
                say(link.connected(Instant::now()));
            }
            Ok(Ok(Event::Incoming(Packet::Publish(message)))) => {
                shared.decide(|hub| hub.receive(&message.topic, &message.payload));
            }
            Ok(Ok(_)) | Err(Quiet::Timeout) => {}
            Ok(Err(e)) => say(link.lost(&e, Instant::now())),
            Err(Quiet::Disconnected) => {
                return Err(Failure::new("the queue of the connection has ended; report this".into()));
            }
        }
    }
}

/// Ends the connection, after sending the messages that are still waiting.
fn take_leave(shared: &Shared, connection: &mut Connection) {
    let _ = shared.broker.try_disconnect();
    let last = Instant::now() + WAITING_WORDS;
    while Instant::now() < last && matches!(connection.recv_timeout(Duration::from_millis(200)), Ok(Ok(_))) {}
}
