//! The command line as seen by a new user, a script and a pipe.
#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k1::source::{Demo, Source};
use k1_wire::ddp::{Packet, Receiver};
use support::host::Host;
use support::{brightness, eventually, folder, frames, k1, run, start};

#[test]
fn wrong_usage_is_status_2_and_a_sentence_that_says_what_would_be_right() {
    let cases: [(&[&str], &[&str]); 16] = [
        (&["run", "--pattern", "rainbow"], &["there is no pattern “rainbow”", "beat_tunnel"]),
        (&["run", "--palette", "rainbow"], &["there is no palette “rainbow”", "sunset_drive"]),
        (&["run", "--set", "shine=1"], &["there is no parameter “shine”", "softness"]),
        (&["run", "--set", "brightness=3"], &["brightness takes 0 … 1, not 3"]),
        (&["run", "--set", "brightness"], &["write PARAM=VALUE"]),
        (&["run", "--to", "gopher://x"], &["gopher://x", "ddp://HOST"]),
        (&["run", "--to", "ddp://x:99999"], &["99999", "not a port"]),
        (&["run", "--leds", "0"], &["1 … 4096 LEDs"]),
        (&["run", "--fps", "0"], &["write a number from 1 to 500"]),
        (&["run", "--duration", "soon"], &["write a number of seconds"]),
        (&["render", "demo"], &["--output"]),
        (&["dance"], &["dance", "Usage: k1"]),
        (&["run", "demo", "--louder"], &["--louder"]),
        (&["deploy", "lamp.k1"], &["name the lamps with --to", "--all"]),
        (&["rollback"], &["name the lamps", "--all"]),
        (&["keys", "new", "../x"], &["“../x” cannot be the name of a key"]),
    ];
    for (args, words) in cases {
        let said = run(args);
        assert_eq!((said.code(), said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        for word in words {
            assert!(said.err.contains(word), "“{word}” is not in the answer to {args:?}:\n{}", said.err);
        }
    }
}

#[test]
fn work_that_fails_is_status_1_and_one_sentence() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    run(["render", "demo", "-o", &path("no/such/x.png")]).failed_saying(&["x.png cannot be written"]);
    run(["run", "--headless", "--to", &format!("file:{}", path("no/such/x"))])
        .failed_saying(&["no/such/x cannot be written"]);
    // K1 waits for a light that is not there; an address that can never work is a usage error.
    let said = run(["run", "--headless", "--to", "ddp://no-such-light.invalid", "--duration", "1"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(said.err.contains("ddp://no-such-light.invalid:4048 is being looked for"), "{said:?}");
    for wrong in ["dpp://wled.local", "wled.local", "ddp://10.0.0.300", "ddp://[fe80::1]", "ddp://x:0"] {
        let said = run(["run", "--headless", "--to", wrong]);
        assert!(said.code() == Some(2) && said.err.contains("ddp://"), "{said:?}");
    }
    run(["run", "--headless", "--to", "terminal"]).failed_saying(&["--to terminal needs a terminal"]);
}

/// A full disk is noticed only when bytes leave the program's buffers.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let dir = folder();
    for ending in ["npy", "png", "gif"] {
        let path = dir.path().join(format!("full.{ending}"));
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        run([
            "render".as_ref(),
            "demo".as_ref(),
            "--duration".as_ref(),
            "2".as_ref(),
            "-o".as_ref(),
            path.as_os_str(),
        ])
        .failed_saying(&[&format!("full.{ending} cannot be written"), "No space left"]);
    }
    // In a live run, a light that fails must not affect others. K1 reports it once, counts it, and exits with an error.
    let said = run(["run", "demo", "--headless", "--json", "--duration", "2", "--to", "file:/dev/full"]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert_eq!(said.err.matches("No space left").count(), 1, "{said:?}");
    let light = &said.summary()["lights"][0];
    assert!(light["state"] == "failed" && light["errors"].as_u64() > Some(10), "{light}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = run(["run", "demo", "--listen", &address, "--duration", "1"]);
    said.failed_saying(&[&taken.local_addr().unwrap().port().to_string()]);
    assert_eq!(said.out, "", "nothing has begun");
}

#[test]
#[cfg_attr(feature = "native-audio", ignore = "the system's own interface needs no sound server")]
fn live_sound_without_a_sound_server_is_waited_for_and_says_what_to_do() {
    for input in ["mic", "mic:studio", "monitor"] {
        let said = run(["run", input, "--headless", "--duration", "1"]);
        assert_eq!(said.code(), Some(0), "{said:?}");
        said.is_one_sentence();
        for words in ["no sound server answers", "k1 run FILE", "K1 listens as soon as one answers"] {
            assert!(said.err.contains(words), "“{words}” is not in: {}", said.err);
        }
    }
    // A list can be made without a sound server.
    let said = run(["sources", "--json"]);
    assert_eq!(said.code(), Some(0));
    assert!(said.json()["problem"].as_str().unwrap().contains("no sound server"));
    assert_eq!(said.json()["live"].as_array().unwrap().len(), 0);
}

#[test]
fn lists_are_for_people_and_for_machines() {
    let count = |list: &str, field: &str| {
        let (people, machines) = (run([list]), run([list, "--json"]));
        assert_eq!((people.code(), machines.code()), (Some(0), Some(0)));
        assert_eq!((people.err.as_str(), machines.err.as_str()), ("", ""));
        let all = machines.json();
        let all = all.as_array().unwrap();
        for entry in all {
            let name = entry[field].as_str().unwrap();
            assert!(people.out.contains(name), "{name} is missing in:\n{}", people.out);
        }
        all.len()
    };
    assert_eq!(count("patterns", "id"), k1_engine::patterns::PATTERNS.len());
    assert_eq!(count("palettes", "name"), k1_engine::light::PALETTES.len());
    assert_eq!(count("params", "id"), k1_engine::params::PARAMS.len());
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = run(["completions", shell]);
        assert_eq!(said.code(), Some(0));
        for word in ["analyze", "palettes", "headless"] {
            assert!(said.out.contains(word), "{word} for {shell}");
        }
    }
    let man = run(["man"]);
    assert_eq!(man.code(), Some(0));
    assert!(man.out.starts_with(".ie") || man.out.contains(".TH k1"), "{}", man.out);
    assert!(man.out.contains("analyze"));
    let help = run(["--help"]);
    assert!(help.code() == Some(0) && help.out.contains("Music into light"));
    assert_eq!(run(["--version"]).out.trim(), format!("k1 {}", env!("CARGO_PKG_VERSION")));
}

/// The files of a release are checked against the key of their maker, before somebody installs them.
#[test]
fn a_release_is_verified_and_a_changed_file_in_it_is_refused() {
    use k1_fleet::signing::{keys, sums};
    let place = folder();
    let key = keys::make(&place.path().join("keys"), "release").unwrap();
    let (pem, release) = (place.path().join("release.pem"), place.path().join("release"));
    std::fs::write(&pem, key.public_pem().unwrap()).unwrap();
    std::fs::create_dir(&release).unwrap();
    let text = sums::sums(&[("k1.deb".to_owned(), b"whole".to_vec())].into());
    let files = [
        ("k1.deb", &b"whole"[..]),
        (sums::SUMS, text.as_bytes()),
        (sums::SIGNATURE, &sums::sign(&text, &key)),
    ];
    for (name, bytes) in files {
        std::fs::write(release.join(name), bytes).unwrap();
    }
    let [folder, trust] = [&release, &pem].map(|path| path.to_str().unwrap());
    let said = run(["verify", folder, "--trust", trust]);
    assert!(said.code() == Some(0) && said.out.contains("k1.deb: whole, and signed by"), "{said:?}");
    std::fs::write(release.join("k1.deb"), b"other").unwrap();
    run(["verify", folder, "--trust", trust]).failed_saying(&["k1.deb is not what its maker has signed"]);
}

/// A reader that has seen enough closes the pipe. That is not an error, on either stream.
#[test]
fn a_closed_pipe_is_no_error() {
    let commands: [&[&str]; 8] = [
        &["patterns"],
        &["palettes", "--json"],
        &["params"],
        &["sources"],
        &["completions", "bash"],
        &["man"],
        &["analyze", "demo", "--json"],
        &["run", "demo", "--headless", "--json", "--duration", "2.5"],
    ];
    for args in commands {
        // Close the reading ends before the program can have written anything important.
        for both in [false, true] {
            let (read, write) = std::io::pipe().unwrap();
            let (mut errors, error) = std::io::pipe().unwrap();
            let mut command = k1(args);
            command.stdout(write.try_clone().unwrap()).stderr(if both { write } else { error });
            let mut child = command.spawn().unwrap();
            drop((read, command));
            let began = Instant::now();
            eventually("the end", || child.try_wait().unwrap().is_some());
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(0), "{args:?}, both: {both}, after {:?}", began.elapsed());
            if !both {
                let mut said = String::new();
                errors.read_to_string(&mut said).unwrap();
                assert!(!said.contains("panicked") && !said.contains("roken pipe"), "{args:?}: {said}");
            }
        }
    }
    // A command that fails keeps its status even if nobody reads the reason.
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let status = k1(["analyze", "missing.wav"]).stdout(Stdio::null()).stderr(write).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn three_seconds_of_built_in_music_tear_nothing_and_allocate_nothing() {
    let host = Host::watch();
    let said = run(["run", "demo", "--headless", "--duration", "3", "--json"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let summary = said.summary();
    let vitals = &summary["vitals"];
    for none in ["torn", "allocations", "overruns"] {
        assert_eq!(vitals[none], 0, "{none}: {summary}");
    }
    assert!(vitals["frames"].as_u64().unwrap() > 10, "{summary}");
    host.asserts("run-frames", vitals["frames"].as_u64().unwrap() > 100, || summary.to_string());
    let hop_rate = vitals["hop_rate"].as_f64().unwrap();
    assert!(hop_rate < 150.0, "{summary}");
    host.asserts("run-hop-rate", hop_rate > 100.0, || summary.to_string());
    assert!((2.9..10.0).contains(&summary["seconds"].as_f64().unwrap()), "{summary}");
    // The boot log in order, with each marker once.
    let markers = [
        "[BOOT] ",
        "[AUDIO SYNC] Initialized successfully",
        "[GPU TASK] Running on Core ",
        "[AUDIO TASK] Running on Core ",
    ];
    let mut rest = said.err.as_str();
    for marker in markers {
        assert_eq!(said.err.matches(marker).count(), 1, "{marker}: {}", said.err);
        let at = rest.find(marker).unwrap_or_else(|| panic!("{marker} is not in its place:\n{}", said.err));
        rest = &rest[at..];
    }
    // First the seconds as they pass, then the summary.
    let lines = said.json_lines();
    assert!(lines.len() >= 2 && lines[..lines.len() - 1].iter().all(|l| l["kind"] == "second"));
}

#[test]
fn people_get_the_same_in_words() {
    let said = run(["run", "demo", "--headless", "--duration", "2.5"]);
    assert_eq!((said.code(), said.err.as_str()), (Some(0), ""), "{said:?}");
    for word in ["[BOOT] K1 ", "built-in music", "[FPS] ", "[LATENCY] ", " torn, "] {
        assert!(said.out.contains(word), "“{word}” is not in:\n{}", said.out);
    }
}

#[test]
fn ctrl_c_leaves_a_file_whose_last_frame_is_dark() {
    let dir = folder();
    let path = dir.path().join("light");
    let mut running = start(&mut k1([
        "run",
        "demo",
        "--headless",
        "--json",
        "--leds",
        "50",
        "--to",
        &format!("file:{}", path.display()),
    ]));
    running.says("[AUDIO TASK]");
    eventually("light", || std::fs::metadata(&path).is_ok_and(|m| m.len() > 150 * 200));
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert_eq!(said.summary()["vitals"]["torn"], 0);
    let frames = frames(&path, 50);
    assert!(frames.iter().any(|f| brightness(f) > 5.0), "it shone");
    assert!(frames.last().unwrap().iter().all(|b| *b == 0), "it is dark");
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let mut running = start(&mut k1(["run", "demo", "--headless", "--json"]));
    running.says("[AUDIO TASK]");
    let began = Instant::now();
    running.interrupt();
    running.interrupt();
    // Both signals may be handled before the first takes effect, or the program may end before the second arrives.
    assert!(matches!(running.end().code(), Some(0 | 130)));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn lights_on_the_network_get_whole_frames_and_are_left_dark() {
    // 600 LEDs need two packets per frame.
    const LEDS: usize = 600;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let target = format!("ddp://127.0.0.1:{}", socket.local_addr().unwrap().port());
    let mut running = start(&mut k1([
        "run",
        "demo",
        "--headless",
        "--json",
        "--leds",
        "600",
        "--fps",
        "60",
        "--to",
        &target,
    ]));
    running.says("[AUDIO TASK]");

    let mut light = Box::new(Receiver::<LEDS>::default());
    let mut bytes = [0; 2048];
    let (mut shown, mut brightest, mut interrupted) = (0, 0.0_f32, false);
    let mut last_frames: Vec<f32> = Vec::new();
    let began = Instant::now();
    loop {
        let n = match socket.recv(&mut bytes) {
            Ok(n) => n,
            // Nothing has arrived for half a second after the request to end.
            Err(_) if interrupted => break,
            Err(e) => {
                assert!(began.elapsed() < support::PATIENCE, "{shown} frames: {e}");
                continue;
            }
        };
        let packet = Packet::check(&bytes[..n]).expect("a DDP packet");
        let second = packet.offset() == 1440;
        assert_eq!((packet.offset(), packet.data().len()), if second { (1440, 360) } else { (0, 1440) });
        assert_eq!(packet.is_push(), second, "PUSH is on the last packet of a frame");
        assert!(packet.sequence().is_some() && packet.id() == 1);
        if let Some(pixels) = light.accept(&packet) {
            shown += 1;
            let now = brightness(pixels.as_flattened());
            brightest = brightest.max(now);
            last_frames.push(now);
        }
        if shown == 150 && !interrupted {
            interrupted = true;
            running.interrupt();
        }
    }
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(shown > 150 && light.late == 0, "{shown} frames, {} late", light.late);
    assert!(brightest > 5.0, "it shone: {brightest}");
    assert_eq!(last_frames[last_frames.len() - 3..], [0.0; 3], "dark, three times");
}

/// A light that is off must not stop the program or its other lights.
#[test]
fn a_light_that_is_off_hinders_no_other() {
    let dir = folder();
    let path = dir.path().join("light");
    let off = {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        format!("ddp://127.0.0.1:{}", socket.local_addr().unwrap().port())
    };
    let file = format!("file:{}", path.display());
    let running = start(&mut k1(["run", "demo", "--headless", "--json", "--to", &off, "--to", &file]));
    // The speed of this machine does not matter.
    let of_61_frames = 61 * 180 * 3;
    eventually("the other light goes on", || path.metadata().is_ok_and(|m| m.len() >= of_61_frames));
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(frames(&path, 180).len() >= 61);
}

#[test]
fn a_pipe_of_samples_is_heard_until_it_ends() {
    let mut samples = vec![0.0; 32_000];
    Demo::default().read(&mut samples).unwrap();
    let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    let pipe = |command: &mut Command, bytes: &[u8]| {
        let mut running = start(command.stdin(Stdio::piped()));
        let mut input = running.input();
        // A program that ended early has closed its input; the caller checks what it printed.
        let _ = input.write_all(bytes);
        drop(input);
        running.end()
    };
    let dir = folder();
    let path = dir.path().join("light");
    let to = format!("file:{}", path.display());
    let said = pipe(&mut k1(["run", "-", "--headless", "--json", "--to", &to]), &bytes);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let seconds = said.summary()["seconds"].as_f64().unwrap();
    assert!((2.5..6.0).contains(&seconds), "two seconds of sound and the afterglow: {seconds}");
    assert!(frames(&path, 180).iter().any(|f| brightness(f) > 5.0));

    let said = pipe(&mut k1(["analyze", "-", "--json"]), &bytes);
    assert!(said.code() == Some(0) && said.out.contains("onset"), "{said:?}");
    // The same bytes at half the rate last twice as long.
    let npy = dir.path().join("x.npy");
    let said = pipe(k1(["render", "-", "--rate", "8000", "--json", "-o"]).arg(&npy), &bytes);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!((said.json()["heard_s"].as_f64().unwrap() - 4.0).abs() < 0.05, "{}", said.out);
    // An empty pipe, and one with half a sample, are pipes that end.
    for bytes in [&[][..], &[1, 2]] {
        let said = pipe(&mut k1(["analyze", "-", "--json"]), bytes);
        assert_eq!((said.code(), said.err.as_str()), (Some(0), ""));
        let summary = said.summary();
        assert_eq!((&summary["seconds"], &summary["tempo"]), (&0.0.into(), &serde_json::Value::Null));
        assert_eq!(said.json_lines().len(), 1);
        let said = pipe(&mut k1(["run", "-", "--headless", "--json"]), bytes);
        assert_eq!(said.code(), Some(0), "{said:?}");
    }
    // Samples that are not numbers, or are extreme, must not crash at any rate.
    let wild: Vec<u8> = [f32::NAN, f32::MAX, f32::INFINITY, -1e38, 0.5]
        .into_iter()
        .cycle()
        .take(8_000)
        .flat_map(f32::to_le_bytes)
        .collect();
    for rate in ["16000", "44100"] {
        let said = pipe(&mut k1(["analyze", "-", "--json", "--rate", rate]), &wild);
        assert_eq!(said.code(), Some(0), "{said:?}");
        drop(said.json_lines());
    }
}

/// An open pipe without data must not keep the program from ending.
#[test]
fn a_silent_pipe_does_not_hold_the_program() {
    let mut running =
        start(k1(["run", "-", "--headless", "--json", "--duration", "2"]).stdin(Stdio::piped()));
    let _open = running.input();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(!said.err.contains("[AUDIO SYNC]"), "no sound has come, and none is claimed");
}

#[test]
fn a_lamp_that_is_not_there_is_told_with_what_to_do() {
    // This port was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("127.0.0.1:{port}");
    run(["validate", &nowhere, "--for", "1"]).failed_saying(&["does not answer", "is it on"]);
    // A file that cannot be written is reported before anything is measured.
    for (option, words) in
        [("--record", "the record cannot be written"), ("--raw", "raw figures cannot be written")]
    {
        run(["validate", &nowhere, option, "/no/such/folder/file"]).failed_saying(&[words]);
    }
    run(["monitor", &nowhere, "--json", "--duration", "1"]).failed_saying(&["does not answer"]);
    run(["soak", "virt"]).failed_saying(&["no virtual lamp", "k1 virt"]);
    let listed = run(["devices", &nowhere, "--json"]).json();
    assert!(listed[0]["fps"].is_null() && listed[0]["trouble"].is_string(), "{listed}");
    // A sentence names the lamp once.
    for args in [&["rollback", &nowhere][..], &["monitor", &nowhere, "--json", "--duration", "1"]] {
        let said = run(args);
        assert_eq!((said.code(), said.err.matches(&nowhere).count()), (Some(1), 1), "{args:?}: {said:?}");
    }
    run(["monitor", "--serial", "/dev/no-such-port"]).failed_saying(&["/dev/no-such-port", "cable"]);
}

#[test]
fn a_virtual_lamp_with_music_of_its_own_is_not_judged() {
    let lamp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = lamp.local_addr().unwrap().port();
    let entry = format!(r#"{{"http": {port}, "sound": 1, "ota": 1, "token": "abc", "music": true}}"#);
    let dir = folder();
    std::fs::create_dir(dir.path().join("k1")).unwrap();
    std::fs::write(dir.path().join(format!("k1/virt-{port}.json")), entry).unwrap();
    let said = start(k1(["validate", "virt", "--for", "1"]).env("XDG_RUNTIME_DIR", dir.path())).end();
    said.failed_saying(&["`k1 virt` plays music to this lamp", "k1 virt --headless"]);
}

#[test]
fn the_program_itself_can_be_watched_and_judged_by_the_same_commands() {
    let mut program = start(&mut k1(["run", "demo", "--listen", "127.0.0.1:0"]));
    program.prints("Light is on: ");
    let printed = program.printed();
    let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap();
    let listed = run(["devices", page, "--json"]).json();
    assert_eq!((&listed[0]["board"], &listed[0]["name"]), (&"program".into(), &"k1".into()), "{listed}");
    let line = &run(["monitor", page, "--json", "--duration", "2"]).json_lines()[0];
    assert!(line["figures"]["fps"].is_number() && line["figures"]["heap_free"].is_null(), "{line}");
}
