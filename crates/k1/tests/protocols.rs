//! What a light receives: `k1 run --to TARGET` sends each protocol to a receiver of its own, and every channel is compared
//! with a recording of the same frames.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "used in part")]
#[path = "support/netns.rs"]
mod netns;
#[path = "support/receiver.rs"]
mod receiver;
mod support;

use std::io::Read;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k1_wire::serial::{read_adalight, read_tpm2};
use k1_wire::{artnet, ddp, sacn, wled};
use receiver::{Received, played, received};
use support::{k1, run, start};

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
                other => panic!("{other:?}"),
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
fn a_source_of_sacn_has_the_same_id_after_a_restart() {
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let targets = sockets.each_ref().map(|socket| format!("sacn://{}", socket.local_addr().unwrap()));
    let play = |home: &std::path::Path| {
        let mut command = k1(["run", "demo", "--headless", "--to", &targets[0], "--to", &targets[1]]);
        start(command.env("XDG_CONFIG_HOME", home).env("APPDATA", home))
    };
    // The id in the newest packet of each light.
    let ids = || {
        sockets.each_ref().map(|socket| {
            let (mut bytes, mut id) = ([0; 1_000], None);
            socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            for _ in 0..3 {
                let n = socket.recv(&mut bytes).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                let Ok(sacn::Packet::Data(data)) = sacn::Packet::check(&bytes[..n]) else { panic!() };
                id = Some(data.cid());
            }
            id.unwrap()
        })
    };
    let drained = || {
        let mut bytes = [0; 1_000];
        for socket in &sockets {
            socket.set_nonblocking(true).unwrap();
            while socket.recv(&mut bytes).is_ok() {}
            socket.set_nonblocking(false).unwrap();
        }
    };
    let home = support::folder();
    let mut all = Vec::new();
    for _ in 0..2 {
        let running = play(home.path());
        all.push(ids());
        running.interrupt();
        assert_eq!(running.end().code(), Some(0));
        drained();
    }
    assert_eq!(all[0], all[1]);
    assert_ne!(all[0][0], all[0][1], "each light is a source");
    // Another user.
    let other = play(support::folder().path());
    assert!(!all.concat().contains(&ids()[0]));
    other.interrupt();
    other.end();
}

#[cfg(target_os = "linux")]
#[test]
fn multicast_leaves_from_the_network_that_was_chosen() {
    if !netns::inside("multicast_leaves_from_the_network_that_was_chosen") {
        return;
    }
    // Two networks, and no route to a group.
    let cables = [1, 2].map(|n| {
        let far = netns::Far::new(&format!("v{n}"), &format!("w{n}"));
        netns::ip(&format!("link set v{n} up"));
        far.ip(&format!("addr add 10.9.{n}.2/24 dev w{n}"));
        far.ip(&format!("link set w{n} up"));
        let socket = far.receiver("0.0.0.0:5568");
        let there = std::net::Ipv4Addr::new(10, 9, n, 2);
        socket.join_multicast_v4(&sacn::group(1).into(), &there).unwrap();
        (far, socket)
    });
    netns::ip("addr add 10.9.1.1/24 dev v1");
    let mut running = start(&mut k1(["run", "demo", "--headless", "--to", "sacn://?interface=10.9.2.1"]));
    running.says("no network of this machine has the address 10.9.2.1 at the moment");
    netns::ip("addr add 10.9.2.1/24 dev v2");
    running.says("shines");
    let mut bytes = [0; 1_000];
    support::eventually("a packet", || cables[1].1.recv(&mut bytes).is_ok());
    assert!(cables[0].1.recv(&mut bytes).is_err(), "nothing on the other network");
    running.interrupt();
    running.end();
}

#[test]
fn wled_gets_every_pixel_and_is_handed_back() {
    for (leds, stop, timeouts) in
        [(1, "", [0; 3]), (491, "?stop=dark", [255; 3]), (1_000, "?stop=hold", [255; 3])]
    {
        let received = played(&format!("wled://127.0.0.1:{{port}}{stop}"), leds, &[]);
        let packets: Vec<_> =
            received.packets.iter().map(|bytes| wled::Packet::check(bytes).unwrap()).collect();
        let (mut frames, mut frame) = (Vec::new(), Vec::new());
        for packet in packets.iter().filter(|packet| packet.timeout() == 5) {
            assert_eq!((usize::from(packet.first()) * 3, packet.bytes_per_pixel()), (frame.len(), 3));
            frame.extend_from_slice(packet.data());
            if frame.len() == leds * 3 {
                frames.push(std::mem::take(&mut frame));
            }
        }
        received.are_rendered(&frames);
        let ends: Vec<u8> =
            packets.iter().rev().filter(|p| p.first() == 0).take(3).map(|p| p.timeout()).collect();
        assert_eq!(ends, timeouts, "{stop}");
        let is_dark = packets.last().unwrap().data().iter().all(|channel| *channel == 0);
        assert_eq!(is_dark, stop == "?stop=dark");
    }
}

