//! Which answer a request gets.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::body::Framing;
use super::head::Head;
use crate::access::{PAGE_POLICY, host_is_ours, origin_is_ours, shown_tokens, shows_token};
use crate::api::{self, Home};
use crate::error::{ErrorBody, Refusal};
use crate::limit::{Guesses, Limiter};
use crate::metrics::{self, METRICS};
use crate::routes::{self, Action, MOST_FIRMWARE, Method, SMALL_BODY};

/// A file of the page as it lies in the firmware: packed.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Path in a request.
    pub path: &'static str,
    /// Media type.
    pub kind: &'static str,
    /// Tag that changes with the content, in quotes.
    pub tag: &'static str,
    /// Content, gzip.
    pub packed: &'static [u8],
}

/// The WebSockets of a K1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// `/ws`: what clients of the lamps in the field know.
    Legacy,
    /// `/api/v1/live`: what the page uses.
    Live,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// Answer it.
    Answer(Answer<'a>),
    /// Go on as a WebSocket; the key of the handshake.
    Upgrade(Socket, &'a str),
    /// Take new firmware: so many bytes follow the head.
    Install(u32),
}

/// An answer.
#[derive(Debug)]
pub struct Answer<'a> {
    status: u16,
    origin: Option<&'a str>,
    more: More,
    body: Body,
}

/// The body of an answer.
#[derive(Debug)]
enum Body {
    /// In memory.
    Whole(Cow<'static, [u8]>),
    /// Figures that are written while they are sent, so that their text is never in memory as a whole.
    Metrics(Box<metrics::Sample>),
}

/// What the head of an answer says besides.
#[derive(Clone, Copy, Debug)]
enum More {
    Nothing,
    Json,
    Metrics,
    Attachment,
    Page { kind: &'static str, tag: &'static str },
    Allow(&'static str),
    Wait { window_ms: u32, wait_ms: u32 },
    Guessed { wait_ms: u32 },
}

impl Answer<'_> {
    /// The body piece by piece, from piece 0 on; `None` behind the last. A piece may be written into `scratch`.
    pub fn piece<'b>(&'b self, number: usize, scratch: &'b mut String) -> Option<&'b [u8]> {
        match &self.body {
            Body::Whole(bytes) => (number == 0).then_some(bytes),
            Body::Metrics(sample) => {
                let metric = METRICS.get(number)?;
                scratch.clear();
                // Writing to a string does not fail.
                let _ = sample.write(metric, scratch);
                Some(scratch.as_bytes())
            }
        }
    }

    fn length(&self) -> usize {
        match &self.body {
            Body::Whole(bytes) => bytes.len(),
            Body::Metrics(sample) => sample.length(),
        }
    }

    /// What was asked is done; `body` is JSON.
    pub fn done(body: Vec<u8>) -> Self {
        Self { status: 200, origin: None, more: More::Json, body: Body::Whole(body.into()) }
    }

    /// Status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A refusal without a request to refer to.
    pub fn refusal(refusal: Refusal, now_ms: u64) -> Self {
        let body = api::json(&ErrorBody::new(refusal, now_ms)).unwrap_or_default();
        let more = match refusal {
            Refusal::RateLimited { window_ms, wait_ms } => More::Wait { window_ms, wait_ms },
            Refusal::TooManyGuesses { wait_ms } => More::Guessed { wait_ms },
            _ => More::Json,
        };
        Self { status: refusal.status(), origin: None, more, body: Body::Whole(body.into()) }
    }

    /// Writes the head.
    ///
    /// # Errors
    ///
    /// That of the writer.
    pub fn write_head(&self, w: &mut impl Write, keep_alive: bool) -> fmt::Result {
        write!(w, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        if let Some(origin) = self.origin {
            write!(
                w,
                "access-control-allow-origin: {origin}\r\naccess-control-allow-methods: GET, POST, PUT, OPTIONS\r\n\
                 access-control-allow-headers: Content-Type, Authorization\r\n"
            )?;
        }
        match self.more {
            More::Nothing => {}
            More::Metrics => write!(w, "content-type: {}\r\n", metrics::MEDIA_TYPE)?,
            More::Json => w.write_str("content-type: application/json\r\n")?,
            More::Attachment => w.write_str(
                "content-type: application/json\r\n\
                 content-disposition: attachment; filename=\"k1-config-backup.json\"\r\n",
            )?,
            More::Page { kind, tag } => write!(
                w,
                "content-type: {kind}\r\netag: {tag}\r\ncache-control: no-cache\r\ncontent-encoding: gzip\r\n\
                 content-security-policy: {PAGE_POLICY}\r\n"
            )?,
            More::Allow(methods) => {
                write!(w, "content-type: application/json\r\nallow: {methods}\r\n")?;
            }
            More::Wait { window_ms, wait_ms } => write!(
                w,
                "content-type: application/json\r\nx-ratelimit-window: {window_ms}\r\n\
                 x-ratelimit-nextallowedms: {wait_ms}\r\n"
            )?,
            More::Guessed { wait_ms } => write!(
                w,
                "content-type: application/json\r\nretry-after: {}\r\nx-ratelimit-nextallowedms: {wait_ms}\r\n",
                wait_ms.div_ceil(1000)
            )?,
        }
        if !keep_alive {
            w.write_str("connection: close\r\n")?;
        }
        if self.status != 204 && self.status != 304 {
            write!(w, "content-length: {}\r\n", self.length())?;
        }
        w.write_str("x-content-type-options: nosniff\r\n\r\n")
    }
}

/// True for a request whose body is taken as it comes, after the door has let it in.
pub fn is_streamed(head: &Head) -> bool {
    route(head).is_ok_and(|(_, route)| route.action == Action::Install)
}

/// The name of a status (RFC 9110).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Refused",
    }
}

