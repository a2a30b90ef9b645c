//! The two WebSockets.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::tcp::{TcpReader, TcpSocket, TcpWriter};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pubsub::{Subscriber, WaitResult};
use embassy_time::{Duration, Ticker};
use embedded_io_async::Write as _;
use k1_device::api::{Home, VERSION};
use k1_device::exchange::Settings;
use k1_device::http::respond::Socket;
use k1_device::live::{self, Figures, Hello, InForce, Legacy, Refused, Say};
use k1_device::settings::MOST_LEDS;
use k1_device::websocket::{self, Event, Kind, Reader, code, frame_head};
use k1_handoff::Read;

use super::{End, MOST_SOCKETS};
use crate::home::LampHome;
use crate::show::unpack;
use crate::{FRAME_WORDS, Lamp, now_us};

/// How often a connection looks for a new frame.
const GLANCE: Duration = Duration::from_millis(8);
/// Glances between two looks at the settings, and at what `/ws` says.
const GLANCES_PER_TICK: u32 = 6;
/// Glances in a second.
const GLANCES_PER_SECOND: u32 = 125;

/// What has come, and what of it was used up.
struct Inbox {
    bytes: Vec<u8>,
    reader: Reader,
}

/// A message from the peer.
enum Word<'a> {
    Text(&'a [u8]),
    Pass,
    Ping(&'a [u8]),
    End(u16),
}

impl Inbox {
    /// The next message of what has come.
    fn next(&mut self) -> Option<Word<'_>> {
        let (event, used) = loop {
            let (event, used) = self.reader.feed(&self.bytes);
            // A fragment was taken and its message goes on.
            if event == Event::More && used > 0 {
                self.bytes.drain(..used);
                continue;
            }
            break (event, used);
        };
        self.bytes.drain(..used);
        Some(match event {
            Event::More => return None,
            Event::Broken(code) => Word::End(code),
            Event::Message(kind, n) => {
                let message = self.reader.message(kind, n);
                match kind {
                    Kind::Text if core::str::from_utf8(message).is_ok() => Word::Text(message),
                    // RFC 6455, 8.1.
                    Kind::Text => Word::End(1007),
                    Kind::Binary | Kind::Pong => Word::Pass,
                    Kind::Ping => Word::Ping(message),
                    Kind::Close => Word::End(1000),
                }
            }
        })
    }
}

