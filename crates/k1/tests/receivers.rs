//! Receivers that other people wrote: Open Lighting Architecture shows every channel that was sent, and the crate `sacn` shows
//! synchronised frames whole. With `K1_REQUIRE=ola,netns` a missing one is a failure.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "used in part")]
#[path = "support/netns.rs"]
mod netns;
#[allow(dead_code, reason = "used in part")]
#[path = "support/receiver.rs"]
mod receiver;
mod support;

use std::collections::{HashMap, HashSet};
use std::fs::Permissions;
use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ::sacn::error::errors::SacnError;
use ::sacn::receive::SacnReceiver;
use k1_wire::sacn;
use receiver::{played, received};
use serde_json::Value;
use support::{eventually, folder, has, k1, start};

/// Universes of the large rig, and its LEDs.
const UNIVERSES: usize = 64;
const LEDS: usize = UNIVERSES * 170;

/// Open Lighting Architecture at 10.9.0.1; dropping this ends it.
struct Ola {
    child: Child,
    _home: tempfile::TempDir,
}

impl Drop for Ola {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ola {
    /// Starts it in the test's own network.
    fn start() -> Self {
        netns::ip("link add v0 type veth peer name v1");
        netns::ip("link set v1 up");
        netns::ip("addr add 10.9.0.1/24 dev v0");
        netns::ip("link set v0 up");
        netns::ip("route add 239.255.0.0/16 dev v0");
        // A host joins 20 groups by default.
        std::fs::write("/proc/sys/net/ipv4/igmp_max_memberships", "200").unwrap();
        let home = folder();
        let write = |name: &str, text: &str| {
            std::fs::write(home.path().join(format!("ola-{name}.conf")), text).unwrap();
        };
        write("artnet", "enabled = true\nip = 10.9.0.1\noutput_ports = 0\nnet = 0\nsubnet = 0\n");
        write("e131", "enabled = true\nip = 10.9.0.1\ninput_ports = 64\noutput_ports = 0\n");
        for other in [
            "dummy",
            "espnet",
            "kinet",
            "karate",
            "milinst",
            "opendmx",
            "openpixelcontrol",
            "osc",
            "pathport",
        ] {
            write(other, "enabled = false\n");
        }
        for other in
            ["renard", "sandnet", "shownet", "spi", "stageprofi", "usbdmx", "usbserial", "usbpro", "gpio"]
        {
            write(other, "enabled = false\n");
        }
        // It refuses to run as root, and must be able to change its settings.
        let mode: Permissions = PermissionsExt::from_mode(0o777);
        for entry in std::fs::read_dir(home.path()).unwrap() {
            std::fs::set_permissions(entry.unwrap().path(), mode.clone()).unwrap();
        }
        std::fs::set_permissions(home.path(), mode).unwrap();
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "olad",
            "--no-register-with-dns-sd",
        ]);
        command.args(["--http-port", "9191", "--config-dir"]).arg(home.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let ola = Self { child, _home: home };
        eventually("OLA", || ask("ola_dev_info", &[]).is_some_and(|said| said.contains("E1.31")));
        ola
    }

    /// Number of its device with these words in its name.
    fn device(&self, words: &str) -> String {
        let said = ask("ola_dev_info", &[]).unwrap();
        let line = said.lines().find(|line| line.starts_with("Device") && line.contains(words)).unwrap();
        line.trim_start_matches("Device ").split(':').next().unwrap().to_owned()
    }

    /// Shows the input `port` of a device as the universe `as_universe`.
    fn patch(&self, device: &str, port: usize, as_universe: usize) {
        let (port, universe) = (port.to_string(), as_universe.to_string());
        assert!(ask("ola_patch", &["-d", device, "-p", &port, "-i", "-u", &universe]).is_some());
    }

    /// The channels of a universe.
    fn channels(&self, universe: usize) -> Vec<u8> {
        let url = format!("http://127.0.0.1:9191/get_dmx?u={universe}");
        let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["dmx"].as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as u8).collect()
    }
}

fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// LEDs of the strip; each becomes 32 LEDs of the rig.
const STRIP: usize = LEDS / 32;

/// What OLA showed: the index of a universe and its channels.
type Seen = Vec<(usize, Vec<u8>)>;

