//! Lookup of local names by multicast DNS (RFC 6762) on every interface, for systems whose own resolver does not know
//! `.local`.
//!
//! The question is sent from a separate port, so that the answer arrives there even if another program owns port 5353. If
//! that port can be shared, answers to the group are heard as well.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use k1_wire::mdns::ask::{MAX_QUESTION, addresses, question};
use k1_wire::mdns::{GROUP, GROUP_V6, PORT};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::hosts::is_one_host;

/// Times at which the question is sent, because one or two packets may be lost.
const ASKED_AT: [Duration; 3] = [Duration::ZERO, Duration::from_millis(300), Duration::from_millis(1_000)];
/// Time to wait for answers.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// Time to wait after the first answer for an address of the other family.
const LINGER: Duration = Duration::from_millis(120);
/// One turn over all sockets.
const TURN: Duration = Duration::from_millis(5);

/// A socket for questions and answers.
struct Door {
    socket: UdpSocket,
    /// The group to ask; `None` for a socket that only hears answers to the group.
    group: Option<SocketAddr>,
    /// Index of the interface, for link-local addresses in its answers; 0 = unknown.
    scope: u32,
}

/// The addresses of a name, IPv4 first; empty if nobody answers.
pub fn ask(name: &str, port: u16) -> Vec<SocketAddr> {
    let mut packet = [0; MAX_QUESTION];
    let Some(length) = question(name, &mut packet) else { return Vec::new() };
    let doors = doors();
    let began = Instant::now();
    let mut asked = 0;
    let mut found: Vec<SocketAddr> = Vec::new();
    let mut until = began + PATIENCE;
    let mut answer = [0; 9_000];
    while Instant::now() < until {
        if ASKED_AT.get(asked).is_some_and(|at| began.elapsed() >= *at)
            && !found.iter().any(|a| is_one_host(a.ip()))
        {
            asked += 1;
            for door in &doors {
                // If one interface fails, ask on the others all the same.
                let _ = door.group.map(|group| door.socket.send_to(&packet[..length], group));
            }
        }
        let mut has_heard = false;
        for door in &doors {
            let Ok((n, from)) = door.socket.recv_from(&mut answer) else { continue };
            has_heard = true;
            for ip in addresses(&answer[..n], name) {
                let address = with_scope(ip, port, from, door.scope);
                if !found.contains(&address) {
                    // Ignore an impossible answer and wait for a correct one.
                    if is_one_host(ip) && !found.iter().any(|a| is_one_host(a.ip())) {
                        until = until.min(Instant::now() + LINGER);
                    }
                    found.push(address);
                }
            }
        }
        if !has_heard {
            std::thread::sleep(TURN);
        }
    }
    found.sort_by_key(|a| (a.is_ipv6(), is_link_local(a.ip())));
    found
}

/// An address, with the interface if it is link-local.
fn with_scope(ip: IpAddr, port: u16, from: SocketAddr, scope: u32) -> SocketAddr {
    match (ip, from) {
        (IpAddr::V6(v6), SocketAddr::V6(from)) if is_link_local(ip) => {
            let scope = if from.scope_id() > 0 { from.scope_id() } else { scope };
            SocketAddrV6::new(v6, port, 0, scope).into()
        }
        (IpAddr::V6(v6), _) if is_link_local(ip) => SocketAddrV6::new(v6, port, 0, scope).into(),
        _ => SocketAddr::new(ip, port),
    }
}

/// True for a link-local address, which may belong to a different host on each interface.
pub fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}

/// A socket for each interface that is up, and sockets that hear answers to the group.
fn doors() -> Vec<Door> {
    let mut doors = Vec::new();
    let mut indices = Vec::new();
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        let index = interface.index.unwrap_or(0);
        match interface.ip() {
            IpAddr::V4(ip) => {
                doors.extend(v4(ip, index));
                doors.extend(shared_v4(ip, index));
            }
            // One question for each interface, however many addresses it has.
            IpAddr::V6(_) if index > 0 && !indices.contains(&index) => {
                indices.push(index);
                doors.extend(v6(index));
                doors.extend(shared_v6(index));
            }
            IpAddr::V6(_) => {}
        }
    }
    doors
}

fn v4(ip: Ipv4Addr, scope: u32) -> io::Result<Door> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SockAddr::from(SocketAddr::from((ip, 0))))?;
    socket.set_multicast_if_v4(&ip)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_nonblocking(true)?;
    Ok(Door { socket: socket.into(), group: Some((GROUP, PORT).into()), scope })
}

fn shared_v4(ip: Ipv4Addr, scope: u32) -> io::Result<Door> {
    let socket = shared(Domain::IPV4)?;
    // Only packets to the group: unicast packets at this port belong to the program that opened it first.
    #[cfg(unix)]
    socket.bind(&SockAddr::from(SocketAddr::from((GROUP, PORT))))?;
    #[cfg(not(unix))]
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))))?;
    socket.join_multicast_v4(&GROUP.into(), &ip)?;
    Ok(Door { socket: socket.into(), group: None, scope })
}

fn v6(index: u32) -> io::Result<Door> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))))?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_nonblocking(true)?;
    let group = SocketAddrV6::new(GROUP_V6.into(), PORT, 0, index);
    Ok(Door { socket: socket.into(), group: Some(group.into()), scope: index })
}

fn shared_v6(index: u32) -> io::Result<Door> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))))?;
    socket.join_multicast_v6(&GROUP_V6.into(), index)?;
    Ok(Door { socket: socket.into(), group: None, scope: index })
}

fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_one_link_keeps_its_link() {
        let link: IpAddr = "fe80::7".parse().unwrap();
        let from = |text: &str| text.parse::<SocketAddr>().unwrap();
        let on = |scope| SocketAddr::from(SocketAddrV6::new("fe80::7".parse().unwrap(), 4048, 0, scope));
        assert_eq!(with_scope(link, 4048, from("[fe80::7%3]:5353"), 2), on(3));
        assert_eq!(with_scope(link, 4048, from("10.0.0.7:5353"), 2), on(2));
        let global = "[fd00::7]:4048".parse().unwrap();
        assert_eq!(with_scope("fd00::7".parse().unwrap(), 4048, from("[fe80::7%3]:5353"), 2), global);
    }

    #[test]
    fn a_name_that_nobody_has_is_given_up_in_time() {
        let began = Instant::now();
        assert_eq!(ask("nobody-has-this-name.local", 4048), []);
        assert_eq!(ask("no..name", 4048), []);
        assert!(began.elapsed() < PATIENCE + Duration::from_secs(5));
    }
}
