//! A hostile world: whatever K1 quotes – lamps, files, arguments, consoles, sound servers – a terminal obeys none of it, and
//! no line of K1's is forged.
//!
//! Everything that is printed goes through one door (`k1::console`), which cleans it. [`PLACES`] lists where foreign text
//! comes in; the first test fails for a place that prints without the door.
#![cfg(unix)]

#[path = "support/broker.rs"]
mod broker;
mod support;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use broker::{Broker, Listener};
use ed25519_dalek::SigningKey;
use k1::update::package::{Statement, Update, manifest};
use k1_sim::fleet::{SimLamp, Temper};
use k1_update::sheet::PublicKey;
use k1_update::trust::{KeyStatement, Trust};
use serde_json::Value;
use support::{Said, eventually, folder, here, k1, start};

/// Where foreign text comes in, what it is, and the test that sends a hostile one that way.
const PLACES: [(&str, &str, &str); 19] = [
    (
        "lamps/client.rs",
        "answers of a lamp, their errors and bodies",
        "a_hostile_lamp_is_quoted_and_not_obeyed",
    ),
    ("lamps/watch.rs", "the live connection of a lamp", "a_hostile_lamp_is_quoted_and_not_obeyed"),
    ("lamps/nearby.rs", "names and texts by multicast DNS", "lamps::nearby::tests"),
    ("lamps/place.rs", "a lamp's name or address on the command line", "hostile_arguments_are_quoted"),
    ("commands/mqtt/broker.rs", "topics and messages of a broker", "a_hostile_lamp_is_quoted_at_a_broker"),
    (
        "commands/mqtt/voice.rs",
        "what a lamp says of itself, on its way to a broker",
        "a_hostile_lamp_is_quoted_at_a_broker",
    ),
    ("commands/monitor/mod.rs", "the console of a lamp on a cable or a pipe", "a_hostile_console_is_quoted"),
    ("commands/monitor/screen.rs", "the dashboard", "commands::monitor::screen::tests"),
    ("commands/usb.rs", "the console of a lamp on a cable", "foreign::tests"),
    ("commands/virt.rs", "what an emulator prints and complains of", "a_hostile_emulator_is_quoted"),
    ("commands/devices.rs", "the table of lamps, its columns", "commands::devices::tests"),
    (
        "commands/deploy.rs",
        "versions and boards of an update, verdicts of a lamp",
        "a_hostile_lamp_is_quoted_and_not_obeyed",
    ),
    ("commands/validate/mod.rs", "a lamp's record", "a_hostile_lamp_is_quoted_and_not_obeyed"),
    ("commands/analyze.rs", "a file's name as a title, on a report too", "hostile_file_names_are_quoted"),
    ("commands/render.rs", "file names", "hostile_file_names_are_quoted"),
    (
        "commands/run.rs",
        "a source's title, on the page and in the API too",
        "a_hostile_title_is_harmless_on_the_page",
    ),
    ("commands/mod.rs", "arguments, as the parser quotes them", "hostile_arguments_are_quoted"),
    ("commands/list.rs, commands/doctor.rs", "names of a sound server", "a_hostile_environment_is_quoted"),
    ("private.rs, update/keys.rs", "folders from the environment", "a_hostile_environment_is_quoted"),
];

/// Ways round the door, and who may go them.
const DETOURS: [(&str, &[(&str, &str)]); 14] = [
    ("println!", &[]),
    ("eprintln!", &[]),
    ("print!(", &[]),
    ("eprint!(", &[]),
    ("dbg!(", &[]),
    (
        "stdout()",
        &[
            ("k1/src/console.rs", "the door"),
            ("k1/src/sink/terminal.rs", "the strip in the terminal: nothing but colours of its own"),
        ],
    ),
    ("stderr()", &[("k1/src/console.rs", "the door")]),
    (
        "verbatim(",
        &[
            ("k1/src/console.rs", "the door"),
            ("k1/src/commands/mod.rs", "completions, manual and help: nothing but K1's own words"),
        ],
    ),
    (
        "line_with_colours(",
        &[("k1/src/console.rs", "the door"), ("k1/src/commands/list.rs", "swatches of the palettes")],
    ),
    ("Cli::parse()", &[]),
    (".exit()", &[]),
    ("ProgressBar::new", &[("k1/src/commands/mod.rs", "bars; what they quote is cleaned there")]),
    (
        "ratatui::",
        &[
            ("k1/src/commands/monitor/mod.rs", "the dashboard"),
            ("k1/src/commands/monitor/screen.rs", "cleans what it is told"),
        ],
    ),
    (
        "Command::new",
        &[
            ("k1/src/commands/virt.rs", "the emulator: what it prints is read and passed on by the door"),
            ("k1/src/lamps/voice.rs", "the loudspeaker: prints to nowhere"),
        ],
    ),
];

