//! A stranger's way by command line alone: two WLED strips of 60 and 300 LEDs are found, added, told apart, shine with a
//! pattern each, and are there again after a restart. Runs in a network of its own; `K1_REQUIRE=netns` requires it.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "used in part")]
#[path = "support/netns.rs"]
mod netns;
mod support;
#[path = "support/wled.rs"]
mod wled;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use netns::inside;
use support::{Said, eventually, folder, k1, start};
use wled::{Frame, Wled};

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
