//! K1s on a real broker: what is published about them, which commands they obey, and who is told when one disappears.
//!
//! With `K1_REQUIRE=mosquitto` a missing broker is a failure; otherwise these tests print that they were skipped. The
//! K1 is the program itself, which answers like a lamp.
#![cfg(unix)]

#[path = "../support/broker.rs"]
mod broker;
mod delays;
#[path = "../support/mod.rs"]
mod support;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use broker::{Broker, Listener};
use serde_json::{Value, json};
use support::{Running, eventually, folder, k1, start};
use tungstenite::WebSocket;

/// The program with its own home folder.
fn at_home<A: AsRef<std::ffi::OsStr>>(home: &Path, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = k1(args);
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
    command
}

/// A K1 and the address of its page.
fn program(home: &Path, more: &[&str]) -> (Running, String) {
    let args = ["run", "demo", "--listen", "127.0.0.1:0"];
    let mut program = start(&mut at_home(home, args.iter().chain(more)));
    program.prints("Light is on: ");
    let printed = program.printed();
    let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap().to_owned();
    (program, page)
}

fn get(page: &str, path: &str) -> Value {
    get_with(page, path, "")
}

/// The bridge asks from the same address, so either may have to wait and ask again.
fn get_with(page: &str, path: &str, token: &str) -> Value {
    let mut answer = Value::Null;
    eventually("it answers", || {
        let asked =
            ureq::get(format!("{page}{path}")).header("Authorization", format!("Bearer {token}")).call();
        answer = asked.ok().and_then(|mut a| a.body_mut().read_json().ok()).unwrap_or_default();
        !answer.is_null()
    });
    answer
}

/// Asks again while the limit of requests says so.
#[track_caller]
fn put(page: &str, path: &str, body: &Value) {
    eventually("it is taken", || ureq::put(format!("{page}{path}")).send_json(body).is_ok());
}

fn id_of(page: &str) -> String {
    get(page, "api/device/info")["id"].as_str().unwrap().to_owned()
}

/// Acts like a page: sends commands and receives news.
fn page_of(page: &str) -> WebSocket<TcpStream> {
    let authority = page.trim_start_matches("http://").trim_end_matches('/');
    let stream = TcpStream::connect(authority).unwrap();
    stream.set_nodelay(true).unwrap();
    tungstenite::client(format!("ws://{authority}/api/v1/live"), stream).unwrap().0
}

struct Bridge<'a> {
    home: &'a Path,
    broker: String,
}

impl Bridge<'_> {
    fn start(&self, pages: &[&str], options: &[&str]) -> Running {
        let mut bridge = self.silent(pages, options);
        bridge.says("connected to");
        bridge
    }

    fn silent(&self, pages: &[&str], options: &[&str]) -> Running {
        let mqtt = ["mqtt", "--broker", &self.broker];
        let all = mqtt.iter().chain(pages).chain(options);
        start(&mut at_home(self.home, all))
    }
}

