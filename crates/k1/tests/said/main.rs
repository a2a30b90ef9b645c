//! A hostile world: K1 quotes lamps, files, arguments, consoles and sound servers, but no quoted text controls the
//! terminal or forges a line of K1.
//!
//! With `K1_REQUIRE=mosquitto` a missing broker is a failure; otherwise the test that needs one prints that it was
//! skipped.
//!
//! `k1_host::console` prints everything and cleans it. [`PLACES`] lists where foreign text enters; the first test fails
//! if a place prints in another way.
#![cfg(unix)]

#[path = "../support/broker.rs"]
mod broker;
mod door;
mod lamp;
#[cfg(not(feature = "native-audio"))]
mod sound;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Said, folder, k1, start};

/// Where foreign text enters, what it is, and the test that sends hostile text there.
const PLACES: [(&str, &str, &str); 19] = [
    (
        "k1-fleet/src/lamps/client.rs",
        "answers of a lamp, their errors and bodies",
        "a_hostile_lamp_is_quoted_and_not_obeyed",
    ),
    (
        "k1-fleet/src/lamps/watch.rs",
        "the live connection of a lamp",
        "a_hostile_lamp_is_quoted_and_not_obeyed",
    ),
    ("k1-fleet/src/lamps/nearby.rs", "names and texts by multicast DNS", "k1_fleet::lamps::nearby::tests"),
    (
        "k1-fleet/src/lamps/selector.rs",
        "a lamp's name or address on the command line",
        "hostile_arguments_are_quoted",
    ),
    ("k1-fleet/src/bridge/hub.rs", "topics and messages of a broker", "a_hostile_lamp_is_quoted_at_a_broker"),
    (
        "k1-fleet/src/bridge/lamp.rs, k1-fleet/src/bridge/attend.rs",
        "what a lamp says of itself, on its way to a broker",
        "a_hostile_lamp_is_quoted_at_a_broker",
    ),
    (
        "k1-fleet/src/commands/monitor/mod.rs",
        "the console of a lamp on a cable or a pipe",
        "a_hostile_console_is_quoted",
    ),
    (
        "k1-fleet/src/commands/monitor/screen.rs",
        "the dashboard",
        "k1_fleet::commands::monitor::screen::tests",
    ),
    (
        "k1-fleet/src/commands/cable.rs, k1-fleet/src/commands/install.rs",
        "the console of a lamp on a cable",
        "k1_host::foreign::tests",
    ),
    ("k1-fleet/src/virt/mod.rs", "what an emulator prints and complains of", "a_hostile_emulator_is_quoted"),
    (
        "k1-fleet/src/commands/devices.rs",
        "the table of lamps, its columns",
        "k1_fleet::commands::devices::tests",
    ),
    (
        "k1-fleet/src/commands/deploy.rs",
        "versions and boards of an update, verdicts of a lamp",
        "a_hostile_lamp_is_quoted_and_not_obeyed",
    ),
    ("k1-fleet/src/validate/record.rs", "a lamp's record", "a_hostile_lamp_is_quoted_and_not_obeyed"),
    (
        "k1/src/commands/analyze.rs",
        "a file's name as a title, on a report too",
        "hostile_file_names_are_quoted",
    ),
    ("k1/src/commands/render.rs", "file names", "hostile_file_names_are_quoted"),
    (
        "k1/src/commands/run.rs",
        "a source's title, on the page and in the API too",
        "a_hostile_title_is_harmless_on_the_page",
    ),
    ("k1/src/commands/mod.rs", "arguments, as the parser quotes them", "hostile_arguments_are_quoted"),
    (
        "k1/src/commands/list.rs, k1/src/commands/doctor.rs",
        "names of a sound server",
        "a_hostile_sound_server_is_quoted",
    ),
    (
        "k1-host/src/private.rs, k1-fleet/src/signing/keys.rs",
        "folders from the environment",
        "a_hostile_environment_is_quoted",
    ),
];

