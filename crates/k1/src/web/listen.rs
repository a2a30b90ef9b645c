//! The addresses and the port at which the page listens.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

use socket2::{Domain, Protocol, Socket, Type};

use super::reach;

/// The default port.
const PORT: u16 = 3330;
/// Maximum number of connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Maximum number of attempts to find a port that is free at all addresses.
const TRIES: usize = 16;

/// The value of `--listen`: an address, a host name or a network interface, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "“{text}” is not a place to listen at; write HOST or HOST:PORT, for example 0.0.0.0, 127.0.0.1:8080, \
                 [::]:3330, localhost:0, or the name of a network interface"
            )
        };
        let port = |p: &str| p.parse::<u16>().map_err(|_| wrong());
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: Host::Address(address.into()), port: PORT });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, "")) => (host, PORT),
                Some((host, p)) => (host, port(p.strip_prefix(':').ok_or_else(wrong)?)?),
                None => return Err(wrong()),
            },
            None => match text.split_once(':') {
                Some((host, p)) => (host, port(p)?),
                None => (text, PORT),
            },
        };
        let is_name = |h: &str| {
            let may = |b: u8| b.is_ascii_alphanumeric() || b"-._%:".contains(&b);
            !h.is_empty() && h.bytes().all(may) && !h.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        match host.parse::<IpAddr>() {
            Ok(address) => Ok(Self { host: Host::Address(address), port }),
            Err(_) if is_name(host) => Ok(Self { host: Host::Name(host.to_owned()), port }),
            Err(_) => Err(wrong()),
        }
    }
}

impl Listen {
    /// Binds the port at every address that the value names.
    ///
    /// # Errors
    ///
    /// A sentence, if an address or the port cannot be used.
    pub fn bind(&self) -> Result<Vec<TcpListener>, String> {
        let (name, addresses) = match &self.host {
            Host::Address(address) => return Ok(vec![open(SocketAddr::new(*address, self.port))?]),
            Host::Name(name) => (name, addresses(name)?),
        };
        if addresses.iter().all(IpAddr::is_loopback) && !is_loopback_name(name) {
            k1_host::say(format_args!(
                "k1: {name} is {} here, which other machines cannot reach; --listen 0.0.0.0 lets them in",
                addresses[0]
            ));
        }
        let mut refused = String::new();
        for _ in 0..TRIES {
            let (mut port, mut open_ones, mut is_taken) = (self.port, Vec::new(), false);
            for address in &addresses {
                match bind(SocketAddr::new(*address, port)) {
                    Ok(listener) => {
                        port = listener.local_addr().map_or(port, |a| a.port());
                        open_ones.push(listener);
                    }
                    // The port is free at one address but not at another: start again.
                    Err(e) if e.kind() == ErrorKind::AddrInUse && self.port == 0 => is_taken = true,
                    // An address family may be off, or an address may have gone since the name was resolved.
                    Err(e)
                        if e.kind() == ErrorKind::AddrNotAvailable
                            || addresses.len() > 1 && e.kind() == ErrorKind::Unsupported =>
                    {
                        refused = sentence(SocketAddr::new(*address, port), &e);
                    }
                    Err(e) => return Err(sentence(SocketAddr::new(*address, port), &e)),
                }
            }
            if !is_taken && !open_ones.is_empty() {
                return Ok(open_ones);
            }
            if !is_taken {
                break;
            }
        }
        Err(if refused.is_empty() {
            format!("{name} has no port that is free at all its addresses")
        } else {
            refused
        })
    }
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.starts_with("lo")
}

/// The addresses of the network interface or host with this name.
fn addresses(name: &str) -> Result<Vec<IpAddr>, String> {
    let mut found = reach::of_interface(name);
    if found.is_empty() {
        let answer = (name, 0).to_socket_addrs();
        found = match answer {
            Ok(all) => all.map(|a| a.ip()).collect(),
            Err(_) if is_loopback_name(name) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Err(e) => {
                return Err(format!(
                    "{name} is not the name of an interface or a host that this machine knows ({e}); \
                     use one of its addresses, or 0.0.0.0 for all"
                ));
            }
        };
    }
    let mut different: Vec<IpAddr> = Vec::new();
    for address in found {
        if !different.contains(&address) {
            different.push(address);
        }
    }
    if different.is_empty() { Err(format!("{name} has no address")) } else { Ok(different) }
}

