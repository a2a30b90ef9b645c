//! The two WebSockets: `/api/v1/live` for the page, and `/ws` for clients of the lamps in the field.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::sync::atomic::Ordering::Relaxed;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::tcp::{TcpReader, TcpSocket, TcpWriter};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pubsub::{Subscriber, WaitResult};
use embassy_time::{Duration, Ticker};
use embedded_io_async::Write as _;
use k1_device::backend::{Backend, VERSION};
use k1_device::exchange::Settings;
use k1_device::live::{self, Figures, Hello, InForce, Legacy, Refused, Say};
use k1_device::routes;
use k1_device::settings::MOST_LEDS;
use k1_handoff::Read;
use k1_http::limits::{Beat, Heartbeat, LAMP};
use k1_http::websocket::{Close, Inbox, Incoming, Kind, frame};

use super::End;
use crate::home::LampHome;
use crate::scenes::Told;
use crate::show::{at_us, leds, unpack};
use crate::{FRAME_WORDS, Lamp, now_us};

/// Interval at which a connection looks for a new frame.
const GLANCE: Duration = Duration::from_millis(8);
/// Number of glances between two looks at the settings, and between two messages of `/ws`.
const GLANCES_PER_TICK: u32 = 6;
/// Number of glances per second.
const GLANCES_PER_SECOND: u32 = 125;

/// Why a WebSocket ends.
enum Stop {
    /// The other side has gone.
    Gone,
    /// K1 closes it with a code and a reason.
    Close(Close),
}

/// The other side: the messages from it, and its signs of life.
struct Peer {
    inbox: Inbox,
    heart: Heartbeat,
}

impl Peer {
    /// Adds the bytes that were read; 0 bytes are the end of the connection.
    fn take(&mut self, bytes: &[u8], read: Result<usize, embassy_net::tcp::Error>) -> Result<(), Stop> {
        let Ok(n @ 1..) = read else { return Err(Stop::Gone) };
        self.heart.heard(now_us() / 1000);
        self.inbox.take(&bytes[..n]);
        Ok(())
    }

    /// Answers every complete message; `obey` answers texts.
    async fn answer(
        &mut self,
        writer: &mut TcpWriter<'_>,
        obey: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
    ) -> Result<(), Stop> {
        while let Some(message) = self.inbox.message() {
            match message {
                Incoming::Text(text) => {
                    if let Some(answer) = obey(text) {
                        send(writer, Kind::Text, &answer).await?;
                    }
                }
                Incoming::Pong(payload) => send(writer, Kind::Pong, payload).await?,
                Incoming::Nothing => {}
                Incoming::Close(close) => return Err(Stop::Close(close)),
            }
        }
        Ok(())
    }

    /// Asks for a sign of life when one is due.
    async fn beat(&mut self, writer: &mut TcpWriter<'_>) -> Result<(), Stop> {
        match self.heart.beat(now_us() / 1000) {
            Beat::Wait(_) => Ok(()),
            Beat::Ping => send(writer, Kind::Ping, &[]).await,
            Beat::Gone => Err(Stop::Gone),
        }
    }
}

