//! HTTP and WebSockets: a few workers, each with buffers of its own, below light and sound.
//!
//! A worker that waits for a request gives way when no worker waits for a connection: who hangs on without speaking
//! cannot keep others out.

mod socket;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::Ordering::Relaxed;

use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Write as _;
use embedded_storage_async::nor_flash::NorFlash;
use k1_device::api;
use k1_device::error::Refusal;
use k1_device::firmware::Installed;
use k1_device::http::body::{Framing, Intake};
use k1_device::http::head::{self, MOST_HEAD, Parsed};
use k1_device::http::respond::{self, Answer, Verdict, most_body};

use k1_device::routes::MOST_FIRMWARE;
use k1_update::refusal::Refusal as Why;

use crate::home::LampHome;
use crate::pages::PAGES;
use crate::receive::Updater;
pub use crate::state::WORKERS;
use crate::{Lamp, now_us};

/// WebSockets at once; the other workers stay for requests.
const MOST_SOCKETS: u32 = WORKERS as u32 - 2;
/// Largest body that any route takes.
const MOST_BODY: usize = 4_096;
/// So much of a body is read at once.
const SCRATCH: usize = 256;
/// A request that does not begin for so long is not waited for.
const IDLE: Duration = Duration::from_secs(30);
/// The same while too few wait for a connection: longer than a browser pauses while it loads a page.
const IDLE_IN_NEED: Duration = Duration::from_millis(1_200);
/// So often a worker that waits looks whether there is need.
const LOOK: Duration = Duration::from_millis(300);
/// A head or body that has begun and does not end for so long does not end.
const PATIENCE: Duration = Duration::from_secs(3);
/// A sender that stops for so long is told so; before its connection counts as lost, or it would not hear it.
const STALLED: Duration = Duration::from_secs(6);
/// A peer that is silent for so long is gone.
const GONE: Duration = Duration::from_secs(8);

/// Pairs of client and route that are remembered.
const REMEMBERED: usize = 64;
/// The door of this lamp.
pub type Door = respond::Door<REMEMBERED>;

/// A new door.
pub fn door(token: Option<heapless::String<32>>) -> Door {
    Door::new(token, PAGES)
}

/// Buffers of one worker.
pub struct Buffers {
    receive: [u8; 1_024],
    /// Two segments: a receiver acknowledges every second one at once, and a single one late (RFC 9293, 3.8.6.3).
    send: [u8; 2_920],
    head: [u8; MOST_HEAD],
    scratch: [u8; SCRATCH],
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    /// Empty.
    pub const fn new() -> Self {
        Self { receive: [0; 1_024], send: [0; 2_920], head: [0; MOST_HEAD], scratch: [0; SCRATCH] }
    }
}

/// How a connection ended.
enum End {
    /// The peer has gone, or is to go without a word.
    Silent,
    /// Everything was said.
    Said,
}

/// Serves connections, one after the other, for ever.
pub async fn work<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    stack: Stack<'static>,
    door: &'static RefCell<Door>,
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
        let connection = Connection { lamp, door, updater, head, scratch };
        if let End::Said = connection.serve(&mut socket).await {
            socket.close();
            let _ = with_timeout(Duration::from_millis(500), drain(&mut socket)).await;
        }
        socket.abort();
        let _ = with_timeout(Duration::from_millis(500), socket.flush()).await;
    }
}

/// Waits until everything has been taken and the peer has closed.
async fn drain(socket: &mut TcpSocket<'_>) {
    let _ = socket.flush().await;
    let mut rest = [0; 64];
    while matches!(socket.read(&mut rest).await, Ok(1..)) {}
}

struct Connection<'a, F: 'static> {
    lamp: &'static Lamp,
    door: &'static RefCell<Door>,
    updater: &'static Updater<F>,
    head: &'a mut [u8; MOST_HEAD],
    scratch: &'a mut [u8; SCRATCH],
}

