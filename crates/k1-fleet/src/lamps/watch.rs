//! The live frames of a lamp, as its page receives them.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use k1_device::harmless::harmless;
use k1_device::live::{FRAME_HEAD, kind};
use serde_json::{Map, Value, json};
use tungstenite::{Message, WebSocket};

use super::address::Address;
use super::scenes::{Playlist, Power, SceneNow};
use super::trouble::Trouble;

/// A lamp that is silent for longer than this has gone.
const GONE: Duration = Duration::from_secs(5);

/// A received frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Time at which it was received.
    pub came: Instant,
    /// Time at which the lamp shows it, in µs of the lamp's clock.
    pub at_us: u64,
    /// Loudness of the sound that the lamp heard, RMS in dBFS.
    pub rms_db: f32,
    /// True if the lamp took the sound for silence.
    pub silent: bool,
    /// R, G, B of each LED in sRGB.
    pub pixels: Vec<u8>,
}

impl Frame {
    /// The frame in a binary message of the live WebSocket; `None` for other messages and broken ones.
    fn read(m: &[u8]) -> Option<Self> {
        let head = m.first_chunk::<FRAME_HEAD>().filter(|h| h[0] == kind::FRAME)?;
        let leds = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let pixels = m.get(FRAME_HEAD..FRAME_HEAD + leds * 3)?.to_vec();
        let at_us = f64::from_le_bytes(*m[4..].first_chunk()?) as u64;
        let rms_db = f32::from_le_bytes([head[16], head[17], head[18], head[19]]);
        Some(Self { came: Instant::now(), at_us, rms_db, silent: head[1] == 1, pixels })
    }
}

/// Settings of a lamp's light.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct Look {
    /// Values of all parameters.
    pub params: Map<String, Value>,
    /// Identifier of the pattern.
    pub pattern: String,
}

/// A change that a K1 tells of.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum News {
    /// Settings of its light.
    #[serde(rename = "settings")]
    Look(Look),
    /// On, off, or the brightness of everything; only from a K1 with scenes, as the next two.
    Power(Power),
    /// The scene that is shown, or the names of the scenes.
    Scene(SceneNow),
    /// The playlist.
    Playlist(Playlist),
}

impl News {
    /// The news in a text message; `None` for other messages.
    fn read(text: &str) -> Option<Self> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        k1_host::foreign::clean(&mut value);
        serde_json::from_value(value).ok()
    }
}

/// A connection that receives a lamp's live frames.
pub struct Watch {
    socket: WebSocket<TcpStream>,
    label: String,
}

impl Watch {
    /// Connects to a lamp, for at most `fps` frames a second.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be reached, refuses, or has no live connection left.
    pub fn open(address: &Address, fps: u32) -> Result<Self, Trouble> {
        let away = |why: String| {
            let why = harmless(&why).into_owned();
            Trouble::Away { label: address.label.clone(), why }
        };
        let to = address.authority.to_socket_addrs().map_err(|e| away(e.to_string()))?.next();
        let to = to.ok_or_else(|| away("this name has no address".into()))?;
        let stream = TcpStream::connect_timeout(&to, GONE).map_err(|e| away(e.to_string()))?;
        stream
            .set_read_timeout(Some(GONE))
            .and_then(|()| stream.set_nodelay(true))
            .map_err(|e| away(e.to_string()))?;
        let token = address.token.as_ref().map(|t| format!("?token={t}")).unwrap_or_default();
        let url = format!("ws://{}/api/v1/live{token}", address.authority);
        let mut socket = match tungstenite::client(url, stream) {
            Ok((socket, _)) => socket,
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(r))) if r.status() == 401 => {
                return Err(Trouble::Locked { label: address.label.clone() });
            }
            // The lamp took the connection but leaves it waiting, as it does when all of its live connections are taken.
            Err(tungstenite::HandshakeError::Interrupted(_)) => {
                return Err(Trouble::Busy { label: address.label.clone() });
            }
            Err(e) => return Err(away(e.to_string())),
        };
        let wish = Message::text(json!({"fps": fps}).to_string());
        socket.send(wish).map_err(|e| away(e.to_string()))?;
        Ok(Self { socket, label: address.label.clone() })
    }

    /// Waits for the next change. The first ones tell what is in force.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp has gone.
    pub fn news(&mut self) -> Result<News, Trouble> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    if let Some(news) = News::read(&text) {
                        return Ok(news);
                    }
                }
                Ok(Message::Close(_)) => return Err(self.away("it ended the connection")),
                Ok(_) => {}
                Err(e) => return Err(self.away(e)),
            }
        }
    }

    fn away(&self, why: impl std::fmt::Display) -> Trouble {
        let why = harmless(&why.to_string()).into_owned();
        Trouble::Away { label: self.label.clone(), why }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp has gone.
    pub fn frame(&mut self) -> Result<Frame, Trouble> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => {
                    if let Some(frame) = Frame::read(&bytes) {
                        return Ok(frame);
                    }
                }
                Ok(_) => {}
                Err(e) => return Err(self.away(e)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_engine::audio::Snapshot;

    #[test]
    fn a_lamp_whose_live_connections_are_taken_is_told_as_that() {
        // The listener accepts the connection and never answers.
        let lamp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = lamp.local_addr().unwrap().to_string();
        let address = Address { label: "virt".into(), authority, token: None, sound: None, ota: None };
        let trouble = Watch::open(&address, 30).err().unwrap();
        assert_eq!(trouble, Trouble::Busy { label: "virt".into() });
        assert!(trouble.to_string().starts_with("virt answers, but its live connections are taken: "));
    }

    #[test]
    fn changes_are_read_and_other_messages_are_left_out() {
        let scene = News::read(r#"{"scene":{"current":null,"scenes":["a\u001b"]}}"#);
        let now = SceneNow { current: None, scenes: vec!["a\\u{1b}".into()] };
        assert_eq!(scene, Some(News::Scene(now)));
        let power = News::read(r#"{"power":{"on":false,"fade_s":1.0,"brightness":0.4}}"#);
        assert_eq!(power, Some(News::Power(Power { on: false, brightness: 0.4, fade_s: 1.0 })));
        let look = News::read(r#"{"settings":{"params":{"brightness":1},"pattern":"lava","gain":1.0}}"#);
        assert!(matches!(look, Some(News::Look(look)) if look.pattern == "lava"));
        for other in ["", "{}", r#"{"hello":{"version":"1"}}"#, r#"{"pong":1}"#, r#"{"power":{"on":1}}"#] {
            assert_eq!(News::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let snapshot = Snapshot { rms_db: -31.5, silent: true, ..Snapshot::EMPTY };
        let message = k1_device::live::frame(5, &[[1, 2, 3], [4, 5, 6]], &snapshot);
        let frame = Frame::read(&message).unwrap();
        assert_eq!(frame.at_us, 5);
        assert_eq!((frame.rms_db, frame.silent, &frame.pixels[..]), (-31.5, true, &[1, 2, 3, 4, 5, 6][..]));
        // Older lamps send nothing behind the pixels.
        let pixels = message.len() - k1_device::live::FRAME_TAIL;
        assert_eq!(Frame::read(&message[..pixels]).unwrap().pixels, frame.pixels);
        assert_eq!(Frame::read(&message[..pixels - 1]), None);
        assert_eq!(Frame::read(&[2; 200]), None);
    }
}
