//! HTTP: access, limits, the page and the API.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::StreamExt;
use k1_device::access::{self, AllowedName, Names};
use k1_device::answers::SelfTest;
use k1_device::api::{self, Home};
use k1_device::error::{ErrorBody, Refusal};
use k1_device::limit::{Guesses, Limiter};
use k1_device::routes::{self, Method, Route, SMALL_BODY};

use super::assets::ASSETS;
use super::door::{self, Client, Doorkeeper, Visit};
use super::hub::Hub;
use super::live;
use super::pages::Pages;
use crate::runtime::{Controls, Runtime, Shared, SoundReader};
use k1_host::identity::Who;

/// Clients and routes that the limiter remembers.
const REMEMBERED: usize = 512;
/// Senders of wrong tokens that are remembered.
const GUESSERS: usize = 256;
/// The answer to a guess too many is held back for this time, so that guessing costs its sender more than K1.
const HELD_BACK: Duration = Duration::from_millis(250);
/// How often bursts of wrong tokens are looked at for their end.
const LOOK: Duration = Duration::from_secs(5);
/// Most lines about wrong tokens in one look.
const MOST_LINES: u32 = 4;
/// A body that has not come after so long does not come.
const BODY_PATIENCE: Duration = Duration::from_secs(3);
/// So many bytes of a body that is too large are taken in and forgotten.
const MOST_DISCARDED: usize = 1 << 20;

/// What every request may use.
pub struct App {
    /// Clock, counters, history.
    pub shared: Arc<Shared>,
    /// Settings.
    pub controls: Controls,
    /// Snapshots.
    pub sound: SoundReader,
    /// Live messages.
    pub hub: Hub,
    /// What it is called.
    pub who: Arc<Who>,
    /// What was heard at the start, for people.
    title: String,
    /// Address of the server, without its port.
    pub ip: String,
    /// Number of LEDs.
    pub leds: usize,
    /// Frames per second asked for.
    pub fps: u32,
    /// Open WebSockets.
    pub pages: Arc<Pages>,
    /// Number of the next client on `/ws`.
    pub clients: AtomicUsize,
    /// The self-test's state.
    pub self_test: Arc<Mutex<SelfTest>>,
    token: Option<String>,
    allowed: Vec<AllowedName>,
    limiter: Mutex<Limiter<REMEMBERED>>,
    guesses: Mutex<Guesses<Client, GUESSERS>>,
    lines: AtomicU32,
}

impl App {
    /// Everything that requests need of a running stage.
    pub fn new(
        stage: &Runtime,
        hub: Hub,
        title: &str,
        ip: String,
        token: Option<String>,
        allowed: Vec<AllowedName>,
    ) -> Self {
        Self {
            shared: stage.shared.clone(),
            controls: stage.controls.clone(),
            sound: stage.sound.clone(),
            hub,
            who: stage.who.clone(),
            title: title.to_owned(),
            ip,
            leds: stage.leds,
            fps: stage.fps,
            pages: Arc::default(),
            clients: AtomicUsize::new(1),
            self_test: Arc::default(),
            token,
            allowed,
            limiter: Mutex::new(Limiter::default()),
            guesses: Mutex::new(Guesses::default()),
            lines: AtomicU32::new(0),
        }
    }

    /// What is heard now, for people.
    pub fn title(&self) -> String {
        self.shared.presence.as_ref().map_or_else(|| self.title.clone(), crate::source::Presence::title)
    }

    fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// Names under which it may be asked.
    fn names(&self) -> Names<'_> {
        Names { loopback_only: self.token.is_none(), allowed: &self.allowed }
    }

    /// A line about wrong tokens; who sends many of them does not fill the console.
    fn say(&self, line: impl std::fmt::Display) {
        if self.lines.fetch_add(1, Relaxed) < MOST_LINES {
            k1_host::say(line);
        }
    }

    /// Who may ask for what is guarded: one that shows the token, at once and always; others are told why not.
    fn admit(&self, visit: &Visit, request: &Request) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let bearer = text(request.headers(), header::AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
        let query = request.uri().query();
        if access::shows_token(token, bearer, query) {
            return Ok(());
        }
        let shown = access::shown_tokens(bearer, query).into_iter().flatten().find(|t| !t.is_empty());
        let Some(wrong) = shown else { return Err(Refusal::Unauthorized) };
        let now_ms = self.now_ms();
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = guesses.wrong(visit.client, wrong, now_ms);
        drop(guesses);
        if wrong.begins {
            self.say(format_args!("k1: a wrong token came from {}", visit.client));
        }
        Err(wrong.refusal)
    }
}

/// Serves until the runtime ends.
pub fn run(listeners: Vec<tokio::net::TcpListener>, app: Arc<App>) {
    tokio::spawn(tell_of_bursts(app.clone()));
    let router = Router::new()
        .route("/ws", any(live::legacy))
        .route("/api/v1/live", any(live::page))
        .fallback(page_or_api)
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app);
    let keeper = Doorkeeper::new();
    for listener in listeners {
        tokio::spawn(door::keep(listener, keeper.clone(), router.clone()));
    }
}

/// Says how many wrong tokens came, when no more come.
async fn tell_of_bursts(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let unsaid = app.lines.swap(0, Relaxed).saturating_sub(MOST_LINES);
        if unsaid > 0 {
            k1_host::say(format_args!("k1: {unsaid} more lines about wrong tokens were left out"));
        }
        loop {
            let now_ms = app.now_ms();
            let burst = app.guesses.lock().unwrap_or_else(PoisonError::into_inner).ended(now_ms);
            let Some(burst) = burst else { break };
            let whence = burst.key.map_or_else(|| "further addresses together".to_owned(), |k| k.to_string());
            app.say(format_args!(
                "k1: {} wrong tokens came from {whence} in {:.1} s",
                burst.count,
                burst.lasted_ms as f32 / 1000.0
            ));
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Checks who asks before anything else is looked at.
async fn guard(
    State(app): State<Arc<App>>,
    visit: Extension<Arc<Visit>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let host = text(headers, header::HOST).map(str::to_owned);
    // One that is no text is no absent one: it is foreign.
    let origin = headers.get(header::ORIGIN).map(|o| o.to_str().unwrap_or("null").to_owned());
    let names = app.names();
    let path = request.uri().path();
    if !names.host(host.as_deref()) {
        return turn_away(&app, request, Refusal::UnknownName).await;
    }
    if !names.origin(origin.as_deref(), host.as_deref()) {
        // The page's own scripts, which are no secret and without which it could not say what is wrong. No other page
        // may read them: it is not told that it may.
        if is_script(path) && matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD) {
            return next.run(request).await;
        }
        return turn_away(&app, request, Refusal::UnknownName).await;
    }
    let is_guarded = routes::is_guarded(path);
    let mut response = if request.method() == HttpMethod::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else if let Err(refusal) = if is_guarded { app.admit(&visit, &request) } else { Ok(()) } {
        if matches!(refusal, Refusal::TooManyGuesses { .. }) {
            if !visit.waits() {
                // The connection ends before this does.
                return std::future::pending().await;
            }
            tokio::time::sleep(HELD_BACK).await;
            visit.has_waited();
        }
        turn_away(&app, request, refusal).await
    } else {
        if is_guarded {
            visit.trust();
        }
        next.run(request).await
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin.and_then(|o| HeaderValue::from_str(&o).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, OPTIONS"),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Content-Type, Authorization"),
        );
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// True for what the page loads.
fn is_script(path: &str) -> bool {
    path != "/" && ASSETS.iter().any(|a| a.path == path)
}

/// Refuses who may not ask.
async fn turn_away(app: &App, request: Request, refusal: Refusal) -> Response {
    let _ = whole(request.into_body(), SMALL_BODY).await;
    refuse(app, refusal)
}

/// A refusal as an answer.
pub fn refuse(app: &App, refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(ErrorBody::new(refusal, app.now_ms()))).into_response();
    if let Refusal::RateLimited { window_ms, wait_ms } = refusal {
        let headers = response.headers_mut();
        headers.insert("X-RateLimit-Window", HeaderValue::from(window_ms));
        headers.insert("X-RateLimit-NextAllowedMs", HeaderValue::from(wait_ms));
    }
    if let Refusal::TooManyGuesses { wait_ms } = refusal {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000)));
        headers.insert("X-RateLimit-NextAllowedMs", HeaderValue::from(wait_ms));
    }
    response
}

