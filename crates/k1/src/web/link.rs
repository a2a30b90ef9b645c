//! One WebSocket: its frames in both directions, pings and pongs, and its end.

use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use k1_http::limits::{Beat, Heartbeat};
use k1_http::websocket::{Close, Inbox, Incoming, Kind, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::app::App;
use super::sockets::Place;

/// Time limit for sending the close frame.
const LAST_WORD: Duration = Duration::from_millis(200);

/// The end of a WebSocket, with a close frame to send or without.
pub struct End(pub Option<Close>);

/// Something that arrived, or that is due to be sent.
pub enum Event {
    /// A text from the other side.
    Text(String),
    /// A frame to send: a ping or a pong.
    Send(Vec<u8>),
}

/// An open WebSocket.
pub struct Link {
    reader: ReadHalf<TokioIo<Upgraded>>,
    writer: WriteHalf<TokioIo<Upgraded>>,
    inbox: Inbox,
    heart: Heartbeat,
    bytes: [u8; 1_024],
}

impl Link {
    /// A WebSocket whose handshake was answered at `now_ms`, in milliseconds since the start.
    pub fn new(upgraded: Upgraded, now_ms: u64) -> Self {
        let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
        Self { reader, writer, inbox: Inbox::default(), heart: Heartbeat::new(now_ms), bytes: [0; 1_024] }
    }

    /// Waits for the next event. Cancel-safe: if the future is dropped early, nothing is lost.
    ///
    /// # Errors
    ///
    /// [`End`] if the other side closes, is gone, or loses its place.
    pub async fn event(&mut self, app: &App, place: &Place) -> Result<Event, End> {
        loop {
            match self.inbox.message() {
                Some(Incoming::Text(text)) => return Ok(Event::Text(text.to_owned())),
                Some(Incoming::Pong(payload)) => return Ok(Event::Send(frame(Kind::Pong, payload))),
                Some(Incoming::Close(close)) => return Err(End(Some(close))),
                Some(Incoming::Nothing) => continue,
                None => {}
            }
            let wait = match self.heart.beat(app.now_ms()) {
                Beat::Wait(wait) => Duration::from_millis(wait),
                Beat::Ping => return Ok(Event::Send(frame(Kind::Ping, &[]))),
                Beat::Gone => return Err(End(None)),
            };
            tokio::select! {
                biased;
                () = place.lost() => return Err(End(Some(Close::TOO_MANY))),
                read = self.reader.read(&mut self.bytes) => {
                    let Ok(n @ 1..) = read else { return Err(End(None)) };
                    self.heart.heard(app.now_ms());
                    place.heard(app.now_ms());
                    self.inbox.take(&self.bytes[..n]);
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// [`End`] if the other side is gone or does not take the frame.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), End> {
        let sent = async {
            self.writer.write_all(frame).await?;
            self.writer.flush().await
        };
        sent.await.map_err(|_| End(None))
    }

    /// Sends the close frame and ends the WebSocket.
    pub async fn close(mut self, close: Close) {
        let said = async {
            let _ = self.writer.write_all(&close.frame()).await;
            let _ = self.writer.shutdown().await;
        };
        let _ = tokio::time::timeout(LAST_WORD, said).await;
    }
}
