//! Finds Art-Net nodes: they answer an `ArtPoll` packet, each with its name and its universes.
//!
//! A node sends its answer to Art-Net's own port, whatever port the question came from, so K1 opens that port for the time of
//! a search. It shares the port with other programs that allow this.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use if_addrs::IfAddr;
use k1_device::harmless::harmless;
use k1_wire::artnet::{self, Packet, Reply};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Times at which the question is sent, because a packet may be lost.
const ASKED_AT: [Duration; 2] = [Duration::ZERO, Duration::from_millis(700)];
/// Time to wait for more answers of a node that has answered; one with many ports sends several.
const LINGER: Duration = Duration::from_millis(200);
/// Longest wait for one packet.
const TURN: Duration = Duration::from_millis(50);
/// Most nodes that are listed; more answer only if somebody makes them up.
const MOST_NODES: usize = 1_000;

/// An Art-Net node that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtNetNode {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The universes that it puts out, in ascending order.
    pub universes: Vec<u16>,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// The nodes, sorted by address.
    pub nodes: Vec<ArtNetNode>,
    /// Why nodes may be missing.
    pub trouble: Option<String>,
}

/// Every node on the networks of this machine that answers within `patience`.
pub fn nodes(patience: Duration) -> Polled {
    search(&broadcasts(), artnet::PORT, patience, |_| false)
}

/// The node at an address; returns as soon as it has answered. `None` if it does not answer within `patience`.
pub fn ask(address: Ipv4Addr, patience: Duration) -> Option<ArtNetNode> {
    // Two programs of one machine share the port, and only a broadcast reaches both.
    let mut to = broadcasts();
    to.push(address);
    let is_there = |nodes: &[ArtNetNode]| nodes.iter().any(|node| node.address == address);
    let polled = search(&to, artnet::PORT, patience, is_there);
    polled.nodes.into_iter().find(|node| node.address == address)
}

/// The broadcast addresses of this machine's networks, and of itself.
fn broadcasts() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut all: Vec<_> = interfaces
        .iter()
        .filter_map(|interface| match &interface.addr {
            IfAddr::V4(v4) => Some(v4.ip | !v4.netmask),
            IfAddr::V6(_) => None,
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A socket at Art-Net's port, or at any port, with the reason.
fn open(port: u16) -> io::Result<(UdpSocket, Option<String>)> {
    let bound = |port: u16| -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        if port > 0 {
            socket.set_reuse_address(true)?;
            // Elsewhere, two sockets share a port only so; on Linux this would divide the packets among them.
            #[cfg(all(unix, not(target_os = "linux")))]
            socket.set_reuse_port(true)?;
        }
        socket.set_broadcast(true)?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))?;
        Ok(socket.into())
    };
    match bound(port) {
        Ok(socket) => Ok((socket, None)),
        Err(e) => {
            let why = format!(
                "another program keeps Art-Net's port {port} to itself ({e}), so K1 hears only nodes that answer to \
                 another port; end that program for the search, or give a node's address"
            );
            Ok((bound(0)?, Some(why)))
        }
    }
}

/// Asks at these addresses, and takes answers until `patience` is over, or a little longer than `is_enough` is true.
fn search(
    to: &[Ipv4Addr],
    port: u16,
    patience: Duration,
    is_enough: impl Fn(&[ArtNetNode]) -> bool,
) -> Polled {
    let mut polled = Polled::default();
    let failed = |e: io::Error| {
        Some(format!("K1 cannot search for Art-Net nodes here ({e}); give an address instead"))
    };
    let (socket, trouble) = match open(port) {
        Ok(open) => open,
        Err(e) => return Polled { trouble: failed(e), ..polled },
    };
    polled.trouble = trouble;
    let began = Instant::now();
    let (mut until, mut asked, mut packet) = (began + patience, 0, [0; 1_024]);
    loop {
        if ASKED_AT.get(asked).is_some_and(|at| began.elapsed() >= *at) {
            asked += 1;
            let mut sent: Vec<_> =
                to.iter().map(|address| socket.send_to(&artnet::POLL, (*address, port))).collect();
            // One network may be down; the others answer all the same.
            if asked == 1
                && !sent.iter().any(Result::is_ok)
                && let Some(Err(e)) = sent.pop()
            {
                polled.trouble = failed(e);
            }
        }
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break;
        }
        // A time of 0 would wait for ever.
        let _ = socket.set_read_timeout(Some(rest.clamp(Duration::from_millis(1), TURN)));
        let Ok((length, SocketAddr::V4(from))) = socket.recv_from(&mut packet) else { continue };
        if let Ok(Packet::PollReply(reply)) = Packet::check(&packet[..length]) {
            note(&mut polled.nodes, *from.ip(), &reply);
            if is_enough(&polled.nodes) {
                until = until.min(Instant::now() + LINGER);
            }
        }
    }
    polled.nodes.sort_by_key(|node| node.address);
    polled
}