#[test]
fn rgbw_is_the_same_light_with_white_leds() {
    let white = "order=grbw&white=accurate&balance=none";
    let received = played(&format!("ddp://127.0.0.1:{{port}}?{white}"), 361, &["--set", "background=1"]);
    let (mut frame, mut frames, mut most) = (Vec::new(), 0, 0);
    for bytes in &received.packets {
        let packet = ddp::Packet::check(bytes).unwrap();
        assert_eq!((packet.bytes_per_pixel(), packet.offset() as usize), (4, frame.len()));
        frame.extend_from_slice(packet.data());
        if packet.is_push() {
            assert_eq!(frame.len(), 361 * 4);
            // White LEDs show what the colours have in common, so that one colour is always off.
            assert!(frame.chunks(4).all(|pixel| pixel[..3].contains(&0)));
            most = most.max(frame.iter().skip(3).step_by(4).copied().max().unwrap());
            frames += 1;
            frame.clear();
        }
    }
    assert!(frames > 20 && most > 0, "{frames} frames, white up to {most}");
}

#[test]
fn a_frame_rate_a_size_and_a_name_belong_to_one_light() {
    let settings = "leds=60&fps=10&keep_alive_ms=0&name=Shelf";
    let received = played(&format!("ddp://127.0.0.1:{{port}}?{settings}"), 300, &[]);
    assert!((20..=34).contains(&received.packets.len()), "{} packets in 3 s", received.packets.len());
    for bytes in &received.packets {
        assert_eq!(ddp::Packet::check(bytes).unwrap().data().len(), 180);
    }
    let light = &received.summary["lights"][1];
    assert_eq!((light["name"].as_str(), light["state"].as_str()), (Some("Shelf"), Some("shining")));
    assert!(light["packets"].as_u64().unwrap() + 3 >= received.packets.len() as u64, "{light}");
    let rates = ["frames_per_s", "packets_per_s"].map(|rate| light[rate].as_f64().unwrap());
    assert!(rates.iter().all(|rate| (7.0..13.0).contains(rate)), "{light}");
}

#[test]
fn two_lights_are_as_far_apart_as_their_delays() {
    let at = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let [early, late] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let to = |socket, ms: i32| format!("ddp://127.0.0.1:{}?delay_ms={ms}&keep_alive_ms=0", at(socket));
    let (first, second) = (to(&early, -40), to(&late, 60));
    let mut args = vec!["run", "demo", "--headless", "--fps", "30", "--duration", "3"];
    args.extend(["--set", "dithering=0", "--set", "background=1", "--to", &first, "--to", &second]);
    let running = start(&mut k1(args));
    let receive = |socket: UdpSocket| {
        socket.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
        std::thread::spawn(move || {
            let (mut seen, mut buffer) = (Vec::new(), [0; 2_000]);
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(5) {
                if let Ok(n) = socket.recv(&mut buffer) {
                    seen.push((buffer[10..n].to_vec(), Instant::now()));
                }
            }
            seen
        })
    };
    let [early, late] = [early, late].map(receive).map(|thread| thread.join().unwrap());
    assert_eq!(running.end().code(), Some(0));
    let mut apart: Vec<f64> = Vec::new();
    for (frame, at) in &late {
        // A frame that came only once on both says how far they are apart.
        let once = |all: &[(Vec<u8>, Instant)]| all.iter().filter(|(other, _)| other == frame).count() == 1;
        if once(&early) && once(&late) {
            let (_, before) = early.iter().find(|(other, _)| other == frame).unwrap();
            apart.push(at.saturating_duration_since(*before).as_secs_f64() * 1e3);
        }
    }
    apart.sort_by(f64::total_cmp);
    assert!(apart.len() > 20, "{} frames", apart.len());
    let median = apart[apart.len() / 2];
    println!("set 100 ms, reached {median:.1} ms (median of {})", apart.len());
    assert!((95.0..115.0).contains(&median), "{median} ms");
}

/// Plays to a light on a pseudo terminal, and returns what it received.
#[cfg(unix)]
fn on_a_port(scheme: &str, leds: usize) -> (Vec<u8>, Received) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let port = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let into = bytes.clone();
    let mut master = std::fs::File::from(master);
    // The port has no other end before K1 opens it, and after K1 has closed it.
    std::thread::spawn(move || {
        let mut block = [0; 4_096];
        loop {
            match master.read(&mut block) {
                Ok(n) => into.lock().unwrap().extend_from_slice(&block[..n]),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    });
    let nothing = UdpSocket::bind("127.0.0.1:0").unwrap();
    let received = received(nothing, &format!("{scheme}:{port}"), leds, &[]);
    let bytes = std::mem::take(&mut *bytes.lock().unwrap());
    (bytes, received)
}

#[cfg(unix)]
#[test]
fn a_serial_port_carries_every_pixel() {
    for (scheme, leds) in [("adalight", 60), ("tpm2", 300)] {
        let (bytes, received) = on_a_port(scheme, leds);
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let read = if scheme == "tpm2" { read_tpm2(rest) } else { read_adalight(rest) };
            let (frame, behind) =
                read.unwrap_or_else(|e| panic!("{scheme}: {e} after {} frames", frames.len()));
            frames.push(frame.to_vec());
            rest = behind;
        }
        received.are_rendered(&frames);
        assert_eq!(frames.last().unwrap(), &vec![0; leds * 3], "it ends dark");
        assert_eq!(received.summary["lights"][1]["state"], "shining");
    }
}

#[test]
fn more_leds_than_a_protocol_has_channels_are_refused_with_a_remedy() {
    let said = run(["run", "demo", "--leds", "400", "--to", "artnet://127.0.0.1?universe=32766"]);
    said.failed_saying(&[
        "has no room for 1200 channels",
        "universe 32768",
        "use a lower universe or fewer LEDs",
    ]);
}
