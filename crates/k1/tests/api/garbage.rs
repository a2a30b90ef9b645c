//! The light goes on, whatever bytes a client sends.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread::sleep;
use std::time::Duration;

use k1_engine::random::SplitMix64;
use serde_json::Value;

use crate::access::UPGRADE;
use crate::host::Host;
use crate::k1::K1;

/// Random numbers with a seed, so that every run sends the same bytes.
struct Dice(SplitMix64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        (self.0.next_u64() % sides as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let n = 1 + self.roll(most);
        (0..n).map(|_| self.roll(256) as u8).collect()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// A valid request, which the tests damage.
fn decent(k1: &K1, dice: &mut Dice) -> Vec<u8> {
    let paths = [
        "/",
        "/api/params",
        "/api/select",
        "/api/v1/status",
        "/api/config/restore",
        "/api/v1/live",
        "/app.js",
    ];
    let method = dice.pick(&["GET", "POST"]);
    let path = dice.pick(&paths);
    let body = dice.pick(&["", "{}", "{\"warmth\":0.5}", "{\"index\":3}"]);
    let token = k1.token.as_ref().map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
    let host = &k1.host;
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{token}Content-Length: {}\r\n\r\n{body}", body.len())
        .into()
}

const KINDS: usize = 8;

fn garbage(k1: &K1, dice: &mut Dice, kind: usize) -> Vec<u8> {
    let host = format!("Host: {}\r\n", k1.host);
    match kind {
        // Random bytes.
        0 => dice.bytes(3_000),
        // Half a request.
        1 => {
            let mut request = decent(k1, dice);
            request.truncate(1 + dice.roll(request.len()));
            request
        }
        // Heads that are too large.
        2 => {
            let long = "x".repeat(1 << (10 + dice.roll(10)));
            match dice.roll(3) {
                0 => format!("GET /{long} HTTP/1.1\r\n{host}\r\n"),
                1 => format!("GET / HTTP/1.1\r\n{host}X-Long: {long}\r\n\r\n"),
                _ => format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X-Many: x\r\n".repeat(50 + dice.roll(5_000))),
            }
            .into()
        }
        // Invalid lengths.
        3 => {
            let lengths = [
                "Content-Length: -1",
                "Content-Length: 99999999999999999999999",
                "Content-Length: 1000000",
                "Content-Length: abc",
                "Content-Length: 2\r\nContent-Length: 7",
                "Content-Length: 1",
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                "Transfer-Encoding: chunked",
                "Transfer-Encoding: gzip, chunked",
                "Content-Length: 0x10",
            ];
            let length = dice.pick(&lengths);
            let body = dice.pick(&[
                "{\"warmth\":0.5}",
                "fffffffffffffffff\r\n{}",
                "-1\r\n{}",
                "2\r\n{}\r\nzz\r\n",
                "",
            ]);
            format!("POST /api/params HTTP/1.1\r\n{host}{length}\r\n\r\n{body}").into()
        }
        // Random bytes after a valid request.
        4 => [decent(k1, dice), decent(k1, dice), dice.bytes(1_000)].concat(),
        // Random bytes or invalid frames on a WebSocket.
        5 => {
            let path = dice.pick(&["/ws", "/api/v1/live"]);
            let query = k1.token.as_ref().map(|t| format!("?token={t}")).unwrap_or_default();
            let mut request =
                format!("GET {path}{query} HTTP/1.1\r\n{host}{}\r\n\r\n", UPGRADE.join("\r\n")).into_bytes();
            let mut frame = match dice.roll(5) {
                0 => vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                1 => vec![0x81, 0x05],
                2 => vec![0x81, 0xfe, 0xff, 0xff, 1, 2, 3, 4],
                3 => vec![0x88, 0xfd, 0, 0, 0, 0],
                _ => vec![],
            };
            frame.extend(dice.bytes(500));
            request.extend(frame);
            request
        }
        // A request that is valid except for a few bytes.
        6 => {
            let mut request = decent(k1, dice);
            for _ in 0..1 + dice.roll(8) {
                let at = dice.roll(request.len());
                request[at] = dice.roll(256) as u8;
            }
            request
        }
        // Invalid first lines.
        _ => {
            let lines = [
                "GET",
                "GET  / HTTP/1.1",
                "GET / HTTP/9.9",
                "GET /%00%ff%zz HTTP/1.1",
                "GET /../../etc/passwd HTTP/1.1",
                "GET //api//params HTTP/1.1",
                "GET http://evil.example/api/params HTTP/1.1",
                "CONNECT evil.example:80 HTTP/1.1",
                "OPTIONS * HTTP/1.1",
                "GET /?token=&token=%& HTTP/1.1",
                "PRI * HTTP/2.0",
                "\u{16}\u{3}\u{1}",
                "GET / HTTP/1.0",
                "get / http/1.1",
                "GET /\u{e9} HTTP/1.1",
                "POST /api/select?x=\0 HTTP/1.1",
            ];
            format!("{}\r\n{host}\r\n", dice.pick(&lines)).into()
        }
    }
}

/// Figures that are new at this moment.
fn status(k1: &K1) -> Value {
    let frames = |v: &Value| v["vitals"]["frames"].as_u64().unwrap();
    let old = k1.get("/api/v1/status").ok();
    loop {
        sleep(Duration::from_millis(20));
        let new = k1.get("/api/v1/status").ok();
        if frames(&new) != frames(&old) {
            return new;
        }
    }
}

#[test]
fn the_light_goes_on_whatever_is_sent() {
    let mut k1 = K1::get_one();
    let mut viewer = k1.socket("/api/v1/live");
    let before = status(&k1);
    let host = Host::watch();
    let mut dice = Dice(SplitMix64::new(0x4b31));
    let mut kept = Vec::new();
    for i in 0..200 {
        if i % 8 == 0 {
            viewer.keep_up();
        }
        let bytes = garbage(&k1, &mut dice, i % KINDS);
        let mut stream = k1.connect();
        // K1 may close the connection before everything is sent.
        let _ = stream.write_all(&bytes);
        match dice.roll(4) {
            // The client does not read.
            0 => {}
            // The client neither continues nor closes the connection.
            1 if kept.len() < 40 => kept.push(stream),
            how => {
                if how == 2 {
                    let _ = stream.shutdown(Shutdown::Write);
                }
                stream.set_read_timeout(Some(Duration::from_millis(15))).unwrap();
                let mut answer = vec![0; 4_096];
                let n = stream.read(&mut answer).unwrap_or(0);
                let answer = String::from_utf8_lossy(&answer[..n]);
                assert!(n == 0 || answer.starts_with("HTTP/1."), "{i}: {answer}");
                assert!(!answer.starts_with("HTTP/1.1 500"), "{i}: {answer}");
            }
        }
    }
    // K1 answers while all these connections are open.
    assert_eq!(k1.get("/api/test-connection").ok()["status"], "ok");
    k1.lives();
    let after = status(&k1);
    let count = |v: &Value, name: &str| v["vitals"][name].as_u64().unwrap();
    // By K1's own clock.
    let seconds = after["uptime_s"].as_f64().unwrap() - before["uptime_s"].as_f64().unwrap();
    let rate = (count(&after, "frames") - count(&before, "frames")) as f64 / seconds;
    let target = after["vitals"]["fps_target"].as_f64().unwrap();
    // An emulated lamp has less time for its light, but must never stop.
    let least = if k1.is_program() { 0.85 } else { 0.4 };
    assert!(rate < 1.15 * target, "{rate} frames a second where {target} are due");
    host.asserts("api-frames-in-garbage", rate >= least * target, || {
        format!("{rate} frames a second where {target} are due")
    });
    for name in ["allocations", "torn"] {
        assert_eq!(count(&after, name), 0, "{name}");
    }
    // A client that has watched the whole time still gets frames.
    viewer.say(serde_json::json!({"ping": 5}));
    viewer.wait_for("a pong", |m| m["pong"] == 5.0);
    drop(kept);
}
