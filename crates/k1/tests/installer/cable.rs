//! The cable between the page's port and a simulated chip: a WebSocket on one end, a pseudo terminal on the other. When the
//! chip has been restarted without its loader, a simulated lamp is at the other end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tungstenite::{Message, WebSocket};

use super::chip::Chip;
use super::lamp::Lamp;

/// Time for which each end is asked in turn.
const TURN: Duration = Duration::from_millis(1);

/// What is on the desk.
#[derive(Default)]
pub struct Desk {
    /// The chip on the cable; `None` if the cable is pulled or another program uses the port.
    pub chip: Option<Chip>,
    /// The lamp that the chip becomes; `None` while its loader runs.
    pub lamp: Option<Lamp>,
    /// Number of restarts without the loader.
    pub starts: usize,
    pub has_asked_for_loader: bool,
    pub is_held: bool,
}

impl Desk {
    /// The lines of the port. As on the boards, DTR chooses the loader, and the end of RTS lets the chip start.
    fn signals(&mut self, signals: &Value) {
        let is = |name: &str| signals[name].as_bool();
        self.has_asked_for_loader |= is("dataTerminalReady") == Some(true);
        let Some(rts) = is("requestToSend") else { return };
        if self.is_held && !rts {
            match std::mem::take(&mut self.has_asked_for_loader) {
                true => self.lamp = None,
                false => {
                    self.lamp = Some(Lamp::default());
                    self.starts += 1;
                }
            }
        }
        self.is_held = rts;
    }
}

/// The desk, shared with the connections.
#[derive(Clone, Default)]
pub struct Cable(Arc<Mutex<Desk>>);

impl Cable {
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another chip on the cable, in its loader.
    pub fn plug(&self, chip: Chip) {
        *self.desk() = Desk { chip: Some(chip), ..Desk::default() };
    }

    /// Content of the chip's flash.
    pub fn flash(&self) -> Vec<u8> {
        self.desk().chip.as_ref().expect("a chip").flash()
    }

    /// Serves the page's port; returns when page or chip ends it.
    pub fn serve(&self, stream: TcpStream) {
        let port = self.desk().chip.as_ref().map(|chip| chip.port.clone());
        let Some(port) = port.and_then(|port| serialport::new(port, 115_200).timeout(TURN).open().ok())
        else {
            return;
        };
        let Ok(socket) = tungstenite::accept(stream) else { return };
        socket.get_ref().set_read_timeout(Some(TURN)).unwrap();
        // A page that closes the port is no error.
        let _ = self.carry(socket, port);
    }

    fn carry(
        &self,
        mut socket: WebSocket<TcpStream>,
        mut port: Box<dyn serialport::SerialPort>,
    ) -> tungstenite::Result<()> {
        let mut bytes = [0; 4_096];
        loop {
            match socket.read() {
                Ok(Message::Binary(sent)) => {
                    let answer = self.desk().lamp.as_mut().map(|lamp| lamp.hear(&sent));
                    match answer {
                        Some(answer) => socket.send(Message::binary(answer))?,
                        None => port.write_all(&sent)?,
                    }
                }
                Ok(Message::Text(signals)) => {
                    self.desk().signals(&serde_json::from_str(&signals).unwrap());
                    let boot = self.desk().lamp.as_mut().map(Lamp::boot).unwrap_or_default();
                    if !boot.is_empty() {
                        socket.send(Message::binary(boot))?;
                    }
                }
                Ok(Message::Close(_)) => return Ok(()),
                Ok(_) => {}
                Err(tungstenite::Error::Io(e))
                    if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e),
            }
            match port.read(&mut bytes) {
                // The other end of the cable is gone.
                Ok(0) => return Ok(()),
                Ok(n) => socket.send(Message::binary(bytes[..n].to_vec()))?,
                Err(e) if e.kind() == ErrorKind::TimedOut => {}
                Err(_) => return Ok(()),
            }
        }
    }
}
