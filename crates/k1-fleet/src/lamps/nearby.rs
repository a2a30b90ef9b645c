//! Finds lamps and other lights by multicast DNS (RFC 6762): they announce their name and address, and lamps their version
//! and board.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use k1_device::harmless::harmless;
use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

/// The service that lamps announce.
const SERVICE: &str = "_k1._tcp.local.";
/// The service that WLED announces.
const WLED: &str = "_wled._tcp.local.";

/// Pause between two looks for answers.
const LOOK: Duration = Duration::from_millis(10);

/// A lamp that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the lamp.
    pub name: String,
    /// Address of its page.
    pub address: SocketAddr,
    /// Its version, as announced.
    pub version: Option<String>,
    /// Its board, as announced.
    pub board: Option<String>,
}

impl Found {
    fn new(service: &ResolvedService, kind: &str) -> Option<Self> {
        // Anybody on the network may announce any name.
        let name = harmless(service.fullname.strip_suffix(kind)?.trim_end_matches('.')).into_owned();
        // A lamp has one IPv4 address; all others come from machines that answer for it.
        let mut addresses: Vec<IpAddr> = service.get_addresses_v4().into_iter().map(IpAddr::V4).collect();
        addresses.sort();
        let text = |key: &str| service.get_property_val_str(key).map(|v| harmless(v).into_owned());
        Some(Self {
            name,
            address: SocketAddr::new(*addresses.first()?, service.port),
            version: text("ver"),
            board: text("board"),
        })
    }
}

/// Asks, and calls `each` with every answer until `each` has enough or the time is over.
fn ask(
    daemon: &ServiceDaemon,
    patience: Duration,
    mut each: impl FnMut(Found) -> bool,
) -> Result<(), String> {
    let answers = daemon.browse(SERVICE).map_err(|e| no_search("lamp", &e))?;
    let until = Instant::now() + patience;
    while let Ok(event) = answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some(found) = Found::new(&service, SERVICE)
            && each(found)
        {
            break;
        }
    }
    Ok(())
}

/// Lamps and WLED devices on the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lights {
    /// Lamps, which hear by themselves, sorted by name.
    pub lamps: Vec<Found>,
    /// WLED devices, sorted by name.
    pub wled: Vec<Found>,
}

/// Every lamp and every WLED device that answers within `patience`.
///
/// # Errors
///
/// A sentence if multicast does not work on this machine.
pub fn lights(patience: Duration) -> Result<Lights, String> {
    let [lamps, wled] = all(k1_wire::mdns::PORT, [SERVICE, WLED], "light", patience)?;
    Ok(Lights { lamps, wled })
}

fn daemon(port: u16) -> Result<ServiceDaemon, String> {
    ServiceDaemon::new_with_port(port).map_err(|e| no_search("lamp", &e))
}

/// The sentence for a search that this machine does not allow; `what` is a lamp or a light.
fn no_search(what: &str, e: &mdns_sd::Error) -> String {
    format!("K1 cannot search for {what}s by multicast DNS here ({e}); give a {what}'s address instead")
}

/// What announces each of these services within `patience`, sorted by name.
fn all<const N: usize>(
    port: u16,
    services: [&str; N],
    what: &str,
    patience: Duration,
) -> Result<[Vec<Found>; N], String> {
    let daemon = daemon(port)?;
    let mut answers = Vec::new();
    for service in services {
        answers.push(daemon.browse(service).map_err(|e| no_search(what, &e))?);
    }
    let mut all = [const { Vec::new() }; N];
    let until = Instant::now() + patience;
    loop {
        // Taken all the time, because the daemon holds few answers and then stops listening.
        for ((service, answers), all) in services.into_iter().zip(&answers).zip(&mut all) {
            for event in answers.try_iter() {
                if let ServiceEvent::ServiceResolved(resolved) = event
                    && let Some(found) = Found::new(&resolved, service)
                    && !all.contains(&found)
                {
                    all.push(found);
                }
            }
        }
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break;
        }
        std::thread::sleep(rest.min(LOOK));
    }
    let _ = daemon.shutdown();
    all.iter_mut().for_each(|all| all.sort_by(|a, b| a.name.cmp(&b.name)));
    Ok(all)
}