/// Plays to a rig of 64 universes while `look` asks OLA, and compares what it showed with a recording.
fn compare(target: &str, look: impl FnOnce() -> Seen) {
    let home = folder();
    let file = home.path().join("frames");
    let record = format!("file:{}", file.display());
    let (strip, target) = (STRIP.to_string(), format!("{target}&leds={LEDS}"));
    let mut args = vec!["run", "demo", "--headless", "--json", "--fps", "25", "--leds", &strip];
    args.extend(["--set", "dithering=0", "--max-ma", "0", "--to", &record, "--to", &target]);
    let running = start(&mut k1(args));
    // The music begins.
    std::thread::sleep(Duration::from_secs(2));
    let seen = look();
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    let mut rendered: HashMap<usize, HashSet<Vec<u8>>> = HashMap::new();
    for frame in std::fs::read(file).unwrap().chunks(STRIP * 3) {
        let wide: Vec<u8> = frame.chunks(3).flat_map(|led| led.repeat(LEDS / STRIP)).collect();
        for (index, channels) in wide.chunks(510).enumerate() {
            rendered.entry(index).or_default().insert(channels.to_vec());
        }
    }
    let universes: HashSet<usize> = seen.iter().map(|(index, _)| *index).collect();
    assert_eq!(universes.len(), UNIVERSES);
    let is_rendered = |(index, channels): &&(usize, Vec<u8>)| rendered[index].contains(&channels[..510]);
    let equal = seen.iter().filter(is_rendered).count();
    let lit = seen.iter().filter(|(_, channels)| channels.iter().any(|c| *c > 0)).count();
    // The recording lacks frames that it dropped.
    let dropped = said.summary()["lights"][0]["dropped"].as_u64().unwrap();
    println!("{equal} of {} universes equal, {lit} of them lit, {dropped} frames not recorded", seen.len());
    assert!(equal == seen.len() || dropped > 0 && equal * 20 > seen.len() * 19, "every channel is equal");
    assert!(lit * 2 > seen.len(), "there is light");
}

#[test]
fn open_lighting_architecture_shows_64_universes_of_sacn() {
    const NAME: &str = "open_lighting_architecture_shows_64_universes_of_sacn";
    if !has("ola", "olad") || !netns::inside(NAME) {
        return;
    }
    let ola = Ola::start();
    let device = ola.device("E1.31");
    (0..UNIVERSES).for_each(|index| ola.patch(&device, index, 7 + index));
    for target in ["sacn://10.9.0.1?universe=7", "sacn://?universe=7"] {
        compare(target, || {
            let look = |_| (0..UNIVERSES).map(|index| (index, ola.channels(7 + index)));
            (0..3).flat_map(look).collect()
        });
    }
}

#[test]
fn open_lighting_architecture_shows_64_universes_of_art_net() {
    const NAME: &str = "open_lighting_architecture_shows_64_universes_of_art_net";
    if !has("ola", "olad") || !netns::inside(NAME) {
        return;
    }
    let ola = Ola::start();
    let device = ola.device("ArtNet");
    (0..4).for_each(|port| ola.patch(&device, port, port));
    // Both programs use Art-Net's port on this machine.
    let found = start(&mut k1(["lights", "find"])).end();
    print!("{}{}", found.out, found.err);
    assert!(found.out.contains("OLA - ArtNet node at 127.0.0.1: universes 0 … 3"), "{found:?}");
    compare("artnet://10.9.0.1?universe=0&sync=yes", || {
        let mut seen = Vec::new();
        // A node of OLA has four inputs, and all of them are in one subnet of 16 universes.
        for first in (0..UNIVERSES).step_by(4) {
            let subnet = (first / 16).to_string();
            assert!(ask("ola_artnet", &["-d", &device, "--subnet", &subnet]).is_some());
            // OLA's universes 16 and 32 have the same address as its universe 0.
            (0..4).for_each(|port| ola.patch(&device, port, first + port));
            // What it had before is of another universe.
            std::thread::sleep(Duration::from_millis(300));
            seen.extend((first..first + 4).map(|index| (index, ola.channels(index))));
        }
        seen
    });
}

/// Universes of a synchronised light, from 7 on, and its LEDs.
const SYNCED: usize = 4;
const SYNCED_LEDS: usize = SYNCED * 170;

/// What the crate `sacn` makes of the next packets.
#[derive(Debug, PartialEq)]
enum Shown {
    /// It shows these channels, all at once.
    Frame(Vec<u8>),
    /// A universe is terminated.
    End,
    /// It shows nothing new.
    Nothing,
}

