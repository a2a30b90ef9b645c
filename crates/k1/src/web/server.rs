//! HTTP with hyper: passes requests to the door ([`k1_http`]) and writes its answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use k1_device::error::Refusal;
use k1_device::respond::{Answer, respond};
use k1_http::admission::Entry;
use k1_http::body::Measure;
use k1_http::head::Head;
use k1_http::limits::{PROGRAM, Patience, SMALL_BODY};
use k1_http::rejection::Rejection;

use super::app::App;
use super::connections::{self, Connection, Doorkeeper};
use super::live;

/// Delay of the answer after too many wrong tokens, so that guessing costs the sender more than K1.
const HELD_BACK: Duration = Duration::from_millis(250);
/// Interval between checks whether a burst of wrong tokens has ended.
const LOOK: Duration = Duration::from_secs(5);

/// Serves until the runtime ends.
pub fn run(listeners: Vec<tokio::net::TcpListener>, app: &Arc<App>) {
    tokio::spawn(tell_of_bursts(app.clone()));
    let keeper = Doorkeeper::new();
    for listener in listeners {
        let app = app.clone();
        let answer = move |connection, request| answer(app.clone(), connection, request);
        tokio::spawn(connections::keep(listener, keeper.clone(), answer));
    }
}

/// Prints how many wrong tokens came in a burst, once it has ended.
async fn tell_of_bursts(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let unsaid = app.unsaid_lines();
        if unsaid > 0 {
            k1_host::say(format_args!("k1: {unsaid} more lines about wrong tokens were left out"));
        }
        loop {
            let burst = app.admission().ended_burst(app.now_ms());
            let Some(burst) = burst else { break };
            let whence = burst.key.map_or_else(|| "further addresses together".to_owned(), |k| k.to_string());
            app.say_of_guesses(format_args!(
                "k1: {} wrong tokens came from {whence} in {:.1} s",
                burst.count,
                burst.lasted_ms as f32 / 1000.0
            ));
        }
    }
}

/// Answers a request.
async fn answer(
    app: Arc<App>,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let fields = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let head = match Head::of(parts.method.as_str(), path, query, parts.version == Version::HTTP_11, fields) {
        Ok(head) => head,
        Err(rejection) => {
            let _ = whole(&app, body, SMALL_BODY).await;
            return written(Answer::refusal(rejection.into(), app.now_ms()));
        }
    };
    let judged = app.admission().judge(connection.peer.ip(), &head, app.now_ms());
    if judged.begins_burst {
        app.say_of_guesses(format_args!("k1: a wrong token came from {}", connection.client));
    }
    if judged.is_trusted {
        connection.trust();
    }
    if let Err(Rejection::TooManyGuesses { .. }) = judged.result {
        if !connection.waits() {
            // This never returns: the connection is closed first.
            return std::future::pending().await;
        }
        tokio::time::sleep(HELD_BACK).await;
        connection.has_waited();
    }
    let body = whole(&app, body, judged.max_body()).await;
    let body = body.as_deref().map_err(|rejection| Refusal::Http(*rejection));
    let answer = respond(&*app, &judged, body);
    if let Ok(Entry::WebSocket(path, _)) = judged.result {
        tokio::spawn(live::serve(app.clone(), connection, path, upgrade));
    }
    written(answer)
}

/// An answer in hyper's form.
fn written(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let head = *answer.head();
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let _ = head.fields(&mut |name, value| {
        // Names are in small letters, and every value came from a header, so this does not fail.
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value.to_string())) {
            headers.append(HeaderName::from_static(name), value);
        }
        Ok(())
    });
    *response.body_mut() = Full::new(match answer.into_body() {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    });
    response
}

/// The whole body. K1 reads it before it answers, within limits even if it is too large, because a sender that is cut
/// off in the middle would not read the answer.
async fn whole(app: &App, mut body: Incoming, max: usize) -> Result<Vec<u8>, Rejection> {
    let (since_ms, mut measure, mut kept) = (app.now_ms(), Measure::new(max), Vec::new());
    let mut taken = Ok(());
    while taken.is_ok() && !measure.is_hopeless() {
        let left = match PROGRAM.for_body(since_ms, app.now_ms()) {
            Patience::Wait(left) => Duration::from_millis(left),
            _ => Duration::ZERO,
        };
        match tokio::time::timeout(left, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                let bytes = frame.into_data().unwrap_or_default();
                kept.extend_from_slice(&bytes[..measure.take(bytes.len())]);
            }
            Ok(Some(Err(_))) => taken = Err(Rejection::NotHttp),
            Err(_) => taken = Err(Rejection::BodyLate),
        }
    }
    measure.verdict(body.size_hint().lower())?;
    taken.map(|()| kept)
}
