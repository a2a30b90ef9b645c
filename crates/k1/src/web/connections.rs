//! Accepts connections and limits how many are open. [`k1_http::connections`] decides which one gives way.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use k1_http::client::Client;
use k1_http::connections::{Connections, Guessed, Id};
use k1_http::limits::{PROGRAM, connections_for};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Sleep;

/// Number of connections that are accepted in a row before the accepted ones get their turn. Without it, connections in
/// a flood would be displaced before K1 read their requests.
const AT_ONCE: u32 = 8;
/// Pause after `accept` fails because of this machine and not because of the client.
const PAUSE: Duration = Duration::from_millis(50);
/// Minimum interval between two lines about that error.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Counts the open connections.
pub struct Doorkeeper {
    open: Mutex<Open>,
}

struct Open {
    connections: Connections,
    leave: HashMap<Id, Arc<Notify>>,
}

impl Open {
    /// Ends a connection that has lost its place.
    fn send_away(&mut self, id: Option<Id>) {
        if let Some(leave) = id.and_then(|id| self.leave.remove(&id)) {
            leave.notify_one();
        }
    }
}

impl Doorkeeper {
    /// A doorkeeper that stays within the number of files that the system allows this process.
    pub fn new() -> Arc<Self> {
        let connections = Connections::new(connections_for(allowed_files()));
        Arc::new(Self { open: Mutex::new(Open { connections, leave: HashMap::new() }) })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, which may displace another; `None` if all others matter more.
    fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<(Arc<Connection>, Arc<Notify>)> {
        let client = Client::from(peer.ip());
        let mut open = self.open();
        let admitted = open.connections.admit(client)?;
        open.send_away(admitted.gives_way);
        let leave = Arc::new(Notify::new());
        open.leave.insert(admitted.id, leave.clone());
        Some((Arc::new(Connection { id: admitted.id, client, peer, keeper: self.clone() }), leave))
    }

    /// Ends the least important connection.
    fn make_room(&self) {
        let mut open = self.open();
        let id = open.connections.make_room();
        open.send_away(id);
    }
}

/// Number of open files that the system allows this process.
#[cfg(unix)]
fn allowed_files() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn allowed_files() -> u64 {
    u64::MAX
}

/// An open connection.
pub struct Connection {
    id: Id,
    /// The client, as limits count it.
    pub client: Client,
    /// The client's address and port.
    pub peer: SocketAddr,
    keeper: Arc<Doorkeeper>,
}

impl Connection {
    /// Notes that the client sent too many wrong tokens. False if the connection ends instead of waiting for its
    /// answer.
    pub fn waits(&self) -> bool {
        let mut open = self.keeper.open();
        match open.connections.guessed(self.id) {
            Some(Guessed::Waits) => true,
            Some(Guessed::Ends) => {
                open.send_away(Some(self.id));
                false
            }
            None => false,
        }
    }

    /// Notes that the wait is over.
    pub fn has_waited(&self) {
        self.keeper.open().connections.has_waited(self.id);
    }

    /// Notes that a request was let in: from now on no new connection displaces this one.
    pub fn trust(&self) {
        self.keeper.open().connections.trust(self.id);
    }

    /// Notes that the connection became a WebSocket; `sockets` limits the number of those.
    pub fn upgraded(&self) {
        self.keeper.open().connections.upgraded(self.id);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.keeper.open();
        open.connections.remove(self.id);
        open.leave.remove(&self.id);
    }
}

/// Accepts connections for ever; `answer` answers their requests.
pub async fn keep<A, F>(listener: TcpListener, keeper: Arc<Doorkeeper>, answer: A)
where
    A: Fn(Arc<Connection>, Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let mut said: Option<Instant> = None;
    for number in (1..=AT_ONCE).cycle() {
        if number == AT_ONCE {
            tokio::task::yield_now().await;
        }
        let (stream, peer) = match listener.accept().await {
            Ok(come) => come,
            // The client left before its connection was accepted.
            Err(e) if is_of_the_client(&e) => continue,
            Err(e) => {
                // Out of files or memory: free a place and go on listening.
                keeper.make_room();
                if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                    said = Some(Instant::now());
                    k1_host::say(format_args!("k1: the page cannot accept connections at the moment: {e}"));
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Some((connection, leave)) = keeper.admit(peer) {
            tokio::spawn(serve(stream, connection, leave, answer.clone()));
        }
    }
}

fn is_of_the_client(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve<A, F>(stream: TcpStream, connection: Arc<Connection>, leave: Arc<Notify>, answer: A)
where
    A: Fn(Arc<Connection>, Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    // Frames are small and must be sent at once.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Paced { stream, since: None, _connection: connection.clone() });
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let answer = answer(connection.clone(), request);
        async move {
            let mut answer = answer.await;
            // A proxy that went by a Content-Length beside it, which hyper removes before we see it, would read the
            // bytes that follow as another request (RFC 9112, 6.1).
            if is_chunked {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(PROGRAM.head_ms))
        .max_buf_size(PROGRAM.head_bytes)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::select! {
        biased;
        // A displaced connection is dropped at once, so that it costs nothing more.
        () = leave.notified() => {}
        // An error on this connection concerns only its client.
        _ = served => {}
    }
}

/// A connection that fails if its client does not take what K1 sends. It holds its place until it is closed.
struct Paced {
    stream: TcpStream,
    since: Option<Pin<Box<Sleep>>>,
    _connection: Arc<Connection>,
}

impl Paced {
    /// Fails a write that has been pending for too long.
    fn paced<T>(&mut self, cx: &mut Context, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let patience = self
            .since
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(PROGRAM.write_ms))));
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
