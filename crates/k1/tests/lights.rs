//! Lights that are missing: not there yet, gone, or moved to another address. Each test has a network of its own if the
//! system allows that; `K1_REQUIRE=netns` requires it.
#![cfg(target_os = "linux")]

#[path = "support/netns.rs"]
mod netns;
mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use netns::{Far, inside, ip};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use support::{Running, eventually, k1, start};

/// A running program with its page, and the answers of its API.
struct Program {
    running: Running,
    page: String,
}

impl Program {
    fn start(lights: &[&str]) -> Self {
        let mut args = vec!["run", "demo", "--listen", "127.0.0.1:0"];
        lights.iter().for_each(|light| args.extend(["--to", light]));
        let mut running = start(&mut k1(args));
        let page = running.page();
        Self { running, page }
    }

    fn get(&self, path: &str) -> String {
        // A client may request the same path only once per interval.
        std::thread::sleep(Duration::from_millis(250));
        ureq::get(format!("{}{path}", self.page)).call().unwrap().body_mut().read_to_string().unwrap()
    }

    fn device(&self) -> Value {
        serde_json::from_str(&self.get("api/v1/device")).unwrap()
    }

    fn light(&self, index: usize) -> Value {
        self.device()["lights"][index].clone()
    }

    /// Waits until a light is in a state.
    #[track_caller]
    fn waits_for(&self, index: usize, state: &str) {
        let mut last = Value::Null;
        let is_so = || {
            last = self.light(index);
            last["state"] == state
        };
        let began = Instant::now();
        eventually(state, is_so);
        println!("{state} after {:.1} s: {last}", began.elapsed().as_secs_f64());
    }

    /// The console's lines about lights.
    fn said(&self) -> Vec<String> {
        self.running.said().lines().filter(|l| l.starts_with("k1: the light")).map(str::to_owned).collect()
    }
}

/// Waits until more than ten frames have arrived, in addition to those that had arrived before.
#[track_caller]
fn gets_frames(socket: &UdpSocket) {
    let mut packet = [0; 2_000];
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut packet).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    let mut n = 0;
    eventually("frames", || {
        n += usize::from(socket.recv(&mut packet).is_ok());
        n > 10
    });
}

/// A cable to another host, both ends with an address.
fn cable() -> Far {
    let far = Far::new("v0", "v1");
    ip("addr add 10.9.0.1/24 dev v0");
    ip("link set v0 up");
    far.ip("addr add 10.9.0.2/24 dev v1");
    far.ip("link set v1 up");
    far
}

#[test]
fn a_light_is_waited_for_when_there_is_no_network_yet() {
    if !inside("a_light_is_waited_for_when_there_is_no_network_yet") {
        return;
    }
    let program = Program::start(&["ddp://192.168.77.5"]);
    program.waits_for(0, "unreachable");
    assert!(program.light(0)["reason"].as_str().unwrap().contains("there is no route to 192.168.77.5"));
    let device = program.device();
    assert_eq!(device["healthy"], false, "{device}");
    let check = device["checks"].as_array().unwrap().iter().find(|c| c["name"] == "every light is reached");
    let check = check.unwrap_or_else(|| panic!("{device}"));
    assert!(check["ok"] == false && check["advice"].as_str().unwrap().contains("192.168.77.5"), "{check}");
    let status: Value = serde_json::from_str(&program.get("api/v1/status")).unwrap();
    assert_eq!(status["lights"][0]["state"], "unreachable");
    let reachable = |n: u8| format!("k1_light_reachable{{light=\"ddp://192.168.77.5:4048\"}} {n}\n");
    assert!(program.get("metrics").contains(&reachable(0)));

    let far = Far::new("v0", "v1");
    far.ip("addr add 192.168.77.5/24 dev v1");
    far.ip("link set v1 up");
    let receiver = far.receiver("192.168.77.5:4048");
    ip("addr add 192.168.77.1/24 dev v0");
    ip("link set v0 up");
    program.waits_for(0, "shining");
    gets_frames(&receiver);
    assert!(program.get("metrics").contains(&reachable(1)));
    eventually("health", || program.device()["healthy"] == true);
    let light = program.light(0);
    let n = |field: &str| light[field].as_u64().unwrap();
    assert!(n("shown") > 0 && n("errors") > 0, "{light}");
    // One frame may still be on its way.
    assert!((0..=2).contains(&(n("frames") - n("shown") - n("errors") - n("dropped"))), "{light}");
    let said = program.said();
    assert_eq!(said.len(), 2, "each change once: {said:?}");
    assert!(said[0].contains("cannot be reached") && said[1].contains("shines"), "{said:?}");
}

