//! Sizes, numbers and times. Times are judged as functions of a time that is passed in.

use crate::rejection::Rejection;

/// The limits of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest head in bytes.
    pub head_bytes: usize,
    /// Time for a head from its first byte on, in ms.
    pub head_ms: u64,
    /// Time for a request to begin, in ms.
    pub idle_ms: u64,
    /// The same where others wait for the place of the connection, in ms.
    pub idle_in_need_ms: u64,
    /// Time for a body, in ms.
    pub body_ms: u64,
    /// Time after which a client that takes nothing is gone, in ms.
    pub write_ms: u64,
    /// WebSockets at once.
    pub websockets: usize,
}

/// Of the lamp, which has four connections in all and little memory.
pub const LAMP: Limits = Limits {
    head_bytes: 1_536,
    head_ms: 3_000,
    idle_ms: 30_000,
    // Longer than a browser pauses while it loads a page.
    idle_in_need_ms: 1_200,
    body_ms: 3_000,
    write_ms: 8_000,
    websockets: 2,
};

/// Of the program.
pub const PROGRAM: Limits = Limits {
    head_bytes: 16 << 10,
    head_ms: 10_000,
    idle_ms: 10_000,
    idle_in_need_ms: 10_000,
    body_ms: 3_000,
    write_ms: 10_000,
    websockets: 32,
};

/// Connections at once, where the system allows that many.
const MOST_CONNECTIONS: u64 = 512;
/// The same however few files the system allows.
const FEWEST_CONNECTIONS: u64 = 8;
/// Files for everything else.
const SPARE_FILES: u64 = 64;

/// Connections at once of a program that may open `files` files.
pub const fn connections_for(files: u64) -> usize {
    let fit = files.saturating_sub(SPARE_FILES) / 2;
    (if fit < FEWEST_CONNECTIONS {
        FEWEST_CONNECTIONS
    } else if fit > MOST_CONNECTIONS {
        MOST_CONNECTIONS
    } else {
        fit
    }) as usize
}

/// Most bytes of a body that is too large that are read and discarded; after that the connection ends.
pub const MOST_DISCARDED: u64 = 1 << 20;
/// Largest body in bytes that any path takes without a limit of its own.
pub const SMALL_BODY: usize = 2_048;

/// What becomes of a client that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Wait on, for at most this time in ms.
    Wait(u64),
    /// End the connection; nothing was asked that could be answered.
    End,
    /// Refuse it.
    Reject(Rejection),
}

impl Limits {
    /// For a head that has been waited for since `since_ms`. `has_begun` is true if a part of it has come; `in_need` is
    /// true if others wait for the place.
    pub const fn for_head(&self, has_begun: bool, in_need: bool, since_ms: u64, now_ms: u64) -> Patience {
        let limit = match (has_begun, in_need) {
            (true, _) => self.head_ms,
            (false, true) => self.idle_in_need_ms,
            (false, false) => self.idle_ms,
        };
        match (left(limit, since_ms, now_ms), has_begun) {
            (0, true) => Patience::Reject(Rejection::HeadLate),
            (0, false) => Patience::End,
            (left, _) => Patience::Wait(left),
        }
    }

    /// For a body whose head was whole at `since_ms`.
    pub const fn for_body(&self, since_ms: u64, now_ms: u64) -> Patience {
        match left(self.body_ms, since_ms, now_ms) {
            0 => Patience::Reject(Rejection::BodyLate),
            left => Patience::Wait(left),
        }
    }
}

const fn left(limit_ms: u64, since_ms: u64, now_ms: u64) -> u64 {
    limit_ms.saturating_sub(now_ms.saturating_sub(since_ms))
}

/// Time between two pings on a WebSocket, in ms.
const PING_MS: u64 = 4_000;
/// Time after which a WebSocket without a sign of life is closed, in ms.
const GONE_MS: u64 = 12_000;

/// What is due on a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing, for this time in ms.
    Wait(u64),
    /// A ping. The next is due later.
    Ping,
    /// Its end: the other side gives no sign of life.
    Gone,
}

/// Asks for signs of life on a WebSocket (pings of RFC 6455).
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    heard_ms: u64,
    ping_ms: u64,
}

impl Heartbeat {
    /// A WebSocket that was opened at `now_ms`; a ping is due at once.
    pub const fn new(now_ms: u64) -> Self {
        Self { heard_ms: now_ms, ping_ms: now_ms }
    }

    /// Something has come from the other side.
    pub const fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// What is due.
    pub const fn beat(&mut self, now_ms: u64) -> Beat {
        if left(GONE_MS, self.heard_ms, now_ms) == 0 {
            return Beat::Gone;
        }
        match self.ping_ms.saturating_sub(now_ms) {
            0 => {
                self.ping_ms = now_ms + PING_MS;
                Beat::Ping
            }
            wait => Beat::Wait(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_its_time_to_the_millisecond() {
        for (limits, head, idle, in_need) in [(LAMP, 3_000, 30_000, 1_200), (PROGRAM, 10_000, 10_000, 10_000)]
        {
            for (has_begun, others_wait, limit, end) in [
                (true, false, head, Patience::Reject(Rejection::HeadLate)),
                (true, true, head, Patience::Reject(Rejection::HeadLate)),
                (false, false, idle, Patience::End),
                (false, true, in_need, Patience::End),
            ] {
                let after = |ms| limits.for_head(has_begun, others_wait, 500, 500 + ms);
                assert_eq!(after(0), Patience::Wait(limit));
                assert_eq!(after(limit - 1), Patience::Wait(1));
                assert_eq!((after(limit), after(limit + 1_000_000)), (end, end));
            }
        }
        assert_eq!(LAMP.for_head(true, false, 500, 400), Patience::Wait(3_000), "a clock that steps back");
    }

    #[test]
    fn as_many_connections_as_there_are_files_for() {
        for (files, most) in [(0, 8), (80, 8), (82, 9), (1_024, 480), (1_088, 512), (u64::MAX, 512)] {
            assert_eq!(connections_for(files), most, "{files}");
        }
    }

    #[test]
    fn a_body_has_three_seconds() {
        for limits in [LAMP, PROGRAM] {
            assert_eq!(limits.for_body(7, 3_006), Patience::Wait(1));
            assert_eq!(limits.for_body(7, 3_007), Patience::Reject(Rejection::BodyLate));
        }
    }

    #[test]
    fn a_silent_websocket_is_asked_and_then_closed() {
        let mut heart = Heartbeat::new(1_000);
        assert_eq!((heart.beat(1_000), heart.beat(1_000)), (Beat::Ping, Beat::Wait(4_000)));
        assert_eq!((heart.beat(4_999), heart.beat(5_000)), (Beat::Wait(1), Beat::Ping));
        heart.heard(5_100);
        assert_eq!(
            (heart.beat(9_000), heart.beat(13_000), heart.beat(17_099)),
            (Beat::Ping, Beat::Ping, Beat::Ping)
        );
        assert_eq!(heart.beat(17_100), Beat::Gone);
    }
}