impl<F: NorFlash + 'static> Connection<'_, F> {
    async fn serve(self, socket: &mut TcpSocket<'_>) -> End {
        let client = match socket.remote_endpoint().map(|e| e.addr) {
            Some(IpAddress::Ipv4(address)) => u64::from(u32::from(address)),
            None => 0,
        };
        let Self { lamp, door, updater, head: bytes, scratch } = self;
        let mut filled = 0;
        loop {
            // A head.
            let length = loop {
                match head::parse(&bytes[..filled]) {
                    Parsed::More => {}
                    Parsed::Head(_, length) => break length,
                    Parsed::Wrong(refusal) => return turn_away(lamp, socket, refusal).await,
                }
                // A connection at rest is not lost: its own patience ends it, with a word.
                socket.set_timeout(if filled == 0 { None } else { Some(GONE) });
                match fill(lamp, socket, &mut bytes[filled..], filled == 0).await {
                    Some(n) => filled += n,
                    // A peer that waits is told by the end of the connection, and not by its loss.
                    None if filled == 0 => return End::Said,
                    None => return turn_away(lamp, socket, Refusal::BodyLate).await,
                }
            };
            socket.set_timeout(Some(GONE));
            let Parsed::Head(head, _) = head::parse(&bytes[..filled]) else { return End::Silent };
            if respond::is_streamed(&head) {
                let home = LampHome::new(lamp);
                let verdict = door.borrow_mut().open(&home, client, &head, Ok(&[]));
                lamp.requests.fetch_add(1, Relaxed);
                let answer = match verdict {
                    Verdict::Install(size) => {
                        let came = &bytes[length..filled];
                        // On the heap, and only for as long as it lasts.
                        Box::pin(install(lamp, updater, socket, size, head.waits, came, scratch)).await
                    }
                    Verdict::Answer(answer) => {
                        if let (Framing::Length(n), false) = (head.framing, head.waits) {
                            let rest = n.saturating_sub((filled - length) as u64);
                            forget(socket, rest.min(MOST_FIRMWARE as u64), scratch).await;
                        }
                        answer
                    }
                    Verdict::Upgrade(..) => return End::Silent,
                };
                return match say(socket, &answer, true, false).await {
                    Some(()) => End::Said,
                    None => End::Silent,
                };
            }
            // Its body.
            let most = most_body(&head).min(MOST_BODY);
            let mut intake = Intake::new(head.framing, most);
            // On the heap, and only for as long as it is needed: most requests have none.
            let mut body = Vec::new();
            if !intake.is_done() {
                body.resize(most, 0);
            }
            let mut rest = match intake.feed(&bytes[length..filled], &mut body) {
                Ok(used) => Rest::InHead(length + used),
                Err(refusal) => return turn_away(lamp, socket, refusal).await,
            };
            let taken = with_timeout(PATIENCE, async {
                while !intake.is_done() {
                    let n = match socket.read(scratch).await {
                        Ok(n @ 1..) => n,
                        _ => return Err(Refusal::BodyLate),
                    };
                    rest = Rest::InScratch(intake.feed(&scratch[..n], &mut body)?, n);
                }
                Ok(())
            })
            .await
            .unwrap_or(Err(Refusal::BodyLate));
            if let Err(refusal @ Refusal::NotHttp) = taken {
                return turn_away(lamp, socket, refusal).await;
            }
            let whole = intake.verdict().and(taken).map(|()| &body[..intake.kept()]);
            let keep_alive = head.keep_alive && intake.in_step() && !lamp.doors.are_too_few();
            // Its answer.
            let verdict = {
                let home = LampHome::new(lamp);
                door.borrow_mut().open(&home, client, &head, whole)
            };
            lamp.requests.fetch_add(1, Relaxed);
            match verdict {
                Verdict::Upgrade(kind, key) => {
                    return socket::serve(lamp, socket, kind, key, rest.bytes(&bytes[..filled], scratch))
                        .await;
                }
                // What is streamed was taken above.
                Verdict::Install(_) => return End::Silent,
                Verdict::Answer(answer) => {
                    if say(socket, &answer, head.method != "HEAD", keep_alive).await.is_none() {
                        return End::Silent;
                    }
                }
            }
            if !keep_alive {
                return End::Said;
            }
            // What came behind it is the next request.
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

/// Takes in what was announced and nobody wants: a sender who is cut off does not read the answer.
async fn forget(socket: &mut TcpSocket<'_>, mut left: u64, scratch: &mut [u8; SCRATCH]) {
    while left > 0 {
        match with_timeout(STALLED, socket.read(scratch)).await {
            Ok(Ok(n @ 1..)) => left = left.saturating_sub(n as u64),
            _ => return,
        }
    }
}

/// Takes new firmware as it comes: `size` bytes, of which `came` are here already.
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
        // If it is gone, the first read says so.
        let _ = socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
    }
    let mut left = size as usize;
    let mut n = came.len().min(left);
    let mut piece = &came[..n];
    loop {
        // After a refusal the rest is taken and forgotten: a sender who is cut off does not read the answer.
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
            _ => return Answer::refusal(Refusal::Update(Why::Stalled), now_us() / 1000),
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
            Answer::refusal(refusal, now_us() / 1000)
        }
    }
}

/// Where the bytes behind a request are.
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

/// Reads more; `None` at the end, after the patience, or when others need this place more.
async fn fill(
    lamp: &'static Lamp,
    socket: &mut TcpSocket<'_>,
    place: &mut [u8],
    nothing_yet: bool,
) -> Option<usize> {
    let began = Instant::now();
    loop {
        match with_timeout(LOOK, socket.read(place)).await {
            Ok(Ok(n @ 1..)) => return Some(n),
            Ok(_) => return None,
            Err(_) => {}
        }
        let patience = match nothing_yet {
            false => PATIENCE,
            true if lamp.doors.are_too_few() => IDLE_IN_NEED,
            true => IDLE,
        };
        if began.elapsed() >= patience {
            return None;
        }
    }
}

/// Says why not, and ends.
async fn turn_away(lamp: &Lamp, socket: &mut TcpSocket<'_>, refusal: Refusal) -> End {
    lamp.malformed.fetch_add(1, Relaxed);
    let answer = Answer::refusal(refusal, now_us() / 1000);
    match say(socket, &answer, true, false).await {
        Some(()) => End::Said,
        None => End::Silent,
    }
}

/// Says an answer; `None` if the peer has gone.
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
