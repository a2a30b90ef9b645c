//! HTTP and WebSockets: a few workers, each with its own buffers, with a lower priority than light and sound.
//!
//! A worker that waits for a request ends its connection when no other worker waits for one, so that silent clients
//! cannot keep others out.

mod socket;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr};
use core::sync::atomic::Ordering::Relaxed;

use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Write as _;
use embedded_storage_async::nor_flash::NorFlash;
use k1_device::api;
use k1_device::error::Refusal;
use k1_device::firmware::Installed;
use k1_device::respond::{Answer, respond};
use k1_device::routes::{self, Action, MOST_FIRMWARE, Method};
use k1_http::admission::{self, Entry, streamed_length};
use k1_http::body::{Framing, Intake};
use k1_http::head::{self, Parsed};
use k1_http::limits::{LAMP, Patience};
use k1_http::names::Names;
use k1_http::rejection::Rejection;
use k1_update::refusal::Refusal as Why;

use crate::home::LampHome;
use crate::pages::PAGES;
use crate::receive::Updater;
pub use crate::state::WORKERS;
use crate::{Lamp, now_us};

/// Largest body in bytes on any route, except updates.
const MOST_BODY: usize = 4_096;
/// Number of bytes of a body that are read at once.
const SCRATCH: usize = 256;
/// Interval at which a waiting worker checks whether its place is needed.
const LOOK: Duration = Duration::from_millis(300);
/// A peer that neither reads nor sends for this time counts as gone.
const GONE: Duration = Duration::from_millis(LAMP.write_ms);
/// A client that stops sending is refused after this time, before its connection counts as lost and it could not read
/// the refusal.
const STALLED: Duration = Duration::from_millis(LAMP.write_ms * 3 / 4);

/// Number of pairs of client and route that are remembered.
const REMEMBERED: usize = 64;
/// Number of senders of wrong tokens that are remembered.
const GUESSERS: usize = 8;
/// The lamp's admission of requests.
pub type Admission = admission::Admission<Action, REMEMBERED, GUESSERS>;

/// Admits requests that show the token, or all requests if there is none.
pub fn admission(token: Option<heapless::String<32>>) -> Admission {
    Admission::new(routes::site(PAGES), Names::LOCAL, token.map(|t| t.as_str().into()))
}

/// Buffers of one worker.
pub struct Buffers {
    receive: [u8; 1_024],
    /// Room for two segments, because a receiver acknowledges every second segment at once, but a single one late
    /// (RFC 9293, 3.8.6.3).
    send: [u8; 2_920],
    head: [u8; LAMP.head_bytes],
    scratch: [u8; SCRATCH],
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self { receive: [0; 1_024], send: [0; 2_920], head: [0; LAMP.head_bytes], scratch: [0; SCRATCH] }
    }
}

/// How a connection ended.
enum End {
    /// The peer has gone, or the connection ends without an answer.
    Silent,
    /// All answers were sent.
    Said,
}

/// Serves one connection after another. Never returns.
pub async fn work<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    stack: Stack<'static>,
    admission: &'static RefCell<Admission>,
    updater: &'static Updater<F>,
    buffers: &'static mut Buffers,
) -> ! {
    let Buffers { receive, send, head, scratch } = buffers;
    loop {
        let mut socket = TcpSocket::new(stack, receive, send);
        socket.set_timeout(Some(GONE));
        socket.set_nagle_enabled(false);
        lamp.doors.listening.fetch_add(1, Relaxed);
        let accepted = socket.accept(80).await;
        lamp.doors.listening.fetch_sub(1, Relaxed);
        if accepted.is_err() {
            Timer::after_millis(10).await;
            continue;
        }
        let connection = Connection { lamp, admission, updater, head, scratch };
        if let End::Said = connection.serve(&mut socket).await {
            socket.close();
            let _ = with_timeout(Duration::from_millis(500), drain(&mut socket)).await;
        }
        socket.abort();
        let _ = with_timeout(Duration::from_millis(500), socket.flush()).await;
    }
}

/// Waits until the peer has acknowledged everything and closed the connection.
async fn drain(socket: &mut TcpSocket<'_>) {
    let _ = socket.flush().await;
    let mut rest = [0; 64];
    while matches!(socket.read(&mut rest).await, Ok(1..)) {}
}

struct Connection<'a, F: 'static> {
    lamp: &'static Lamp,
    admission: &'static RefCell<Admission>,
    updater: &'static Updater<F>,
    head: &'a mut [u8; LAMP.head_bytes],
    scratch: &'a mut [u8; SCRATCH],
}

