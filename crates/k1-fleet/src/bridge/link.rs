//! Reports on the connection to the broker, and times of new attempts; without a network and without a clock.

use std::time::{Duration, Instant};

use rumqttc::{ConnectReturnCode, ConnectionError};

/// Pause before the next attempt to connect to the broker, and the longest such pause.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// Time after which a connection counts as stable.
const STEADY: Duration = Duration::from_secs(5);
/// Largest message accepted from the broker, in bytes. A longer one ends the connection, again and again if the broker
/// keeps it.
pub const MOST_TAKEN: usize = 1024 * 1024;

/// Kinds of trouble; K1 reports each kind once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Refused,
    TooLong,
    Away,
}

/// The reason why there is no connection, as a sentence that says what to do.
fn sentence(broker: &str, e: &ConnectionError) -> (Trouble, String) {
    use ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    use rumqttc::StateError::Deserialization;
    use rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded;
    match e {
        ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => (
            Trouble::Refused,
            format!(
                "the broker {broker} refuses this user or password; check --user and --password-file. K1 will try again"
            ),
        ),
        ConnectionError::MqttState(Deserialization(PayloadSizeLimitExceeded(length))) => (
            Trouble::TooLong,
            format!(
                "the broker {broker} sends a message of {length} bytes, but K1 accepts at most {MOST_TAKEN}; if it is a \
                 retained one at a topic of K1's that ends with /set, remove it (mosquitto_pub -r -n -t TOPIC). K1 will \
                 try again"
            ),
        ),
        e => (Trouble::Away, format!("the broker {broker} does not answer ({e}); K1 will try again")),
    }
}

/// A connection that may fail and return. K1 reports each kind of trouble, and a connection, once until a connection is
/// stable.
pub struct Link {
    broker: String,
    lamps: usize,
    /// Start of the current connection; `None` without one.
    since: Option<Instant>,
    told: Vec<Trouble>,
    said_there: bool,
    /// The previous connection was not stable.
    is_shaky: bool,
    /// Time of the next attempt, and the pause after it.
    again: Instant,
    pause: Duration,
}

impl Link {
    /// No connection yet to the broker named `broker`, for `lamps` K1s; the first attempt is due at once.
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

    /// Handles a new connection; returns the line to print, if this is news.
    pub fn connected(&mut self, now: Instant) -> Option<String> {
        self.since = Some(now);
        if self.is_shaky { None } else { self.there() }
    }

    fn there(&mut self) -> Option<String> {
        let is_news = !std::mem::replace(&mut self.said_there, true);
        let (broker, n) = (&self.broker, self.lamps);
        is_news.then(|| format!("connected to {broker}; {n} K1{}", if n == 1 { "" } else { "s" }))
    }

    /// Handles the passing of time; returns the line to print when the connection has become stable and this is news.
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

    /// Handles a lost connection or a failed attempt; returns the lines to print, if this is news.
    pub fn lost(&mut self, e: &ConnectionError, now: Instant) -> Vec<String> {
        let mut lines: Vec<_> = self.pass(now).into_iter().collect();
        // A failed attempt does not count as an unstable connection.
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

    /// Time to wait before the next attempt.
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
            // The first connection is reported at once, and no other one until a connection is stable.
            assert_eq!(link.connected(now).is_some(), n == 0);
            pauses.push(link.pause.as_secs());
            assert_eq!(link.lost(&too_long(), now).len(), usize::from(n == 0));
            assert_eq!(link.pause(now).as_secs(), pauses[n]);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(link.lost(&away(), now).len(), 1, "another trouble is news");
        // A stable connection is reported, and what happens after it is reported again.
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
