//! DDP lights on the network. K1 looks them up, retries them, and follows them when their address changes.

mod neighbour;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k1_device::answers::LightState;
use k1_wire::ddp::{MAX_PACKET, Sender};

use neighbour::Neighbour;

use super::Sink;
use super::light::{Light, LightStatus};
use super::lookup::{Found, Host, Resolve};
use super::multicast::is_link_local;

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
/// Time after which a frame that the network has not taken is late and gives way to the next.
const PATIENCE: Duration = Duration::from_millis(100);

/// A DDP receiver somewhere, or nowhere yet.
pub struct DdpSink {
    light: Arc<Light>,
    host: Host,
    sender: Sender,
    buffer: Box<[u8; MAX_PACKET]>,
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
}

impl DdpSink {
    /// A light by the name or address of its host. Does not look it up yet.
    pub fn new(host: &str, port: u16, light: Arc<Light>, resolve: Arc<dyn Resolve>) -> Self {
        let now = Instant::now();
        Self {
            light,
            host: Host::new(host, port, resolve),
            sender: Sender::default(),
            buffer: Box::new([0; MAX_PACKET]),
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
                        self.known.iter().find_map(|a| connect(*a).ok().map(|s| (s, *a)))
                    {
                        // The network is back: start over.
                        self.failures = 0;
                        self.link = Link::Up(Up::new(socket, to, now, false));
                    }
                }
            }
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
            match connect(to) {
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
                && let Ok(socket) = connect(to)
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

    fn send(&mut self, wire: &[[u8; 3]]) -> io::Result<()> {
        match &self.link {
            Link::Up(up) => {
                self.sender.frame(wire, &mut self.buffer, |packet| up.socket.send(packet).map(|_| ()))
            }
            Link::Down { .. } => Err(ErrorKind::NotConnected.into()),
        }
    }
}

/// Connects a socket to an address. Sends nothing; the system reports whether it has a route.
fn connect(to: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = match to {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    hear_of_failures(&socket, to);
    socket.connect(to)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Asks the system to report transient errors as well: that nobody answers at an address, or that a router has no route.
/// Without this, Linux reports only closed ports.
#[cfg(target_os = "linux")]
fn hear_of_failures(socket: &UdpSocket, to: SocketAddr) {
    use nix::sys::socket::{setsockopt, sockopt};
    // If this fails, the system still reports closed ports and missing routes.
    let _ = match to {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
    };
}

#[cfg(not(target_os = "linux"))]
fn hear_of_failures(_: &UdpSocket, _: SocketAddr) {}

/// True if the network is only busy for a moment, so that the next frame may go through.
fn is_passing(e: &io::Error) -> bool {
    // ENOBUFS: the queue of the interface is full.
    const NO_BUFFERS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    matches!(
        e.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::OutOfMemory
    ) || cfg!(unix) && e.raw_os_error() == Some(NO_BUFFERS)
}

/// True if the other side or its network reported the error.
fn is_theirs(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::HostUnreachable)
}

/// True if this system itself has no route, which costs nothing to check again.
fn is_ours(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
            | ErrorKind::InvalidInput
    )
}

/// A sentence that says why an address does not receive frames.
fn reason(e: &io::Error, to: SocketAddr) -> String {
    let ip: IpAddr = to.ip();
    match e.kind() {
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::AddrNotAvailable => {
            format!("there is no route to {ip} at the moment")
        }
        // Linux reports this for a blackhole route.
        ErrorKind::InvalidInput if ip.is_ipv4() || !is_link_local(ip) => {
            format!("this system discards packets to {ip}; check its routes for a blackhole")
        }
        ErrorKind::InvalidInput => format!("{ip} is not on any network of this system"),
        ErrorKind::HostUnreachable => format!("nobody answers at {ip}"),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => {
            format!("{ip} is there, but nothing receives light on its port {}", to.port())
        }
        ErrorKind::PermissionDenied => {
            format!("this system does not allow packets to {ip}; check its firewall")
        }
        _ => format!("{ip}: {e}"),
    }
}

impl Sink for DdpSink {
    fn show(&mut self, wire: &[[u8; 3]], _: &[[u8; 3]]) -> io::Result<()> {
        let now = Instant::now();
        self.turn(now);
        // If frames follow each other without a pause, one of them has to wait for this.
        if now.saturating_duration_since(self.last_tended) >= NEIGHBOUR_LOOK {
            self.judge(now);
        }
        let sent = self.send(wire);
        match &sent {
            Err(e) if !is_passing(e) && e.kind() != ErrorKind::NotConnected => {
                self.failed(e, now);
                // If another address is available at once, the frame is not lost.
                if matches!(self.link, Link::Up(_)) { self.send(wire) } else { sent }
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

    fn dark(&mut self, leds: usize) -> io::Result<()> {
        // Do not wait for an unreachable light.
        let Link::Up(Up { is_proven, .. }) = self.link else { return Ok(()) };
        // UDP may lose a frame, but hardly three of them.
        let black = vec![[0; 3]; leds];
        for _ in 0..3 {
            match self.send(&black) {
                Err(e) if is_proven => return Err(e),
                _ => std::thread::sleep(Duration::from_millis(4)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