fn open(address: SocketAddr) -> Result<TcpListener, String> {
    bind(address).map_err(|e| sentence(address, &e))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Unix, SO_REUSEADDR only ignores connections of an earlier run that have not quite ended. Elsewhere it allows
    // more.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn sentence(address: SocketAddr, e: &std::io::Error) -> String {
    match e.kind() {
        ErrorKind::AddrInUse => format!(
            "{address} is in use, perhaps by another k1; stop it, or choose another port: --listen {}",
            SocketAddr::new(address.ip(), 0)
        ),
        ErrorKind::PermissionDenied => {
            format!("{address} needs more rights than this user has; choose a port above 1023 with --listen")
        }
        ErrorKind::AddrNotAvailable => {
            // Do not suggest the address that just failed, nor its family if the machine has no address in it.
            let ip = address.ip();
            let works = |a: &&str| match *a {
                "127.0.0.1" => !ip.is_loopback(),
                "[::]" => !(ip.is_ipv6() && (ip.is_loopback() || ip.is_unspecified())),
                _ => ip != IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            };
            let others: Vec<_> = ["127.0.0.1", "0.0.0.0", "[::]"].into_iter().filter(works).collect();
            let is_down =
                if ip.is_loopback() { " now (is the loopback interface switched off?)" } else { "" };
            format!("{ip} is not an address of this machine{is_down}; use {}", others.join(" or "))
        }
        _ => format!("{address} cannot be opened: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(text: &str) -> Listen {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_place_is_written_in_many_ways() {
        let at = |address: &str, port| Listen { host: Host::Address(address.parse().unwrap()), port };
        let named = |name: &str, port| Listen { host: Host::Name(name.into()), port };
        for (text, expected) in [
            ("0.0.0.0", at("0.0.0.0", 3330)),
            ("0.0.0.0:0", at("0.0.0.0", 0)),
            ("::", at("::", 3330)),
            ("::1", at("::1", 3330)),
            ("[::1]", at("::1", 3330)),
            ("[fd00::1]:80", at("fd00::1", 80)),
            ("localhost:0", named("localhost", 0)),
            ("pi.fritz.box", named("pi.fritz.box", 3330)),
            ("wlan0:8080", named("wlan0", 8080)),
        ] {
            assert_eq!(listen(text), expected, "{text}");
        }
        for wrong in [
            "",
            ":",
            ":80",
            "3330",
            "1.2.3",
            "host:",
            "host:http",
            "host:99999",
            "[::1",
            "[::1]80",
            "a b",
            "http://x",
        ] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_has_just_failed_is_not_advised() {
        let said = |ip: &str| {
            let address = SocketAddr::new(ip.parse().unwrap(), 3330);
            sentence(address, &ErrorKind::AddrNotAvailable.into())
        };
        for (ip, advice) in [
            ("127.0.0.1", "use 0.0.0.0 or [::]"),
            ("127.0.0.2", "use 0.0.0.0 or [::]"),
            ("::1", "use 0.0.0.0"),
            ("::", "use 127.0.0.1 or 0.0.0.0"),
            ("0.0.0.0", "use 127.0.0.1 or [::]"),
            ("192.0.2.99", "use 127.0.0.1 or 0.0.0.0 or [::]"),
        ] {
            assert!(said(ip).ends_with(advice), "{}", said(ip));
            assert_eq!(said(ip).contains("loopback"), ip.starts_with("127") || ip == "::1", "{}", said(ip));
        }
    }

    #[test]
    fn a_name_is_listened_at_at_each_of_its_addresses() {
        let listeners = listen("localhost:0").bind().unwrap();
        let ports: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
        assert!(ports.iter().all(|a| a.ip().is_loopback() && a.port() == ports[0].port()), "{ports:?}");
        for address in ports {
            std::net::TcpStream::connect(address).unwrap();
        }
        let again = listen(&format!("127.0.0.1:{}", listeners[0].local_addr().unwrap().port())).bind();
        assert!(again.unwrap_err().contains("in use"));
        assert!(listen("no-such-host.invalid:0").bind().unwrap_err().contains("no-such-host"));
        assert!(listen("192.0.2.99:0").bind().unwrap_err().contains("not an address of this machine"));
        #[cfg(target_os = "linux")]
        assert!(listen("lo:0").bind().unwrap()[0].local_addr().unwrap().ip().is_loopback());
    }
}
