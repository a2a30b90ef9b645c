//! WebSockets: the live page's, and the one that clients in the field know.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, FromRequest, Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use k1_device::api::{Home, VERSION};
use k1_device::error::Refusal;
use k1_device::exchange::Settings;
use k1_device::live::{self, Figures, Hello, InForce, Legacy, Refused, Say};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::door::Visit;
use super::pages::{GONE, PING, Place};
use super::server::{App, refuse};

/// Largest message from a client.
const MOST_BYTES: usize = 4_096;
/// A client that has not taken a message for so long is gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a last word.
const SHORT_PATIENCE: Duration = Duration::from_millis(200);

async fn upgrade(request: Request) -> Result<WebSocketUpgrade, Refusal> {
    // A plain GET of a WebSocket's path is a mistake to be told, not a connection to be kept.
    WebSocketUpgrade::from_request(request, &())
        .await
        .map(|u| u.max_message_size(MOST_BYTES).max_frame_size(MOST_BYTES))
        .map_err(|_| Refusal::NotHere("this path speaks WebSocket only; connect with ws://"))
}

/// `/api/v1/live`: frames, sound, thumbnails and figures for a page; its commands back.
pub async fn page(State(app): State<Arc<App>>, visit: Extension<Arc<Visit>>, request: Request) -> Response {
    match upgrade(request).await {
        Ok(up) => up.on_upgrade(move |socket| async move {
            visit.upgraded();
            match app.pages.take(visit.client, Instant::now()) {
                Some(place) => serve_live(&app, &place, socket).await,
                None => turn_away(socket).await,
            }
        }),
        Err(refusal) => refuse(&app, refusal),
    }
}

async fn turn_away(mut socket: WebSocket) {
    let _ = tokio::time::timeout(SHORT_PATIENCE, socket.send(give_way())).await;
}

fn give_way() -> Message {
    let reason = "too many connections; close another page".into();
    Message::Close(Some(CloseFrame { code: close_code::AGAIN, reason }))
}

/// What a page wants.
struct Wishes {
    audio: Option<broadcast::Receiver<Bytes>>,
    thumbnails: Option<Viewer>,
    frame_interval: Duration,
}

/// Counts a viewer of thumbnails.
struct Viewer(Arc<App>);

impl Viewer {
    fn new(app: &Arc<App>) -> Self {
        app.hub.thumbnail_viewers.fetch_add(1, Relaxed);
        Self(app.clone())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.hub.thumbnail_viewers.fetch_sub(1, Relaxed);
    }
}

