//! WebSockets: the one of the live page, and `/ws` for older clients.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use k1_device::backend::{Backend, VERSION};
use k1_device::live::{self, Figures, Hello, Legacy, Refused, Say};
use k1_device::routes;
use k1_http::websocket::{Close, Kind, frame};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::app::App;
use super::connections::Connection;
use super::link::{End, Event, Link};
use super::news::News;
use super::sockets::Place;

/// Serves the WebSocket of a path once its handshake is answered.
pub async fn serve(app: Arc<App>, connection: Arc<Connection>, path: &'static str, upgrade: OnUpgrade) {
    // If this fails, the client left before it read the answer.
    let Ok(upgraded) = upgrade.await else { return };
    connection.upgraded();
    let mut link = Link::new(upgraded, app.now_ms());
    let end = match app.sockets.take(connection.client, app.now_ms()) {
        None => End(Some(Close::TOO_MANY)),
        Some(place) => {
            let Err(end) = match path {
                routes::LIVE => serve_live(&app, &place, &mut link).await,
                _ => serve_legacy(&app, &place, &mut link).await,
            };
            end
        }
    };
    if let End(Some(close)) = end {
        link.close(close).await;
    }
}

/// The kinds of messages that a page asked for.
struct Wishes {
    audio: Option<broadcast::Receiver<Bytes>>,
    thumbnails: Option<Viewer>,
    zones: Option<Viewer>,
    frame_interval: Duration,
}

/// Counts one viewer of something that costs time to make, for as long as it exists.
struct Viewer(Arc<AtomicUsize>);

impl Viewer {
    fn new(viewers: &Arc<AtomicUsize>) -> Self {
        viewers.fetch_add(1, Relaxed);
        Self(viewers.clone())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

async fn serve_live(app: &Arc<App>, place: &Place, link: &mut Link) -> Result<Infallible, End> {
    let mut frames = app.hub.frames.clone();
    let mut thumbnails = app.hub.thumbnails.clone();
    let mut zones = app.hub.zones.clone();
    let frame_interval = Duration::from_micros(16_000);
    let mut wishes = Wishes { audio: None, thumbnails: None, zones: None, frame_interval };
    let mut last_frame = tokio::time::Instant::now();
    let mut last_zones = last_frame;
    let mut news = News::default();
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut glance = interval(Duration::from_millis(50));
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next: Option<Vec<u8>> = Some(hello(app));
    loop {
        if let Some(message) = next.take() {
            link.send(&message).await?;
        }
        tokio::select! {
            biased;
            event = link.event(app, place) => match event? {
                Event::Text(text) => next = obey(app, &text, &mut wishes),
                Event::Send(frame) => next = Some(frame),
            },
            sound = listen(&mut wishes.audio) => next = sound.map(|bytes| binary(&bytes)),
            _ = second.tick() => {
                let (lights, title) = (app.lights(), app.title());
                let status = Say::Status(Figures {
                    vitals: app.shared.vitals(),
                    uptime_s: app.shared.clock.now_us() / 1_000_000,
                    sockets: app.sockets.len(),
                    receiving: None,
                    lights: lights.as_deref(),
                    source: Some(&title),
                    live_sound: app.live_sound(),
                });
                next = Some(text(&status));
            }
            _ = glance.tick() => {
                while let Some(json) = news.next(app, wishes.zones.is_some()) {
                    link.send(&frame(Kind::Text, &json)).await?;
                }
            }
            changed = zones.changed(), if wishes.zones.is_some() => {
                if changed.is_err() { return Err(End(None)) }
                let now = tokio::time::Instant::now();
                let message = zones.borrow_and_update().clone();
                // Half the rate of the frames is enough for an overview, and it leaves a phone's network room.
                if now - last_zones >= 2 * wishes.frame_interval && !message.is_empty() {
                    last_zones = now;
                    next = Some(binary(&message));
                }
            }
            changed = thumbnails.changed(), if wishes.thumbnails.is_some() => {
                if changed.is_err() { return Err(End(None)) }
                next = Some(binary(&thumbnails.borrow_and_update()));
            }
            changed = frames.changed() => {
                if changed.is_err() { return Err(End(None)) }
                let now = tokio::time::Instant::now();
                let message = frames.borrow_and_update().clone();
                if now - last_frame >= wishes.frame_interval && !message.is_empty() {
                    last_frame = now;
                    next = Some(binary(&message));
                }
            }
        }
    }
}

fn hello(app: &App) -> Vec<u8> {
    let mut history = app.shared.lock_history();
    text(&Say::Hello(Hello {
        version: VERSION,
        leds: app.leds(),
        source: &app.title(),
        fps: app.fps,
        server_us: app.shared.clock.now_us(),
        thumbnails: true,
        takes_firmware: false,
        has_show: app.show_file.is_some(),
        history: history.make_contiguous(),
    }))
}

fn text(say: &Say) -> Vec<u8> {
    frame(Kind::Text, &say.json())
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    frame(Kind::Binary, bytes)
}

/// The next sound message; waits for ever if the page does not want sound. A listener that was too slow skips messages.
async fn listen(audio: &mut Option<broadcast::Receiver<Bytes>>) -> Option<Bytes> {
    match audio {
        None => std::future::pending().await,
        Some(receiver) => loop {
            match receiver.recv().await {
                Ok(bytes) => return Some(bytes),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => {
                    *audio = None;
                    return None;
                }
            }
        },
    }
}

/// Carries out a page's message; returns an error message, a pong or nothing.
fn obey(app: &Arc<App>, message: &str, wishes: &mut Wishes) -> Option<Vec<u8>> {
    let wished = match live::obey(&**app, message.as_bytes()) {
        Ok(wished) => wished,
        Err(refusal) => return Some(text(&Say::Error(Refused(refusal)))),
    };
    match wished.audio {
        Some(true) if wishes.audio.is_none() => wishes.audio = Some(app.hub.sound.subscribe()),
        Some(false) => wishes.audio = None,
        _ => {}
    }
    match wished.thumbnails {
        Some(true) if wishes.thumbnails.is_none() => {
            wishes.thumbnails = Some(Viewer::new(&app.hub.thumbnail_viewers));
        }
        Some(false) => wishes.thumbnails = None,
        _ => {}
    }
    match wished.zones {
        Some(true) if wishes.zones.is_none() => wishes.zones = Some(Viewer::new(&app.hub.zone_viewers)),
        Some(false) => wishes.zones = None,
        _ => {}
    }
    if let Some(us) = wished.frame_interval_us {
        wishes.frame_interval = Duration::from_micros(us);
    }
    wished.ping.map(|pong| text(&Say::Pong { pong, server_us: app.shared.clock.now_us() }))
}

/// Serves `/ws`: a welcome, an echo, and figures ten times a second, in the form that lamps in the field use.
async fn serve_legacy(app: &Arc<App>, place: &Place, link: &mut Link) -> Result<Infallible, End> {
    let client_id = app.clients.fetch_add(1, Relaxed);
    let say = |message: Legacy| frame(Kind::Text, &message.json());
    let mut next = Some(say(Legacy::Welcome { client_id, timestamp: app.now_ms() }));
    let mut tick = interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if let Some(message) = next.take() {
            link.send(&message).await?;
        }
        tokio::select! {
            event = link.event(app, place) => match event? {
                Event::Text(message) => {
                    next = Some(say(Legacy::Echo { message: &message, timestamp: app.now_ms() }));
                }
                Event::Send(frame) => next = Some(frame),
            },
            _ = tick.tick() => next = Some(frame(Kind::Text, &live::realtime(&**app))),
        }
    }
}
