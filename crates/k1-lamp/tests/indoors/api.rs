//! The API at the lamp's own door.

use embassy_futures::join::{join, join_array};
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Write as _;
use serde_json::{Value, json};

use crate::client::{Client, parse};
use crate::machine::{Halves, Machine};

#[test]
fn who_shows_no_token_sees_the_page_and_nothing_else() {
    let mut lamp = Machine::started(Halves::Counting);
    for (path, status) in [
        ("/", 200),
        ("/app.js", 200),
        ("/style.css", 200),
        ("/api/params", 401),
        ("/metrics", 401),
        ("/no", 404),
    ] {
        let answer = lamp.asks(10.0, async |c: Client| c.once("GET", path, "", b"").await).flatten().unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.head);
    }
    let wrong =
        lamp.asks(10.0, async |c: Client| c.once("GET", "/api/params", "abcdefgh", b"").await).flatten();
    assert_eq!(wrong.unwrap().status, 401);
    let put =
        lamp.asks(10.0, async |c: Client| c.once("PUT", "/api/v1/firmware", "", &[0; 3_000]).await).flatten();
    assert_eq!(put.unwrap().status, 401, "and is heard out, so that it hears that");
}

#[test]
fn the_page_is_packed_and_is_not_sent_twice() {
    let mut lamp = Machine::started(Halves::Counting);
    let page = lamp.asks(10.0, async |c: Client| c.once("GET", "/app.js", "", b"").await).flatten().unwrap();
    assert_eq!(page.says("content-encoding"), Some("gzip"));
    assert!(page.body.starts_with(&[0x1f, 0x8b]) && page.body.len() > 5_000, "{}", page.body.len());
    let tag = page.says("etag").unwrap().to_owned();
    let again = lamp.asks(10.0, async |c: Client| {
        let request = format!(
            "GET /app.js HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"
        );
        c.says(request.as_bytes()).await
    });
    let again = parse(&again.flatten().unwrap()).unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn every_route_that_is_described_is_answered() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.lives(2.0);
    let description = lamp.get("/api/v1/openapi.json");
    let paths = description["paths"].as_object().unwrap();
    let mut asked = 0;
    for (path, methods) in paths {
        if methods.get("get").is_some() && !path.contains("live") && path != "/ws" {
            let answer = lamp.asks(20.0, async |c: Client| c.asks("GET", path, b"").await).flatten().unwrap();
            assert!([200, 501].contains(&answer.status), "{path}: {} {}", answer.status, answer.head);
            asked += 1;
        }
    }
    assert!(asked >= 12, "{asked} of {}", paths.len());
}

#[test]
fn settings_are_taken_and_what_makes_no_sense_is_refused_with_a_sentence() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.post("/api/params", json!({"warmth": 0.5}));
    lamp.lives(0.2);
    assert_eq!(lamp.get("/api/params")["warmth"], 0.5);
    for (method, path, body) in [
        ("POST", "/api/params", "{\"warmth\": \"much\"}"),
        ("POST", "/api/params", "{"),
        ("POST", "/api/params", ""),
        ("POST", "/api/select", "{\"id\": \"no such\"}"),
        ("POST", "/api/v1/setup", "{\"leds\": 301}"),
        ("POST", "/api/v1/setup", "{\"leds\": 0}"),
        ("POST", "/api/v1/keys", "{\"statement\": \"AAAA\"}"),
        ("DELETE", "/api/params", ""),
    ] {
        let answer = lamp.asks(20.0, async |c: Client| c.asks(method, path, body.as_bytes()).await).flatten();
        let answer = answer.unwrap();
        let said = answer.json();
        assert!((400..500).contains(&answer.status), "{method} {path} {body}: {}", answer.head);
        assert!(said["message"].as_str().is_some_and(|m| m.len() > 8), "{method} {path} {body}: {said}");
    }
    assert_eq!(lamp.get("/api/params")["warmth"], 0.5);
}

#[test]
fn two_requests_on_one_connection_are_both_answered_in_order() {
    let mut lamp = Machine::started(Halves::Counting);
    let all = lamp.asks(20.0, async |c: Client| {
        let token = c.token();
        let head = |path: &str, end: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{end}\r\n")
        };
        let both = head("/api/v1/status", "") + &head("/api/v1/device", "Connection: close\r\n");
        c.says(both.as_bytes()).await
    });
    let all = String::from_utf8(all.flatten().unwrap()).unwrap();
    let (first, second) = (all.find("\"vitals\"").unwrap(), all.find("\"hears_on_core\"").unwrap());
    assert!(all.matches("HTTP/1.1 200").count() == 2 && first < second, "{all}");
}