/// True if a line of code has a detour in it that is not the end of a longer word.
fn goes_by(code: &str, detour: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(detour)
        .any(|(at, _)| !code[..at].ends_with(is_word) || detour.starts_with(|c| !is_word(c)))
}

/// Rust sources below a folder.
fn sources(folder: &Path, all: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn nothing_is_printed_but_by_the_door() {
    let mut found = Vec::new();
    let mut used = Vec::new();
    let crates = here("..");
    for library in ["k1", "k1-device", "k1-engine", "k1-handoff", "k1-update", "k1-wire"] {
        let mut all = Vec::new();
        sources(&crates.join(library).join("src"), &mut all);
        assert!(all.len() > 3, "{library}");
        for path in all {
            let name = path.strip_prefix(&crates).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            // What tests print is for whoever tests. `exact.rs` is one.
            let program = text.split("#[cfg(test)]").next().unwrap();
            if name == "k1-engine/src/audio/spectrum/exact.rs" {
                continue;
            }
            for (number, line) in program.lines().enumerate() {
                let code = line.trim_start();
                if code.starts_with("//") {
                    continue;
                }
                for (detour, allowed) in DETOURS.iter().filter(|(detour, _)| goes_by(code, detour)) {
                    match allowed.iter().find(|(file, _)| *file == name) {
                        Some(_) => used.push((*detour, name.clone())),
                        None => found.push(format!("{name}:{}: {code}", number + 1)),
                    }
                }
            }
        }
    }
    assert!(goes_by("eprintln!(\"x\")", "eprintln!") && !goes_by("use_stderr()", "stderr()"));
    assert!(
        found.is_empty(),
        "these print without k1::console, which cleans what is quoted:\n{}",
        found.join("\n")
    );
    for (detour, allowed) in DETOURS {
        for (file, reason) in allowed {
            let is_used = used.iter().any(|(d, f)| *d == detour && f == file);
            assert!(is_used, "{file} goes by {detour} no more ({reason}): take it off the list");
        }
    }
    for (files, what, _) in PLACES {
        for file in files.split(", ") {
            assert!(here("src").join(file).exists(), "{file}: {what}");
        }
    }
}

/// What a terminal would obey, and a line that looks like K1's.
const HOSTILE: &str = "\x1b[2J\x1b]0;pwned\x07\x1b]52;c;cHduZWQ=\x07\r\nk1: FORGED line\nFORGED\u{9b}31m\u{85}\u{202e}gnp\u{2066}\u{200b}\u{2028}\u{e0041}\u{feff}\x7f";
/// Others of its kind, each with something of its own.
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
    // What quotes something without end has an end.
    assert!(said.out.len() + said.err.len() < 100_000, "{what}: {} bytes", said.out.len() + said.err.len());
    said
}

