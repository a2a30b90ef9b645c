//! The page's WebSocket and `/ws` of the lamps in the field.

use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, with_timeout};
use embedded_io_async::Write as _;
use serde_json::{Value, json};

use crate::client::Client;
use crate::drivers::Sound;
use crate::machine::{Halves, Machine};

/// A message from the lamp.
#[derive(Debug)]
enum Message {
    Text(Value),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Gone,
}

/// One end of a WebSocket.
pub struct Socket {
    tcp: TcpSocket<'static>,
    came: Vec<u8>,
}

impl Socket {
    /// Opens a WebSocket and returns it with the head of the answer.
    pub async fn open(c: Client, path: &str) -> (Self, String) {
        let room = || vec![0; 16_384].leak();
        let mut tcp = TcpSocket::new(c.stack, room(), room());
        tcp.connect(c.at(80).unwrap()).await.unwrap();
        let head = format!(
            "GET {path}?token={} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            c.token()
        );
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut socket = Self { tcp, came: Vec::new() };
        loop {
            if let Some(end) = socket.came.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&socket.came[..end]).into_owned();
                socket.came.drain(..end + 4);
                return (socket, head);
            }
            assert!(socket.more().await, "{:?}", String::from_utf8_lossy(&socket.came));
        }
    }

    async fn more(&mut self) -> bool {
        let mut piece = [0; 2_048];
        match self.tcp.read(&mut piece).await {
            Ok(n @ 1..) => {
                self.came.extend_from_slice(&piece[..n]);
                true
            }
            _ => false,
        }
    }

    /// The next message.
    async fn next(&mut self) -> Message {
        loop {
            if self.came.len() >= 2 {
                let (head, length) = match self.came[1] {
                    126 if self.came.len() >= 4 => {
                        (4, usize::from(u16::from_be_bytes([self.came[2], self.came[3]])))
                    }
                    126 => (usize::MAX, 0),
                    n => (2, usize::from(n)),
                };
                if head != usize::MAX && self.came.len() >= head + length {
                    let kind = self.came[0];
                    let payload: Vec<u8> = self.came.drain(..head + length).skip(head).collect();
                    if kind == 0x89 {
                        self.send(10, &payload).await;
                        continue;
                    }
                    return match kind {
                        0x81 => Message::Text(serde_json::from_slice(&payload).expect("JSON")),
                        0x82 => Message::Binary(payload),
                        0x8a => Message::Pong(payload),
                        0x88 => Message::Close(
                            u16::from_be_bytes([payload[0], payload[1]]),
                            String::from_utf8_lossy(&payload[2..]).into_owned(),
                        ),
                        other => panic!("{other:#x}"),
                    };
                }
            }
            if !self.more().await {
                return Message::Gone;
            }
        }
    }

    /// Sends a message, masked as clients must.
    pub async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | kind, 0x80 | payload.len() as u8, 1, 2, 3, 4];
        frame.extend(payload.iter().enumerate().map(|(i, b)| b ^ (i % 4 + 1) as u8));
        self.tcp.write_all(&frame).await.unwrap();
    }

    /// The next text that has this key.
    pub async fn text_with(&mut self, key: &str) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) if !text[key].is_null() => return text,
                Message::Text(_) | Message::Binary(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn the_page_is_greeted_and_gets_frames_sound_and_figures() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.lives(2.0);
    let seen = lamp.asks(30.0, async |c: Client| {
        let (mut socket, head) = Socket::open(c, "/api/v1/live").await;
        // The key and its answer are the example of RFC 6455.
        assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let hello = socket.text_with("hello").await["hello"].clone();
        socket.send(1, b"{\"audio\": true}").await;
        let (until, mut kinds) = (Instant::now() + Duration::from_secs(3), std::collections::BTreeMap::new());
        while Instant::now() < until {
            match socket.next().await {
                Message::Binary(bytes) => *kinds.entry(bytes[0]).or_insert(0) += 1,
                Message::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
        socket.send(9, b"are you there").await;
        let pong = loop {
            if let Message::Pong(bytes) = socket.next().await {
                break bytes;
            }
        };
        (hello, kinds, pong)
    });
    let (hello, kinds, pong) = seen.unwrap();
    assert_eq!((&hello["leds"], &hello["takes_firmware"]), (&json!(180), &json!(true)), "{hello}");
    assert_eq!(pong, b"are you there");
    let [frames, sound] = [0, 1].map(|i| *kinds.values().nth(i).unwrap_or(&0));
    let (more, less): (i32, i32) = (frames.max(sound), frames.min(sound));
    // A frame every 16 ms, and sound every 32 ms.
    assert!((150..=195).contains(&more) && (88..=96).contains(&less), "{kinds:?}");
}

#[test]
fn what_one_page_sets_another_sees() {
    let mut lamp = Machine::started(Halves::Real);
    let seen = lamp.asks(30.0, async |c: Client| {
        let (mut first, _) = Socket::open(c, "/api/v1/live").await;
        let (mut second, _) = Socket::open(c, "/api/v1/live").await;
        first.send(1, b"{\"params\": {\"warmth\": 0.25}}").await;
        let both = async {
            loop {
                let settings = second.text_with("settings").await;
                if settings["settings"]["params"]["warmth"] == 0.25 || settings.to_string().contains("0.25") {
                    return true;
                }
            }
        };
        let seen = with_timeout(Duration::from_secs(5), both).await.unwrap_or(false);
        first.send(1, b"{\"params\": {\"warmth\": \"much\"}}").await;
        (seen, first.text_with("error").await)
    });
    let (seen, error) = seen.unwrap();
    assert!(seen, "the other page sees it");
    assert!(error.to_string().len() > 20, "{error}");
    assert_eq!(lamp.get("/api/params")["warmth"], 0.25);
}

#[test]
fn a_third_socket_is_told_to_come_again_and_requests_go_on() {
    let mut lamp = Machine::started(Halves::Counting);
    let said = lamp.asks(30.0, async |c: Client| {
        let (mut first, _) = Socket::open(c, "/api/v1/live").await;
        let (_second, _) = Socket::open(c, "/api/v1/live").await;
        let (mut third, _) = Socket::open(c, "/api/v1/live").await;
        let said = third.next().await;
        let status = c.asks("GET", "/api/v1/status", b"").await.map(|a| a.status);
        first.send(8, &1000_u16.to_be_bytes()).await;
        let end = loop {
            match first.next().await {
                Message::Close(code, _) => break code,
                Message::Gone => break 0,
                _ => {}
            }
        };
        (said, status, end)
    });
    let (said, status, end) = said.unwrap();
    assert!(matches!(&said, Message::Close(1013, words) if words.contains("too many")), "{said:?}");
    assert_eq!((status, end), (Some(200), 1000));
    lamp.lives(12.0);
    assert_eq!(lamp.lamp().doors.sockets(), 0, "their places are free again");
}

#[test]
fn what_breaks_the_protocol_is_ended_with_its_code() {
    let mut lamp = Machine::started(Halves::Counting);
    for (bytes, code) in [
        // Not masked; a reserved bit; a fragmented control frame; text that is not UTF-8.
        (&[0x81, 0x01, b'x'][..], 1002),
        (&[0xc1, 0x80, 0, 0, 0, 0], 1002),
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
    ] {
        let end = lamp.asks(30.0, async |c: Client| {
            let (mut socket, _) = Socket::open(c, "/api/v1/live").await;
            socket.tcp.write_all(bytes).await.unwrap();
            loop {
                match socket.next().await {
                    Message::Close(code, _) => break code,
                    Message::Gone => break 0,
                    _ => {}
                }
            }
        });
        assert_eq!(end, Some(code), "{bytes:02x?}");
        lamp.lives(2.0);
    }
}

#[test]
fn the_old_socket_welcomes_echoes_and_tells_figures() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.sound.set(Sound::Silence);
    let seen = lamp.asks(30.0, async |c: Client| {
        let (mut socket, _) = Socket::open(c, "/ws").await;
        let Message::Text(welcome) = socket.next().await else { panic!("no welcome") };
        socket.send(1, b"hello").await;
        let echo = socket.text_with("message").await;
        let mut figures = 0;
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            if let Message::Text(_) = socket.next().await {
                figures += 1;
            }
        }
        (welcome, echo, figures)
    });
    let (welcome, echo, figures) = seen.unwrap();
    assert!(welcome.to_string().contains("client"), "{welcome}");
    assert_eq!(echo["message"], "hello");
    assert!((18..=22).contains(&figures), "ten times a second: {figures}");
}