/// Sequences that a terminal would obey, and a line that looks like K1's.
const HOSTILE: &str = "\x1b[2J\x1b]0;pwned\x07\x1b]52;c;cHduZWQ=\x07\r\nk1: FORGED line\nFORGED\u{9b}31m\u{85}\u{202e}gnp\u{2066}\u{200b}\u{2028}\u{e0041}\u{feff}\x7f";
/// Other hostile texts, each with a special property.
const MORE: [&str; 3] = [
    "\x1bP+q544e\x1b\\\x1b[?1049h\x1b[3J\x1bc\u{9d}2;t\u{9c}\nk1: FORGED again\n",
    "\x08\x08\x08\x08ok\x0b\x0c\x0e\x0f\u{2067}\u{2029}\u{200f}\u{61c}\nFORGED\u{fff9}\u{e007f}",
    "\x1b[6n\x1b[>c\x05\u{90}\u{98}\u{9e}\u{9f}\u{206a}\u{00ad}\u{180e}\u{3164}\r\n\r\nFORGED: fine\n",
];

#[track_caller]
fn is_harmless(text: &[u8], what: &str) {
    let text = std::str::from_utf8(text).unwrap_or_else(|e| panic!("{what}: {e}: {}", text.escape_ascii()));
    for c in text.chars() {
        let obeyed = (c.is_control() && c != '\n')
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}');
        assert!(!obeyed, "{what}: {} in:\n{}", c.escape_unicode(), text.escape_debug());
    }
    for line in text.lines() {
        assert!(
            !line.trim_start().starts_with("FORGED") && !line.starts_with("k1: FORGED"),
            "{what}: {line}"
        );
    }
}

#[track_caller]
fn ends_harmless(command: &mut Command, what: &str) -> Said {
    ends_harmless_with(command, b"", what)
}

#[track_caller]
fn ends_harmless_with(command: &mut Command, input: &[u8], what: &str) -> Said {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join();
    is_harmless(&output.stdout, what);
    is_harmless(&output.stderr, what);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { status: output.status, out: text(&output.stdout), err: text(&output.stderr) };
    assert!(!said.err.contains("panicked"), "{what}: {said:?}");
    // Quoting an endless text must end.
    assert!(said.out.len() + said.err.len() < 100_000, "{what}: {} bytes", said.out.len() + said.err.len());
    said
}