impl<F: NorFlash + 'static> Connection<'_, F> {
    async fn serve(self, socket: &mut TcpSocket<'_>) -> End {
        let client = match socket.remote_endpoint().map(|e| e.addr) {
            Some(IpAddress::Ipv4(address)) => address,
            None => Ipv4Addr::UNSPECIFIED,
        };
        let Self { lamp, admission, updater, head: bytes, scratch } = self;
        let mut filled = 0;
        loop {
            // Read the head.
            let mut since_ms = now_ms();
            let length = loop {
                match head::parse(&bytes[..filled], LAMP.head_bytes) {
                    Parsed::More => {}
                    Parsed::Head(_, length) => break length,
                    Parsed::Wrong(rejection) => return turn_away(lamp, socket, rejection).await,
                }
                let has_begun = filled > 0;
                // An idle connection is not lost; its own time limit ends it.
                socket.set_timeout(has_begun.then_some(GONE));
                match fill(lamp, socket, &mut bytes[filled..], has_begun, since_ms).await {
                    Ok(n) => filled += n,
                    Err(Some(rejection)) => return turn_away(lamp, socket, rejection).await,
                    // A peer that waits sees a closed connection, and not a lost one.
                    Err(None) => return End::Said,
                }
                if !has_begun {
                    since_ms = now_ms();
                }
            };
            socket.set_timeout(Some(GONE));
            let Parsed::Head(head, _) = head::parse(&bytes[..filled], LAMP.head_bytes) else {
                return End::Silent;
            };
            let judged = admission.borrow_mut().judge(IpAddr::V4(client), &head, now_ms());
            lamp.requests.fetch_add(1, Relaxed);
            if routes::is_streamed(Method::named(head.method), head.path) {
                let size = match &judged.result {
                    Ok(Entry::Route(route, _)) => streamed_length(head.framing, route.max_body),
                    Ok(_) => Err(Rejection::NotFound),
                    Err(rejection) => Err(*rejection),
                };
                let answer = match size {
                    Ok(size) => {
                        let came = &bytes[length..filled];
                        // On the heap, and only while it is open.
                        Box::pin(install(lamp, updater, socket, size, head.waits, came, scratch)).await
                    }
                    Err(rejection) => {
                        if let (Framing::Length(n), false) = (head.framing, head.waits) {
                            let rest = n.saturating_sub((filled - length) as u64);
                            forget(socket, rest.min(MOST_FIRMWARE as u64), scratch).await;
                        }
                        Answer::refusal(rejection.into(), now_ms())
                    }
                };
                return match say(socket, &answer.to(&judged), true, false).await {
                    Some(()) => End::Said,
                    None => End::Silent,
                };
            }
            // Read the body.
            let most = judged.max_body().min(MOST_BODY);
            let mut intake = Intake::new(head.framing, most);
            // On the heap and only while it is needed, because most requests do not have a body.
            let mut body = Vec::new();
            if !intake.is_done() {
                body.resize(most, 0);
            }
            let mut rest = match intake.feed(&bytes[length..filled], &mut body) {
                Ok(used) => Rest::InHead(length + used),
                Err(rejection) => return turn_away(lamp, socket, rejection).await,
            };
            let body_since_ms = now_ms();
            let mut taken = Ok(());
            while !intake.is_done() && taken.is_ok() {
                let left = match LAMP.for_body(body_since_ms, now_ms()) {
                    Patience::Wait(left) => Duration::from_millis(left),
                    _ => Duration::from_millis(0),
                };
                taken = match with_timeout(left, socket.read(scratch)).await {
                    Ok(Ok(n @ 1..)) => {
                        intake.feed(&scratch[..n], &mut body).map(|used| rest = Rest::InScratch(used, n))
                    }
                    _ => Err(Rejection::BodyLate),
                };
            }
            if let Err(rejection @ Rejection::NotHttp) = taken {
                return turn_away(lamp, socket, rejection).await;
            }
            let whole = intake.verdict().and(taken).map(|()| &body[..intake.kept()]);
            let keep_alive = head.keep_alive && intake.in_step() && !lamp.doors.are_too_few();
            // Send the answer.
            let answer = respond(&LampHome::new(lamp), &judged, whole.map_err(Refusal::Http));
            if say(socket, &answer, head.method != "HEAD", keep_alive).await.is_none() {
                return End::Silent;
            }
            if let Ok(Entry::WebSocket(path, _)) = judged.result {
                return socket::serve(lamp, socket, path, rest.bytes(&bytes[..filled], scratch)).await;
            }
            if !keep_alive {
                return End::Said;
            }
            // The bytes after it belong to the next request.
            filled = match rest {
                Rest::InHead(from) => {
                    bytes.copy_within(from..filled, 0);
                    filled - from
                }
                Rest::InScratch(from, to) => {
                    bytes[..to - from].copy_from_slice(&scratch[from..to]);
                    to - from
                }
            };
        }
    }
}

