//! Lights on the network, whatever they speak. K1 looks them up, retries them, and follows them when their address
//! changes.

mod neighbour;
mod socket;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k1_device::answers::LightState;

use neighbour::Neighbour;
use socket::{connect, is_ours, is_passing, is_theirs, reason};

use super::light::{Light, LightStatus};
use super::lookup::{Found, Host};
use super::protocol::{Protocol, To};
use super::{Frame, Sink, Stop};

/// Seconds before each retry; the last value repeats.
const BACK_OFF_S: [u64; 6] = [1, 2, 4, 8, 16, 30];
/// Interval between lookups of a name while its light shines.
const REFRESH: Duration = Duration::from_secs(60);
/// Interval between checks for a route. They send nothing, so they need no back-off.
const ROUTE_LOOK: Duration = Duration::from_millis(200);
/// Time without an error after which an address counts as receiving frames. At the start: time for a closed port to report.
const PROOF_AT_START: Duration = Duration::from_millis(250);
/// The same after a closed port, which would report again at once.
const PROOF_OF_PORT: Duration = Duration::from_secs(1);
/// The same after any other error: a system asks three times, a second apart, before it knows that nobody has an address.
const PROOF: Duration = Duration::from_secs(4);
/// Interval between readings of this machine's neighbour table.
const NEIGHBOUR_LOOK: Duration = Duration::from_secs(1);
/// Time after which an unanswered address counts as unused: a system asks three times, a second apart.
const SILENCE: Duration = Duration::from_millis(3_500);
/// Consecutive silent readings after which an address that answered before counts as unused.
const SILENT_LOOKS: u32 = 2;

/// A light at a network address, or nowhere yet.
pub struct UdpSink {
    light: Arc<Light>,
    host: Host,
    /// Address of this machine from whose network multicast leaves; `None` = as the system routes it.
    interface: Option<Ipv4Addr>,
    protocol: Box<dyn Protocol>,
    link: Link,
    /// All known addresses, and those still to be tried in this round.
    known: Vec<SocketAddr>,
    round: VecDeque<SocketAddr>,
    /// Failures in a row.
    failures: usize,
    /// Time without an error after which the address counts as receiving frames.
    proof: Duration,
    /// True if the next answer begins a round, whatever it is.
    is_due: bool,
    refresh_at: Instant,
    last_reopened: Option<Instant>,
    last_tended: Instant,
}

enum Link {
    Up(Up),
    Down { retry_at: Instant, look_at: Option<Instant> },
}

struct Up {
    socket: UdpSocket,
    to: SocketAddr,
    since: Instant,
    is_proven: bool,
    /// Time of the next reading of the neighbour table, and the number of silent readings in a row.
    look_at: Instant,
    silent_looks: u32,
}

impl Up {
    fn new(socket: UdpSocket, to: SocketAddr, now: Instant, is_proven: bool) -> Self {
        Self { socket, to, since: now, is_proven, look_at: now, silent_looks: 0 }
    }

    fn send(&self, to: To, packet: &[u8], light: &Light) -> io::Result<()> {
        let sent = match to {
            To::Light => self.socket.send(packet),
            To::Group(group) => self.socket.send_to(packet, (group, self.to.port())),
        };
        sent.map(|_| light.sent())
    }
}

impl UdpSink {
    /// A light by its host, which it does not look up yet, the address of this machine from whose network multicast leaves
    /// (`None` = as the system routes it), and the protocol that it speaks.
    pub fn new(
        host: Host,
        interface: Option<Ipv4Addr>,
        protocol: Box<dyn Protocol>,
        light: Arc<Light>,
    ) -> Self {
        let now = Instant::now();
        Self {
            light,
            host,
            interface,
            protocol,
            link: Link::Down { retry_at: now, look_at: None },
            known: Vec::new(),
            round: VecDeque::new(),
            failures: 0,
            proof: PROOF_AT_START,
            is_due: false,
            refresh_at: now + REFRESH,
            last_reopened: None,
            last_tended: now,
        }
    }

