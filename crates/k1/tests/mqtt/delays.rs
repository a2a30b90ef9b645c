//! How long a command takes from one side to the other.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use serde_json::json;
use tungstenite::Message;

use super::broker::{Broker, Listener};
use super::support::{PATIENCE, eventually, folder};
use super::{Bridge, id_of, page_of, program, put};

/// Prints the median and the worst of some times.
fn judge(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: n = {}, median {median:.1?}, worst {worst:.1?}", times.len());
    median
}

#[test]
fn a_page_and_home_assistant_follow_each_other_at_once() {
    let Some(broker) = Broker::start() else { return };
    let home = folder();
    let light = UdpSocket::bind("127.0.0.1:0").unwrap();
    light.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let to = format!("ddp://127.0.0.1:{}", light.local_addr().unwrap().port());
    // A pattern that is never dark by itself.
    let (_program, page) = program(
        home.path(),
        &["--to", &to, "--pattern", "twilight", "--set", "background=1", "--set", "softness=0"],
    );
    let id = id_of(&page);
    let listener = Listener::new(broker.port);
    let bridge = Bridge { home: home.path(), broker: format!("127.0.0.1:{}", broker.port) };
    // This bridge looks once a minute, so an earlier result was not found by looking.
    let _bridge = bridge.start(&[&page], &["--every", "60"]);
    let state = || listener.json(&format!("k1/{id}/state"));
    eventually("the K1 is met", || state()["state"] == "ON");
    // The bridge starts to listen a moment after it has met the K1.
    let mut hand = page_of(&page);
    hand.send(Message::text(json!({"params": {"warmth": 0.5}}).to_string())).unwrap();
    eventually("it listens", || state()["params"]["warmth"] == 0.5);

    let mut times = Vec::new();
    for n in 0..50_u32 {
        let began = Instant::now();
        // In turns a change of the look and one of the whole light.
        if n % 2 == 0 {
            let warmth = f64::from(n) * 0.01;
            hand.send(Message::text(json!({"params": {"warmth": warmth}}).to_string())).unwrap();
            eventually("the page's command is told", || state()["params"]["warmth"] == warmth);
        } else {
            let brightness = 0.3 + f64::from(n) * 0.01;
            put(&page, "api/v1/power", &json!({"brightness": brightness}));
            eventually("the page's command is told", || {
                state()["brightness"] == (brightness * 255.0).round()
            });
        }
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(u64::from(n % 7) * 9));
    }
    let median = judge("from the page to Home Assistant", times);
    assert!(median < Duration::from_millis(500), "{median:?}");

    listener.wish(&format!("k1/{id}/set"), r#"{"brightness":255}"#);
    eventually("it is bright", || state()["brightness"] == 255.0);
    std::thread::sleep(Duration::from_secs(1));
    let drain = || {
        light.set_nonblocking(true).unwrap();
        while light.recv(&mut [0; 2_048]).is_ok() {}
        light.set_nonblocking(false).unwrap();
    };
    // Measured at the light itself, which fades to its new brightness: the time until it is half way there.
    let mut packet = [0; 2_048];
    let mut brightness = || {
        let n = light.recv(&mut packet).expect("frames come");
        packet[10..n].iter().map(|b| f64::from(*b)).sum::<f64>()
    };
    drain();
    let full = (0..200).map(|_| brightness()).fold(0.0, f64::max);
    let mut shines = |wanted: bool| {
        let began = Instant::now();
        while (brightness() > 0.5 * full) != wanted {
            assert!(began.elapsed() < PATIENCE, "it shines: {}", !wanted);
        }
    };
    let mut times = Vec::new();
    for n in 0..50 {
        drain();
        let began = Instant::now();
        let on = n % 2 == 1;
        let word = if on { "ON" } else { "OFF" };
        // Without a fade of its own, a light of this kind takes a second.
        listener.wish(&format!("k1/{id}/set"), &json!({"state": word, "transition": 0.2}).to_string());
        shines(on);
        times.push(began.elapsed());
        // As fast as a user at a switch: over this API, a K1 accepts a change of its parameters every 300 ms.
        std::thread::sleep(Duration::from_millis(310 + n % 5 * 30));
    }
    let median = judge("from Home Assistant to the light", times);
    assert!(median < Duration::from_millis(1_000), "{median:?}");
    // Of many commands, the last one counts, and no command waits for those before it.
    let began = Instant::now();
    for n in 1..=60 {
        let message = json!({"state": "ON", "brightness": n}).to_string();
        listener.wish(&format!("k1/{id}/set"), &message);
    }
    let sent = began.elapsed();
    eventually("a slider that was moved is where it was left", || state()["brightness"] == 60.0);
    let took = began.elapsed();
    println!("60 steps of a slider: {took:.1?}, sent in {sent:.1?}");
    // If each waited for the one before, at seven commands a second, they would take 9 s or more.
    assert!(took < Duration::from_secs(6).max(2 * sent), "{took:?}, sent in {sent:.1?}");
}
