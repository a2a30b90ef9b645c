//! Sockets of lights, and what their errors mean.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::super::multicast::is_link_local;

/// Time after which a frame that the network has not taken is late and gives way to the next.
const PATIENCE: Duration = Duration::from_millis(100);

/// Lifetime of packets to a group, in routers.
const HOPS: u32 = 8;

/// Connects a socket to an address. Sends nothing; the system reports whether it has a route. For a multicast group, returns a
/// socket that is not connected, because every universe has a group of its own; its packets leave from the network of
/// `interface`, an address of this machine, or as the system routes them.
pub fn connect(to: SocketAddr, interface: Option<Ipv4Addr>) -> io::Result<UdpSocket> {
    let local: SocketAddr = match to {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    hear_of_failures(&socket, to);
    leave_from(&socket, interface)?;
    socket.connect(to)?;
    let socket = if to.ip().is_multicast() { to_groups(local, interface)? } else { socket };
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn to_groups(local: SocketAddr, interface: Option<Ipv4Addr>) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local)?;
    leave_from(&socket, interface)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    Ok(socket)
}

/// Chooses the network from which multicast leaves.
fn leave_from(socket: &UdpSocket, interface: Option<Ipv4Addr>) -> io::Result<()> {
    let Some(address) = interface else { return Ok(()) };
    socket2::SockRef::from(socket).set_multicast_if_v4(&address).map_err(|_| {
        let why = format!("no network of this machine has the address {address} at the moment");
        io::Error::new(ErrorKind::AddrNotAvailable, why)
    })
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
pub fn is_passing(e: &io::Error) -> bool {
    // ENOBUFS: the queue of the interface is full.
    const NO_BUFFERS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    matches!(
        e.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::OutOfMemory
    ) || cfg!(unix) && e.raw_os_error() == Some(NO_BUFFERS)
}

/// True if the other side or its network reported the error.
pub fn is_theirs(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::HostUnreachable)
}

/// True if this system itself has no route, which costs nothing to check again.
pub fn is_ours(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
            | ErrorKind::InvalidInput
    )
}

/// A sentence that says why an address does not receive frames.
pub fn reason(e: &io::Error, to: SocketAddr) -> String {
    let ip: IpAddr = to.ip();
    match e.kind() {
        // It is a sentence already.
        _ if e.get_ref().is_some() => e.to_string(),
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