#[test]
fn a_fleet_is_told_of_and_told_through_a_broker() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let (program, page) = program(home.path(), &[]);
    let id = id_of(&page);
    let of = |what: &str| format!("k1/{id}/{what}");
    let listener = Listener::new(broker.port);
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{}", broker.port) };
    let first = bridge.start(&[&page], &["--every", "1"]);
    let is = |topic: &str, word: &str| listener.text(topic).as_deref() == Some(word);
    let light = || listener.json(&format!("homeassistant/light/k1_{id}/config"));
    eventually("the K1 is announced", || light()["availability"][0]["topic"].is_string());
    let bridge_topic = light()["availability"][0]["topic"].as_str().unwrap().to_owned();
    eventually("bridge and K1 are there", || {
        is(&bridge_topic, "online") && is(&of("availability"), "online")
    });
    eventually("figures come", || listener.json(&of("telemetry"))["fps"].as_f64() > Some(0.0));
    eventually("the fleet's figures come", || listener.json("k1/fleet/telemetry")["online"] == 1);

    // Home Assistant finds it, and the announced topics are the ones that are used.
    let light = light();
    assert_eq!((&light["schema"], &light["state_topic"]), (&"json".into(), &of("state").into()), "{light}");
    assert_eq!(light["effect_list"].as_array().map(Vec::len), Some(k1_engine::patterns::PATTERNS.len()));
    let sensor = listener.json(&format!("homeassistant/sensor/k1_{id}_fps/config"));
    assert_eq!(sensor["state_topic"], of("telemetry").as_str(), "{sensor}");
    // Figures that a program cannot measure are not announced as sensors; all announced figures are measured.
    let telemetry = listener.json(&of("telemetry"));
    let sensors: Vec<_> =
        listener.topics().into_iter().filter(|t| t.starts_with("homeassistant/sensor/")).collect();
    assert_eq!(sensors.len(), 5, "{sensors:?}");
    for figure in ["fps", "age_p99_ms", "bpm", "beats_per_bar", "section"] {
        assert!(sensors.iter().any(|s| s.contains(figure)) && telemetry.get(figure).is_some(), "{figure}");
    }

    // Commands to one K1 and to all; errors are published.
    let commands = light["command_topic"].as_str().unwrap();
    listener.wish(commands, r#"{"state":"ON","brightness":51,"effect":"lava"}"#);
    let state = || listener.json(&of("state"));
    eventually("the wish is fulfilled", || state()["brightness"] == 51.0 && state()["effect"] == "lava");
    listener.wish("k1/all/set", r#"{"state":"OFF"}"#);
    eventually("all are off", || state()["state"] == "OFF");
    listener.wish(commands, r#"{"state":"ON"}"#);
    eventually("as bright as before", || state()["state"] == "ON" && state()["brightness"] == 51.0);
    listener.wish(commands, r#"{"effect":"rainbow"}"#);
    let error = || listener.text(&of("error")).unwrap_or_default();
    eventually("a wrong wish is answered", || error().contains("there is no such pattern"));
    for (nonsense, shown) in [
        ("no json", "not understood"),
        ("{\"\x1b[2J\n\":1}", "not understood"),
        ("{\"effect\":\"\u{202e}\"}", "no such pattern"),
    ] {
        listener.forget_of(&of("error"));
        listener.wish(commands, nonsense);
        eventually("and so is nonsense", || error().contains(shown));
        assert!(!error().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", error());
    }

    // On, off and brightness are those of the whole light; the look keeps its own.
    assert_eq!(get(&page, "api/v1/power")["brightness"], 0.2);
    assert_eq!(get(&page, "api/params")["brightness"], 1.0);
    listener.wish(commands, r#"{"state":"OFF","transition":0}"#);
    eventually("it is off", || get(&page, "api/v1/power")["on"] == false && state()["state"] == "OFF");
    listener.wish(commands, r#"{"state":"ON"}"#);
    eventually("it is on", || get(&page, "api/v1/power")["on"] == true && state()["state"] == "ON");

    // A restarted Home Assistant gets all announcements again.
    let config = format!("homeassistant/light/k1_{id}/config");
    listener.forget_of(&config);
    listener.wish("homeassistant/status", "online");
    eventually("it is announced again", || listener.text(&config).is_some());

    // The broker announces the end of a killed bridge.
    drop(first);
    eventually("its last will is done", || is(&bridge_topic, "offline"));

    // A bridge that ends normally announces that itself, for every K1.
    listener.forget_of(&of("telemetry"));
    let second = bridge.start(&[&page], &["--every", "1"]);
    eventually("all is back, under the same id", || is(&bridge_topic, "online"));
    eventually("and it has met the K1", || listener.json(&of("telemetry"))["fps"].is_number());
    drop(program);
    eventually("a K1 that has gone is offline", || is(&of("availability"), "offline"));
    second.interrupt();
    assert_eq!(second.end().code(), Some(0));
    eventually("the bridge has said that it goes", || is(&bridge_topic, "offline"));
}

/// Scenes, the playlist and its button, as they are made, recalled, deleted and forgotten.
#[test]
fn scenes_and_the_playlist_are_followed_and_told() {
    let Some(mut broker) = Broker::start() else { return };
    let home = folder();
    let show = home.path().join("show.toml");
    let zone = |name: &str, pieces: &str| {
        format!(
            "[[zone]]\nname = \"{name}\"\npieces = [{{ light = \"A\", {pieces} }}]\nlook = {{ pattern = \"lava\" }}\n"
        )
    };
    let light = "version = 1\n[[light]]\nname = \"A\"\nto = \"ddp://127.0.0.1:9\"\nleds = 6\n";
    std::fs::write(&show, format!("{light}{}", zone("Shelf", "to = 5"))).unwrap();
    let (_program, page) = program(home.path(), &["--show", show.to_str().unwrap()]);
    let id = id_of(&page);
    let of = |what: &str| format!("k1/{id}/{what}");
    let listener = Listener::new(broker.port);
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{}", broker.port) };
    // It looks once a minute, so what comes sooner was told by the K1.
    let _bridge = bridge.start(&[&page], &["--every", "60"]);
    let config =
        |kind: &str, what: &str| listener.json(&format!("homeassistant/{kind}/k1_{id}_{what}/config"));
    let scene = || listener.json(&of("scene"));
    eventually("it has no scenes", || scene()["scenes"] == json!([]));
    assert!(config("select", "scene").is_null() && config("switch", "playlist").is_null());

    // Scenes are made on the page: the choices follow.
    put(&page, "api/v1/scenes/Late%20dinner", &json!({}));
    eventually("it is announced", || config("select", "scene")["options"] == json!(["Late dinner"]));
    eventually("it is the current one", || scene()["current"] == "Late dinner");
    put(&page, "api/v1/scenes/Party", &json!({"fade_s": 0.1, "looks": {"Shelf": {"pattern": "bloom"}}}));
    eventually("it follows", || config("select", "scene")["options"] == json!(["Late dinner", "Party"]));
    let select = config("select", "scene");
    assert_eq!((&select["state_topic"], &select["name"]), (&of("scene").into(), &"Scene".into()), "{select}");

    // Home Assistant chooses one.
    listener.wish(select["command_topic"].as_str().unwrap(), "Party");
    eventually("it is recalled", || scene()["current"] == "Party");
    eventually("and shown", || listener.json(&of("state"))["effect"] == "bloom");
    listener.wish("k1/all/scene/set", "Late dinner");
    eventually("it is recalled", || scene()["current"] == "Late dinner");
    listener.wish(&of("scene/set"), "Breakfast");
    let error = || listener.text(&of("error")).unwrap_or_default();
    eventually("a wrong name is answered", || error().contains("there are Late dinner, Party"));

    // The playlist.
    let switch = config("switch", "playlist");
    let playlist = || listener.json(switch["state_topic"].as_str().unwrap());
    assert_eq!(playlist()["on"], false);
    let told = switch["command_topic"].as_str().unwrap();
    listener.wish(told, "ON");
    eventually("it runs", || playlist()["on"] == true);
    let before = scene()["current"].clone();
    let button = config("button", "next_scene");
    listener.wish(button["command_topic"].as_str().unwrap(), button["payload_press"].as_str().unwrap());
    eventually("the next scene", || scene()["current"].is_string() && scene()["current"] != before);
    listener.wish(told, "OFF");
    eventually("it rests", || playlist()["on"] == false);
    listener.wish(told, "PAUSE");
    eventually("a wrong command is answered", || error().contains("ON, OFF or NEXT"));

    // A broker that forgets everything gets everything again.
    std::thread::sleep(Duration::from_secs(6));
    broker.restart(&listener);
    eventually("choices are announced again", || {
        config("select", "scene")["options"].as_array().map(Vec::len) == Some(2)
    });
    eventually("states are told again", || scene()["scenes"].is_array() && playlist()["on"] == false);

    // The scene that is shown is deleted, and then the last one.
    listener.wish(&of("scene/set"), "Party");
    eventually("it is recalled", || scene()["current"] == "Party");
    let delete = |name: &str| {
        eventually("it is deleted", || ureq::delete(format!("{page}api/v1/scenes/{name}")).call().is_ok());
    };
    delete("Party");
    eventually("no scene is shown", || scene() == json!({"current": null, "scenes": ["Late dinner"]}));
    assert_eq!(config("select", "scene")["options"], json!(["Late dinner"]));
    delete("Late%20dinner");
    eventually("nothing is announced", || {
        config("select", "scene").is_null()
            && config("switch", "playlist").is_null()
            && config("button", "next_scene").is_null()
    });
}

/// Two programs on one machine with the same name and with different names, and one that returns.
#[test]
fn two_never_meet_and_each_keeps_its_id() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let listener = Listener::new(broker.port);
    let (living, living_page) = program(home.path(), &["--name", "Living room"]);
    let (twin, twin_page) = program(home.path(), &["--name", "Living room"]);
    let (_kitchen, kitchen_page) = program(home.path(), &["--name", "Küche 💡"]);
    let pages = [&*living_page, &twin_page, &kitchen_page];
    let ids = pages.map(id_of);
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
    assert_eq!(get(&living_page, "api/v1/setup")["name"], "Living room");
    let listed = start(&mut at_home(home.path(), ["devices", "--json"].iter().chain(&pages))).end().json();
    assert_eq!(
        (&listed[2]["name"], &listed[2]["id"]),
        (&"Küche 💡".into(), &ids[2].as_str().into()),
        "{listed}"
    );

    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{}", broker.port) };
    let one = bridge.start(&[pages[0]], &[]);
    let _two = bridge.start(&[pages[1], pages[2]], &[]);
    let state = |id: &str| listener.json(&format!("k1/{id}/state"))["state"].clone();
    eventually("all are on", || ids.iter().all(|id| state(id) == "ON"));
    let light = |id: &str| listener.json(&format!("homeassistant/light/k1_{id}/config"));
    assert_eq!(light(&ids[2])["device"]["name"], "Küche 💡");
    for (id, others) in [(&ids[0], [&ids[1], &ids[2]]), (&ids[2], [&ids[0], &ids[1]])] {
        listener.wish(&format!("k1/{id}/set"), r#"{"state":"OFF"}"#);
        eventually("one is off", || state(id) == "OFF");
        assert!(others.iter().all(|other| state(other) == "ON"), "and no other");
        listener.wish(&format!("k1/{id}/set"), r#"{"state":"ON"}"#);
        eventually("one is on", || state(id) == "ON");
    }
    // When a bridge ends, only its own K1s go offline.
    let will = |id: &str| {
        let topic = light(id)["availability"][0]["topic"].as_str().unwrap_or_default().to_owned();
        listener.text(&topic)
    };
    drop(one);
    eventually("its last will is done", || will(&ids[0]).as_deref() == Some("offline"));
    assert_eq!((will(&ids[1]).as_deref(), will(&ids[2]).as_deref()), (Some("online"), Some("online")));

    // After a restart, each program has its previous id.
    drop((living, twin));
    let (_living, living_page) = program(home.path(), &["--name", "Living room"]);
    assert_eq!(id_of(&living_page), ids[0]);
    // A program that ran before a power failure and does not run now must be offline.
    let listener_of = |id: &str| listener.text(&format!("k1/{id}/availability"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    listener.keep(&format!("k1/{}/availability", ids[0]), "online");
    eventually("it is kept", || listener_of(&ids[0]).as_deref() == Some("online"));
    let _late = bridge.start(&[&format!("127.0.0.1:{nobody}")], &["--every", "1"]);
    eventually("it is offline", || listener_of(&ids[0]).as_deref() == Some("offline"));
    eventually("its own bridge has said so", || listener_of(&ids[1]).as_deref() == Some("offline"));
    assert_eq!(listener_of(&ids[2]).as_deref(), Some("online"), "it has another bridge, and is there");
    // A program of the same name in another home folder is another K1.
    let elsewhere = folder();
    let (_other, other_page) = program(elsewhere.path(), &["--name", "Living room"]);
    assert!(!ids.contains(&id_of(&other_page)));
}

#[test]
fn what_an_earlier_k1_left_at_the_broker_is_taken_away() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let (_program, page) = program(home.path(), &[]);
    let id = id_of(&page);
    let left = Listener::new(broker.port);
    let ghosts = [
        "homeassistant/light/k1_k1/config".to_owned(),
        "homeassistant/sensor/k1_k1_rssi_dbm/config".into(),
        "homeassistant/sensor/k1_k1_fps/config".into(),
        format!("homeassistant/sensor/k1_{id}_temperature_c/config"),
        "k1/k1/state".into(),
        "k1/k1/availability".into(),
        "k1/bridge/availability".into(),
    ];
    // Messages that are not K1's must not be deleted.
    let foreign =
        ["homeassistant/light/kitchen/config", "k1/k10/state", "homeassistant/sensor/k1_k10_fps/config"];
    for topic in ghosts.iter().map(String::as_str).chain(foreign) {
        left.keep(topic, "{}");
    }
    eventually("they are kept", || ghosts.iter().all(|g| left.text(g).as_deref() == Some("{}")));
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{}", broker.port) };
    let _bridge = bridge.start(&[&page], &[]);
    eventually("the K1 is announced", || {
        left.topics().iter().any(|t| t.contains(&format!("light/k1_{id}/")))
    });
    // A new subscriber gets only messages about K1s that exist.
    let fresh = Listener::new(broker.port);
    eventually("it hears", || fresh.topics().iter().any(|t| t.contains(&format!("light/k1_{id}/"))));
    let kept = fresh.topics();
    assert!(ghosts.iter().all(|g| !kept.contains(g)), "{kept:?}");
    assert!(foreign.iter().all(|f| kept.iter().any(|k| k == f)), "{kept:?}");
}

#[test]
fn a_message_that_is_too_long_keeps_nobody_from_the_light() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let listener = Listener::new(broker.port);
    let address = format!("127.0.0.1:{}", broker.port);
    let (mut program, page) = program(home.path(), &["--mqtt", &address]);
    program.says("connected to");
    let id = id_of(&page);
    let of = |what: &str| format!("k1/{id}/{what}");
    let state = || listener.json(&of("state"))["state"].clone();
    eventually("it is on", || state() == "ON");
    // The broker keeps these messages and sends them with every connection.
    for topic in [of("set"), of("update/set")] {
        listener.keep(&topic, &"A".repeat(200_000));
        eventually("it is refused", || {
            let error = listener.text(&of("error")).unwrap_or_default();
            error.contains("200000 bytes")
        });
        listener.forget_of(&of("error"));
    }
    listener.wish(&of("set"), r#"{"state":"OFF"}"#);
    eventually("wishes are heard", || state() == "OFF");
    let said = program.said();
    assert_eq!(said.matches("is not a command").count(), 1, "once: {said}");
    assert_eq!(said.matches("connected to").count(), 1, "and the connection stays: {said}");
    listener.keep(&of("set"), "");

    // A message that is too long even for the connection.
    listener.keep(&of("set"), &"A".repeat(2_000_000));
    program.says("mosquitto_pub");
    std::thread::sleep(Duration::from_secs(8));
    let said = program.said();
    assert_eq!(said.matches("mosquitto_pub").count(), 1, "once, not with each try: {said}");
    assert!(said.matches("connected to").count() <= 2, "{said}");
    listener.keep(&of("set"), "");
    eventually("it is connected again", || program.said().lines().last().unwrap().contains("connected to"));
    listener.wish(&of("set"), r#"{"state":"ON"}"#);
    eventually("wishes are heard again", || state() == "ON");
}

#[test]
fn two_bridges_for_one_k1_do_not_take_it_from_each_other() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let listener = Listener::new(broker.port);
    let (program, page) = program(home.path(), &[]);
    let id = id_of(&page);
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{}", broker.port) };
    let availability = || listener.text(&format!("k1/{id}/availability"));
    let is = |word: &str| availability().as_deref() == Some(word);
    let config = format!("homeassistant/light/k1_{id}/config");
    let leads_to = || listener.json(&config)["availability"][0]["topic"].as_str().map(str::to_owned);
    // This bridge looks once a minute, so an earlier result was not found by looking.
    let _stays = bridge.start(&[&page], &["--every", "60"]);
    eventually("it is announced", || is("online") && leads_to().is_some());
    let stays = leads_to();
    // One ends normally, and one is killed.
    for ends in [true, false] {
        let other = bridge.start(&[&page], &["--every", "60"]);
        eventually("the other one has announced it", || leads_to().is_some() && leads_to() != stays);
        if ends {
            other.interrupt();
            assert_eq!(other.end().code(), Some(0));
        } else {
            drop(other);
        }
        eventually("it is there, and found", || is("online") && leads_to() == stays);
    }
    // Two bridges that both lose the K1 agree.
    let _other = bridge.start(&[&page], &["--every", "1"]);
    eventually("the other one has announced it", || leads_to() != stays);
    drop(program);
    eventually("it has gone", || is("offline"));
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        assert!(is("offline"), "nobody argues");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_broker_that_is_not_there_is_told() {
    let home = folder();
    let (_program, page) = program(home.path(), &[]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = support::run(["mqtt", &page, "--broker", &format!("127.0.0.1:{port}"), "--duration", "4"]);
    assert_eq!(said.code(), Some(1));
    assert!(said.err.contains("was never reached"), "{said:?}");
    assert_eq!(said.err.matches("does not answer").count(), 1, "once: {said:?}");
    support::run(["mqtt", &page, "--broker", "host:x"]).failed_saying(&["HOST:PORT"]);

    // The broker starts later, stops, and returns with an empty memory.
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{port}") };
    let mut bridge = bridge.silent(&[&page], &["--every", "1"]);
    bridge.says("does not answer");
    let Some(mut broker) = Broker::on(port) else { return };
    bridge.says("connected to");
    let listener = Listener::new(port);
    let id = id_of(&page);
    let there = || listener.text(&format!("k1/{id}/availability")).as_deref() == Some("online");
    eventually("it is there", there);
    for n in 1..=3 {
        // A stable connection: one line when it is lost, and one when it is back.
        std::thread::sleep(Duration::from_secs(6));
        broker.restart(&listener);
        eventually("everything is published again", there);
        let said = bridge.said();
        assert_eq!(said.matches("connected to").count(), 1 + n, "{said}");
        assert_eq!(said.matches("does not answer").count(), 1 + n, "{said}");
    }
}

#[test]
fn a_wrong_password_is_said_once_with_what_to_do() {
    let home = folder();
    let (_program, page) = program(home.path(), &[]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Some(_broker) = Broker::locked(port, "home", "right") else { return };
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{port}") };
    for (password, user) in [("wrong", "home"), ("right", "nobody"), ("", "home")] {
        let file = home.path().join("password");
        std::fs::write(&file, password).unwrap();
        let file = file.display().to_string();
        let options = ["--user", user, "--password-file", &file, "--duration", "4"];
        let said = bridge.silent(&[&page], &options).end();
        assert_eq!(said.code(), Some(1), "{said:?}");
        assert_eq!(said.err.matches("refuses this user or password").count(), 1, "{said:?}");
        assert!(said.err.contains("--password-file"), "{said:?}");
    }
    let file = home.path().join("password");
    std::fs::write(&file, "right\n").unwrap();
    let options = ["--user", "home", "--password-file", &*file.display().to_string()];
    let _bridge = bridge.start(&[&page], &options);
}

/// The program runs its own bridge.
#[test]
fn a_program_connects_itself() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let listener = Listener::new(broker.port);
    let address = format!("127.0.0.1:{}", broker.port);
    let more = ["--mqtt", &address, "--prefix", "home/k1", "--token", "a-token-that-nobody-guesses"];
    let (mut program, page) = program(home.path(), &more);
    program.says("connected to");
    let page = page.split('#').next().unwrap();
    let info = get_with(page, "api/device/info", "a-token-that-nobody-guesses");
    let id = info["id"].as_str().unwrap();
    let of = |what: &str| format!("home/k1/{id}/{what}");
    eventually("it is there", || listener.text(&of("availability")).as_deref() == Some("online"));
    listener.wish(&of("set"), r#"{"state":"OFF"}"#);
    eventually("it is off", || listener.json(&of("state"))["state"] == "OFF");
    program.interrupt();
    let said = program.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    eventually("it has said that it goes", || {
        listener.text(&of("availability")).as_deref() == Some("offline")
    });
    // A missing broker must not keep the light from showing, or the program from ending.
    let began = Instant::now();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (nowhere, listen) = (format!("127.0.0.1:{nowhere}"), "127.0.0.1:0");
    let args = ["run", "demo", "--listen", listen, "--mqtt", &nowhere, "--duration", "2"];
    let said = start(&mut at_home(home.path(), args)).end();
    assert!(said.code() == Some(0) && said.err.matches("does not answer").count() == 1, "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    for wrong in ["+", "k1/#", "", "/k1", "k1/", "k\n1"] {
        let said = support::run(["mqtt", "--prefix", wrong]);
        assert!(said.code() == Some(2) && said.err.contains("without + and #"), "{wrong}: {said:?}");
    }
}
