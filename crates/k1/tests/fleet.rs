//! Many lamps at one event: simulated lamps on a real broker, managed by the program.
//!
//! With `K1_REQUIRE=mosquitto` a missing broker is a failure; otherwise the test prints that it was skipped.
//! `K1_FLEET=200` makes more lamps than a test needs, and `K1_VIRTUAL=3` adds virtual ones: real firmware on emulated
//! machines.
#![cfg(unix)]

#[path = "support/broker.rs"]
mod broker;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use broker::{Broker, Listener};
use ed25519_dalek::SigningKey;
use k1_fleet::signing::package::{Statement, Update, manifest};
use k1_sim::fleet::{SimLamp, Temper, versions};
use k1_update::envelope::Envelope;
use k1_update::envelope::PublicKey;
use k1_update::trust::{KeyStatement, Trust};
use serde_json::{Value, json};
use support::{Running, eventually, eventually_within, firmware, k1, start};

/// An update for the board of the simulated lamps, which never run it; virtual lamps do (`is_run`).
fn update(version: &str, key: &SigningKey, is_run: bool) -> Vec<u8> {
    let mut image = if is_run { std::fs::read(firmware("lamp.bin")).unwrap() } else { vec![0x42; 20_000] };
    if is_run {
        // Four letters that do not name a fault make another good image.
        let mark = b"K1 FAULT: ";
        let at = image.windows(mark.len()).position(|w| w == mark).expect("the mark") + mark.len();
        image[at..][..4].copy_from_slice(b"next");
    }
    let statement = Statement { board: "virt", version, counter: 0, patience_s: 10 };
    let manifest = manifest(&image, &statement).unwrap();
    Update { envelope: manifest.envelope().sign(key), manifest, image }.bytes()
}

fn statement(key: &SigningKey) -> Envelope {
    let keys = [Some(PublicKey(key.verifying_key().to_bytes())), None];
    KeyStatement { keys, generation: 1 }.envelope()
}

fn trust(key: &SigningKey) -> Trust {
    let mut trust = Trust::NOBODY;
    trust.replace(&statement(key)).unwrap();
    trust
}

/// A virtual lamp.
struct Virtual {
    _running: Running,
    page: String,
}

impl Virtual {
    /// Starts the requested number of virtual lamps, which trust the key and are no longer on trial.
    fn start(folder: &Path, key: &SigningKey) -> Vec<Self> {
        let n: u16 = std::env::var("K1_VIRTUAL").map_or(0, |n| n.parse().unwrap());
        let all: Vec<_> = (0..n)
            .map(|n| {
                let flash = folder.join(format!("flash{n}")).display().to_string();
                let ports = ["--http", "0", "--sound", "0", "--ota", "0"];
                let [loader, image] = ["loader.bin", "lamp.bin"].map(|f| firmware(f).display().to_string());
                let parts = ["--flash", &flash, "--loader", &loader, "--image", &image];
                let mut running = start(&mut k1(["virt", "--headless"].iter().chain(&ports).chain(&parts)));
                running.says("the lamp's page: ");
                let said = running.said();
                let page = said.split_once("the lamp's page: ").unwrap().1.split_whitespace().next().unwrap();
                Self { page: page.to_owned(), _running: running }
            })
            .collect();
        for lamp in &all {
            eventually_within(Duration::from_secs(120), "it is confirmed", || {
                lamp.firmware()["state"] == "confirmed"
            });
            let keys = json!({"statement": BASE64_STANDARD.encode(statement(key).0)});
            let (url, bearer) = lamp.url("keys");
            ureq::post(url).header("Authorization", bearer).send(keys.to_string()).unwrap();
        }
        all
    }

    /// The URL of a path of its API, and the token.
    fn url(&self, path: &str) -> (String, String) {
        let (place, token) = self.page.split_once("#token=").unwrap();
        (format!("{place}api/v1/{path}"), format!("Bearer {token}"))
    }