    /// Takes answers and starts due retries. Never waits.
    fn turn(&mut self, now: Instant) {
        if let Some(found) = self.host.poll() {
            self.answered(found, now);
        }
        match &mut self.link {
            Link::Up(_) => {
                if now >= self.refresh_at {
                    self.refresh_at = now + REFRESH;
                    if self.host.literal().is_none() {
                        self.host.ask();
                    }
                }
            }
            Link::Down { retry_at, look_at } => {
                let looks = look_at.is_some_and(|at| now >= at);
                if now >= *retry_at {
                    *retry_at = now + Duration::from_secs(BACK_OFF_S[BACK_OFF_S.len() - 1]);
                    match self.host.literal() {
                        Some(address) => {
                            self.known = vec![address];
                            self.begin_round(now);
                        }
                        None => {
                            self.is_due = true;
                            self.host.ask();
                        }
                    }
                } else if looks {
                    *look_at = Some(now + ROUTE_LOOK);
                    if let Some((socket, to)) =
                        self.known.iter().find_map(|a| connect(*a, self.interface).ok().map(|s| (s, *a)))
                    {
                        // The network is back: start over.
                        self.failures = 0;
                        self.link = Link::Up(Up::new(socket, to, now, false));
                    }
                }
            }
        }
        if let Link::Up(up) = &self.link {
            self.protocol.tend(now, &mut |to, packet| up.send(to, packet, &self.light));
        }
        self.light.tick();
    }

    /// Judges the current address by reported errors and by the neighbour table.
    fn judge(&mut self, now: Instant) {
        self.last_tended = now;
        let Link::Up(up) = &mut self.link else { return };
        let age = now.saturating_duration_since(up.since);
        if now < up.look_at || !up.is_proven && age < self.proof {
            return;
        }
        up.look_at = now + NEIGHBOUR_LOOK;
        if neighbour::look(up.to.ip()) == Neighbour::Silent {
            up.silent_looks += 1;
            let is_nobody = if up.is_proven { up.silent_looks >= SILENT_LOOKS } else { age >= SILENCE };
            if is_nobody {
                self.failed(&ErrorKind::HostUnreachable.into(), now);
            }
            return;
        }
        up.silent_looks = 0;
        if !up.is_proven {
            up.is_proven = true;
            self.failures = 0;
            let address = Some(up.to.to_string());
            self.light.stands(LightStatus { state: LightState::Shining, reason: None, address });
        }
    }

    fn answered(&mut self, found: Found, now: Instant) {
        let is_due = std::mem::take(&mut self.is_due);
        match (found, &self.link) {
            (Found::Addresses(all), Link::Up(up)) => {
                let old = up.to;
                self.known = all;
                if !self.known.contains(&old) {
                    // The old address is better than nothing if there is no route to the new one.
                    self.round = self.known.iter().copied().chain([old]).collect();
                    self.next(now, String::new(), false);
                }
            }
            (Found::Addresses(all), Link::Down { .. }) => {
                let is_new = all.iter().any(|a| !self.known.contains(a));
                self.known = all;
                if is_due || is_new {
                    self.begin_round(now);
                }
            }
            // A shining light does not need its name, and one that is down may still be at its old address.
            (Found::Nothing(_), Link::Up(_)) => {}
            (Found::Nothing(_), Link::Down { .. }) if is_due && !self.known.is_empty() => {
                self.begin_round(now)
            }
            (Found::Nothing(why), Link::Down { .. }) if self.known.is_empty() => {
                self.proof = PROOF;
                self.link = Link::Down { retry_at: now + self.back_off(), look_at: None };
                self.light.stands(LightStatus {
                    state: LightState::Looking,
                    reason: Some(why),
                    address: None,
                });
            }
            (Found::Nothing(_), Link::Down { .. }) => {}
        }
    }