#[test]
fn a_cable_that_is_pulled_and_put_back() {
    if !inside("a_cable_that_is_pulled_and_put_back") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    let program = Program::start(&["ddp://10.9.0.2"]);
    program.waits_for(0, "shining");
    gets_frames(&receiver);
    ip("link set v0 down");
    program.waits_for(0, "unreachable");
    ip("link set v0 up");
    program.waits_for(0, "shining");
    while receiver.recv(&mut [0; 2_000]).is_ok_and(|_| false) {}
    gets_frames(&receiver);
    let said = program.said();
    assert!(said.len() == 2, "{said:?}");
}

#[test]
fn this_hosts_own_address_may_change() {
    if !inside("this_hosts_own_address_may_change") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    let program = Program::start(&["ddp://10.9.0.2"]);
    program.waits_for(0, "shining");
    ip("addr add 10.9.0.3/24 dev v0");
    ip("addr del 10.9.0.1/24 dev v0");
    ip("addr replace 10.9.0.3/24 dev v0");
    let new: Ipv4Addr = "10.9.0.3".parse().unwrap();
    eventually("frames from the new address", || {
        receiver.recv_from(&mut [0; 2_000]).is_ok_and(|(_, from)| from.ip() == new)
    });
    program.waits_for(0, "shining");
}

#[test]
fn a_receiver_that_vanishes_and_one_that_never_was() {
    if !inside("a_receiver_that_vanishes_and_one_that_never_was") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    let program = Program::start(&["ddp://10.9.0.2", "ddp://10.9.0.77"]);
    program.waits_for(0, "shining");
    // Nobody has this address; the system reports that after asking three times, a second each.
    program.waits_for(1, "unreachable");
    assert!(program.light(1)["reason"].as_str().unwrap().contains("nobody answers at 10.9.0.77"));
    drop(receiver);
    program.waits_for(0, "unreachable");
    let why = program.light(0)["reason"].clone();
    assert!(why.as_str().unwrap().contains("nothing receives light on its port 4048"), "{why}");
    let receiver = far.receiver("10.9.0.2:4048");
    program.waits_for(0, "shining");
    gets_frames(&receiver);
    assert_eq!(program.light(1)["state"], "unreachable");
}

/// A host that disappears from the other end of a cable: the system's neighbour entry expires.
#[test]
fn a_light_that_loses_its_power_is_noticed() {
    if !inside("a_light_that_loses_its_power_is_noticed") {
        return;
    }
    let far = cable();
    // A second instead of half a minute, if the system allows setting it.
    for (knob, value) in [("base_reachable_time_ms", "1000"), ("delay_first_probe_time", "1")] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv4/neigh/v0/{knob}"), value);
    }
    let receiver = far.receiver("10.9.0.2:4048");
    let program = Program::start(&["ddp://10.9.0.2"]);
    program.waits_for(0, "shining");
    gets_frames(&receiver);
    far.ip("addr del 10.9.0.2/24 dev v1");
    support::eventually_within(Duration::from_secs(180), "the loss", || {
        program.light(0)["state"] == "unreachable"
    });
    assert!(program.light(0)["reason"].as_str().unwrap().contains("nobody answers at 10.9.0.2"));
    far.ip("addr add 10.9.0.2/24 dev v1");
    program.waits_for(0, "shining");
}

