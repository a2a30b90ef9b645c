//! A stranger's way by command line alone: two WLED strips of 60 and 300 LEDs are found, added, told apart, shine with a
//! pattern each, and are there again after a restart; Art-Net nodes and a matrix with white LEDs are added with the settings
//! that they need. Runs in a network of its own; `K1_REQUIRE=netns` requires it.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "used in part")]
#[path = "support/netns.rs"]
mod netns;
#[path = "support/nodes.rs"]
mod nodes;
mod support;
#[path = "support/wled.rs"]
mod wled;

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use k1_wire::ddp::{self, Packet};
use netns::inside;
use nodes::start_nodes;
use support::{Said, eventually, folder, k1, start};
use wled::{Frame, Wled, announce};

/// A person at the command line.
struct Stranger<'a> {
    home: &'a Path,
    steps: usize,
    began: Instant,
}

impl Stranger<'_> {
    fn command(&mut self, line: &str) -> Command {
        self.steps += 1;
        println!("{}. k1 {line}", self.steps);
        let mut command = k1(line.split(' '));
        command.env("XDG_CONFIG_HOME", self.home);
        command
    }

    #[track_caller]
    fn does(&mut self, line: &str) -> Said {
        let said = start(&mut self.command(line)).end();
        print!("{}", said.out);
        assert_eq!(said.code(), Some(0), "{said:?}");
        said
    }
}

fn is_all(frame: &[[u8; 3]], is: impl Fn([u8; 3]) -> bool) -> bool {
    frame.iter().all(|led| is(*led))
}

#[test]
fn two_strips_are_found_named_and_remembered() {
    if !inside("two_strips_are_found_named_and_remembered") {
        return;
    }
    netns::ip("link set lo multicast on");
    netns::ip("route add 224.0.0.0/4 dev lo");
    let shelf = Wled::start("wled-a1b2c3", "WLED", [127, 0, 0, 2], 60);
    let window = Wled::start("wled-d4e5f6", "WLED", [127, 0, 0, 3], 300);
    let home = folder();
    let mut stranger = Stranger { home: home.path(), steps: 0, began: Instant::now() };

    let found = stranger.does("lights find").out;
    assert!(found.contains("60 LEDs") && found.contains("300 LEDs"), "{found}");
    stranger.does("lights add wled-a1b2c3 --name Shelf --pattern bloom");
    stranger.does("lights add 127.0.0.3 --name Window --pattern lava --reversed");

    let said = stranger.does("lights test --step 0.6").out;
    let order =
        ["Shelf: blinks", "Shelf: only its first LED", "Shelf: is red", "Shelf: is blue", "Window: blinks"];
    let places: Vec<_> =
        order.iter().map(|words| said.find(words).unwrap_or_else(|| panic!("{words}: {said}"))).collect();
    assert!(places.is_sorted(), "{said}");
    for strip in [&shelf, &window] {
        let frames = strip.taken();
        let has = |what: &str, is: &dyn Fn(&Frame) -> bool| assert!(frames.iter().any(is), "{what}");
        has("white", &|f| is_all(f, |[r, g, b]| r > 0 && r == g && g == b));
        has("the first", &|f| f[0] != [0; 3] && is_all(&f[1..], |led| led == [0; 3]));
        has("red", &|f| is_all(f, |[r, g, b]| r > 0 && g == 0 && b == 0));
        has("green", &|f| is_all(f, |[r, g, b]| g > 0 && r == 0 && b == 0));
        has("blue", &|f| is_all(f, |[r, g, b]| b > 0 && r == 0 && g == 0));
        assert!(is_all(frames.last().unwrap(), |led| led == [0; 3]), "dark at the end");
    }

    let mut until_light = Duration::ZERO;
    for run in ["the first start", "after a restart"] {
        let (shelf_before, window_before) = (shelf.taken(), window.taken());
        drop((shelf_before, window_before));
        let running = start(&mut stranger.command("run demo --listen 127.0.0.1:0"));
        let lit = |strip: &Wled| {
            let frames = strip.frames.lock().unwrap();
            frames.len() > 100 && frames.iter().any(|frame| frame.iter().flatten().any(|byte| *byte > 10))
        };
        eventually(run, || lit(&shelf) && lit(&window));
        until_light = if until_light.is_zero() { stranger.began.elapsed() } else { until_light };
        running.interrupt();
        let said = running.end();
        assert!(said.out.contains("2 zones, 2 lights"), "{run}: {}", said.out);
        // Each has its own pattern: no frame of one is a part of the other's.
        let (shelf, window) = (shelf.taken(), window.taken());
        assert!((shelf.last().unwrap().len(), window.last().unwrap().len()) == (60, 300));
        let middle = |frames: &[Frame]| {
            frames.iter().map(|f| f[f.len() / 2]).collect::<std::collections::BTreeSet<_>>()
        };
        assert_ne!(middle(&shelf), middle(&window), "{run}");
    }
    let list = stranger.does("lights list").out;
    assert!(list.contains("Shelf: 60 LEDs") && list.contains("Window: 300 LEDs"), "{list}");
    let file = std::fs::read_to_string(home.path().join("k1/k1.toml")).unwrap();
    assert!(file.contains("reversed = true") && file.contains("pattern = \"lava\""), "{file}");
    println!(
        "{} steps, {:.1} s to the first light, {:.1} s in all",
        stranger.steps,
        until_light.as_secs_f64(),
        stranger.began.elapsed().as_secs_f64()
    );
}