    fn firmware(&self) -> Value {
        let (url, bearer) = self.url("firmware");
        let answer = ureq::get(url).header("Authorization", bearer).call();
        answer.ok().and_then(|mut a| a.body_mut().read_json().ok()).unwrap_or_default()
    }
}

fn size() -> u16 {
    std::env::var("K1_FLEET").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// Simulated lamps; those for which `is_bad` is true reject every update.
fn fleet(key: &SigningKey, is_bad: impl Fn(u16) -> bool) -> Vec<SimLamp> {
    let temper = |finds_bad| Temper {
        restart: Duration::from_millis(300),
        trial: Duration::from_millis(700),
        finds_bad,
    };
    (0..size()).map(|n| SimLamp::start(n, trust(key), temper(is_bad(n))).unwrap()).collect()
}

fn places(fleet: &[SimLamp], machines: &[Virtual]) -> Vec<String> {
    let simulated = fleet.iter().map(|lamp| format!("127.0.0.1:{}", lamp.port));
    simulated.chain(machines.iter().map(|lamp| lamp.page.clone())).collect()
}

/// CPU seconds and resident MiB of a process.
fn cost(pid: u32) -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?;
    let pages: f64 = fields[21].parse().ok()?;
    Some((ticks / 100.0, pages * 4_096.0 / 1_048_576.0))
}

#[test]
fn many_lamps_are_seen_and_watched() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let fleet = fleet(&key, |_| false);
    let folder = support::folder();
    let machines = Virtual::start(folder.path(), &key);
    let everybody = fleet.len() + machines.len();
    let places = places(&fleet, &machines);
    let began = Instant::now();
    let mut all = vec!["devices".to_owned(), "--json".into()];
    all.extend(places.clone());
    // They are asked in parallel; one after the other, 200 lamps would take minutes, for which `end` does not wait.
    let seen = start(&mut k1(&all)).end().json();
    let took = began.elapsed();
    println!("k1 devices: {everybody} lamps in {:.2} s", took.as_secs_f64());
    let seen = seen.as_array().unwrap().clone();
    assert_eq!(seen.len(), everybody);
    let simulated = &seen[..fleet.len()];
    assert!(simulated.iter().all(|lamp| lamp["trouble"].is_null() && lamp["fps"] == 175.0), "{seen:?}");
    assert!(seen.iter().all(|lamp| lamp["fps"].is_number()), "{seen:?}");

    let mut all = vec!["monitor".to_owned(), "--json".into(), "--duration".into(), "20".into()];
    all.extend(places);
    let began = Instant::now();
    let monitor = start(&mut k1(&all));
    eventually("everybody is watched", || {
        let printed = monitor.printed();
        // The last line may be incomplete.
        let lines = printed.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        lines.map(|l| l["lamp"].to_string()).collect::<std::collections::BTreeSet<_>>().len() == everybody
    });
    std::thread::sleep(Duration::from_secs(9).saturating_sub(began.elapsed()));
    if let Some((cpu, resident)) = cost(monitor.id()) {
        let seconds = began.elapsed().as_secs_f64();
        let figures = format!("{cpu:.2} CPU seconds in {seconds:.1} s, {resident:.0} MiB");
        println!("k1 monitor: {figures}, {} lines", monitor.printed().lines().count());
        // 200 lamps take 3 s of CPU time in 9 s, and 90 MiB.
        assert!(cpu < seconds && resident < 250.0, "{figures}");
    }
    monitor.end();
}