/// How a lamp is hostile.
#[derive(Clone, Copy, Debug)]
enum Temperament {
    /// Every text that it says of itself ends in something hostile.
    Texts(&'static str),
    /// Versions and names are hostile and short, so that they fit everywhere.
    Short,
    /// Every text is a megabyte long.
    Endless,
    /// Every answer is a refusal that is hostile.
    Refuses(&'static str),
    /// It refuses what would change it.
    RefusesChanges(&'static str),
    /// No JSON.
    Garbage,
    /// Not even HTTP.
    Noise,
}

/// A simulated lamp behind somebody who spoils its answers.
struct Spoiler {
    port: u16,
    _lamp: SimLamp,
}

impl Spoiler {
    fn start(trust: Trust, temperament: Temperament) -> Self {
        let quick = Duration::from_millis(200);
        let temper =
            Temper { restart: quick, trial: quick, finds_bad: matches!(temperament, Temperament::Short) };
        let lamp = SimLamp::start(7, trust, temper).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = lamp.port;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, behind, temperament));
            }
        });
        Self { port, _lamp: lamp }
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Hands one request on, and its answer back, spoiled.
fn serve(mut stream: TcpStream, behind: u16, temperament: Temperament) -> Option<()> {
    let mut request = Vec::new();
    let mut piece = [0; 4_096];
    let head = loop {
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&piece[..n]);
        if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let length =
        text.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while request.len() < head + length.unwrap_or(0_usize) {
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&piece[..n]);
    }
    if matches!(temperament, Temperament::Noise) {
        let noise =
            [HOSTILE.as_bytes(), b"HTTP/1.1 200 \x1b[2J\r\n\xff\xfe: \x1b\r\n\r\n", HOSTILE.as_bytes()]
                .concat();
        return stream.write_all(&noise).ok();
    }
    let mut lamp = TcpStream::connect(("127.0.0.1", behind)).ok()?;
    lamp.write_all(text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    lamp.write_all(&request[head..]).ok()?;
    let mut answer = Vec::new();
    lamp.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).into_owned();
    let body = serde_json::from_slice::<Value>(&answer[end..]);
    let refusal =
        |words: &str| serde_json::json!({"error": words, "message": words, "status": words}).to_string();
    let changes = text.starts_with("POST") || text.starts_with("PUT");
    let (status, body) = match (temperament, body) {
        (Temperament::Refuses(words), _) => ("503".into(), refusal(words)),
        (Temperament::RefusesChanges(words), _) if changes => ("400".into(), refusal(words)),
        (Temperament::Garbage, _) => (status, format!("{{\"{HOSTILE}\": {HOSTILE}")),
        (_, Ok(mut body)) => {
            spoil(&mut body, temperament);
            (status, body.to_string())
        }
        (_, Err(_)) => (status, String::from_utf8_lossy(&answer[end..]).into_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status} \u{9b}2J\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()
}

/// Texts that are free to say anything.
const FREE: [&str; 16] = [
    "name",
    "firmware",
    "board",
    "version",
    "slot",
    "source",
    "pattern",
    "message",
    "reason",
    "reset_reason",
    "last_panic",
    "advice",
    "text",
    "microphone",
    "ip",
    "id",
];

fn spoil(value: &mut Value, temperament: Temperament) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if FREE.contains(&name.as_str()) => match temperament {
                        Temperament::Texts(words) => text.push_str(words),
                        Temperament::RefusesChanges(_) => {}
                        Temperament::Short => *text = format!("{}\x1b[2J\n", &text[..text.len().min(3)]),
                        _ => text.push_str(&HOSTILE.repeat(1 << 14)),
                    },
                    other => spoil(other, temperament),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|v| spoil(v, temperament)),
        _ => {}
    }
}

fn update(version: &str, key: &SigningKey) -> Vec<u8> {
    let statement = Statement { board: "virt", version, counter: 0, patience_s: 10 };
    let image = vec![0x42; 20_000];
    let manifest = manifest(&image, &statement).unwrap();
    Update { sheet: manifest.sheet().sign(key), manifest, image }.bytes()
}

fn trust(key: &SigningKey) -> Trust {
    let keys = [Some(PublicKey(key.verifying_key().to_bytes())), None];
    let mut trust = Trust::NOBODY;
    trust.replace(&KeyStatement { keys, generation: 1 }.sheet()).unwrap();
    trust
}

/// Everything that a stranger on the network may be.
fn temperaments() -> Vec<Temperament> {
    let mut all = vec![Temperament::Short, Temperament::Endless, Temperament::Garbage, Temperament::Noise];
    for words in [HOSTILE].into_iter().chain(MORE) {
        all.extend([
            Temperament::Texts(words),
            Temperament::Refuses(words),
            Temperament::RefusesChanges(words),
        ]);
    }
    all
}