/// Counts a WebSocket for as long as it lives.
struct Place(&'static Lamp);

impl Place {
    fn take(lamp: &'static Lamp) -> Option<Self> {
        let before = lamp.doors.sockets.fetch_add(1, Relaxed);
        let place = Self(lamp);
        (before < MOST_SOCKETS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.doors.sockets.fetch_sub(1, Relaxed);
    }
}

/// Gets the sound, and is counted for as long as it does.
struct Listener {
    lamp: &'static Lamp,
    sound: Subscriber<'static, CriticalSectionRawMutex, Arc<[u8]>, 8, { crate::state::WORKERS }, 1>,
}

impl Listener {
    fn new(lamp: &'static Lamp) -> Option<Self> {
        let sound = lamp.sound.subscriber().ok()?;
        lamp.listeners.fetch_add(1, Relaxed);
        Some(Self { lamp, sound })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.lamp.listeners.fetch_sub(1, Relaxed);
    }
}

/// Goes on as a WebSocket until either side has had enough.
pub async fn serve(
    lamp: &'static Lamp,
    socket: &mut TcpSocket<'_>,
    kind: Socket,
    key: &str,
    came: &[u8],
) -> End {
    if socket.write_all(websocket::handshake(key).as_bytes()).await.is_err() {
        return End::Silent;
    }
    // On the heap: a worker that serves requests does not need it.
    let mut inbox = Box::new(Inbox { bytes: came.to_vec(), reader: Reader::default() });
    let (mut reader, mut writer) = socket.split();
    let Some(_place) = Place::take(lamp) else {
        let mut message = code::AGAIN.to_be_bytes().to_vec();
        message.extend(b"too many connections; close another page");
        let _ = send(&mut writer, Kind::Close, &message).await;
        return End::Said;
    };
    let ended = match kind {
        Socket::Live => page(lamp, &mut reader, &mut writer, &mut inbox).await,
        Socket::Legacy => legacy(lamp, &mut reader, &mut writer, &mut inbox).await,
    };
    if let Some(code) = ended {
        let _ = send(&mut writer, Kind::Close, &code.to_be_bytes()).await;
        return End::Said;
    }
    End::Silent
}

async fn send(writer: &mut TcpWriter<'_>, kind: Kind, payload: &[u8]) -> Option<()> {
    let (head, n) = frame_head(kind, payload.len());
    // In one piece, or the head would travel in a segment of its own.
    let mut frame = Vec::with_capacity(n + payload.len());
    frame.extend_from_slice(&head[..n]);
    frame.extend_from_slice(payload);
    writer.write_all(&frame).await.ok()
}

/// The page's socket; `Some` code if the protocol asks for a close.
async fn page(
    lamp: &'static Lamp,
    reader: &mut TcpReader<'_>,
    writer: &mut TcpWriter<'_>,
    inbox: &mut Inbox,
) -> Option<u16> {
    send(writer, Kind::Text, &hello(lamp)).await?;
    let mut sound = Box::new(lamp.crossing.sound());
    let mut controls = lamp.crossing.controls();
    let frames = lamp.screen.reader();
    let mut words = Box::new([0; FRAME_WORDS]);
    let mut pixels = Box::new([[0; 3]; MOST_LEDS]);
    let (mut last_frame, mut last_us, mut interval_us) = (0, 0, 16_000);
    let mut listener = None;
    let mut known: Option<Settings> = None;
    let mut ticker = Ticker::every(GLANCE);
    let mut glances = 0_u32;
    let mut bytes = [0; 256];
    loop {
        while let Some(word) = inbox.next() {
            match word {
                Word::Text(message) => {
                    let answer = match live::obey(&LampHome::new(lamp), message) {
                        Ok(wishes) => {
                            match wishes.audio {
                                Some(true) if listener.is_none() => listener = Listener::new(lamp),
                                Some(false) => listener = None,
                                _ => {}
                            }
                            interval_us = wishes.frame_interval_us.unwrap_or(interval_us);
                            wishes.ping.map(|pong| Say::Pong { pong, server_us: now_us() }.json())
                        }
                        Err(refusal) => Some(Say::Error(Refused(refusal)).json()),
                    };
                    if let Some(answer) = answer {
                        send(writer, Kind::Text, &answer).await?;
                    }
                }
                Word::Ping(payload) => send(writer, Kind::Pong, payload).await?,
                Word::Pass => {}
                Word::End(code) => return Some(code),
            }
        }
        let heard = async {
            match &mut listener {
                Some(listener) => listener.sound.next_message().await,
                None => core::future::pending().await,
            }
        };
        match select3(reader.read(&mut bytes), ticker.next(), heard).await {
            Either3::First(Ok(n @ 1..)) => inbox.bytes.extend_from_slice(&bytes[..n]),
            Either3::First(_) => return None,
            Either3::Third(WaitResult::Message(packet)) => send(writer, Kind::Binary, &packet).await?,
            // One that was too slow goes on with the newest.
            Either3::Third(WaitResult::Lagged(_)) => {}
            Either3::Second(()) => {
                glances = glances.wrapping_add(1);
                if glances.is_multiple_of(GLANCES_PER_TICK) {
                    let now = controls.settings();
                    if known != Some(now) {
                        known = Some(now);
                        send(writer, Kind::Text, &Say::Settings(InForce::new(&now)).json()).await?;
                    }
                }
                if glances.is_multiple_of(GLANCES_PER_SECOND) {
                    let home = LampHome::new(lamp);
                    let figures = Figures {
                        vitals: home.vitals(),
                        uptime_s: now_us() / 1_000_000,
                        sockets: lamp.doors.sockets(),
                        receiving: lamp.look(|s| s.firmware.receiving),
                        lights: None,
                        live_sound: None,
                    };
                    send(writer, Kind::Text, &Say::Status(figures).json()).await?;
                }
                let now = now_us();
                if now - last_us >= interval_us
                    && let Read::Fresh { sequence, .. } = frames.read(&mut words)
                    && sequence != last_frame
                {
                    (last_frame, last_us) = (sequence, now);
                    let (at_us, leds) = unpack(&words, &mut pixels);
                    send(writer, Kind::Binary, &live::frame(at_us, &pixels[..leds], sound.latest())).await?;
                }
            }
        }
    }
}

fn hello(lamp: &'static Lamp) -> Vec<u8> {
    let home = LampHome::new(lamp);
    let history: Vec<_> = lamp.look(|s| s.history.iter().copied().collect());
    let identity = home.identity();
    Say::Hello(Hello {
        version: VERSION,
        leds: identity.leds,
        source: &identity.source,
        fps: lamp.due_millihertz.load(Relaxed).div_ceil(1000),
        server_us: now_us(),
        thumbnails: false,
        takes_firmware: true,
        history: &history,
    })
    .json()
}

/// `/ws`: welcome, echo and figures ten times a second.
async fn legacy(
    lamp: &'static Lamp,
    reader: &mut TcpReader<'_>,
    writer: &mut TcpWriter<'_>,
    inbox: &mut Inbox,
) -> Option<u16> {
    let client_id = lamp.doors.clients.fetch_add(1, Relaxed) as usize;
    let welcome = Legacy::Welcome { client_id, timestamp: now_us() / 1000 };
    send(writer, Kind::Text, &welcome.json()).await?;
    let mut ticker = Ticker::every(Duration::from_millis(100));
    let mut bytes = [0; 256];
    loop {
        while let Some(word) = inbox.next() {
            match word {
                Word::Text(message) => {
                    let message = core::str::from_utf8(message).unwrap_or_default();
                    let echo = Legacy::Echo { message, timestamp: now_us() / 1000 };
                    send(writer, Kind::Text, &echo.json()).await?;
                }
                Word::Ping(payload) => send(writer, Kind::Pong, payload).await?,
                Word::Pass => {}
                Word::End(code) => return Some(code),
            }
        }
        match select(reader.read(&mut bytes), ticker.next()).await {
            Either::First(Ok(n @ 1..)) => inbox.bytes.extend_from_slice(&bytes[..n]),
            Either::First(_) => return None,
            Either::Second(()) => {
                send(writer, Kind::Text, &live::realtime(&LampHome::new(lamp))).await?;
            }
        }
    }
}
