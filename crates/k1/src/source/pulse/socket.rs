//! Finds the sound server in the same places as libpulse, and connects a socket on which every call has a time limit and
//! continues after a signal.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sink::lookup::{Found, Host, Real};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

/// Default TCP port of a server.
const PORT: u16 = 4713;
/// Shortest timeout that a socket accepts.
const LEAST: Duration = Duration::from_millis(1);

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// To a server on this machine.
    Unix(UnixStream),
    /// To a server on any machine.
    Tcp(TcpStream),
}

impl Socket {
    /// Sets the longest time for a write.
    pub fn set_write_timeout(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Unix(s) => s.set_write_timeout(Some(patience)),
            Self::Tcp(s) => s.set_write_timeout(Some(patience)),
        }
    }

    /// Writes everything.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(s) => s.write_all(bytes),
            Self::Tcp(s) => s.write_all(bytes),
        }
    }

    /// Reads available bytes; waits for them until `until`, then fails with a timeout.
    pub fn read_until(&mut self, into: &mut [u8], until: Instant) -> io::Result<usize> {
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(LEAST);
            let read = match self {
                Self::Unix(s) => s.set_read_timeout(Some(left)).and_then(|()| s.read(into)),
                Self::Tcp(s) => s.set_read_timeout(Some(left)).and_then(|()| s.read(into)),
            };
            // A stop and continue, a tracer or a suspend interrupts the call but not the connection.
            match read {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

/// An address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    /// A socket on this machine.
    Path(PathBuf),
    /// Host and port.
    Host(String, u16),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Absent {
    /// There is no server, with the reason.
    Nobody(String),
    /// There is a server, but it does not accept connections.
    Busy,
}

thread_local! {
    /// Lookups of this thread, so that the next attempt continues one that hangs.
    static HOSTS: RefCell<Vec<(Address, Host)>> = const { RefCell::new(Vec::new()) };
}

/// Connects to the first server that accepts, or returns the reason. Waits at most `patience` for a connection and `naming`
/// for a lookup, and never beyond `deadline`.
pub fn connect(patience: Duration, naming: Duration, deadline: Instant) -> Result<Socket, Absent> {
    let mut refusal = None;
    for address in candidates(|name| std::env::var_os(name)).map_err(Absent::Nobody)? {
        let (name, connected) = match &address {
            Address::Path(path) => (path.display().to_string(), unix(path)),
            Address::Host(host, port) => {
                let found = look_up(&address, host, *port, deadline.min(Instant::now() + naming));
                let stream = found.and_then(|all| tcp(&all, patience, deadline));
                (format!("{host} port {port}"), stream.map(Socket::Tcp))
            }
        };
        match connected {
            Ok(socket) => return Ok(socket),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) if e.kind() == ErrorKind::TimedOut => refusal = refusal.or(Some(Absent::Busy)),
            Err(e) => refusal = refusal.or(Some(Absent::Nobody(format!("{name}: {e}")))),
        }
    }
    let none = "there is no socket of PulseAudio or PipeWire on this machine";
    Err(refusal.unwrap_or_else(|| Absent::Nobody(none.into())))
}

/// Connects without waiting, because the queue of a server that hangs may be full.
fn unix(path: &Path) -> io::Result<Socket> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    // Linux then tells the server who sends, even if the server has not asked for it yet: it asks right after it accepts.
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_socket_passcred(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(rustix::io::Errno::AGAIN) => return Err(ErrorKind::TimedOut.into()),
        Err(e) => return Err(e.into()),
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(Socket::Unix(stream))
}

/// The addresses of a name; waits for them until `until`.
fn look_up(address: &Address, name: &str, port: u16, until: Instant) -> io::Result<Vec<SocketAddr>> {
    HOSTS.with_borrow_mut(|hosts| {
        let known = hosts.iter().position(|(a, _)| a == address);
        let n = known.unwrap_or_else(|| {
            hosts.push((address.clone(), Host::new(name, port, Arc::new(Real))));
            hosts.len() - 1
        });
        found(&mut hosts[n].1, until)
    })
}

fn found(host: &mut Host, until: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Some(literal) = host.literal() {
        return Ok(vec![literal]);
    }
    host.ask();
    loop {
        match host.poll() {
            Some(Found::Addresses(all)) => return Ok(all),
            Some(Found::Nothing(why)) => return Err(io::Error::other(why)),
            None if Instant::now() > until => {
                let why = "nobody has answered for its name yet; check the network, or name its address";
                return Err(io::Error::other(why));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn tcp(addresses: &[SocketAddr], patience: Duration, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::other("this name has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now()).min(patience);
        match TcpStream::connect_timeout(address, left.max(LEAST)) {
            Ok(stream) => {
                // Requests are small, and each waits for its answer.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The addresses to try, best first.
fn candidates(var: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Address>, String> {
    let var = |name: &str| var(name).filter(|v| !v.is_empty());
    // With PULSE_SERVER, try only that server.
    if let Some(named) = var("PULSE_SERVER") {
        let named = named.to_string_lossy();
        let addresses: Vec<_> = named.split_whitespace().filter_map(address_of).collect();
        return if addresses.is_empty() {
            Err(format!("PULSE_SERVER is {named}, but K1 understands only unix:/PATH and tcp:HOST:PORT"))
        } else {
            Ok(addresses)
        };
    }
    let mut paths = Vec::new();
    paths.extend(var("PULSE_RUNTIME_PATH").map(|p| PathBuf::from(p).join("native")));
    paths.extend(var("XDG_RUNTIME_DIR").map(|p| PathBuf::from(p).join("pulse/native")));
    // Without a session, libpulse uses a folder named after the machine, in the user's home.
    if let Some(home) = var("HOME")
        && let Ok(entries) = std::fs::read_dir(PathBuf::from(home).join(".config/pulse"))
    {
        let folders = entries.flatten().map(|e| e.path());
        paths.extend(folders.filter(|p| p.to_string_lossy().ends_with("-runtime")).map(|p| p.join("native")));
    }
    paths.push("/run/pulse/native".into());
    Ok(paths.into_iter().map(Address::Path).collect())
}

/// The address in one entry of PULSE_SERVER: `[{MACHINE}](unix:/PATH | /PATH | [tcp:|tcp4:|tcp6:]HOST[:PORT])`.
fn address_of(entry: &str) -> Option<Address> {
    let server = match entry.strip_prefix('{') {
        Some(rest) => rest.split_once('}')?.1,
        None => entry,
    };
    let path = server.strip_prefix("unix:").unwrap_or(server);
    if path.starts_with('/') {
        return Some(Address::Path(path.into()));
    }
    let host = ["tcp:", "tcp4:", "tcp6:"].into_iter().find_map(|p| server.strip_prefix(p)).unwrap_or(server);
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        // More than one colon is an IPv6 address without brackets.
        None => match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, Some(port)),
            _ => (host, None),
        },
    };
    let port = port.map_or(Some(PORT), |p| p.parse().ok())?;
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c));
    is_host.then(|| Address::Host(host.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(vars: &[(&str, &str)]) -> Result<Vec<Address>, String> {
        candidates(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
    }

    fn path(path: &str) -> Address {
        Address::Path(path.into())
    }

    #[test]
    fn a_named_server_is_the_only_one() {
        for named in ["unix:/a/b", "/a/b", "{5f3e}unix:/a/b"] {
            assert_eq!(look(&[("PULSE_SERVER", named), ("XDG_RUNTIME_DIR", "/x")]).unwrap(), [path("/a/b")]);
        }
        let both = look(&[("PULSE_SERVER", "{5f3e}unix:/a/b tcp:lamp")]).unwrap();
        assert_eq!(both, [path("/a/b"), Address::Host("lamp".into(), 4713)]);
        let nonsense = look(&[("PULSE_SERVER", "serial:tty0")]).unwrap_err();
        assert!(nonsense.contains("serial:tty0") && nonsense.contains("unix:/PATH"), "{nonsense}");
    }

    #[test]
    fn servers_on_other_machines_are_named_as_libpulse_names_them() {
        for (named, host, port) in [
            ("tcp:10.0.0.2", "10.0.0.2", 4713),
            ("tcp:10.0.0.2:4799", "10.0.0.2", 4799),
            ("tcp4:studio.lan", "studio.lan", 4713),
            ("tcp6:[fe80::1%eth0]:99", "fe80::1%eth0", 99),
            ("tcp6:::1", "::1", 4713),
            ("studio", "studio", 4713),
        ] {
            assert_eq!(
                look(&[("PULSE_SERVER", named)]).unwrap(),
                [Address::Host(host.into(), port)],
                "{named}"
            );
        }
        for named in ["tcp:", "tcp:host:port", "tcp:host:70000", "tcp:[::1", "a/b"] {
            assert!(look(&[("PULSE_SERVER", named)]).is_err(), "{named}");
        }
    }

    #[test]
    fn without_a_name_the_usual_places_are_tried_in_order() {
        let paths =
            look(&[("PULSE_SERVER", ""), ("PULSE_RUNTIME_PATH", "/p"), ("XDG_RUNTIME_DIR", "/x")]).unwrap();
        assert_eq!(paths, ["/p/native", "/x/pulse/native", "/run/pulse/native"].map(path));
        assert_eq!(look(&[]).unwrap(), [path("/run/pulse/native")]);
    }

    /// A resolver that needs this long.
    struct Late(Duration);

    impl crate::sink::lookup::Resolve for Late {
        fn system(&self, _: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
            std::thread::sleep(self.0);
            Ok(vec![([10, 0, 0, 9], port).into()])
        }

        fn multicast(&self, _: &str, _: u16) -> Vec<SocketAddr> {
            Vec::new()
        }
    }

    #[test]
    fn a_name_is_not_waited_for_without_an_end_and_an_answer_that_is_late_counts() {
        let soon = || Instant::now() + Duration::from_millis(50);
        let began = Instant::now();
        let mut never = Host::new("studio.lan", 4713, Arc::new(Late(Duration::from_secs(3_600))));
        for _ in 0..5 {
            let why = found(&mut never, soon()).unwrap_err().to_string();
            assert!(why.contains("nobody has answered for its name"), "{why}");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let mut late = Host::new("studio.lan", 4713, Arc::new(Late(Duration::from_millis(700))));
        assert!(found(&mut late, soon()).is_err());
        std::thread::sleep(Duration::from_secs(1));
        let all = found(&mut late, Instant::now() + Duration::from_secs(5)).unwrap();
        assert_eq!(all, [([10, 0, 0, 9], 4713).into()]);
    }

    #[test]
    fn a_server_that_takes_nobody_is_not_waited_for() {
        let dir = std::env::temp_dir().join(format!("k1-full-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let place = dir.join("native");
        let _listens = std::os::unix::net::UnixListener::bind(&place).unwrap();
        let began = Instant::now();
        // Nobody accepts, so the queue is full after some thousands.
        let mut waiting = Vec::new();
        let refused = loop {
            match unix(&place) {
                Ok(socket) => waiting.push(socket),
                Err(e) => break e,
            }
            assert!(waiting.len() < 10_000);
        };
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(began.elapsed() < Duration::from_secs(10));
        // Running out of handles also ends the loop.
        assert!(refused.kind() == ErrorKind::TimedOut || waiting.len() > 500, "{refused}");
    }
}
