//! The commands of the pages for users, each page from its first command to its last, in a home and a network of their own.

#[allow(dead_code, reason = "used in part")]
#[path = "../support/netns.rs"]
mod netns;
#[path = "../support/nodes.rs"]
mod nodes;
#[allow(dead_code, reason = "used in part")]
#[path = "../support/wled.rs"]
mod wled;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::read::{commands, documents};
use crate::support::{Said, fixture, folder, start};

/// Commands that are not run here, and where they are.
const ELSEWHERE: [(&str, &str); 21] = [
    ("k1 brightness", "needs another K1: tests/commands.rs"),
    ("k1 deploy", "needs a lamp: tests/virt/operate.rs"),
    ("k1 devices", "runs until it is stopped: tests/virt/operate.rs"),
    ("k1 doctor --latency", "takes a quiet machine: tests/pulse"),
    ("k1 install", "needs a chip: tests/usb"),
    ("k1 keys trust", "needs a lamp: tests/virt/operate.rs"),
    ("k1 monitor", "runs until it is stopped: tests/virt/operate.rs"),
    ("k1 mqtt", "needs a broker: tests/mqtt.rs"),
    ("k1 off", "needs another K1: tests/commands.rs"),
    ("k1 playlist", "needs another K1: tests/commands.rs"),
    ("k1 render", "takes minutes: tests/golden.rs"),
    ("k1 rollback", "needs a lamp: tests/virt/operate.rs"),
    ("k1 scene", "needs another K1: tests/commands.rs"),
    ("k1 service status", "asks systemd: tests/service.rs"),
    ("k1 service uninstall --now", "stops a service: tests/service.rs"),
    ("k1 sign", "needs an image: tests/fleet.rs"),
    ("k1 soak", "needs a lamp, for a day"),
    ("k1 validate", "needs a lamp: tests/virt/operate.rs"),
    ("k1 virt", "boots a machine: tests/virt"),
    ("k1 run mic --name Living room --mqtt", "needs a broker: tests/mqtt.rs"),
    ("k1 run -", "reads what another program writes: tests/pipes.rs"),
];

/// Calls the built program, for a second where it would run for ever, at any free port.
const WRAPPER: &str = r#"#!/bin/sh
case "$1" in
"") set -- run demo ;;
esac
case "$1 $2" in
run\ *)
    case " $* " in *" --duration "*) ;; *) set -- "$@" --duration 1 ;; esac
    case " $* " in *" --listen "* | *" --headless "*) ;; *) set -- "$@" --listen 127.0.0.1:0 ;; esac
    ;;
"lights test") set -- "$@" --step 0.05 ;;
esac
exec "$K1_BUILT" "$@"
"#;

/// A home with what the pages suppose to be there.
fn furnish(home: &Path) {
    let bin = home.join("bin");
    for folder in [&bin, &home.join("Music/album")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let program = bin.join("k1");
    std::fs::write(&program, WRAPPER).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for song in ["song.flac", "Music/album/1.flac"] {
        std::fs::copy(fixture("demo.flac"), home.join(song)).unwrap();
    }
    for (name, text) in [
        ("party.m3u", "song.flac\n"),
        ("dusk.ggr", "GIMP Gradient\nName: Late dusk\n1\n0 0.5 1 1 0 0 1 0 0 1 1 0 0 0 0\n"),
        ("palette0.json", r#"{"palette": [0, 16, 32, 64, 255, 255, 136, 0]}"#),
    ] {
        std::fs::write(home.join(name), text).unwrap();
    }
    std::fs::write(home.join("token"), "q7Xw29LmZt81KdRf\n").unwrap();
    std::fs::set_permissions(home.join("token"), std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a line in a shell at home.
fn at_home(home: &Path, line: &str) -> Said {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(home).stdin(Stdio::null());
    let path = format!("{}:{}", home.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("HOME", home).env("K1_BUILT", env!("CARGO_BIN_EXE_k1"));
    for name in ["PULSE_SERVER", "PULSE_RUNTIME_PATH", "XDG_RUNTIME_DIR"] {
        command.env(name, home.join("nowhere"));
    }
    for name in ["K1_TOKEN", "CREDENTIALS_DIRECTORY", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    start(&mut command).end()
}

#[test]
fn what_the_pages_tell_to_type_works() {
    if !netns::inside("pages::what_the_pages_tell_to_type_works") {
        return;
    }
    netns::ip("link set lo multicast on");
    netns::ip("route add 224.0.0.0/4 dev lo");
    for host in [40, 41, 50] {
        netns::ip(&format!("address add 192.168.1.{host}/32 dev lo"));
    }
    let _strips = [
        wled::Wled::start("wled-shelf", "Shelf", [192, 168, 1, 40], 60),
        wled::Wled::start("wled-window", "Window", [192, 168, 1, 41], 300),
    ];
    let levels = nodes::start_nodes(&[([192, 168, 1, 50], "Stage", &[&[3, 4]])]);
    let (mut ran, mut used) = (0, std::collections::BTreeSet::new());
    for document in documents() {
        let home = folder();
        furnish(home.path());
        for (block, shown) in &document.blocks {
            for line in block.lines() {
                for words in commands(line).iter().filter(|words| ["k1", "mkdir"].contains(&&*words[0])) {
                    let told = words.join(" ");
                    let elsewhere = ELSEWHERE
                        .iter()
                        .find(|(begins, _)| format!("{told} ").starts_with(&format!("{begins} ")));
                    if let Some((begins, _)) = elsewhere {
                        used.insert(*begins);
                        continue;
                    }
                    println!("{}: {line}", document.name);
                    let said = at_home(home.path(), line);
                    assert_eq!(said.code(), Some(0), "{}: {line}: {said:?}", document.name);
                    ran += 1;
                    for shown in shown.iter().flat_map(|text| text.lines()) {
                        assert!(said.out.contains(shown), "{}: {line}: {said:?}", document.name);
                    }
                }
            }
        }
        let show = home.path().join(".config/k1/k1.toml");
        if document.name == "docs/first-strip.md" {
            let show = std::fs::read_to_string(&show).unwrap();
            assert!(show.contains("name = \"Shelf\"\nto = \"ddp://wled-shelf.local\"\nleds = 60"), "{show}");
            assert!(show.contains("pattern = \"lava\""), "{show}");
        }
    }
    println!("{ran} commands ran");
    assert!(ran > 50, "only {ran} commands ran");
    assert!(levels.lock().unwrap().contains_key(&3), "the node got no light");
    let unused: Vec<_> = ELSEWHERE.iter().filter(|(begins, _)| !used.contains(begins)).collect();
    assert!(unused.is_empty(), "no document has these any more: {unused:?}");
}
