//! A client on the lamp's network: HTTP, and other protocols over its stack.

use std::net::Ipv4Addr;

use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use k1_lamp::Lamp;
use serde_json::Value;

/// A client on the lamp's network.
#[derive(Clone, Copy)]
pub struct Client {
    lamp: &'static Lamp,
    /// Stack of the client.
    pub stack: Stack<'static>,
}

/// An answer of the lamp.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Head as received.
    pub head: String,
    /// Body as received.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Value of a header; `name` must be in small letters.
    pub fn says(&self, header: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            (name.to_ascii_lowercase() == header).then_some(value)
        })
    }
}

impl Client {
    /// A client of a lamp.
    pub fn new(lamp: &'static Lamp, stack: Stack<'static>) -> Self {
        Self { lamp, stack }
    }

    /// A port of the lamp.
    pub fn at(&self, port: u16) -> Option<IpEndpoint> {
        let address: Ipv4Addr = self.lamp.look(|s| s.ip.as_str().parse().ok())?;
        Some(IpEndpoint::new(address.into(), port))
    }

    /// The lamp's token.
    pub fn token(&self) -> String {
        self.lamp.look(|s| s.memory.hardware.token.as_str().to_owned())
    }

    /// Sends bytes on a new connection and reads everything that arrives; `None` if the lamp was not reachable.
    pub async fn says(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut rx, mut tx) = (vec![0; 8_192], vec![0; 8_192]);
        let mut socket = TcpSocket::new(self.stack, &mut rx, &mut tx);
        socket.set_timeout(Some(Duration::from_secs(20)));
        socket.connect(self.at(80)?).await.ok()?;
        let (mut reader, mut writer) = socket.split();
        let send = async {
            let mut left = bytes;
            while !left.is_empty() {
                match writer.write(left).await {
                    Ok(n) => left = &left[n..],
                    Err(_) => return,
                }
            }
        };
        let take = async {
            let (mut all, mut piece) = (Vec::new(), [0; 2_048]);
            loop {
                match reader.read(&mut piece).await {
                    Ok(n @ 1..) => all.extend_from_slice(&piece[..n]),
                    _ => return all,
                }
            }
        };
        let (_, all) = embassy_futures::join::join(send, take).await;
        socket.close();
        let _ = with_timeout(Duration::from_millis(500), socket.flush()).await;
        Some(all)
    }

    /// Sends one request; `None` if there was no answer.
    pub async fn once(&self, method: &str, path: &str, token: &str, body: &[u8]) -> Option<Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let all = self.says(&[head.as_bytes(), body].concat()).await?;
        parse(&all)
    }

    /// Sends one request with the lamp's token. Tries again if the lamp tells it to wait or is not reachable yet.
    pub async fn asks(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        for _ in 0..100 {
            match self.once(method, path, &self.token(), body).await {
                Some(answer) if answer.status != 429 => return Some(answer),
                _ => Timer::after_millis(200).await,
            }
        }
        None
    }

    /// A socket for packets.
    pub fn udp(&self, port: u16) -> UdpSocket<'static> {
        fn leak<T>(value: Vec<T>) -> &'static mut [T] {
            value.leak()
        }
        let meta = || leak(vec![PacketMetadata::EMPTY; 64]);
        let room = || leak(vec![0; 32_768]);
        let mut socket = UdpSocket::new(self.stack, meta(), room(), meta(), room());
        socket.bind(port).expect("a free port");
        socket
    }
}

/// Parses an answer.
pub fn parse(all: &[u8]) -> Option<Answer> {
    let end = all.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: all[end + 4..].to_vec() })
}
