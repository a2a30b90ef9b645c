//! Takes connections in, and holds so few of them that a stranger never shuts the owner out.
//!
//! A connection is *trusted* once a request on it was let in: with the token, or, where none is needed, under a name of
//! this machine. Where every place is taken, a newcomer gets the place of one that has just guessed at the token, or of
//! the oldest untrusted connection of the client that holds most of them, so that a crowd of unfinished ones only drives
//! itself out. A client is an IPv4 address or an IPv6 network of 64 bits, which is what one home has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Sleep;
use tower_service::Service;

/// Most connections at once, where the system allows that many.
const MOST: usize = 512;
/// Fewest, however few files the system allows.
const FEWEST: usize = 8;
/// Guessers that wait for their answer at the same time; more are sent away unanswered.
const MOST_WAITING: usize = 64;
/// File handles for everything else.
const SPARE_FILES: u64 = 64;
/// A head that is not whole after this time, or a next request that has not begun, is not waited for.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A client that takes nothing for as long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head in bytes.
const MOST_HEAD: usize = 16 << 10;
/// So many are taken in before those that are in get their turn: in a flood nobody would be heard before they are sent away.
const AT_ONCE: u32 = 8;
/// After an error of accepting, which is one of this machine and not of the client.
const PAUSE: Duration = Duration::from_millis(50);
/// That error is said no more often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Who is at the other end, as far as limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            other => other,
        })
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.0 {
            IpAddr::V6(v6) if !v6.is_loopback() => write!(f, "{v6}/64"),
            ip => write!(f, "{ip}"),
        }
    }
}

/// Keeps count of the open connections.
pub struct Doorkeeper {
    most: usize,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    guessing: BTreeSet<u64>,
    untrusted: HashMap<Client, BTreeSet<u64>>,
    trusted: BTreeSet<u64>,
    all: BTreeMap<u64, Seat>,
}

struct Seat {
    client: Client,
    leave: Arc<Notify>,
}

impl Seats {
    fn remove(&mut self, id: u64) -> Option<Seat> {
        self.trusted.remove(&id);
        self.guessing.remove(&id);
        let seat = self.all.remove(&id)?;
        self.no_longer_untrusted(id, seat.client);
        Some(seat)
    }

    fn no_longer_untrusted(&mut self, id: u64, client: Client) {
        if let Some(ids) = self.untrusted.get_mut(&client) {
            ids.remove(&id);
            if ids.is_empty() {
                self.untrusted.remove(&client);
            }
        }
    }

    /// Sends the connection away that is missed least; false if every one is worth more than a newcomer.
    fn make_room(&mut self) -> bool {
        // Of clients with equally many, the one that was here first.
        let crowd =
            self.untrusted.values().max_by_key(|ids| (ids.len(), ids.first().map(|id| u64::MAX - id)));
        let id = self.guessing.first().or(crowd.and_then(BTreeSet::first)).or(self.trusted.first()).copied();
        let Some(seat) = id.and_then(|id| self.remove(id)) else { return false };
        seat.leave.notify_one();
        true
    }
}

impl Doorkeeper {
    /// One that keeps within the files that the system allows this process.
    pub fn new() -> Arc<Self> {
        Self::of(most())
    }

    fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { most, seats: Mutex::default() })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer, which may cost another its own; `None` if every place is worth more.
    fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<(Arc<Visit>, Arc<Notify>)> {
        let client = Client::from(peer.ip());
        let mut seats = self.seats();
        while seats.all.len() >= self.most {
            if !seats.make_room() {
                return None;
            }
        }
        let id = seats.next;
        seats.next += 1;
        let leave = Arc::new(Notify::new());
        seats.all.insert(id, Seat { client, leave: leave.clone() });
        seats.untrusted.entry(client).or_default().insert(id);
        Some((Arc::new(Visit { id, client, peer, keeper: self.clone() }), leave))
    }
}

/// How many connections fit into the files that the system allows.
#[cfg(unix)]
fn most() -> usize {
    use rustix::process::{Resource, getrlimit};
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(SPARE_FILES) / 2).unwrap_or(MOST).clamp(FEWEST, MOST)
}