/// Every lamp that answers within `patience`, sorted by name.
///
/// # Errors
///
/// A sentence if multicast does not work on this machine.
pub fn listen(patience: Duration) -> Result<Vec<Found>, String> {
    listen_on(k1_wire::mdns::PORT, patience)
}

fn listen_on(port: u16, patience: Duration) -> Result<Vec<Found>, String> {
    let [lamps] = all(port, [SERVICE], "lamp", patience)?;
    Ok(lamps)
}

/// The lamp with a name; returns as soon as it answers. `None` if it does not answer within `patience`.
///
/// # Errors
///
/// A sentence if multicast does not work on this machine.
pub fn call(name: &str, patience: Duration) -> Result<Option<Found>, String> {
    call_on(k1_wire::mdns::PORT, name, patience)
}

fn call_on(port: u16, name: &str, patience: Duration) -> Result<Option<Found>, String> {
    let daemon = daemon(port)?;
    let mut wanted = None;
    ask(&daemon, patience, |found| {
        let is_it = found.name.eq_ignore_ascii_case(name);
        if is_it {
            wanted = Some(found);
        }
        is_it
    })?;
    let _ = daemon.shutdown();
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_wire::mdns::{self, GROUP, Host, MAX_ANSWER, Service};
    use socket2::{Domain, Protocol, Socket, Type};
    use std::net::{Ipv4Addr, UdpSocket};

    /// A lamp's own mDNS code on a socket of this machine; answers until `until`.
    fn lamp(port: u16, name: &'static str, until: Instant) -> std::io::Result<std::thread::JoinHandle<u32>> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
        socket.join_multicast_v4(&GROUP.into(), &Ipv4Addr::LOCALHOST)?;
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let socket = UdpSocket::from(socket);
        Ok(std::thread::spawn(move || {
            let texts = ["ver=0.1.0", "board=virt"];
            let services = [Service { kind: "_k1._tcp", port: 8_080, texts: &texts }];
            let host = Host { name, address: [127, 0, 0, 1], services: &services };
            let (mut packet, mut out, mut answered) = ([0; 1_500], [0; MAX_ANSWER], 0);
            while Instant::now() < until {
                let Ok((n, from)) = socket.recv_from(&mut packet) else { continue };
                if let Some(n) = mdns::answer(&packet[..n], &host, &mut out) {
                    let group = SocketAddr::from((GROUP, port));
                    let to = if from.port() == port { group } else { from };
                    answered += u32::from(socket.send_to(&out[..n], to).is_ok());
                }
            }
            answered
        }))
    }

    #[test]
    fn more_lamps_than_the_daemon_holds_answers_for_are_found() {
        let (port, until) = (45_354, Instant::now() + Duration::from_secs(4));
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
        let lamps = names.map(|name| lamp(port, name, until).unwrap());
        let all = listen_on(port, Duration::from_secs(3)).unwrap();
        assert_eq!(all.iter().map(|found| &*found.name).collect::<Vec<_>>(), names);
        lamps.into_iter().for_each(|lamp| assert!(lamp.join().unwrap() > 0));
    }

    #[test]
    fn a_lamp_is_found_by_its_own_answers() {
        // Not mDNS's own port, which other programs on this machine may use.
        let port = 45_353;
        let until = Instant::now() + Duration::from_secs(4);
        let shelf = lamp(port, "k1-a3f0", until).unwrap();
        let desk = lamp(port, "desk", until).unwrap();
        let hostile = lamp(port, "evil\x1b[2J\nk1: forged\u{202e}", until).unwrap();
        let found = call_on(port, "K1-A3F0", Duration::from_secs(3)).unwrap();
        let expected = Found {
            name: "k1-a3f0".into(),
            address: "127.0.0.1:8080".parse().unwrap(),
            version: Some("0.1.0".into()),
            board: Some("virt".into()),
        };
        assert_eq!(found.as_ref(), Some(&expected));
        let all = listen_on(port, Duration::from_secs(1)).unwrap();
        assert_eq!(
            all.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(),
            ["desk", "evil\\u{1b}[2J\\u{a}k1: forged\\u{202e}", "k1-a3f0"]
        );
        let board = all[1].board.as_deref();
        assert_eq!(board, Some("virt"));
        assert_eq!(call_on(port, "k1-0000", Duration::from_millis(500)).unwrap(), None);
        assert!(shelf.join().unwrap() > 0 && desk.join().unwrap() > 0 && hostile.join().unwrap() > 0);
    }
}
