//! A fleet through a real broker: what is said of a lamp, what is wished of it, and who is told that it has gone.
//!
//! `K1_REQUIRE=mosquitto` makes a missing broker a failure; otherwise this test says that it was skipped. The lamp is the
//! program itself, which answers as a lamp does.
#![cfg(unix)]

#[path = "support/broker.rs"]
mod broker;
mod support;

use std::net::TcpListener;

use broker::{Broker, Listener};
use support::{Running, eventually, k1, start};

fn program() -> (Running, String) {
    let mut program = start(&mut k1(["run", "demo", "--listen", "127.0.0.1:0"]));
    program.prints("Light is on: ");
    let printed = program.printed();
    let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap().to_owned();
    (program, page)
}

#[test]
fn a_fleet_is_told_of_and_told_through_a_broker() {
    let Some(broker) = Broker::start() else { return };
    let (program, page) = program();
    let listener = Listener::new(broker.port);
    let address = format!("127.0.0.1:{}", broker.port);
    let bridge = |options: &[&str]| {
        let mut all = vec!["mqtt", &page, "--broker", &address, "--every", "1"];
        all.extend(options);
        start(&mut k1(all))
    };
    let mut first = bridge(&[]);
    first.says("connected to");
    let is = |topic: &str, word: &str| listener.text(topic).as_deref() == Some(word);
    eventually("bridge and lamp are there", || {
        is("k1/bridge/availability", "online") && is("k1/k1/availability", "online")
    });
    eventually("figures come", || listener.json("k1/k1/telemetry")["fps"].as_f64() > Some(0.0));
    eventually("the fleet's figures come", || listener.json("k1/fleet/telemetry")["online"] == 1);

    // Home Assistant finds the lamp, and the topics that it is told are those that are spoken and heard.
    let light = listener.json("homeassistant/light/k1_k1/config");
    assert_eq!((&light["schema"], &light["state_topic"]), (&"json".into(), &"k1/k1/state".into()), "{light}");
    assert_eq!(light["effect_list"].as_array().map(Vec::len), Some(14));
    let sensor = listener.json("homeassistant/sensor/k1_k1_fps/config");
    assert_eq!(sensor["state_topic"], "k1/k1/telemetry", "{sensor}");

    // Wishes, to one and to all; what became of them is said.
    let commands = light["command_topic"].as_str().unwrap();
    listener.wish(commands, r#"{"state":"ON","brightness":51,"effect":"lava"}"#);
    let state = || listener.json("k1/k1/state");
    eventually("the wish is fulfilled", || state()["brightness"] == 51.0 && state()["effect"] == "lava");
    listener.wish("k1/all/set", r#"{"state":"OFF"}"#);
    eventually("all are off", || state()["state"] == "OFF");
    listener.wish(commands, r#"{"state":"ON"}"#);
    eventually("as bright as before", || state()["state"] == "ON" && state()["brightness"] == 51.0);
    listener.wish(commands, r#"{"effect":"rainbow"}"#);
    eventually("a wrong wish is answered", || {
        listener.text("k1/k1/error").is_some_and(|e| e.contains("there is no such pattern"))
    });
    listener.wish(commands, "no json");
    eventually("and so is nonsense", || {
        listener.text("k1/k1/error").is_some_and(|e| e.contains("not understood"))
    });

    // A new Home Assistant is told everything anew.
    listener.forget_of("homeassistant/light/k1_k1/config");
    listener.wish("homeassistant/status", "online");
    eventually("it is announced again", || listener.text("homeassistant/light/k1_k1/config").is_some());

    // A bridge that is killed says nothing more; the broker does.
    drop(first);
    eventually("its last will is done", || is("k1/bridge/availability", "offline"));

    // A bridge that is told to end says so itself, of every lamp.
    listener.forget_of("k1/k1/telemetry");
    let mut second = bridge(&[]);
    second.says("connected to");
    eventually("all is back", || is("k1/bridge/availability", "online"));
    eventually("and it has met the lamp", || listener.json("k1/k1/telemetry")["fps"].is_number());
    drop(program);
    eventually("a lamp that has gone is offline", || is("k1/k1/availability", "offline"));
    second.interrupt();
    assert_eq!(second.end().code(), Some(0));
    eventually("the bridge has said that it goes", || is("k1/bridge/availability", "offline"));
}

#[test]
fn a_broker_that_is_not_there_is_told() {
    let (_program, page) = program();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = support::run(["mqtt", &page, "--broker", &format!("127.0.0.1:{port}"), "--duration", "1"]);
    assert_eq!(said.code(), Some(1));
    assert!(said.err.contains("does not answer") && said.err.contains("was never reached"), "{said:?}");
    support::run(["mqtt", &page, "--broker", "host:x"]).failed_saying(&["HOST:PORT"]);
}