#[test]
fn addresses_of_ipv6_with_and_without_a_link() {
    if !inside("addresses_of_ipv6_with_and_without_a_link") {
        return;
    }
    let far = Far::new("v0", "v1");
    for (net, end, last) in [("near", "v0", 1), ("far", "v1", 2)] {
        for line in [
            format!("link set {end} up"),
            format!("-6 addr add fd01::{last}/64 dev {end} nodad"),
            format!("-6 addr add fe80::{last}/64 dev {end} nodad"),
        ] {
            if net == "far" { far.ip(&line) } else { ip(&line) }
        }
    }
    let receiver = far.receiver("[::]:4048");
    for to in ["ddp://[fd01::2]", "ddp://[fe80::2%v0]", "ddp://[fe80::2%25v0]:4048"] {
        let program = Program::start(&[to]);
        program.waits_for(0, "shining");
        gets_frames(&receiver);
    }
    // An interface that does not exist yet.
    let program = Program::start(&["ddp://[fe80::2%v7]"]);
    program.waits_for(0, "looking");
    ip("link set v0 down");
    ip("link set v0 name v7");
    ip("link set v7 up");
    ip("-6 addr replace fe80::1/64 dev v7 nodad");
    program.waits_for(0, "shining");
}

/// The destination of a responder's answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answers {
    /// Only the client that asked.
    Alone,
    /// All hosts on the link.
    All,
}

/// A responder for one name on the other host; `last` is the last byte of its address, which may change.
struct Responder {
    last: Arc<AtomicU32>,
    asked: Arc<AtomicU32>,
}

impl Responder {
    fn start(far: &Far, name: &'static str, last: u32, answers: Answers) -> Self {
        let socket = far.there(|| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&SocketAddr::from(([0; 4], 5353)).into()).unwrap();
            let ours = Ipv4Addr::new(10, 9, 0, 2);
            socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 251), &ours).unwrap();
            socket.set_multicast_if_v4(&ours).unwrap();
            UdpSocket::from(socket)
        });
        let responder = Self { last: Arc::new(last.into()), asked: Arc::default() };
        let (last, asked) = (responder.last.clone(), responder.asked.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 9_000];
            loop {
                let Ok((n, from)) = socket.recv_from(&mut packet) else { continue };
                let address = [10, 9, 0, last.load(Relaxed) as u8];
                let host = k1_wire::mdns::Host { name, address, services: &[] };
                let mut out = [0; k1_wire::mdns::MAX_ANSWER];
                if let Some(n) = k1_wire::mdns::answer(&packet[..n], &host, &mut out) {
                    asked.fetch_add(1, Relaxed);
                    let all = SocketAddr::from(([224, 0, 0, 251], 5353));
                    let _ = socket.send_to(&out[..n], if answers == Answers::All { all } else { from });
                }
            }
        });
        responder
    }
}

#[test]
fn a_name_of_the_local_network_is_asked_for() {
    if !inside("a_name_of_the_local_network_is_asked_for") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    for (to, name, answers) in [
        ("ddp://lamp7.local", "lamp7", Answers::Alone),
        ("ddp://lamp8.local", "lamp8", Answers::All),
        ("ddp://lamp9", "lamp9", Answers::Alone),
        ("ddp://LAMP-A.Local.", "lamp-a", Answers::All),
    ] {
        let responder = Responder::start(&far, name, 2, answers);
        let program = Program::start(&[to]);
        program.waits_for(0, "shining");
        gets_frames(&receiver);
        assert!(responder.asked.load(Relaxed) > 0);
        assert_eq!(program.light(0)["address"], "10.9.0.2:4048");
        assert_eq!(program.said(), Vec::<String>::new(), "nothing is wrong, nothing is said");
    }
}