    fn back_off(&mut self) -> Duration {
        let seconds = BACK_OFF_S[self.failures.min(BACK_OFF_S.len() - 1)];
        self.failures += 1;
        Duration::from_secs(seconds)
    }

    /// Tries every known address, one after the other.
    fn begin_round(&mut self, now: Instant) {
        self.round = self.known.iter().copied().collect();
        self.next(now, "it has no address".to_owned(), false);
    }

    /// Tries the next address of the round, or pauses after the last one. `is_ours` if the failure was reported by this
    /// system itself, without a packet sent.
    fn next(&mut self, now: Instant, mut why: String, mut is_ours: bool) {
        while let Some(to) = self.round.pop_front() {
            match connect(to, self.interface) {
                Ok(socket) => {
                    self.link = Link::Up(Up::new(socket, to, now, false));
                    return;
                }
                Err(e) => {
                    self.proof = PROOF;
                    (why, is_ours) = (reason(&e, to), true);
                }
            }
        }
        let look_at = is_ours.then(|| now + ROUTE_LOOK);
        self.link = Link::Down { retry_at: now + self.back_off(), look_at };
        self.light.stands(LightStatus { state: LightState::Unreachable, reason: Some(why), address: None });
        // The address may have changed.
        if self.host.literal().is_none() {
            self.host.ask();
        }
    }

    /// A frame could not be sent.
    fn failed(&mut self, e: &io::Error, now: Instant) {
        let Link::Up(up) = &self.link else { return };
        let to = up.to;
        let is_ours = is_ours(e);
        if up.is_proven {
            // An address of this machine may have changed under the socket; a new socket will tell.
            let again = self.last_reopened.is_none_or(|t| now.saturating_duration_since(t) > PROOF);
            if again
                && !is_theirs(e)
                && let Ok(socket) = connect(to, self.interface)
            {
                self.last_reopened = Some(now);
                self.link = Link::Up(Up::new(socket, to, now, true));
                return;
            }
            self.round = self.known.iter().copied().filter(|a| *a != to).collect();
        }
        let is_refused = matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset);
        // The next address of the name may be unused.
        self.proof = if is_refused && self.known.len() == 1 { PROOF_OF_PORT } else { PROOF };
        self.next(now, reason(e, to), is_ours);
    }

    fn send(&mut self, channels: &[u8]) -> io::Result<()> {
        match &self.link {
            Link::Up(up) => self.protocol.frame(channels, &mut |to, packet| up.send(to, packet, &self.light)),
            Link::Down { .. } => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl Sink for UdpSink {
    fn show(&mut self, frame: &Frame) -> io::Result<()> {
        let now = Instant::now();
        self.turn(now);
        // If frames follow each other without a pause, one of them has to wait for this.
        if now.saturating_duration_since(self.last_tended) >= NEIGHBOUR_LOOK {
            self.judge(now);
        }
        let sent = self.send(frame.channels);
        match &sent {
            Err(e) if !is_passing(e) && e.kind() != ErrorKind::NotConnected => {
                self.failed(e, now);
                // If another address is available at once, the frame is not lost.
                if matches!(self.link, Link::Up(_)) { self.send(frame.channels) } else { sent }
            }
            _ => sent,
        }
    }

    fn is_urgent(&self) -> bool {
        true
    }

    fn tend(&mut self) {
        let now = Instant::now();
        self.turn(now);
        self.judge(now);
    }

    fn end(&mut self, stop: Stop, last: &[u8]) -> io::Result<()> {
        // Do not wait for an unreachable light.
        let Link::Up(Up { is_proven, .. }) = self.link else { return Ok(()) };
        if stop == Stop::Dark {
            // UDP may lose a frame, but hardly three of them.
            for _ in 0..3 {
                match self.send(last) {
                    Err(e) if is_proven => return Err(e),
                    _ => std::thread::sleep(Duration::from_millis(4)),
                }
            }
        }
        match &self.link {
            Link::Up(up) => self.protocol.end(stop, last, &mut |to, packet| up.send(to, packet, &self.light)),
            Link::Down { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
