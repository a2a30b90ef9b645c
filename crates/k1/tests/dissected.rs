//! Wireshark's dissectors find nothing to complain about in any packet of light that K1 sends. `K1_REQUIRE=tshark` requires
//! them.

#[allow(dead_code, reason = "used in part")]
#[path = "support/receiver.rs"]
mod receiver;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use k1_wire::universes::Universes;
use k1_wire::{artnet, ddp, sacn, wled};
use receiver::played;
use support::{folder, has};

/// A file of captured packets (pcap, raw IPv4) from 10.0.0.1 to 10.0.0.2.
fn capture(packets: &[Vec<u8>], port: u16) -> Vec<u8> {
    let mut file = Vec::new();
    // Magic, version 2.4, time zone, accuracy, longest packet, link type “raw IP”.
    for word in [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 101] {
        file.extend(word.to_le_bytes());
    }
    for (i, packet) in packets.iter().enumerate() {
        let length = 28 + packet.len() as u32;
        for word in [i as u32 / 100, i as u32 % 100 * 10_000, length, length] {
            file.extend(word.to_le_bytes());
        }
        let [high, low] = (length as u16).to_be_bytes();
        file.extend([0x45, 0, high, low, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        for half in [port, port, 8 + packet.len() as u16, 0] {
            file.extend(half.to_be_bytes());
        }
        file.extend(packet);
    }
    file
}

/// What tshark prints about a capture.
fn tshark(file: &Path, options: &[&str]) -> String {
    let mut command = Command::new("tshark");
    // Its recognition of sACN is off by default.
    command.arg("-r").arg(file).args(["--enable-heuristic", "acn"]).args(options).env("HOME", "/nonexistent");
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Wireshark dissects all these packets as the protocol `name`; without a dissector, it sees all their bytes.
fn are_dissected(packets: &[Vec<u8>], port: u16, name: &str, what: &str) {
    let home = folder();
    let file = home.path().join("capture");
    std::fs::write(&file, capture(packets, port)).unwrap();
    // Otherwise it takes some packets of WLED for remote procedure calls.
    let as_data = format!("udp.port=={port},{NO_DISSECTOR}");
    let chosen: &[&str] = if name == NO_DISSECTOR { &["-d", &as_data] } else { &[] };
    // No header has checksums, which these options leave unchecked.
    let fields = ["-T", "fields", "-e", "frame.protocols", "-e", "data.len"];
    let protocols = tshark(&file, &[chosen, &fields].concat());
    assert_eq!(protocols.lines().count(), packets.len());
    for (line, packet) in protocols.lines().zip(packets) {
        let (protocols, length) = line.split_once('\t').unwrap();
        assert!(protocols.contains(&format!(":udp:{name}")), "{what}: {protocols}");
        assert!(name != NO_DISSECTOR || length == packet.len().to_string(), "{what}: {length}");
    }
    let complaints =
        tshark(&file, &[chosen, &["-Y", "_ws.malformed || _ws.expert || _ws.short", "-V"]].concat());
    assert_eq!(complaints, "", "{what}");
    println!("{what}: {} packets as {name}, no complaint", packets.len());
}

#[test]
fn wireshark_dissects_every_packet_without_a_complaint() {
    if !has("tshark", "tshark") {
        return;
    }
    let mut reply = [0; artnet::REPLY_SIZE];
    let node = artnet::Node::new([10, 0, 0, 1], ("Stage", "Stage left"), &[0x123, 0x124], 1);
    node.unwrap().write(&mut reply);
    are_dissected(&[artnet::POLL.to_vec(), reply.to_vec()], artnet::PORT, "artnet", "a poll and its reply");
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (target, port) in [
        ("artnet://127.0.0.1:{port}?universe=3&sync=yes", artnet::PORT),
        ("artnet://127.0.0.1:{port}?channels=512&order=grbw", artnet::PORT),
        ("sacn://127.0.0.1:{port}?universe=3&sync_universe=9", sacn::PORT),
        ("sacn://127.0.0.1:{port}?channels=512&order=grbw&priority=200", sacn::PORT),
        ("ddp://127.0.0.1:{port}", ddp::PORT),
        ("ddp://127.0.0.1:{port}?order=grbw", ddp::PORT),
        ("wled://127.0.0.1:{port}", wled::PORT),
        ("wled://127.0.0.1:{port}?order=grbw&stop=dark", wled::PORT),
    ] {
        let mut packets = played(target, 500, &[]).packets;
        if port == sacn::PORT {
            packets.extend(list_of_universes());
        }
        for kind in packets.iter().map(|packet| kind(packet, port)) {
            *all.entry(kind).or_default() += 1;
        }
        for known in ["artnet", "acn", NO_DISSECTOR] {
            let is_of_it = |packet: &&Vec<u8>| dissector(kind(packet, port)) == known;
            let of_it: Vec<_> = packets.iter().filter(is_of_it).cloned().collect();
            if !of_it.is_empty() {
                are_dissected(&of_it, port, known, target);
            }
        }
    }
    let kinds: Vec<_> = all.keys().copied().collect();
    assert_eq!(kinds, KINDS, "every kind of packet was sent");
    println!("packets of each kind: {all:?}");
}

/// The kinds of packets of light that K1 sends, in the order of the alphabet.
const KINDS: [&str; 15] = [
    "Art-Net DMX",
    "Art-Net sync",
    "DDP RGB",
    "DDP RGB, push",
    "DDP RGBW",
    "DDP RGBW, push",
    "WLED DNRGB",
    "WLED DNRGB, hand back",
    "WLED DNRGBW",
    "WLED DNRGBW, for ever",
    "sACN data",
    "sACN data, synchronised",
    "sACN discovery",
    "sACN sync",
    "sACN terminated",
];

/// Wireshark's name of a payload that it takes no further apart.
const NO_DISSECTOR: &str = "data";

/// The kind of a packet.
fn kind(bytes: &[u8], port: u16) -> &'static str {
    match port {
        artnet::PORT => match artnet::Packet::check(bytes).unwrap() {
            artnet::Packet::Dmx(_) => "Art-Net DMX",
            artnet::Packet::Sync => "Art-Net sync",
            other => panic!("{other:?}"),
        },
        sacn::PORT => match sacn::Packet::check(bytes).unwrap() {
            sacn::Packet::Data(data) if data.is_terminated() => "sACN terminated",
            sacn::Packet::Data(data) if data.sync_universe().is_some() => "sACN data, synchronised",
            sacn::Packet::Data(_) => "sACN data",
            sacn::Packet::Sync { .. } => "sACN sync",
            sacn::Packet::Discovery(_) => "sACN discovery",
        },
        ddp::PORT => {
            let packet = ddp::Packet::check(bytes).unwrap();
            match (packet.bytes_per_pixel(), packet.is_push()) {
                (3, false) => "DDP RGB",
                (3, true) => "DDP RGB, push",
                (_, false) => "DDP RGBW",
                (_, true) => "DDP RGBW, push",
            }
        }
        _ => {
            let packet = wled::Packet::check(bytes).unwrap();
            match (packet.bytes_per_pixel(), packet.timeout()) {
                (3, wled::HAND_BACK) => "WLED DNRGB, hand back",
                (3, _) => "WLED DNRGB",
                (_, wled::FOR_EVER) => "WLED DNRGBW, for ever",
                _ => "WLED DNRGBW",
            }
        }
    }
}

/// Wireshark's name of the protocol of a kind. Wireshark 4.0 has dissectors neither for DDP and WLED nor for the extended
/// packets of sACN.
fn dissector(kind: &str) -> &'static str {
    match kind {
        "sACN sync" | "sACN discovery" => NO_DISSECTOR,
        _ if kind.starts_with("Art-Net") => "artnet",
        _ if kind.starts_with("sACN") => "acn",
        _ => NO_DISSECTOR,
    }
}

/// The list of 600 universes, which goes to a group of its own.
fn list_of_universes() -> Vec<Vec<u8>> {
    let identity = sacn::Identity::new([7; 16], "K1");
    let sender = sacn::Sender::new(identity, Universes::new(1, 512).unwrap(), 100, None);
    let mut list = Vec::new();
    let sent: Result<(), ()> = sender.discovery(600 * 512, &mut [0; sacn::MAX_PACKET], |_, packet| {
        list.push(packet.to_vec());
        Ok(())
    });
    sent.unwrap();
    list
}