/// A sound, as the content of a file with any name.
fn sound() -> Vec<u8> {
    let mut file = Vec::new();
    let data: Vec<u8> = (0..16_000_u32).flat_map(|i| ((i * 400 % 20_000) as i16).to_le_bytes()).collect();
    file.extend(b"RIFF");
    file.extend((data.len() as u32 + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn hostile_file_names_are_quoted() {
    let dir = folder();
    for words in [HOSTILE].into_iter().chain(MORE) {
        // A name cannot contain a slash, or more than 255 bytes.
        let mut name: Vec<u8> = words.replace('/', "").into_bytes();
        name.truncate(180);
        let path = |ending: &[u8]| dir.path().join(OsStr::from_bytes(&[&name[..], ending].concat()));
        let wav = path(b".wav");
        std::fs::write(&wav, sound()).unwrap();
        let text = path(b".txt");
        std::fs::write(&text, "no sound").unwrap();
        let missing = path(b"\xff\xfe.wav");
        let ends = |before: &[&str], file: &Path, behind: &[&OsStr]| {
            let all = before.iter().map(OsStr::new).chain([file.as_os_str()]).chain(behind.iter().copied());
            ends_harmless(&mut k1(all), &format!("{before:?} {file:?}"))
        };
        let own = |s: &'static str| OsStr::new(s);
        for file in [&wav, &text, &missing] {
            drop(ends(&["analyze"], file, &[]));
            drop(ends(&["analyze"], file, &[own("--json")]));
            drop(ends(&["analyze"], file, &[own("--events")]));
            drop(ends(&["run"], file, &[own("--headless"), own("--duration"), own("0.5")]));
            drop(ends(&["run"], file, &[own("--headless"), own("--json"), own("--duration"), own("0.5")]));
            drop(ends(&["render"], file, &[own("-o"), path(b".png").as_os_str()]));
            drop(ends(&["render"], file, &[own("--json"), own("-o"), path(b".npy").as_os_str()]));
            drop(ends(&["analyze"], file, &[own("-o"), path(b".html").as_os_str()]));
            drop(ends(&["sign", "--board", "virt"], file, &[]));
            drop(ends(&["deploy", "--to", "127.0.0.1:9"], file, &[]));
            drop(ends(&["virt", "--image"], file, &[]));
            drop(ends(&["virt", "--loader"], file, &[]));
            drop(ends(&["validate", "127.0.0.1:9", "--for", "1", "--record"], file, &[]));
            drop(ends(
                &["mqtt", "127.0.0.1:9", "--user", "x", "--password-file"],
                file,
                &[own("--duration"), own("0.1")],
            ));
        }
        let page = std::fs::read_to_string(path(b".html")).unwrap();
        is_harmless(page.as_bytes(), "a report");
    }
}

#[test]
fn hostile_arguments_are_quoted() {
    for words in [HOSTILE].into_iter().chain(MORE) {
        let commands: [&[&str]; 24] = [
            &["X"],
            &["--X"],
            &["run", "X"],
            &["run", "demo", "--X"],
            &["run", "--pattern", "X"],
            &["run", "--palette=X"],
            &["run", "--set", "X=1"],
            &["run", "--set", "warmth=X"],
            &["run", "--to", "X"],
            &["run", "--to", "ddp://X"],
            &["run", "--name", "X"],
            &["run", "--listen", "X"],
            &["run", "--token", "X", "--duration", "0.1"],
            &["run", "--duration", "X"],
            &["run", "mic:X", "--headless", "--duration", "0.3"],
            &["devices", "X"],
            &["validate", "--for", "X"],
            &["mqtt", "127.0.0.1:9", "--broker", "X:1", "--duration", "0.1"],
            &["mqtt", "127.0.0.1:9", "--prefix", "X", "--broker", "X:Y"],
            &["keys", "new", "X"],
            &["keys", "show", "X"],
            &["sign", "/dev/null", "--board", "X"],
            &["completions", "X"],
            &["monitor", "--serial", "X"],
        ];
        for args in commands {
            let args: Vec<_> = args.iter().map(|a| a.replace('X', words)).collect();
            let said = ends_harmless(&mut k1(&args), &format!("{args:?}"));
            // A microphone with any name may be plugged in later; everything else ends with a refusal.
            let is_waited_for = args.get(1).is_some_and(|a| a.starts_with("mic:"));
            let ends = if is_waited_for { &[0][..] } else { &[1, 2] };
            assert!(ends.contains(&said.code().unwrap_or(-1)) && !said.err.is_empty(), "{args:?}: {said:?}");
        }
        // A name for the program itself, and an endless one.
        let mut command = k1(["dance"]);
        command.arg0(words);
        drop(ends_harmless(&mut command, "argument 0"));
        let mut command = k1(["--help"]);
        command.arg0(words);
        drop(ends_harmless(&mut command, "argument 0"));
        drop(ends_harmless(&mut k1(["run", "--pattern", &words.repeat(1_000)]), "without end"));
        let odd = OsString::from(OsStr::from_bytes(&[words.as_bytes(), b"\xff\xc3("].concat()));
        drop(ends_harmless(&mut k1([OsString::from("run"), "--pattern".into(), odd]), "not UTF-8"));
    }
    // The message is still readable.
    let said = ends_harmless(&mut k1(["run", "--pattern", "a\x1b[2J\nb"]), "a pattern");
    assert!(
        said.err.contains("there is no pattern “a\\u{1b}[2J\\u{a}b”") && said.err.contains("beat_tunnel"),
        "{said:?}"
    );
}

#[test]
fn a_hostile_console_is_quoted() {
    for words in [HOSTILE].into_iter().chain(MORE) {
        let mut input = Vec::new();
        for line in ["[ERROR] ", "[FPS] 175.9 mean ", "[MEMORY] heap 5 B free", "[BOOT] K1 ", ""] {
            input.extend(line.as_bytes());
            input.extend(words.replace('\n', "").as_bytes());
            input.extend(b"\r\n");
        }
        input.extend(words.as_bytes());
        input.extend(b"[ERROR] \xff\xfe\n[ERROR] ");
        input.extend(words.replace('\n', "").repeat(20_000).as_bytes());
        let said = ends_harmless_with(&mut k1(["monitor", "--serial", "-", "--json"]), &input, "a console");
        let lines = said.json_lines();
        assert!(
            lines.iter().any(|l| l["trouble"].as_str().is_some_and(|t| t.starts_with("it says: "))),
            "{said:?}"
        );
        // There is no terminal to draw on.
        drop(ends_harmless_with(&mut k1(["monitor", "--serial", "-"]), &input, "a dashboard"));
    }
}

#[test]
fn a_hostile_emulator_is_quoted() {
    let dir = folder();
    let emulator = dir.path().join("qemu-system-riscv32");
    let mut words = Vec::new();
    for text in [HOSTILE].into_iter().chain(MORE) {
        // A lamp may print lines, but they must not look like K1's.
        words.extend(text.replace('\n', "").as_bytes());
        words.extend(b"\n\xff\xfe\n");
    }
    words.extend(b"page http://10.0.2.15/#token=\x1b[2J\n");
    std::fs::write(dir.path().join("words"), words).unwrap();
    let script = format!(
        "#!/bin/sh\ncase $1 in --version) echo 'QEMU emulator version 8.2.0'; exit;; esac\ncat {0}\ncat {0} >&2\nsleep 1\nexit 3\n",
        dir.path().join("words").display()
    );
    std::fs::write(&emulator, script).unwrap();
    let mut mode = std::fs::metadata(&emulator).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&emulator, mode).unwrap();
    let image = dir.path().join("lamp.bin");
    std::fs::write(&image, vec![0x42; 20_000]).unwrap();
    let image = image.to_str().unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let ports = ["--http", "0", "--sound", "0", "--ota", "0"];
    let mut command = k1(["virt", "--headless", "--loader", image, "--image", image].iter().chain(&ports));
    command.env("PATH", path).env("TMPDIR", dir.path());
    let said = ends_harmless(&mut command, "virt");
    assert!(said.err.contains("the virtual lamp has ended") && said.out.contains("\\u{1b}[2J"), "{said:?}");
    assert!(said.err.contains("\\u{9b}31m"), "its complaints are passed on: {said:?}");
}

#[test]
fn a_hostile_environment_is_quoted() {
    let dir = folder();
    for words in [HOSTILE].into_iter().chain(MORE) {
        let mut name = words.replace('/', "").into_bytes();
        name.truncate(150);
        let home = dir.path().join(OsStr::from_bytes(&name));
        std::fs::write(&home, "a file where a folder should be").unwrap();
        for (variable, value) in [
            ("HOME", home.as_os_str()),
            ("XDG_CONFIG_HOME", home.as_os_str()),
            ("PULSE_SERVER", OsStr::new(words)),
            ("XDG_RUNTIME_DIR", home.as_os_str()),
            ("USER", OsStr::new(words)),
        ] {
            let commands: [&[&str]; 8] = [
                &["keys", "list"],
                &["keys", "new"],
                &["sign", "/dev/null", "--board", "virt"],
                &["doctor"],
                &["sources"],
                &["sources", "--json"],
                &["run", "mic", "--headless", "--duration", "0.3"],
                &["run", "demo", "--listen", "127.0.0.1:0", "--duration", "0.3"],
            ];
            for args in commands {
                let mut command = k1(args);
                command.env_remove("XDG_CONFIG_HOME").env(variable, value);
                drop(ends_harmless(&mut command, &format!("{variable} for {args:?}")));
            }
        }
    }
}

#[test]
fn a_hostile_title_is_harmless_on_the_page() {
    let dir = folder();
    for words in [HOSTILE].into_iter().chain(MORE) {
        let mut name = words.replace('/', "").into_bytes();
        name.truncate(180);
        let file = dir.path().join(OsStr::from_bytes(&[&name[..], b"<img src=x>\".wav"].concat()));
        std::fs::write(&file, sound()).unwrap();
        let args = [OsStr::new("run"), file.as_os_str(), OsStr::new("--loop")];
        let more = ["--listen", "127.0.0.1:0", "--name", "Bad \"name\" \\"].map(OsStr::new);
        let mut program = start(&mut k1(args.into_iter().chain(more)));
        program.prints("Light is on: ");
        let printed = program.printed();
        is_harmless(printed.as_bytes(), "run");
        let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap();
        let get = |path: &str| {
            ureq::get(format!("{page}{path}")).call().unwrap().body_mut().read_to_string().unwrap()
        };
        let status: Value = serde_json::from_str(&get("api/v1/status")).unwrap();
        is_harmless(status["source"].as_str().unwrap().as_bytes(), "the API");
        let metrics = get("metrics");
        is_harmless(metrics.as_bytes(), "metrics");
        assert!(metrics.contains("name=\"Bad \\\"name\\\" \\\\\""), "{metrics}");
    }
}