/// Connects, says this and waits; how long it took until the lamp ended it, in ms, and what it said.
async fn hangs_on(c: Client, bytes: &[u8]) -> (u64, String) {
    let (mut rx, mut tx) = (vec![0; 4_096], vec![0; 4_096]);
    let mut socket = TcpSocket::new(c.stack, &mut rx, &mut tx);
    socket.connect(c.at(80).unwrap()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let began = Instant::now();
    let (mut said, mut piece) = (Vec::new(), [0; 512]);
    while let Ok(n @ 1..) = socket.read(&mut piece).await {
        said.extend_from_slice(&piece[..n]);
    }
    (began.elapsed().as_millis(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn who_begins_and_does_not_end_is_told_so_after_three_seconds() {
    let mut lamp = Machine::started(Halves::Counting);
    let token = lamp.asks(1.0, async |c: Client| c.token()).unwrap();
    let body = "Content-Length: 20\r\n\r\n{";
    let post =
        format!("POST /api/params HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{body}");
    for begun in ["GET /api/params HT", &post] {
        let (ms, said) = lamp.asks(30.0, async |c: Client| hangs_on(c, begun.as_bytes()).await).unwrap();
        assert!(said.starts_with("HTTP/1.1 408"), "{begun}: {said}");
        assert!((2_900..4_000).contains(&ms), "{begun}: {ms} ms");
    }
    // One at rest is no fault: it is let go after half a minute, without a word.
    let (ms, said) = lamp.asks(60.0, async |c: Client| hangs_on(c, b"").await).unwrap();
    assert!(said.is_empty() && (29_000..32_000).contains(&ms), "{ms} ms {said}");
    let (ms, said) = lamp.asks(30.0, async |c: Client| hangs_on(c, b"\x16\x03\r\n\r\n").await).unwrap();
    assert!(said.starts_with("HTTP/1.1 400") && ms < 1_000, "{ms} ms {said}");
    assert!(lamp.get("/api/v1/device")["malformed"].as_u64() >= Some(2));
}

#[test]
fn who_hangs_on_without_a_word_gives_way_to_others_and_nobody_is_refused() {
    let mut lamp = Machine::started(Halves::Counting);
    lamp.link.take_sent();
    let answers = lamp.asks(90.0, async |c: Client| {
        // Six connections that say nothing, as a browser opens them, and four requests that come then.
        let silent = join_array([(); 6].map(|()| async {
            let (mut rx, mut tx) = ([0; 256], [0; 256]);
            let mut socket = TcpSocket::new(c.stack, &mut rx, &mut tx);
            socket.connect(c.at(80).unwrap()).await.is_ok()
                && matches!(with_timeout(Duration::from_secs(40), socket.read(&mut [0; 8])).await, Ok(Ok(0)))
        }));
        let asked = async {
            Timer::after_millis(100).await;
            join_array([(); 4].map(|()| async {
                let began = Instant::now();
                let answer = c.once("GET", "/api/v1/status", &c.token(), b"").await;
                (answer.map(|a| a.status), began.elapsed().as_millis())
            }))
            .await
        };
        join(silent, asked).await
    });
    let (silent, answers) = answers.unwrap();
    for (status, ms) in answers {
        assert!([Some(200), Some(429)].contains(&status) && ms < 12_000, "{answers:?}");
    }
    assert_eq!(silent, [true; 6], "each is told by an end, and not by a refusal");
    // A refusal is a reset that answers the first packet of a connection: acknowledged, with no number of its own.
    let refusals = lamp.link.take_sent().into_iter().filter(|frame| {
        let ip = &frame[14..];
        let tcp = &ip[usize::from(ip[0] & 15) * 4..];
        frame[12..14] == [8, 0]
            && ip[9] == 6
            && tcp[..2] == [0, 80]
            && tcp[13] & 0x14 == 0x14
            && tcp[4..8] == [0; 4]
            && frame[..6] == [2, 0, 0, 0, 0, 1]
    });
    assert_eq!(refusals.count(), 0);
}

#[test]
fn a_thousand_requests_leave_every_place_free() {
    let mut lamp = Machine::started(Halves::Counting);
    let counts = lamp.asks(900.0, async |c: Client| {
        let mut counts = std::collections::BTreeMap::<u16, u32>::new();
        for i in 0..1_000 {
            let path = ["/api/test-connection", "/", "/api/v1/status", "/app.js"][i % 4];
            let answer = c.once("GET", path, &c.token(), b"").await;
            *counts.entry(answer.map_or(0, |a| a.status)).or_default() += 1;
        }
        counts
    });
    let counts = counts.unwrap();
    assert!(
        !counts.contains_key(&0) && counts[&200] + counts[&429] == 1_000 && counts[&200] > 500,
        "{counts:?}"
    );
    lamp.lives(2.0);
    assert_eq!(lamp.get("/api/v1/status")["vitals"]["torn"], 0);
    assert_eq!(lamp.starts, 1);
    assert!(lamp.lamp().doors.is_open());
}

#[test]
fn the_self_test_reads_beside_the_writer() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.post("/api/v1/self-test", json!({"reads": 500}));
    lamp.lives(3.0);
    let test = lamp.get("/api/v1/self-test");
    assert_eq!(
        (&test["state"], &test["reads"], &test["torn"]),
        (&json!("done"), &json!(500), &json!(0)),
        "{test}"
    );
}

#[test]
fn restarting_is_asked_for_and_a_drill_ends_where_it_began() {
    let mut lamp = Machine::ready(Halves::Counting);
    let answer = lamp.asks(5.0, async |c: Client| c.asks("POST", "/api/v1/drill", b"{}").await).flatten();
    let answer = answer.unwrap();
    if answer.status == 200 {
        let state: Value = lamp.becomes(60, |s| s["rollback"] == "armed");
        assert_eq!(state["running"]["version"], "1.0.0", "{state}");
    } else {
        panic!("{} {}", answer.status, answer.json());
    }
}
