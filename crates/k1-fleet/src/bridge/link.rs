//! What is said of the connection to the broker, and when it is tried again; without a network and without a clock.

use std::time::{Duration, Instant};

use rumqttc::{ConnectReturnCode, ConnectionError};

/// Pause before another try to reach the broker, and the longest one.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// A connection that has held for this long holds.
const STEADY: Duration = Duration::from_secs(5);
/// Largest message that is taken in, in bytes: a longer one ends the connection, again and again if the broker keeps it.
pub const MOST_TAKEN: usize = 1024 * 1024;

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

/// A connection that comes and goes. Each trouble is said once until a connection has held, and so is a connection.
pub struct Link {
    broker: String,
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

impl Link {
    /// No connection yet to the broker of this name, for this many K1s; it is tried at once.
    pub fn new(broker: &str, lamps: usize, now: Instant) -> Self {
        Self {
            broker: broker.to_owned(),
            lamps,
            since: None,
            told: Vec::new(),
            said_there: false,
            is_shaky: false,
            again: now,
            pause: AGAIN,
        }
    }

    /// There is a connection; the line that says so, if it is news.
    pub fn connected(&mut self, now: Instant) -> Option<String> {
        self.since = Some(now);
        if self.is_shaky { None } else { self.there() }
    }

    fn there(&mut self) -> Option<String> {
        let is_news = !std::mem::replace(&mut self.said_there, true);
        let (broker, n) = (&self.broker, self.lamps);
        is_news.then(|| format!("connected to {broker}; {n} K1{}", if n == 1 { "" } else { "s" }))
    }

    /// Time has passed; the line that says that there is a connection, if it has held and that is news.
    pub fn pass(&mut self, now: Instant) -> Option<String> {
        if !self.has_held(now) {
            return None;
        }
        (self.is_shaky, self.pause) = (false, AGAIN);
        self.told.clear();
        self.there()
    }

    fn has_held(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= STEADY)
    }

    /// The connection has gone, or a try has failed; the lines that say so, if that is news.
    pub fn lost(&mut self, e: &ConnectionError, now: Instant) -> Vec<String> {
        let mut lines: Vec<_> = self.pass(now).into_iter().collect();
        // A try that failed is not a connection that did not hold.
        self.is_shaky |= self.since.is_some() && !self.has_held(now);
        self.since = None;
        let (trouble, sentence) = sentence(&self.broker, e);
        if !self.told.contains(&trouble) {
            self.told.push(trouble);
            self.said_there = false;
            lines.push(sentence);
        }
        self.again = now + self.pause;
        self.pause = (2 * self.pause).min(AGAIN_AT_MOST);
        lines
    }

    /// True while there is a connection.
    pub fn is_up(&self) -> bool {
        self.since.is_some()
    }

    /// How long to leave the broker alone.
    pub fn pause(&self, now: Instant) -> Duration {
        self.again.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_does_not_hold_is_said_once_and_tried_less_and_less_often() {
        use rumqttc::StateError;
        use rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded;
        let mut now = Instant::now();
        let mut link = Link::new("b", 1, now);
        let too_long =
            || ConnectionError::MqttState(StateError::Deserialization(PayloadSizeLimitExceeded(9)));
        let away = || ConnectionError::NetworkTimeout;
        let mut pauses = Vec::new();
        for n in 0..7 {
            // The first is said at once, and no other before it holds.
            assert_eq!(link.connected(now).is_some(), n == 0);
            pauses.push(link.pause.as_secs());
            assert_eq!(link.lost(&too_long(), now).len(), usize::from(n == 0));
            assert_eq!(link.pause(now).as_secs(), pauses[n]);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(link.lost(&away(), now).len(), 1, "another trouble is news");
        // One that holds is said, and what comes after it is said anew.
        assert_eq!(link.connected(now), None);
        assert_eq!(link.pass(now + STEADY / 2), None);
        now += STEADY;
        assert_eq!(link.pass(now).as_deref(), Some("connected to b; 1 K1"));
        assert_eq!(link.lost(&away(), now).len(), 1);
        assert_eq!(link.pause(now), AGAIN);
        assert_eq!(link.lost(&away(), now).len(), 0);
        assert!(link.connected(now).is_some(), "a broker that restarts is one line away and one line back");
    }
}