#[test]
fn a_rollout_reaches_everybody_or_stops_where_it_shows() {
    let Some(mut broker) = Broker::start() else { return };
    let key = SigningKey::from_bytes(&[7; 32]);
    let folder = support::folder();
    let file = folder.path().join("next.k1");
    let machines = Virtual::start(folder.path(), &key);
    std::fs::write(&file, update("2.0.0", &key, !machines.is_empty())).unwrap();
    // The canary accepts the update; the last lamp of the first 5 %, or the lamp after the canary, does not.
    let steps = json!(["1", "5%", "50%", "100%"]);
    let first = usize::from(size()).div_ceil(20);
    let ill = (first - 1).max(1);
    let at_once = 8;
    let listener = Listener::new(broker.port);
    for is_bad in [true, false] {
        let fleet = fleet(&key, |n| is_bad && usize::from(n) == ill);
        listener.forget();
        let mut all = vec!["mqtt".to_owned(), "--broker".into(), format!("127.0.0.1:{}", broker.port)];
        all.extend(["--every".into(), "1".into(), "--update".into(), file.display().to_string()]);
        all.extend(places(&fleet, &machines));
        let everybody = fleet.len() + machines.len();
        let began = Instant::now();
        let mut bridge = start(&mut k1(&all));
        bridge.says("connected to");
        eventually_within(Duration::from_secs(120), "everybody is seen", || {
            listener.json("k1/fleet/telemetry")["online"] == everybody
        });
        println!("{everybody} lamps seen through the broker in {:.1} s", began.elapsed().as_secs_f64());
        eventually("and says what it runs", || {
            fleet
                .iter()
                .all(|l| listener.json(&format!("k1/{}/update", l.id()))["installed_version"] == "1.0.0")
        });
        assert_eq!(listener.json(&format!("k1/{}/update", fleet[0].id()))["latest_version"], "2.0.0");

        let order =
            json!({"do": "start", "steps": steps, "watch": 1.5, "abort_above": 5, "at_once": at_once});
        let began = Instant::now();
        listener.wish("k1/rollout/set", &order.to_string());
        let state = || listener.json("k1/rollout/state");
        if is_bad {
            eventually_within(Duration::from_secs(120), "it is stopped", || state()["state"] == "aborted");
            // Updates in progress come to an end.
            eventually("nobody is tried any more", || state()["trying"] == 0);
            let told = state();
            println!("stopped after {:.1} s: {told}", began.elapsed().as_secs_f64());
            let (good, bad) = (told["good"].as_u64().unwrap(), told["failed"].as_object().unwrap().len());
            assert!(bad == 1 && good as usize <= first + at_once, "{told}");
            let why = told["failed"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
            assert!(why.contains("took itself back to 1.0.0: trial: frames were late"), "{why}");
            assert_eq!(versions(&fleet).get("1.0.0"), Some(&(fleet.len() - good as usize)));
            listener.wish("k1/rollout/set", "no order");
            eventually("nonsense is answered", || {
                listener.text("k1/rollout/error").is_some_and(|e| e.contains("not understood"))
            });
        } else {
            // The broker restarts in the middle, without its memory.
            eventually_within(Duration::from_secs(120), "some have it", || {
                state()["good"].as_u64() > Some(1)
            });
            listener.wish("k1/rollout/set", &order.to_string());
            eventually("two at once are refused", || {
                listener.text("k1/rollout/error").is_some_and(|e| e.contains("in progress"))
            });
            broker.restart(&listener);
            let mut seen = Value::Null;
            eventually_within(Duration::from_secs(240), "it ends", || {
                let now = state();
                if now != seen {
                    println!("{:>6.1} s {now}", began.elapsed().as_secs_f64());
                    seen = now;
                }
                seen["state"] == "done"
            });
            println!(
                "everybody in {:.1} s, the broker restarted meanwhile: {}",
                began.elapsed().as_secs_f64(),
                state()
            );
            assert_eq!(versions(&fleet).get("2.0.0"), Some(&fleet.len()), "nobody was lost");
            for lamp in &machines {
                // The lamp accepts few connections, and the bridge uses one, too.
                eventually("the machine runs it, and has confirmed it", || {
                    let firmware = lamp.firmware();
                    firmware["running"]["version"] == "2.0.0" && firmware["state"] == "confirmed"
                });
            }
            eventually("everything is published again", || {
                fleet.iter().all(|l| {
                    let update = listener.json(&format!("k1/{}/update", l.id()));
                    update["installed_version"] == "2.0.0" && update["in_progress"] == Value::Bool(false)
                })
            });
        }
        bridge.interrupt();
        assert_eq!(bridge.end().code(), Some(0));
    }
}
