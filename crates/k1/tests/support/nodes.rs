//! Art-Net nodes on this machine, which answer polls and take light.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use k1_wire::artnet;
use socket2::{Domain, Protocol, Socket, Type};

/// Art-Net nodes, each with an address, a name and its universes in one or more replies.
pub type Nodes = &'static [([u8; 4], &'static str, &'static [&'static [u16]])];

/// Starts nodes that answer polls, and returns the levels that they get by universe.
pub fn start_nodes(nodes: Nodes) -> Arc<Mutex<BTreeMap<u16, Vec<u8>>>> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, artnet::PORT)).into()).unwrap();
    let (socket, levels) = (UdpSocket::from(socket), Arc::new(Mutex::new(BTreeMap::new())));
    let into = levels.clone();
    std::thread::spawn(move || {
        let mut packet = [0; 1_000];
        loop {
            let (n, from) = socket.recv_from(&mut packet).unwrap();
            match artnet::Packet::check(&packet[..n]).unwrap() {
                artnet::Packet::Dmx(dmx) => {
                    _ = into.lock().unwrap().insert(dmx.universe(), dmx.data().to_vec())
                }
                artnet::Packet::Poll => nodes.iter().for_each(|node| answer(*node, from)),
                other => panic!("{other:?}"),
            }
        }
    });
    levels
}

/// A node's replies, which go to Art-Net's port, whatever port the poll came from.
fn answer((address, name, replies): ([u8; 4], &str, &[&[u16]]), to: SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::from(address), 0)).unwrap();
    for (index, outputs) in replies.iter().enumerate() {
        let mut packet = [0; artnet::REPLY_SIZE];
        artnet::Node::new(address, (name, ""), outputs, index as u8 + 1).unwrap().write(&mut packet);
        socket.send_to(&packet, (to.ip(), artnet::PORT)).unwrap();
    }
}