#[test]
fn a_hostile_lamp_is_quoted_and_not_obeyed() {
    let dir = folder();
    let key = SigningKey::from_bytes(&[7; 32]);
    let image = dir.path().join("next.k1");
    std::fs::write(&image, update("2.0.0", &key)).unwrap();
    let image = image.to_str().unwrap();
    std::thread::scope(|scope| {
        for temperament in temperaments() {
            let key = &key;
            scope.spawn(move || {
                let ask = |args: &[&str]| {
                    // Each finds it as it was.
                    let lamp = Spoiler::start(trust(key), temperament);
                    let place = lamp.place();
                    let args: Vec<_> = args.iter().map(|a| if *a == "LAMP" { &*place } else { a }).collect();
                    ends_harmless(&mut k1(&args), &format!("{args:?} of {temperament:?}"))
                };
                let listed = ask(&["devices", "LAMP"]);
                assert_eq!(listed.out.lines().count(), 2, "{temperament:?}: {listed:?}");
                assert!(ask(&["devices", "LAMP", "--json"]).json().is_array());
                drop(ask(&["monitor", "LAMP", "--json", "--duration", "1.5"]).json_lines());
                drop(ask(&["rollback", "LAMP"]));
                drop(ask(&["deploy", image, "--to", "LAMP", "--dry-run"]));
                drop(ask(&["keys", "trust", "LAMP"]));
            });
        }
    });
    // What takes its time: each kind once.
    std::thread::scope(|scope| {
        for temperament in [Temperament::Texts(HOSTILE), Temperament::Short, Temperament::Refuses(HOSTILE)] {
            let key = &key;
            scope.spawn(move || {
                for args in [&["validate", "LAMP", "--for", "1"][..], &["deploy", image, "--to", "LAMP"]] {
                    let lamp = Spoiler::start(trust(key), temperament);
                    let place = lamp.place();
                    let args: Vec<_> = args.iter().map(|a| if *a == "LAMP" { &*place } else { a }).collect();
                    drop(ends_harmless(&mut k1(&args), &format!("{args:?} of {temperament:?}")));
                }
            });
        }
    });
}

#[test]
fn a_hostile_lamp_is_quoted_at_a_broker() {
    let Some(broker) = Broker::start() else { return };
    let key = SigningKey::from_bytes(&[7; 32]);
    let lamps: Vec<_> = temperaments().into_iter().map(|t| Spoiler::start(trust(&key), t)).collect();
    let listener = Listener::new(broker.port);
    let address = format!("127.0.0.1:{}", broker.port);
    let places: Vec<_> = lamps.iter().map(Spoiler::place).collect();
    let all = ["mqtt", "--broker", &address, "--every", "1", "--duration", "6"];
    let mut command = k1(all.into_iter().chain(places.iter().map(String::as_str)));
    let bridge = std::thread::spawn(move || ends_harmless(&mut command, "mqtt"));
    eventually("somebody is announced", || listener.topics().iter().any(|t| t.contains("/light/")));
    for words in [HOSTILE].into_iter().chain(MORE) {
        listener.wish("k1/all/set", words);
        listener.wish("k1/rollout/set", words);
        let plain: String = words.chars().filter(|c| !c.is_control() && !"#+/".contains(*c)).collect();
        listener.wish(&format!("k1/{plain}/set"), words);
        listener.wish("k1/all/set", &serde_json::json!({"effect": words, "state": "ON"}).to_string());
    }
    let said = bridge.join().unwrap();
    assert_eq!(said.code(), Some(0), "{said:?}");
    for topic in listener.topics() {
        // What this test has said itself.
        if topic.ends_with("/set") {
            continue;
        }
        is_harmless(topic.as_bytes(), &topic);
        let message = listener.text(&topic).unwrap();
        is_harmless(message.as_bytes(), &topic);
        if message.starts_with('{') {
            // Its strings, too, after a reader has undone the escapes of JSON.
            fn texts(value: &Value, topic: &str) {
                match value {
                    Value::String(text) => is_harmless(text.as_bytes(), topic),
                    Value::Array(all) => all.iter().for_each(|v| texts(v, topic)),
                    Value::Object(fields) => fields.iter().for_each(|(name, v)| {
                        is_harmless(name.as_bytes(), topic);
                        texts(v, topic);
                    }),
                    _ => {}
                }
            }
            texts(&serde_json::from_str(&message).unwrap(), &topic);
        }
    }
}

/// A sound, as a file of any name.
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
        // A slash ends a name, and 255 bytes do.
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
            &["run", "mic:X", "--headless"],
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
            assert!(matches!(said.code(), Some(1 | 2)) && !said.err.is_empty(), "{args:?}: {said:?}");
        }
        // A name of the program itself, and one without end.
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
    // What is said is still understood.
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
        // No terminal to draw on.
        drop(ends_harmless_with(&mut k1(["monitor", "--serial", "-"]), &input, "a dashboard"));
    }
}

#[test]
fn a_hostile_emulator_is_quoted() {
    let dir = folder();
    let emulator = dir.path().join("qemu-system-riscv32");
    let mut words = Vec::new();
    for text in [HOSTILE].into_iter().chain(MORE) {
        // A lamp may print lines, and forge none that are K1's.
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
                &["run", "mic", "--headless"],
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
