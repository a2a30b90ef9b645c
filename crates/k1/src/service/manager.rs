//! Messages to the service manager: datagrams of lines `KEY=VALUE`, as in `sd_notify`(3).

use std::time::Duration;

/// The service manager that has started this program.
#[derive(Debug)]
pub struct Manager {
    #[cfg(unix)]
    socket: std::os::unix::net::UnixDatagram,
    #[cfg(unix)]
    address: std::os::unix::net::SocketAddr,
    /// Time without a message of the watchdog after which the manager restarts the program; `None` without a watchdog.
    pub watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names; `None` if the program was not started as a service that reports.
    pub fn of_environment() -> Option<Self> {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|us| is_for_us && *us > 0).map(Duration::from_micros);
        Self::at(&std::env::var_os("NOTIFY_SOCKET")?, watchdog)
    }

    /// Sends a message. A manager that does not take it must not delay the light, so an error is ignored.
    pub fn tell(&self, message: &str) {
        #[cfg(unix)]
        let _ = self.socket.send_to_addr(message.as_bytes(), &self.address);
        #[cfg(not(unix))]
        let _ = message;
    }

    /// Says that the settings are being read again, and then that this is done.
    pub fn reloads(&self, work: impl FnOnce()) {
        // The time is for units with Type=notify-reload.
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()));
        work();
        self.tell("READY=1");
    }
}

#[cfg(unix)]
impl Manager {
    /// A manager at a path, or, behind an `@`, at an abstract address.
    fn at(place: &std::ffi::OsStr, watchdog: Option<Duration>) -> Option<Self> {
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let address = match place.as_encoded_bytes() {
            #[cfg(target_os = "linux")]
            [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
            _ => SocketAddr::from_pathname(place),
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address: address.ok()?, watchdog })
    }
}

#[cfg(not(unix))]
impl Manager {
    fn at(_: &std::ffi::OsStr, _: Option<Duration>) -> Option<Self> {
        None
    }
}

/// Time on the clock that the manager uses, in µs.
#[cfg(unix)]
fn monotonic_us() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

#[cfg(not(unix))]
fn monotonic_us() -> i64 {
    0
}

#[cfg(all(test, unix))]
pub mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A manager in this process: what the program uses, and the socket with the messages.
    pub fn manager(watchdog: Option<Duration>) -> (Manager, UnixDatagram, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        (Manager::at(path.as_os_str(), watchdog).unwrap(), socket, dir)
    }

    /// The next message; `None` if there is none for a second.
    pub fn message(socket: &UnixDatagram) -> Option<String> {
        let mut bytes = [0; 1024];
        let n = socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..n].to_vec()).unwrap())
    }

    #[test]
    fn a_reload_has_a_beginning_with_its_time_and_an_end() {
        let (manager, socket, _dir) = manager(None);
        let before = monotonic_us();
        manager.reloads(|| manager.tell("STATUS=reads"));
        let began = message(&socket).unwrap();
        let time = began.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse::<i64>().unwrap();
        assert!((before..=monotonic_us()).contains(&time));
        assert_eq!(message(&socket).unwrap(), "STATUS=reads");
        assert_eq!(message(&socket).unwrap(), "READY=1");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_abstract_address_is_reached_and_a_manager_that_is_gone_delays_nothing() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;
        let name = format!("k1-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let manager = Manager::at(format!("@{name}").as_ref(), None).unwrap();
        manager.tell("READY=1");
        assert_eq!(message(&socket).unwrap(), "READY=1");
        // Nobody reads: the queue is full soon.
        (0..10_000).for_each(|_| manager.tell("WATCHDOG=1"));
        drop(socket);
        manager.tell("STOPPING=1");
    }
}