#[cfg(not(unix))]
fn most() -> usize {
    let _ = SPARE_FILES;
    MOST.max(FEWEST)
}

/// One connection, for as long as it lasts.
pub struct Visit {
    id: u64,
    /// Who it is.
    pub client: Client,
    /// Its address.
    pub peer: SocketAddr,
    keeper: Arc<Doorkeeper>,
}

impl Visit {
    /// It has shown a wrong token too often. Its place is the first to be given away while it waits for its answer; where
    /// very many wait already, it leaves without one, which costs least: false.
    pub fn waits(&self) -> bool {
        let mut seats = self.keeper.seats();
        if seats.trusted.contains(&self.id) {
            return true;
        }
        if seats.guessing.len() >= MOST_WAITING {
            if let Some(seat) = seats.remove(self.id) {
                seat.leave.notify_one();
            }
            return false;
        }
        seats.all.contains_key(&self.id) && seats.guessing.insert(self.id)
    }

    /// It has waited.
    pub fn has_waited(&self) {
        self.keeper.seats().guessing.remove(&self.id);
    }

    /// A request was let in: from now on the connection stays, whoever comes.
    pub fn trust(&self) {
        let mut seats = self.keeper.seats();
        if seats.all.contains_key(&self.id) && seats.trusted.insert(self.id) {
            seats.no_longer_untrusted(self.id, self.client);
        }
    }

    /// It has become a WebSocket, which is limited elsewhere.
    pub fn upgraded(&self) {
        let mut seats = self.keeper.seats();
        seats.trusted.remove(&self.id);
        seats.no_longer_untrusted(self.id, self.client);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.keeper.seats().remove(self.id);
    }
}