/// A network without IPv4: the question goes to ff02::fb, and the answer is a link-local address.
#[test]
fn a_name_of_the_local_network_has_an_address_of_ipv6() {
    if !inside("a_name_of_the_local_network_has_an_address_of_ipv6") {
        return;
    }
    let far = Far::new("v0", "v1");
    ip("link set v0 up");
    ip("-6 addr add fe80::1/64 dev v0 nodad");
    far.ip("link set v1 up");
    far.ip("-6 addr add fe80::2/64 dev v1 nodad");
    let receiver = far.receiver("[::]:4048");
    let socket = far.there(|| {
        let socket = UdpSocket::bind("[::]:5353").unwrap();
        let index =
            if_addrs::get_if_addrs().unwrap().into_iter().find(|i| i.name == "v1").unwrap().index.unwrap();
        socket.join_multicast_v6(&"ff02::fb".parse().unwrap(), index).unwrap();
        socket
    });
    std::thread::spawn(move || {
        let mut packet = [0; 9_000];
        while let Ok((n, from)) = socket.recv_from(&mut packet) {
            let name = b"\x06attic7\x05local\0";
            if !packet[..n].windows(name.len()).any(|w| w == name) {
                continue;
            }
            // An answer with a single AAAA record.
            let mut out = b"\0\0\x84\0\0\0\0\x01\0\0\0\0".to_vec();
            out.extend(name);
            out.extend(b"\0\x1c\x80\x01\0\0\0\x78\0\x10");
            out.extend("fe80::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
            socket.send_to(&out, from).unwrap();
        }
    });
    let program = Program::start(&["ddp://attic7.local"]);
    program.waits_for(0, "shining");
    gets_frames(&receiver);
    let address = program.light(0)["address"].clone();
    assert!(address.as_str().unwrap().starts_with("[fe80::2%"), "{address}");
}

#[test]
fn a_name_that_comes_late_and_then_moves() {
    if !inside("a_name_that_comes_late_and_then_moves") {
        return;
    }
    let far = cable();
    let mut program = Program::start(&["ddp://lamp7.local"]);
    program.running.says("is being looked for");
    assert!(program.said()[0].contains("is being looked for"), "{:?}", program.said());
    let receiver = far.receiver("10.9.0.2:4048");
    let responder = Responder::start(&far, "lamp7", 2, Answers::Alone);
    program.waits_for(0, "shining");
    gets_frames(&receiver);
    // The old address refuses packets, so that K1 looks the name up at once.
    far.ip("addr add 10.9.0.5/24 dev v1");
    responder.last.store(5, Relaxed);
    drop(receiver);
    let receiver = far.receiver("10.9.0.5:4048");
    eventually("the new address", || program.light(0)["address"] == "10.9.0.5:4048");
    gets_frames(&receiver);
    let said = program.said();
    assert!(said.last().unwrap().contains("10.9.0.5"), "{said:?}");
}

#[test]
fn a_resolver_that_hangs_holds_nothing_up() {
    if !inside("a_resolver_that_hangs_holds_nothing_up") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    // A name server that does not answer: a lookup takes the system ten seconds or more.
    ip("route add default via 10.9.0.2");
    let dir = support::folder();
    let conf = dir.path().join("resolv.conf");
    std::fs::write(&conf, "nameserver 192.0.2.1\noptions timeout:20 attempts:3\n").unwrap();
    far.ip("route add blackhole 192.0.2.0/24");
    let mounted =
        std::process::Command::new("mount").arg("--bind").arg(&conf).arg("/etc/resolv.conf").status();
    assert!(mounted.unwrap().success());
    let mut program = Program::start(&["ddp://lamp.example", "ddp://10.9.0.2"]);
    program.waits_for(1, "shining");
    gets_frames(&receiver);
    assert_eq!(program.light(0)["state"], "looking");
    let began = Instant::now();
    program.running.interrupt();
    while program.running.runs() {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("ended after {:.2} s with a question open", began.elapsed().as_secs_f64());
    // The question itself would take a minute.
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn ten_dead_lights_take_nothing_from_a_good_one() {
    if !inside("ten_dead_lights_take_nothing_from_a_good_one") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    let dead = [
        "ddp://192.168.77.5",
        "ddp://10.9.0.71",
        "ddp://10.9.0.72",
        "ddp://nobody.local",
        "ddp://nobody",
        "ddp://nobody.example",
        "ddp://127.0.0.1:9",
        "ddp://[fd01::9]",
        "ddp://[fe80::9%v0]",
        "ddp://10.9.0.2:7",
    ];
    let mut args = vec![
        "run",
        "demo",
        "--headless",
        "--json",
        "--duration",
        "8",
        "--to",
        "ddp://10.9.0.2?keep_alive_ms=0",
    ];
    dead.iter().for_each(|light| args.extend(["--to", light]));
    let running = start(&mut k1(args));
    let has_ended = Arc::new(AtomicBool::new(false));
    let is_over = has_ended.clone();
    let counting = std::thread::spawn(move || {
        let (mut n, mut packet) = (0_u64, [0; 2_000]);
        loop {
            // Asked first, so that the last packets count.
            let is_last = is_over.load(Relaxed);
            match receiver.recv(&mut packet) {
                Ok(_) => n += 1,
                Err(_) if is_last => return n,
                Err(_) => {}
            }
        }
    });
    let said = running.end();
    has_ended.store(true, Relaxed);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let received = counting.join().unwrap();
    let summary = said.summary();
    let lights = summary["lights"].as_array().unwrap();
    let n = |light: &Value, field: &str| light[field].as_u64().unwrap();
    let good = &lights[0];
    println!("good: {received} received of {good}");
    // Frames are dropped only because the light's thread did not run in time on this machine. No other frames are
    // missing.
    assert_eq!(n(good, "errors"), 0);
    assert!(n(good, "shown") + n(good, "dropped") + 2 >= n(good, "frames"), "{good}");
    assert!(received + 2 >= n(good, "shown"), "{received} of {good}");
    let offered = n(good, "frames");
    for light in lights {
        assert!(n(light, "frames").abs_diff(offered) <= 1, "each is offered the same frames: {light}");
    }
    assert!(lights[1..].iter().filter(|l| l["state"] != "shining").count() >= 9, "{summary}");
    let dropped: u64 = lights.iter().map(|l| n(l, "dropped")).sum();
    assert!(dropped.abs_diff(summary["vitals"]["dropped_frames"].as_u64().unwrap()) <= 11, "{summary}");
}

/// Linux limits how often it reports unused addresses, over all sockets together, so silence proves nothing.
#[test]
fn many_dead_lights_on_one_network_never_seem_to_shine() {
    if !inside("many_dead_lights_on_one_network_never_seem_to_shine") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    let dead: Vec<String> = (0..12).map(|n| format!("ddp://10.9.0.{}", 100 + n)).collect();
    let all: Vec<&str> = dead.iter().map(String::as_str).chain(["ddp://10.9.0.2"]).collect();
    let program = Program::start(&all);
    let states = || {
        let device = program.device();
        let lights = device["lights"].as_array().unwrap().clone();
        lights.iter().map(|l| l["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let began = Instant::now();
    eventually("all are known to be dead", || {
        let states = states();
        assert!(states[..12].iter().all(|s| s != "shining"), "after {:?}: {states:?}", began.elapsed());
        states[..12].iter().all(|s| s == "unreachable")
    });
    println!("all unreachable after {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(12) {
        let states = states();
        assert!(states[..12].iter().all(|s| s == "unreachable"), "after {:?}: {states:?}", began.elapsed());
        assert_eq!(states[12], "shining");
    }
    let why = program.light(3)["reason"].clone();
    assert!(why.as_str().unwrap().contains("nobody answers at 10.9.0.103"), "{why}");
    assert_eq!(program.said().len(), 12, "{:?}", program.said());
    gets_frames(&receiver);
    // One of them is switched on.
    far.ip("addr add 10.9.0.105/24 dev v1");
    let late = far.receiver("10.9.0.105:4048");
    program.waits_for(5, "shining");
    gets_frames(&late);
}

#[test]
fn a_route_that_throws_everything_away_is_said_in_words() {
    if !inside("a_route_that_throws_everything_away_is_said_in_words") {
        return;
    }
    let far = cable();
    let receiver = far.receiver("10.9.0.2:4048");
    ip("route add blackhole 10.9.0.2/32");
    let program = Program::start(&["ddp://10.9.0.2"]);
    program.waits_for(0, "unreachable");
    let why = program.light(0)["reason"].clone();
    assert!(why.as_str().unwrap().contains("check its routes for a blackhole"), "{why}");
    ip("route del blackhole 10.9.0.2/32");
    program.waits_for(0, "shining");
    gets_frames(&receiver);
}

#[test]
fn the_page_misses_frames_and_no_light_is_blamed() {
    let program = Program::start(&[]);
    std::thread::sleep(Duration::from_secs(2));
    let status: Value = serde_json::from_str(&program.get("api/v1/status")).unwrap();
    assert_eq!((&status["vitals"]["dropped_frames"], &status["lights"]), (&0.into(), &serde_json::json!([])));
    let checks = program.device()["checks"].to_string();
    assert!(!checks.contains("light"), "where there is no light, none is judged: {checks}");
}
