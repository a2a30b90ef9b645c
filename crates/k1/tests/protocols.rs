//! What a light receives: `k1 run --to TARGET` sends each protocol to a receiver of its own, and every channel is compared
//! with a recording of the same frames.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "used in part")]
#[path = "support/netns.rs"]
mod netns;
#[path = "support/receiver.rs"]
mod receiver;
mod support;

use std::net::UdpSocket;

use k1_wire::{artnet, sacn};
use receiver::{Received, played, received};
use support::run;

#[test]
fn art_net_carries_every_channel_and_a_sync_behind_each_frame() {
    // 10,881 channels fill neither 22 universes of 512 nor 22 of 510.
    for (leds, channels) in [(1, 512), (170, 510), (171, 510), (3_627, 512), (3_627, 510)] {
        let target = format!("artnet://127.0.0.1:{{port}}?universe=30&channels={channels}&sync=yes");
        let received = played(&target, leds, &[]);
        let (mut frames, mut frame, mut universe, mut last) = (Vec::new(), Vec::new(), 30, None);
        for bytes in &received.packets {
            match artnet::Packet::check(bytes).unwrap() {
                artnet::Packet::Dmx(dmx) => {
                    assert_eq!(dmx.universe(), universe);
                    assert!(frame.is_empty() || dmx.sequence() == last, "one number for each frame");
                    (last, universe) = (dmx.sequence(), universe + 1);
                    frame.extend_from_slice(dmx.data());
                }
                artnet::Packet::Sync => {
                    frame.truncate(leds * 3);
                    frames.push(std::mem::take(&mut frame));
                    universe = 30;
                }
                artnet::Packet::Other(number) => panic!("operation {number:#x}"),
            }
        }
        received.are_rendered(&frames);
        assert_eq!(frames.last().unwrap(), &vec![0; leds * 3], "it ends dark");
    }
}

/// Checks the packets of a source of sACN from universe 7 on.
fn is_sacn(received: &Received, leds: usize, sync: Option<u16>) {
    let (mut frames, mut frame, mut sequence, mut ends, mut lists) = (Vec::new(), Vec::new(), None, 0, 0);
    let universes = leds.div_ceil(170);
    for bytes in &received.packets {
        match sacn::Packet::check(bytes).unwrap() {
            sacn::Packet::Data(data) if data.is_terminated() => ends += 1,
            sacn::Packet::Data(data) => {
                assert_eq!(ends, 0, "nothing follows the end");
                assert_eq!(usize::from(data.universe()), 7 + frame.len() / 510);
                assert_eq!((data.name(), data.priority(), data.sync_universe()), ("K1", 150, sync));
                if data.universe() == 7 {
                    assert!(sequence.is_none_or(|n: u8| data.sequence() == n.wrapping_add(1)));
                    sequence = Some(data.sequence());
                }
                frame.extend_from_slice(data.data());
                if frame.len() == leds * 3 {
                    frames.push(std::mem::take(&mut frame));
                }
            }
            sacn::Packet::Sync { universe, .. } => {
                assert!(frame.is_empty() && Some(universe) == sync, "a frame ends with it");
            }
            sacn::Packet::Discovery(list) => {
                lists += 1;
                assert!(list.universes().eq(7..7 + universes as u16) && list.page() == (0, 0));
            }
        }
    }
    received.are_rendered(&frames);
    assert_eq!(frames.last().unwrap(), &vec![0; leds * 3], "it ends dark");
    assert_eq!(ends, 3 * universes, "each universe is terminated three times");
    let syncs =
        received.packets.iter().filter(|p| matches!(sacn::Packet::check(p), Ok(sacn::Packet::Sync { .. })));
    assert_eq!(syncs.count(), if sync.is_some() { frames.len() } else { 0 });
    // A list goes to a group, which a receiver of its own has not joined.
    assert!(lists <= 1);
}

#[test]
fn sacn_carries_every_channel_to_one_host() {
    for (leds, sync) in [(1, None), (171, Some(7_962)), (3_627, None)] {
        let query = sync.map(|universe| format!("&sync_universe={universe}")).unwrap_or_default();
        let target = format!("sacn://127.0.0.1:{{port}}?universe=7&priority=150{query}");
        is_sacn(&played(&target, leds, &[]), leds, sync);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn sacn_goes_to_the_groups_of_its_universes_and_lists_them() {
    if !netns::inside("sacn_goes_to_the_groups_of_its_universes_and_lists_them") {
        return;
    }
    netns::ip("link set lo multicast on");
    netns::ip("route add 239.255.0.0/16 dev lo");
    let socket = UdpSocket::bind("0.0.0.0:5568").unwrap();
    for universe in [7, 8, 500, sacn::DISCOVERY_UNIVERSE] {
        socket.join_multicast_v4(&sacn::group(universe).into(), &std::net::Ipv4Addr::LOCALHOST).unwrap();
    }
    let received = received(socket, "sacn://?universe=7&priority=150&sync_universe=500", 171, &[]);
    is_sacn(&received, 171, Some(500));
    let is_list = |p: &&Vec<u8>| matches!(sacn::Packet::check(p), Ok(sacn::Packet::Discovery(_)));
    assert_eq!(received.packets.iter().filter(is_list).count(), 1, "one list in three seconds");
}

#[test]
fn more_leds_than_a_protocol_has_channels_are_refused_with_a_remedy() {
    let said = run(["run", "demo", "--leds", "400", "--to", "artnet://127.0.0.1?universe=32766"]);
    said.failed_saying(&["has no room for 400 LEDs", "universe 32768", "use a lower universe or fewer LEDs"]);
}