/// Counts a WebSocket while it is open.
struct Place(&'static Lamp);

impl Place {
    fn take(lamp: &'static Lamp) -> Option<Self> {
        let before = lamp.doors.sockets.fetch_add(1, Relaxed);
        let place = Self(lamp);
        (before < LAMP.websockets as u32).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.doors.sockets.fetch_sub(1, Relaxed);
    }
}

/// Receives the sound, and counts as a listener while it exists.
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

/// Serves the WebSocket of a path, whose handshake was answered, until either side ends it.
pub async fn serve(lamp: &'static Lamp, socket: &mut TcpSocket<'_>, path: &str, came: &[u8]) -> End {
    // On the heap, because a worker that serves requests does not need it.
    let mut peer = Box::new(Peer { inbox: Inbox::default(), heart: Heartbeat::new(now_us() / 1000) });
    peer.inbox.take(came);
    let (mut reader, mut writer) = socket.split();
    let stop = match Place::take(lamp) {
        None => Stop::Close(Close::TOO_MANY),
        Some(_place) => {
            let ended = match path {
                routes::LIVE => page(lamp, &mut reader, &mut writer, &mut peer).await,
                _ => legacy(lamp, &mut reader, &mut writer, &mut peer).await,
            };
            let Err(stop) = ended;
            stop
        }
    };
    let Stop::Close(close) = stop else { return End::Silent };
    let _ = writer.write_all(&close.frame()).await;
    End::Said
}

async fn send(writer: &mut TcpWriter<'_>, kind: Kind, payload: &[u8]) -> Result<(), Stop> {
    writer.write_all(&frame(kind, payload)).await.map_err(|_| Stop::Gone)
}

/// Serves the page's WebSocket until it ends.
async fn page(
    lamp: &'static Lamp,
    reader: &mut TcpReader<'_>,
    writer: &mut TcpWriter<'_>,
    peer: &mut Peer,
) -> Result<Infallible, Stop> {
    send(writer, Kind::Text, &hello(lamp)).await?;
    let mut sound = Box::new(lamp.crossing.sound());
    let mut controls = lamp.crossing.controls();
    let frames = lamp.screen.reader();
    let mut words = Box::new([0; FRAME_WORDS]);
    let mut pixels = Box::new([[0; 3]; MOST_LEDS]);
    let (mut last_frame, mut last_us, mut interval_us) = (0, 0, 16_000);
    let mut listener = None;
    let mut known: Option<Settings> = None;
    let (mut wants_scenes, mut told) = (false, None::<Told>);
    let mut ticker = Ticker::every(GLANCE);
    let mut glances = 0_u32;
    let mut bytes = [0; 256];
    loop {
        let mut obey = |text: &str| match live::obey(&LampHome::new(lamp), text.as_bytes()) {
            Ok(wishes) => {
                match wishes.audio {
                    Some(true) if listener.is_none() => listener = Listener::new(lamp),
                    Some(false) => listener = None,
                    _ => {}
                }
                wants_scenes = wishes.zones.unwrap_or(wants_scenes);
                interval_us = wishes.frame_interval_us.unwrap_or(interval_us);
                wishes.ping.map(|pong| Say::Pong { pong, server_us: now_us() }.json())
            }
            Err(refusal) => Some(Say::Error(Refused(refusal)).json()),
        };
        peer.answer(writer, &mut obey).await?;
        let heard = async {
            match &mut listener {
                Some(listener) => listener.sound.next_message().await,
                None => core::future::pending().await,
            }
        };
        match select3(reader.read(&mut bytes), ticker.next(), heard).await {
            Either3::First(read) => peer.take(&bytes, read)?,
            Either3::Third(WaitResult::Message(packet)) => send(writer, Kind::Binary, &packet).await?,
            // A listener that was too slow continues with the newest sound.
            Either3::Third(WaitResult::Lagged(_)) => {}
            Either3::Second(()) => {
                peer.beat(writer).await?;
                glances = glances.wrapping_add(1);
                if glances.is_multiple_of(GLANCES_PER_TICK) {
                    let now = controls.settings();
                    if known != Some(now) {
                        known = Some(now);
                        send(writer, Kind::Text, &Say::Settings(InForce::new(&now)).json()).await?;
                    }
                    if wants_scenes {
                        tell(lamp, writer, &mut told).await?;
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
                        source: None,
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
                    unpack(&words, pixels.as_flattened_mut());
                    let pixels = &pixels[..leds(&words)];
                    send(writer, Kind::Binary, &live::frame(at_us(&words), pixels, sound.latest())).await?;
                }
            }
        }
    }
}

/// Tells what has changed of the scenes and of the whole light, in the order in which the program does.
async fn tell(lamp: &'static Lamp, writer: &mut TcpWriter<'_>, told: &mut Option<Told>) -> Result<(), Stop> {
    let now = Told::now(lamp);
    let before = told.replace(now.clone());
    if before.as_ref().is_none_or(|before| !now.has_same_scenes(before)) {
        send(writer, Kind::Text, &Say::Scene(now.scene_now()).json()).await?;
    }
    if before.is_none_or(|before| now.power != before.power) {
        send(writer, Kind::Text, &Say::Power(now.power).json()).await?;
    }
    Ok(())
}

fn hello(lamp: &'static Lamp) -> Vec<u8> {
    let home = LampHome::new(lamp);
    let history: Vec<_> = lamp.past(|history| history.iter().copied().collect());
    let identity = home.identity();
    Say::Hello(Hello {
        version: VERSION,
        leds: identity.leds,
        source: &identity.source,
        fps: lamp.due_millihertz.load(Relaxed).div_ceil(1000),
        server_us: now_us(),
        thumbnails: false,
        takes_firmware: true,
        has_show: false,
        history: &history,
    })
    .json()
}

/// Serves `/ws`: welcome, echo, and figures ten times per second.
async fn legacy(
    lamp: &'static Lamp,
    reader: &mut TcpReader<'_>,
    writer: &mut TcpWriter<'_>,
    peer: &mut Peer,
) -> Result<Infallible, Stop> {
    let client_id = lamp.doors.clients.fetch_add(1, Relaxed) as usize;
    let welcome = Legacy::Welcome { client_id, timestamp: now_us() / 1000 };
    send(writer, Kind::Text, &welcome.json()).await?;
    let mut ticker = Ticker::every(Duration::from_millis(100));
    let mut bytes = [0; 256];
    let mut echo = |message: &str| Some(Legacy::Echo { message, timestamp: now_us() / 1000 }.json());
    loop {
        peer.answer(writer, &mut echo).await?;
        match select(reader.read(&mut bytes), ticker.next()).await {
            Either::First(read) => peer.take(&bytes, read)?,
            Either::Second(()) => {
                peer.beat(writer).await?;
                send(writer, Kind::Text, &live::realtime(&LampHome::new(lamp))).await?;
            }
        }
    }
}