async fn serve_live(app: &Arc<App>, place: &Place, socket: WebSocket) {
    let (mut out, mut incoming) = socket.split();
    let mut frames = app.hub.frames.clone();
    let mut thumbnails = app.hub.thumbnails.clone();
    let mut wishes = Wishes { audio: None, thumbnails: None, frame_interval: Duration::from_micros(16_000) };
    let mut last_frame = tokio::time::Instant::now();
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut glance = interval(Duration::from_millis(50));
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut known: Option<Settings> = None;
    let mut next: Option<Message> = Some(hello(app));
    loop {
        if let Some(message) = next.take()
            && !tokio::time::timeout(PATIENCE, out.send(message)).await.is_ok_and(|r| r.is_ok())
        {
            return;
        }
        tokio::select! {
            biased;
            () = place.lost() => {
                let _ = tokio::time::timeout(SHORT_PATIENCE, out.send(give_way())).await;
                return;
            }
            message = incoming.next() => {
                heard = Instant::now();
                place.heard();
                match message {
                    Some(Ok(Message::Text(t))) => next = obey(app, &t, &mut wishes),
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                    Some(Ok(_)) => {}
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() >= GONE {
                    return;
                }
                next = Some(Message::Ping(Bytes::new()));
            }
            sound = listen(&mut wishes.audio) => next = sound.map(Message::Binary),
            _ = second.tick() => {
                let lights = app.lights();
                let status = Say::Status(Figures {
                    vitals: app.shared.vitals(),
                    uptime_s: app.shared.clock.now_us() / 1_000_000,
                    sockets: app.pages.len(),
                    receiving: None,
                    lights: lights.as_deref(),
                    live_sound: app.live_sound(),
                });
                next = Some(text(&status));
            }
            _ = glance.tick() => {
                let now = app.settings();
                if known != Some(now) {
                    known = Some(now);
                    next = Some(text(&Say::Settings(InForce::new(&now))));
                }
            }
            changed = thumbnails.changed(), if wishes.thumbnails.is_some() => {
                if changed.is_err() { return }
                let message = thumbnails.borrow_and_update().clone();
                next = Some(Message::Binary(message));
            }
            changed = frames.changed() => {
                if changed.is_err() { return }
                let now = tokio::time::Instant::now();
                let message = frames.borrow_and_update().clone();
                if now - last_frame >= wishes.frame_interval && !message.is_empty() {
                    last_frame = now;
                    next = Some(Message::Binary(message));
                }
            }
        }
    }
}

fn hello(app: &App) -> Message {
    let mut history = app.shared.lock_history();
    text(&Say::Hello(Hello {
        version: VERSION,
        leds: app.leds,
        source: &app.title(),
        fps: app.fps,
        server_us: app.shared.clock.now_us(),
        thumbnails: true,
        takes_firmware: false,
        history: history.make_contiguous(),
    }))
}

fn text(say: &Say) -> Message {
    utf8(say.json())
}

/// JSON is text; what is none is not said.
fn utf8(json: Vec<u8>) -> Message {
    Message::Text(String::from_utf8(json).unwrap_or_default().into())
}

/// The next piece of sound; waits for ever if none is wanted. A listener that was too slow goes on with the newest.
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

/// Does what a page says; the answer is an error, a pong or nothing.
fn obey(app: &Arc<App>, message: &str, wishes: &mut Wishes) -> Option<Message> {
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
        Some(true) if wishes.thumbnails.is_none() => wishes.thumbnails = Some(Viewer::new(app)),
        Some(false) => wishes.thumbnails = None,
        _ => {}
    }
    if let Some(us) = wished.frame_interval_us {
        wishes.frame_interval = Duration::from_micros(us);
    }
    wished.ping.map(|pong| text(&Say::Pong { pong, server_us: app.shared.clock.now_us() }))
}

/// `/ws`: welcome, echo and figures ten times a second, as the lamps in the field speak.
pub async fn legacy(State(app): State<Arc<App>>, visit: Extension<Arc<Visit>>, request: Request) -> Response {
    match upgrade(request).await {
        Ok(up) => up.on_upgrade(move |socket| async move {
            visit.upgraded();
            match app.pages.take(visit.client, Instant::now()) {
                Some(place) => serve_legacy(&app, &place, socket).await,
                None => turn_away(socket).await,
            }
        }),
        Err(refusal) => refuse(&app, refusal),
    }
}

async fn serve_legacy(app: &Arc<App>, place: &Place, mut socket: WebSocket) {
    let now_ms = || app.shared.clock.now_us() / 1000;
    let client = app.clients.fetch_add(1, Relaxed);
    let mut next = Some(utf8(Legacy::Welcome { client_id: client, timestamp: now_ms() }.json()));
    let mut tick = interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        if let Some(message) = next.take() {
            let sent = tokio::time::timeout(PATIENCE, socket.send(message)).await;
            if !sent.is_ok_and(|r| r.is_ok()) {
                return;
            }
        }
        tokio::select! {
            () = place.lost() => return turn_away(socket).await,
            message = socket.recv() => {
                heard = Instant::now();
                place.heard();
                match message {
                    Some(Ok(Message::Text(t))) => {
                        next = Some(utf8(Legacy::Echo { message: t.as_str(), timestamp: now_ms() }.json()));
                    }
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                    Some(Ok(_)) => {}
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() >= GONE {
                    return;
                }
                next = Some(Message::Ping(Bytes::new()));
            }
            _ = tick.tick() => next = Some(utf8(live::realtime(&**app))),
        }
    }
}