/// A receiver on this machine's loopback, which has joined the groups of the light's universes.
fn foreign_receiver() -> SacnReceiver {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, sacn::PORT));
    let mut receiver = SacnReceiver::with_ip(address, None).unwrap();
    receiver.listen_universes(&[7, 8, 9, 10]).unwrap();
    receiver.set_announce_stream_termination(true);
    receiver
}

/// Waits for what a receiver shows.
fn shown(receiver: &mut SacnReceiver, patience: Duration) -> Shown {
    match receiver.recv(Some(patience)) {
        Ok(mut all) => {
            all.sort_by_key(|data| data.universe);
            assert!(all.iter().map(|data| data.universe).eq(7..11), "a frame is shown whole: {all:?}");
            Shown::Frame(all.iter().flat_map(|data| &data.values[1..]).copied().collect())
        }
        Err(SacnError::UniverseTerminated(..)) => Shown::End,
        Err(SacnError::Io(e)) if matches!(e.kind(), WouldBlock | TimedOut) => Shown::Nothing,
        Err(e) => panic!("{e:?}"),
    }
}

#[test]
fn a_synchronised_light_is_shown_frame_by_frame() {
    const NAME: &str = "a_synchronised_light_is_shown_frame_by_frame";
    if !netns::inside(NAME) {
        return;
    }
    netns::ip("link set lo multicast on");
    netns::ip("route add 239.255.0.0/16 dev lo");
    let mut foreign = foreign_receiver();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let watching = std::thread::spawn(move || {
        let (mut frames, mut ends, mut listed) = (Vec::new(), 0, Vec::new());
        loop {
            match shown(&mut foreign, Duration::from_millis(100)) {
                Shown::Frame(frame) => frames.push(frame),
                Shown::End => ends += 1,
                Shown::Nothing if over.load(Relaxed) => return (frames, ends, listed),
                Shown::Nothing => {}
            }
            // It forgets a source soon, and a universe that is terminated.
            if let Some(source) = foreign.get_discovered_sources_no_check().first().filter(|_| ends == 0) {
                listed = source.get_all_universes();
                assert_eq!(source.name, "K1");
            }
        }
    });
    let nothing = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = "sacn://?universe=7&sync_universe=500&priority=150";
    let received = received(nothing, target, SYNCED_LEDS, &[]);
    is_over.store(true, Relaxed);
    let (frames, ends, listed) = watching.join().unwrap();
    received.are_rendered(&frames);
    assert_eq!(frames.last().unwrap(), &vec![0; SYNCED_LEDS * 3], "it ends dark");
    assert_eq!(ends, SYNCED * sacn::TERMINATIONS);
    println!("{} frames of {SYNCED} universes, each shown at once; {ends} terminations", frames.len());
    assert_eq!(listed, [7, 8, 9, 10], "its list of universes");
}

#[test]
fn a_synchronised_frame_is_held_until_its_packet_comes() {
    const NAME: &str = "a_synchronised_frame_is_held_until_its_packet_comes";
    if !netns::inside(NAME) {
        return;
    }
    let received = played("sacn://127.0.0.1:{port}?universe=7&sync_universe=500", SYNCED_LEDS, &[]);
    let mut foreign = foreign_receiver();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut frame, mut held, mut released) = (Vec::new(), 0, 0);
    for bytes in received.packets.iter().take(30 * (SYNCED + 1)) {
        match sacn::Packet::check(bytes).unwrap() {
            sacn::Packet::Data(data) if data.universe() == 7 => frame = data.data().to_vec(),
            sacn::Packet::Data(data) => frame.extend_from_slice(data.data()),
            sacn::Packet::Sync { .. } => {
                // Without the packet, nothing is shown; two of three packets are lost here.
                assert_eq!(shown(&mut foreign, Duration::from_millis(30)), Shown::Nothing);
                held += 1;
                if held % 3 > 0 {
                    continue;
                }
            }
            sacn::Packet::Discovery(_) => continue,
        }
        sender.send_to(bytes, ("127.0.0.1", sacn::PORT)).unwrap();
        if held % 3 == 0 && matches!(sacn::Packet::check(bytes), Ok(sacn::Packet::Sync { .. })) {
            assert_eq!(shown(&mut foreign, Duration::from_secs(1)), Shown::Frame(frame.clone()));
            released += 1;
        }
    }
    println!("{held} frames held, {released} shown after their packet, and no other");
    assert!(released >= 9, "{released} of {held}");
}
