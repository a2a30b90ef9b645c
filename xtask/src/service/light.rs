//! A light that notes when frames arrive, and whether they are dark.

use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Length of the head of a DDP packet.
const HEAD: usize = 10;

/// A frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// When it arrived.
    pub at: Instant,
    /// True if all its LEDs are off.
    pub is_dark: bool,
}

/// The light, at a port of its own on loopback.
pub struct Light {
    /// Its address for `k1 run --to`.
    pub address: String,
    frames: Receiver<Frame>,
}

impl Light {
    /// Opens a light.
    ///
    /// # Errors
    ///
    /// A sentence, if there is no port for it.
    pub fn open() -> Result<Self, String> {
        let wrong = |e: std::io::Error| format!("a light cannot be opened: {e}");
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(wrong)?;
        let address = format!("ddp://{}?leds=30", socket.local_addr().map_err(wrong)?);
        let (told, frames) = channel();
        std::thread::spawn(move || {
            let mut packet = [0; 2048];
            while let Ok(length) = socket.recv(&mut packet) {
                let is_dark = packet[HEAD.min(length)..length].iter().all(|b| *b == 0);
                if told.send(Frame { at: Instant::now(), is_dark }).is_err() {
                    return;
                }
            }
        });
        Ok(Self { address, frames })
    }

    /// Forgets the frames so far.
    pub fn forget(&self) {
        while self.frames.try_recv().is_ok() {}
    }

    /// The first lit frame from now on.
    ///
    /// # Errors
    ///
    /// A sentence, if there is none in time.
    pub fn lit(&self, within: Duration) -> Result<Frame, String> {
        self.forget();
        let until = Instant::now() + within;
        while let Ok(frame) = self.frames.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if !frame.is_dark {
                return Ok(frame);
            }
        }
        Err(format!("there was no light for {} s", within.as_secs()))
    }

    /// The longest time between two frames until there has been light for a second after `least` of darkness; `None` if
    /// there was no such darkness in time.
    pub fn gap(&self, least: Duration, within: Duration) -> Option<Duration> {
        self.forget();
        let began = Instant::now();
        let (mut last, mut longest) = (began, Duration::ZERO);
        while began.elapsed() < within {
            match self.frames.recv_timeout(Duration::from_millis(100)) {
                Ok(frame) => {
                    longest = longest.max(frame.at.saturating_duration_since(last));
                    last = frame.at;
                    if longest >= least && !frame.is_dark {
                        return Some(longest);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }

    /// The last frame before a second without any.
    ///
    /// # Errors
    ///
    /// A sentence, if frames go on, or if there are none.
    pub fn last(&self) -> Result<Frame, String> {
        let (began, mut last) = (Instant::now(), None);
        while began.elapsed() < Duration::from_secs(15) {
            match self.frames.recv_timeout(Duration::from_secs(1)) {
                Ok(frame) => last = Some(frame),
                Err(_) => return last.ok_or_else(|| "there was no frame at all".into()),
            }
        }
        Err("frames go on".into())
    }
}
