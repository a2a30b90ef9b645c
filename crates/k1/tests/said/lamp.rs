//! A lamp that sends hostile text, and the commands that ask it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use k1_fleet::signing::package::{Statement, Update, manifest};
use k1_sim::fleet::{SimLamp, Temper};
use k1_update::envelope::PublicKey;
use k1_update::trust::{KeyStatement, Trust};
use serde_json::Value;

use crate::broker::{Broker, Listener};
use crate::support::{eventually, folder, k1};
use crate::{HOSTILE, MORE, ends_harmless, is_harmless};

/// How a lamp is hostile.
#[derive(Clone, Copy, Debug)]
enum Temperament {
    /// Every text about itself ends with something hostile.
    Texts(&'static str),
    /// Versions and names are hostile but short, so that they fit everywhere.
    Short,
    /// Every text is a megabyte long.
    Endless,
    /// Every answer is a refusal with hostile text.
    Refuses(&'static str),
    /// It refuses requests that would change it.
    RefusesChanges(&'static str),
    /// Its answers are not JSON.
    Garbage,
    /// Its answers are not even HTTP.
    Noise,
}

/// A simulated lamp behind a proxy that spoils its answers.
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

/// Forwards one request, and returns the spoiled answer.
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

/// Fields of text that may contain anything.
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
    Update { envelope: manifest.envelope().sign(key), manifest, image }.bytes()
}

fn trust(key: &SigningKey) -> Trust {
    let keys = [Some(PublicKey(key.verifying_key().to_bytes())), None];
    let mut trust = Trust::NOBODY;
    trust.replace(&KeyStatement { keys, generation: 1 }.envelope()).unwrap();
    trust
}

/// Every kind of hostile lamp on the network.
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
                    // Each command finds the lamp in its original state.
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
    // Slow commands: once for each kind of lamp.
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
        // Messages of this test itself.
        if topic.ends_with("/set") {
            continue;
        }
        is_harmless(topic.as_bytes(), &topic);
        let message = listener.text(&topic).unwrap();
        is_harmless(message.as_bytes(), &topic);
        if message.starts_with('{') {
            // Also checks the strings after a reader has decoded the JSON escapes.
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