/// Notes an answer. The sender's address is used and not the one that the answer names, which careless nodes leave empty.
fn note(nodes: &mut Vec<ArtNetNode>, from: Ipv4Addr, reply: &Reply) {
    let mut outputs = reply.outputs().peekable();
    // A desk that only sends is not a light.
    let is_light = reply.is_node() || outputs.peek().is_some();
    if !is_light || !super::hosts::is_one_host(IpAddr::V4(from)) {
        return;
    }
    let at = nodes.iter().position(|node| node.address == from);
    let node = match at {
        Some(at) => &mut nodes[at],
        None if nodes.len() == MOST_NODES => return,
        None => {
            let names = [reply.short_name(), reply.long_name()];
            // Anybody on the network may send any name.
            let name = names.into_iter().map(str::trim).find(|name| !name.is_empty()).map(harmless);
            let name = name.unwrap_or_default().into_owned();
            nodes.push(ArtNetNode { name, address: from, universes: Vec::new() });
            let last = nodes.len() - 1;
            &mut nodes[last]
        }
    };
    for universe in outputs {
        if let Err(place) = node.universes.binary_search(&universe) {
            node.universes.insert(place, universe);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_wire::artnet::{Node, REPLY_SIZE};

    fn reply(names: (&str, &str), outputs: &[u16], index: u8) -> [u8; REPLY_SIZE] {
        let mut bytes = [0; REPLY_SIZE];
        Node::new([0; 4], names, outputs, index).unwrap().write(&mut bytes);
        bytes
    }

    fn noted(all: &[([u8; 4], [u8; REPLY_SIZE])]) -> Vec<ArtNetNode> {
        let mut nodes = Vec::new();
        for (from, bytes) in all {
            let Ok(Packet::PollReply(reply)) = Packet::check(bytes) else { panic!() };
            note(&mut nodes, (*from).into(), &reply);
        }
        nodes
    }

    #[test]
    fn answers_of_one_node_are_put_together() {
        let nodes = noted(&[
            ([10, 0, 0, 5], reply(("Stage", ""), &[16, 17], 2)),
            ([10, 0, 0, 5], reply(("other", ""), &[0, 1], 1)),
            ([10, 0, 0, 5], reply(("Stage", ""), &[16], 3)),
            ([10, 0, 0, 6], reply(("", " Bar\x1b[2J "), &[], 1)),
            ([224, 0, 0, 1], reply(("nobody", ""), &[1], 1)),
        ]);
        let node = |name: &str, last, universes: &[u16]| ArtNetNode {
            name: name.into(),
            address: [10, 0, 0, last].into(),
            universes: universes.into(),
        };
        assert_eq!(nodes, [node("Stage", 5, &[0, 1, 16, 17]), node("Bar\\u{1b}[2J", 6, &[])]);
    }

    #[test]
    fn a_desk_is_not_listed_and_made_up_nodes_are_limited() {
        let mut desk = reply(("Desk", ""), &[], 1);
        desk[200] = 1;
        assert_eq!(noted(&[([10, 0, 0, 5], desk)]), []);
        let many: Vec<_> = (0..=MOST_NODES as u16)
            .map(|i| ([10, 0, (i >> 8) as u8, i as u8], reply(("x", ""), &[1], 1)))
            .collect();
        assert_eq!(noted(&many).len(), MOST_NODES);
    }

    #[test]
    fn a_node_on_this_machine_is_found_and_a_port_that_is_taken_is_named() {
        // Not Art-Net's own port, which other programs on this machine may use.
        let node = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = node.local_addr().unwrap().port();
        node.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // This socket does not share its port, so K1 asks from another one.
        let answering = std::thread::spawn(move || {
            let mut packet = [0; 100];
            let (n, from) = node.recv_from(&mut packet).unwrap();
            assert_eq!(packet[..n], artnet::POLL);
            node.send_to(&reply(("Stage", ""), &[3], 1), from).unwrap();
        });
        let polled = search(&[Ipv4Addr::LOCALHOST], port, Duration::from_secs(20), |nodes| !nodes.is_empty());
        answering.join().unwrap();
        assert_eq!(polled.nodes.len(), 1, "{polled:?}");
        assert_eq!((polled.nodes[0].name.as_str(), &polled.nodes[0].universes[..]), ("Stage", &[3][..]));
        assert!(polled.trouble.unwrap().contains("keeps Art-Net's port"), "the port is taken");
    }
}