/// Reads and discards a body that is not used, because a client that is cut off does not read the answer.
async fn forget(socket: &mut TcpSocket<'_>, mut left: u64, scratch: &mut [u8; SCRATCH]) {
    while left > 0 {
        match with_timeout(STALLED, socket.read(scratch)).await {
            Ok(Ok(n @ 1..)) => left = left.saturating_sub(n as u64),
            _ => return,
        }
    }
}

/// Installs new firmware while it arrives: `size` bytes, of which `came` have already arrived.
async fn install<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    updater: &'static Updater<F>,
    socket: &mut TcpSocket<'_>,
    size: u32,
    waits: bool,
    came: &[u8],
    scratch: &mut [u8; SCRATCH],
) -> Answer<'static> {
    let mut upload = updater.begin(lamp);
    if waits && upload.is_ok() {
        // If the client is gone, the first read reports it.
        let _ = socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
    }
    let mut left = size as usize;
    let mut n = came.len().min(left);
    let mut piece = &came[..n];
    loop {
        // After a refusal the rest is read and discarded, because a client that is cut off does not read the answer.
        if let Ok(open) = &mut upload
            && let Err(why) = open.take(piece).await
        {
            upload = Err(why);
        }
        left -= n;
        if left == 0 {
            break;
        }
        n = match with_timeout(STALLED, socket.read(scratch)).await {
            Ok(Ok(n @ 1..)) => n.min(left),
            _ => return Answer::refusal(Refusal::Update(Why::Stalled), now_ms()),
        };
        piece = &scratch[..n];
    }
    let done = match upload {
        Ok(upload) => upload.finish().await,
        Err(why) => Err(why),
    };
    let answer = done.map_err(Refusal::Update);
    match answer.and_then(|(slot, image)| api::json(&Installed { slot: slot.into(), image })) {
        Ok(body) => Answer::done(body),
        Err(refusal) => {
            if let Refusal::Update(why) = refusal {
                lamp.note(|s| s.firmware.refused = Some(why));
            }
            Answer::refusal(refusal, now_ms())
        }
    }
}

fn now_ms() -> u64 {
    now_us() / 1000
}

/// Where the bytes after a request are.
#[derive(Clone, Copy)]
enum Rest {
    InHead(usize),
    InScratch(usize, usize),
}

impl Rest {
    fn bytes<'a>(self, head: &'a [u8], scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Self::InHead(from) => &head[from..],
            Self::InScratch(from, to) => &scratch[from..to],
        }
    }
}

/// Reads more of a head for which the worker has waited since `since_ms`. When the time is over, returns the refusal to
/// send, if there is one.
async fn fill(
    lamp: &'static Lamp,
    socket: &mut TcpSocket<'_>,
    place: &mut [u8],
    has_begun: bool,
    since_ms: u64,
) -> Result<usize, Option<Rejection>> {
    loop {
        let left = match LAMP.for_head(has_begun, lamp.doors.are_too_few(), since_ms, now_ms()) {
            Patience::Wait(left) => Duration::from_millis(left),
            Patience::End => return Err(None),
            Patience::Reject(rejection) => return Err(Some(rejection)),
        };
        match with_timeout(left.min(LOOK), socket.read(place)).await {
            Ok(Ok(n @ 1..)) => return Ok(n),
            Ok(_) => return Err(None),
            Err(_) => {}
        }
    }
}

/// Sends a refusal and ends the connection.
async fn turn_away(lamp: &Lamp, socket: &mut TcpSocket<'_>, rejection: Rejection) -> End {
    lamp.malformed.fetch_add(1, Relaxed);
    let answer = Answer::refusal(rejection.into(), now_ms());
    match say(socket, &answer, true, false).await {
        Some(()) => End::Said,
        None => End::Silent,
    }
}

/// Sends an answer; `None` if the peer has gone.
async fn say(
    socket: &mut TcpSocket<'_>,
    answer: &Answer<'_>,
    with_body: bool,
    keep_alive: bool,
) -> Option<()> {
    let mut text = String::new();
    answer.write_head(&mut text, keep_alive).ok()?;
    socket.write_all(text.as_bytes()).await.ok()?;
    if with_body {
        let mut number = 0;
        while let Some(piece) = answer.piece(number, &mut text) {
            socket.write_all(piece).await.ok()?;
            number += 1;
        }
    }
    socket.flush().await.ok()
}