/// Most bytes of a body that make sense for a request.
pub fn most_body(head: &Head) -> usize {
    route(head).map_or(0, |(_, r)| r.max_body).max(SMALL_BODY)
}

fn route(head: &Head) -> Result<(usize, &'static routes::Route), Refusal> {
    match head.method {
        "GET" => routes::find(Method::Get, head.path),
        "POST" => routes::find(Method::Post, head.path),
        "PUT" => routes::find(Method::Put, head.path),
        _ => routes::find(Method::Get, head.path).and(Err(Refusal::MethodNotAllowed)),
    }
}

/// Senders of wrong tokens that a lamp remembers.
const GUESSERS: usize = 8;

/// The door of a lamp: who comes in, and what is answered.
#[derive(Debug)]
pub struct Door<const N: usize> {
    limiter: Limiter<N>,
    guesses: Guesses<u64, GUESSERS>,
    token: Option<heapless::String<32>>,
    pages: &'static [Asset],
}

impl<const N: usize> Door<N> {
    /// A door that remembers `N` pairs of client and route, opens for a token (or for anybody), and shows pages.
    pub fn new(token: Option<heapless::String<32>>, pages: &'static [Asset]) -> Self {
        Self { limiter: Limiter::default(), guesses: Guesses::default(), token, pages }
    }

    /// What a request of `client` gets; `body` is the whole body or why there is none.
    pub fn open<'a>(
        &mut self,
        home: &dyn Home,
        client: u64,
        head: &Head<'a>,
        body: Result<&[u8], Refusal>,
    ) -> Verdict<'a> {
        let now_ms = home.now_us() / 1000;
        if !host_is_ours(head.host) || !origin_is_ours(head.origin, head.host) {
            return Verdict::Answer(Answer::refusal(Refusal::Forbidden, now_ms));
        }
        let verdict = match self.inner(home, client, head, body, now_ms) {
            Ok(verdict) => verdict,
            Err(Refusal::MethodNotAllowed) => {
                let mut answer = Answer::refusal(Refusal::MethodNotAllowed, now_ms);
                answer.more = More::Allow(self.methods(head.path));
                Verdict::Answer(answer)
            }
            Err(refusal) => Verdict::Answer(Answer::refusal(refusal, now_ms)),
        };
        match verdict {
            Verdict::Answer(mut answer) => {
                answer.origin = head.origin;
                Verdict::Answer(answer)
            }
            other => other,
        }
    }

    fn methods(&self, path: &str) -> &'static str {
        if self.pages.iter().any(|p| p.path == path) {
            return "GET, HEAD, OPTIONS";
        }
        routes::methods(path)
    }

    fn inner<'a>(
        &mut self,
        home: &dyn Home,
        client: u64,
        head: &Head<'a>,
        body: Result<&[u8], Refusal>,
        now_ms: u64,
    ) -> Result<Verdict<'a>, Refusal> {
        let answer = |status, more, body: Cow<'static, [u8]>| {
            Ok(Verdict::Answer(Answer { status, origin: None, more, body: Body::Whole(body) }))
        };
        if head.method == "OPTIONS" {
            return answer(204, More::Nothing, Vec::new().into());
        }
        let socket = match head.path {
            "/ws" => Some(Socket::Legacy),
            "/api/v1/live" => Some(Socket::Live),
            _ => None,
        };
        if routes::is_guarded(head.path) && !self.shows_token(head) {
            let shown = shown_tokens(head.bearer, head.query).into_iter().flatten().next();
            return Err(match shown {
                Some(wrong) => self.guesses.wrong(client, wrong, now_ms).refusal,
                None => Refusal::Unauthorized,
            });
        }
        if let Some(socket) = socket {
            return match head.upgrade.filter(|_| head.method == "GET") {
                Some(key) => Ok(Verdict::Upgrade(socket, key)),
                // A plain GET of a WebSocket's path is a mistake to be told.
                None => Err(Refusal::NotHere("this path speaks WebSocket only; connect with ws://")),
            };
        }
        if let Some(page) = self.pages.iter().find(|p| p.path == head.path) {
            if head.method != "GET" && head.method != "HEAD" {
                return Err(Refusal::MethodNotAllowed);
            }
            let more = More::Page { kind: page.kind, tag: page.tag };
            return match head.known_tag == Some(page.tag) {
                true => answer(304, more, Vec::new().into()),
                false => answer(200, more, page.packed.into()),
            };
        }
        let (index, route) = route(head)?;
        self.limiter.admit(client, index, route.interval_ms, now_ms)?;
        if route.action == Action::Install {
            return match head.framing {
                Framing::Length(n @ 1..) if n <= MOST_FIRMWARE as u64 => Ok(Verdict::Install(n as u32)),
                Framing::Length(1..) => Err(Refusal::TooLarge { max: MOST_FIRMWARE }),
                _ => Err(Refusal::LengthRequired),
            };
        }
        if route.action == Action::Metrics {
            // Checked as every body is, though there is nothing to say in it.
            body?;
            let body = Body::Metrics(Box::new(metrics::Sample::of(home)));
            return Ok(Verdict::Answer(Answer { status: 200, origin: None, more: More::Metrics, body }));
        }
        let more = if route.action == Action::Backup { More::Attachment } else { More::Json };
        answer(200, more, api::answer(home, route.action, body?)?.into())
    }

    fn shows_token(&self, head: &Head) -> bool {
        self.token.as_ref().is_none_or(|token| shows_token(token, head.bearer, head.query))
    }
}