#[test]
fn art_net_nodes_and_a_matrix_with_white_leds_get_the_settings_they_need() {
    if !inside("art_net_nodes_and_a_matrix_with_white_leds_get_the_settings_they_need") {
        return;
    }
    netns::ip("link set lo multicast on");
    netns::ip("route add 224.0.0.0/4 dev lo");
    let leds = r#"{"count":40,"rgbw":true,"lc":3,"matrix":{"w":8,"h":4}}"#;
    announce("wled-panel", "Panel", [127, 0, 0, 2], leds.into());
    let panel = UdpSocket::bind(("127.0.0.2", ddp::PORT)).unwrap();
    panel.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let levels = start_nodes(&[
        // WLED speaks Art-Net, too.
        ([127, 0, 0, 2], "WLED", &[&[0]]),
        ([127, 0, 0, 4], "Stage left", &[&[32], &[3, 4]]),
        ([127, 0, 0, 5], "", &[&[7]]),
        ([127, 0, 0, 6], "bar", &[&[100, 101, 102, 103]]),
    ]);
    let home = folder();
    let mut stranger = Stranger { home: home.path(), steps: 0, began: Instant::now() };

    let found = stranger.does("lights find").out;
    for line in [
        "WLED Panel at 127.0.0.2: 40 LEDs, RGBW, matrix 8 × 4; k1 lights add wled-panel\n",
        "Art-Net node Stage left at 127.0.0.4: universes 3, 4, 32; k1 lights add 127.0.0.4 --leds N\n",
        "Art-Net node without a name at 127.0.0.5: universe 7; k1 lights add 127.0.0.5 --leds N\n",
        "Art-Net node bar at 127.0.0.6: universes 100 … 103; k1 lights add 127.0.0.6 --leds N\n",
    ] {
        assert!(found.contains(line), "{line}: {found}");
    }
    assert_eq!(found.lines().count(), 4, "each light once: {found}");
    let json: serde_json::Value = serde_json::from_str(&stranger.does("lights find --json").out).unwrap();
    assert_eq!((&json[0]["kind"], &json[0]["to"]), (&"wled".into(), &"ddp://127.0.0.2?order=rgbw".into()));
    assert_eq!(
        (&json[1]["kind"], &json[1]["to"]),
        (&"artnet".into(), &"artnet://127.0.0.4?universe=3".into())
    );
    assert_eq!(
        (&json[1]["universes"], &json[1]["leds"]),
        (&serde_json::json!([3, 4, 32]), &serde_json::Value::Null)
    );

    stranger.does("lights add wled-panel --pattern plasma");
    for (line, says) in [
        (
            "lights add 127.0.0.4",
            "an Art-Net node does not tell how many LEDs it has; add --leds N (its 3 universes have room for 510 RGB LEDs)",
        ),
        (
            "lights add ddp://127.0.0.9 --leds 5 --universe 1",
            "--universe is for Art-Net and sACN, and this light is at ddp:",
        ),
    ] {
        let refused = start(&mut stranger.command(line)).end();
        assert!(refused.code() == Some(2) && refused.err.contains(says), "{refused:?}");
        refused.is_one_sentence();
    }
    let added = stranger.does("lights add 127.0.0.4 --leds 200").out;
    assert!(added.contains("Stage left: 200 LEDs at artnet://127.0.0.4?universe=3, in"), "{added}");
    let added = stranger.does("lights add BAR --leds 400 --universe 102 --name Bar").out;
    assert!(added.contains("Bar: 400 LEDs at artnet://127.0.0.6?universe=102"), "{added}");
    assert!(added.contains("does not put out 1 of these universes (104)"), "{added}");
    let file = std::fs::read_to_string(home.path().join("k1/k1.toml")).unwrap();
    for part in [
        "name = \"Panel\"\nto = \"ddp://127.0.0.2\"\nleds = 40\norder = \"rgbw\"\n",
        "to = 31 }]\nlook = { pattern = \"plasma\" }\nshape = \"matrix:8x4\"\n",
        "name = \"Stage left\"\nto = \"artnet://127.0.0.4\"\nleds = 200\nuniverse = 3\n",
    ] {
        assert!(file.contains(part), "{part}: {file}");
    }

    let running = start(&mut stranger.command("run demo --listen 127.0.0.1:0"));
    let mut packet = [0; 2_000];
    let n = panel.recv(&mut packet).unwrap();
    let first = Packet::check(&packet[..n]).unwrap();
    assert_eq!((first.bytes_per_pixel(), first.data().len()), (4, 160));
    eventually("every universe", || levels.lock().unwrap().len() == 5);
    running.interrupt();
    running.end();
    let lengths: Vec<_> =
        levels.lock().unwrap().iter().map(|(universe, data)| (*universe, data.len())).collect();
    assert_eq!(lengths, [(3, 510), (4, 90), (102, 510), (103, 510), (104, 180)]);
}
