//! HTTP and WebSockets: a few workers, each with buffers of its own, below light and sound.
//!
//! A worker that waits for a request gives way when no worker waits for a connection: who hangs on without speaking
//! cannot keep others out.

mod socket;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use embassy_futures::select::{Either3, select3};
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Write as _;
use k1_device::error::Refusal;
use k1_device::http::body::Intake;
use k1_device::http::head::{self, MOST_HEAD, Parsed};
use k1_device::http::respond::{self, Answer, Asset, Verdict, most_body};

use crate::home::LampHome;
use crate::{Lamp, now_us};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Connections at once.
pub const WORKERS: usize = 6;
/// WebSockets at once; the other workers stay for requests.
const MOST_SOCKETS: u32 = WORKERS as u32 - 2;
/// So many workers always wait for a connection, if others have only fallen silent.
const ALWAYS_LISTENING: u32 = 2;
/// Largest body that any route takes.
const MOST_BODY: usize = 4_096;
/// So much of a body is read at once.
const SCRATCH: usize = 256;
/// A request that does not begin for so long is not waited for.
const IDLE: Duration = Duration::from_secs(30);
/// A head or body that has begun and does not end for so long does not end.
const PATIENCE: Duration = Duration::from_secs(3);
/// A peer that takes nothing for so long is gone.
const GONE: Duration = Duration::from_secs(8);

/// Pairs of client and route that are remembered.
const REMEMBERED: usize = 64;
/// The door of this lamp.
pub type Door = respond::Door<REMEMBERED>;

/// A new door.
pub fn door(token: Option<heapless::String<32>>) -> Door {
    Door::new(token, PAGES)
}

/// Who waits at the doors.
pub struct Doors {
    listening: AtomicU32,
    /// Since when each worker waits for a request, in ms; 0 = it does not.
    idle_since: [AtomicU32; WORKERS],
    give_way: [Signal<CriticalSectionRawMutex, ()>; WORKERS],
    sockets: AtomicU32,
    clients: AtomicU32,
}

impl Default for Doors {
    fn default() -> Self {
        Self::new()
    }
}

impl Doors {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self {
            listening: AtomicU32::new(0),
            idle_since: [const { AtomicU32::new(0) }; WORKERS],
            give_way: [const { Signal::new() }; WORKERS],
            sockets: AtomicU32::new(0),
            clients: AtomicU32::new(1),
        }
    }

    /// Open WebSockets.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Relaxed) as usize
    }

    /// If too few wait for a connection, asks the one that has waited longest for a request to give way.
    fn make_room(&self) {
        if self.listening.load(Relaxed) >= ALWAYS_LISTENING {
            return;
        }
        let waiting = self.idle_since.iter().enumerate().filter(|(_, since)| since.load(Relaxed) != 0);
        if let Some((worker, since)) = waiting.min_by_key(|(_, since)| since.load(Relaxed)) {
            since.store(0, Relaxed);
            self.give_way[worker].signal(());
        }
    }
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
pub async fn work(
    lamp: &'static Lamp,
    stack: Stack<'static>,
    door: &'static RefCell<Door>,
    worker: usize,
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
        lamp.doors.make_room();
        let connection = Connection { lamp, door, worker, head, scratch };
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

struct Connection<'a> {
    lamp: &'static Lamp,
    door: &'static RefCell<Door>,
    worker: usize,
    head: &'a mut [u8; MOST_HEAD],
    scratch: &'a mut [u8; SCRATCH],
}

impl Connection<'_> {
    async fn serve(self, socket: &mut TcpSocket<'_>) -> End {
        let client = match socket.remote_endpoint().map(|e| e.addr) {
            Some(IpAddress::Ipv4(address)) => u64::from(u32::from(address)),
            None => 0,
        };
        let Self { lamp, door, worker, head: bytes, scratch } = self;
        let mut filled = 0;
        loop {
            // A head.
            let length = loop {
                match head::parse(&bytes[..filled]) {
                    Parsed::More => {}
                    Parsed::Head(_, length) => break length,
                    Parsed::Wrong(refusal) => return turn_away(lamp, socket, refusal).await,
                }
                match fill(lamp, worker, socket, &mut bytes[filled..], filled == 0).await {
                    Some(n) => filled += n,
                    None if filled == 0 => return End::Silent,
                    None => return turn_away(lamp, socket, Refusal::BodyLate).await,
                }
            };
            let Parsed::Head(head, _) = head::parse(&bytes[..filled]) else { return End::Silent };
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
            let keep_alive = head.keep_alive && intake.in_step();
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

/// Reads more; `None` at the end, after the patience, or when this worker is to give way.
async fn fill(
    lamp: &'static Lamp,
    worker: usize,
    socket: &mut TcpSocket<'_>,
    place: &mut [u8],
    nothing_yet: bool,
) -> Option<usize> {
    let doors = &lamp.doors;
    doors.give_way[worker].reset();
    doors.idle_since[worker].store((now_us() / 1000) as u32 | 1, Relaxed);
    doors.make_room();
    let patience = Timer::at(Instant::now() + if nothing_yet { IDLE } else { PATIENCE });
    let result = match select3(socket.read(place), doors.give_way[worker].wait(), patience).await {
        Either3::First(Ok(n @ 1..)) => Some(n),
        _ => None,
    };
    doors.idle_since[worker].store(0, Relaxed);
    result
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