/// Takes connections in for ever.
pub async fn keep(listener: TcpListener, keeper: Arc<Doorkeeper>, router: Router) {
    let mut said: Option<Instant> = None;
    for number in (1..=AT_ONCE).cycle() {
        if number == AT_ONCE {
            tokio::task::yield_now().await;
        }
        let (stream, peer) = match listener.accept().await {
            Ok(come) => come,
            // The client has gone before it was taken in.
            Err(e) if is_of_the_client(&e) => continue,
            Err(e) => {
                // No files or memory: a place is freed and the door stays open.
                keeper.seats().make_room();
                if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                    said = Some(Instant::now());
                    k1_host::say(format_args!("k1: the page takes no connection in at the moment: {e}"));
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Some((visit, leave)) = keeper.admit(peer) {
            tokio::spawn(serve(stream, visit, leave, router.clone()));
        }
    }
}

fn is_of_the_client(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(stream: TcpStream, visit: Arc<Visit>, leave: Arc<Notify>, router: Router) {
    // Frames are small and due at once.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Paced { stream, since: None, _visit: visit.clone() });
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(visit.clone());
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let answer = router.clone().call(request.map(Body::new));
        async move {
            let mut answer = answer.await?;
            // A proxy that went by a Content-Length beside it, which hyper takes away before we see it, would have
            // another request in what follows (RFC 9112, 6.1).
            if is_chunked {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MOST_HEAD)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::select! {
        biased;
        // Who is to leave before it was heard costs nothing more.
        () = leave.notified() => {}
        // How it ended concerns its client alone.
        _ = connection => {}
    }
}

/// A connection whose client must take what it is sent, and that holds its place until it is closed.
struct Paced {
    stream: TcpStream,
    since: Option<Pin<Box<Sleep>>>,
    _visit: Arc<Visit>,
}

impl Paced {
    /// A write that waits fails when it has waited for too long.
    fn paced<T>(&mut self, cx: &mut Context, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let patience = self.since.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_PATIENCE)));
        match patience.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buf: &mut ReadBuf) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.paced(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        bufs: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.paced(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 1)
    }

    fn is_open(keeper: &Doorkeeper, visit: &Visit) -> bool {
        keeper.seats().all.contains_key(&visit.id)
    }

    #[test]
    fn a_client_is_an_address_or_a_home() {
        let client = |ip: &str| Client::from(ip.parse::<IpAddr>().unwrap());
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8::1"));
        assert_eq!(client("2001:db8::1").to_string(), "2001:db8::/64");
        assert_eq!(client("::1").to_string(), "::1");
    }

    #[test]
    fn a_crowd_drives_itself_out() {
        let keeper = Doorkeeper::of(8);
        let owner = keeper.admit(from("10.0.0.1")).unwrap().0;
        owner.trust();
        let page = keeper.admit(from("10.0.0.1")).unwrap().0;
        let crowd: Vec<_> = (0..1000).map(|_| keeper.admit(from("10.0.0.66")).unwrap().0).collect();
        assert!(is_open(&keeper, &owner) && is_open(&keeper, &page));
        assert_eq!(crowd.iter().filter(|v| is_open(&keeper, v)).count(), 6);
        assert!(is_open(&keeper, &crowd[999]) && !is_open(&keeper, &crowd[993]), "the oldest has left");
        // The owner's newcomers find room, and cost the crowd its places.
        let more: Vec<_> = (0..3).map(|_| keeper.admit(from("10.0.0.1")).unwrap().0).collect();
        assert!(more.iter().chain([&owner, &page]).all(|v| is_open(&keeper, v)));
        drop((crowd, more, page));
        assert_eq!(keeper.seats().all.len(), 1);
    }

    #[test]
    fn who_guesses_gives_way_first() {
        let keeper = Doorkeeper::of(4);
        let all: Vec<_> = (0..4).map(|_| keeper.admit(from("10.0.0.1")).unwrap().0).collect();
        all[1].trust();
        assert!(all[1..].iter().all(|v| v.waits()));
        all[3].has_waited();
        let newcomer = keeper.admit(from("10.0.0.1")).unwrap().0;
        let open: Vec<_> = all.iter().map(|v| is_open(&keeper, v)).collect();
        assert_eq!(open, [true, true, false, true]);
        drop((all, newcomer));
        assert!(keeper.seats().guessing.is_empty() && keeper.seats().all.is_empty());
        let keeper = Doorkeeper::of(200);
        let crowd: Vec<_> = (0..100).map(|_| keeper.admit(from("10.0.0.1")).unwrap().0).collect();
        assert_eq!(crowd.iter().filter(|v| v.waits()).count(), MOST_WAITING);
        assert_eq!(keeper.seats().all.len(), MOST_WAITING, "the others have left");
    }

    #[test]
    fn strangers_from_everywhere_do_not_drive_the_trusted_out() {
        let keeper = Doorkeeper::of(8);
        let owners: Vec<_> = (0..4).map(|_| keeper.admit(from("10.0.0.1")).unwrap().0).collect();
        owners.iter().for_each(|v| v.trust());
        let strangers: Vec<_> = (0..2000)
            .map(|i| keeper.admit(from(&format!("10.1.{}.{}", i / 250, i % 250))).unwrap().0)
            .collect();
        assert!(owners.iter().all(|v| is_open(&keeper, v)));
        assert_eq!(strangers.iter().filter(|v| is_open(&keeper, v)).count(), 4);
        assert_eq!(keeper.seats().untrusted.len(), 4, "nobody who has left is remembered");
    }

    #[test]
    fn a_newcomer_is_refused_only_where_all_are_websockets() {
        let keeper = Doorkeeper::of(2);
        let a = keeper.admit(from("10.0.0.1")).unwrap().0;
        let b = keeper.admit(from("10.0.0.1")).unwrap().0;
        a.trust();
        b.trust();
        b.upgraded();
        let c = keeper.admit(from("10.0.0.2")).unwrap().0;
        assert!(!is_open(&keeper, &a) && is_open(&keeper, &b), "one that rests gives way");
        c.upgraded();
        assert!(keeper.admit(from("10.0.0.3")).is_none());
        drop(c);
        assert!(keeper.admit(from("10.0.0.3")).is_some());
    }

    #[test]
    fn as_many_as_there_are_files_for() {
        assert!((FEWEST..=MOST).contains(&most()));
    }
}