async fn page_or_api(
    State(app): State<Arc<App>>,
    visit: Extension<Arc<Visit>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let route = match head.method {
        HttpMethod::GET => routes::find(Method::Get, path),
        HttpMethod::POST => routes::find(Method::Post, path),
        HttpMethod::PUT => routes::find(Method::Put, path),
        _ => routes::find(Method::Get, path).and(Err(Refusal::MethodNotAllowed)),
    };
    let max = route.as_ref().map_or(0, |(_, r)| r.max_body).max(SMALL_BODY);
    let body = whole(body, max).await;
    if let Some(asset) = ASSETS.iter().find(|a| a.path == path) {
        return page(&app, asset, &head);
    }
    match route.and_then(|(index, route)| serve_api(&app, &visit, index, route, body)) {
        Ok(response) => response,
        Err(Refusal::MethodNotAllowed) => not_allowed(&app, routes::methods(path)),
        Err(refusal) => refuse(&app, refusal),
    }
}

fn not_allowed(app: &App, methods: &'static str) -> Response {
    let mut response = refuse(app, Refusal::MethodNotAllowed);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

fn page(app: &App, asset: &super::assets::Asset, request: &Parts) -> Response {
    if request.method != HttpMethod::GET && request.method != HttpMethod::HEAD {
        return not_allowed(app, "GET, HEAD, OPTIONS");
    }
    let tag = k1_device::page::tag(asset.bytes);
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, access::PAGE_POLICY),
    ];
    if text(&request.headers, header::IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, Body::from(asset.bytes)).into_response()
}

fn serve_api(
    app: &App,
    visit: &Visit,
    index: usize,
    route: &Route,
    body: Result<Vec<u8>, Refusal>,
) -> Result<Response, Refusal> {
    let mut hasher = DefaultHasher::new();
    visit.peer.ip().hash(&mut hasher);
    app.limiter.lock().unwrap_or_else(PoisonError::into_inner).admit(
        hasher.finish(),
        index,
        route.interval_ms,
        app.now_ms(),
    )?;
    let answer = api::answer(app, route.action, &body?)?;
    let mut response = ([(header::CONTENT_TYPE, route.action.media_type())], answer).into_response();
    if route.action == routes::Action::Backup {
        response.headers_mut().insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"k1-config-backup.json\""),
        );
    }
    Ok(response)
}

/// A body, whole. It is taken in before anything is answered, and within reason even if it is too large: a sender who is
/// cut off in the middle would not read the answer.
async fn whole(body: Body, max: usize) -> Result<Vec<u8>, Refusal> {
    let announced = body.size_hint().lower();
    let mut chunks = body.into_data_stream();
    let (mut kept, mut size) = (Vec::new(), 0);
    let read = async {
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Refusal::InvalidJson)?;
            size += chunk.len();
            if size <= max {
                kept.extend_from_slice(&chunk);
            } else if size > MOST_DISCARDED {
                break;
            }
        }
        Ok(())
    };
    let read = tokio::time::timeout(BODY_PATIENCE, read).await;
    if size > max || announced > max as u64 {
        return Err(Refusal::TooLarge { max });
    }
    read.unwrap_or(Err(Refusal::BodyLate))?;
    Ok(kept)
}
