//! Lights on a serial port. K1 opens the port again when its cable was pulled and is back.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k1_device::answers::LightState;
use k1_fleet::port::{self, Port};
use k1_wire::serial::{TPM2_END, adalight_header, tpm2_header};

use super::light::{Light, LightStatus};
use super::{Frame, Sink, Stop};

/// Pause between two attempts to open the port.
const AGAIN: Duration = Duration::from_secs(2);
/// Time beyond that of a frame after which a port that takes nothing counts as gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the light at the other end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Adalight, as WLED, Hyperion's and Prismatik's sketches do.
    Adalight,
    /// TPM2, as WLED does.
    Tpm2,
}

impl Speech {
    /// Name of its target.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Adalight => "adalight",
            Self::Tpm2 => "tpm2",
        }
    }

    /// Writes a frame into `bytes`. Empty if it has more LEDs than a frame can have.
    fn frame(self, channels: &[u8], bytes: &mut Vec<u8>) {
        bytes.clear();
        match self {
            Self::Adalight => bytes.extend(adalight_header(channels.len() / 3).iter().flatten()),
            Self::Tpm2 => bytes.extend(tpm2_header(channels.len()).iter().flatten()),
        }
        if bytes.is_empty() {
            return;
        }
        bytes.extend_from_slice(channels);
        if self == Self::Tpm2 {
            bytes.push(TPM2_END);
        }
    }
}

/// A light on a port, or on one that is not there yet.
pub struct SerialSink {
    light: Arc<Light>,
    path: String,
    baud: u32,
    speech: Speech,
    port: Option<Port>,
    open_at: Instant,
    bytes: Vec<u8>,
}

impl SerialSink {
    /// A light on a port, which is opened later.
    pub fn new(path: &str, baud: u32, speech: Speech, light: Arc<Light>) -> Self {
        let (port, bytes) = (None, Vec::new());
        Self { light, path: path.to_owned(), baud, speech, port, open_at: Instant::now(), bytes }
    }

    /// Opens the port when that is due.
    fn open(&mut self) {
        if self.port.is_some() || Instant::now() < self.open_at {
            return;
        }
        self.open_at = Instant::now() + AGAIN;
        // Ten bits for each byte.
        let frame = Duration::from_secs_f64(self.bytes.len() as f64 * 10.0 / f64::from(self.baud));
        match port::open(&self.path, self.baud, PATIENCE + frame) {
            Ok(port) => {
                self.port = Some(port);
                let address = Some(self.path.clone());
                self.light.stands(LightStatus { state: LightState::Shining, reason: None, address });
            }
            Err(why) => self.is_away(why),
        }
    }

    fn is_away(&mut self, why: String) {
        self.port = None;
        self.light.stands(LightStatus { state: LightState::Unreachable, reason: Some(why), address: None });
    }

    fn send(&mut self, channels: &[u8]) -> io::Result<()> {
        self.speech.frame(channels, &mut self.bytes);
        self.open();
        let Some(port) = &mut self.port else { return Err(ErrorKind::NotConnected.into()) };
        // Wait until the frame is out: a frame that waits in the system's buffer would be late.
        let sent = port.write_all(&self.bytes).and_then(|()| port.flush());
        match &sent {
            Ok(()) => self.light.sent(),
            Err(e) => {
                self.is_away(format!("{} does not take frames any longer: {e}; is its cable in?", self.path))
            }
        }
        sent
    }
}

impl Sink for SerialSink {
    fn show(&mut self, frame: &Frame) -> io::Result<()> {
        self.send(frame.channels)
    }

    fn tend(&mut self) {
        self.open();
        self.light.tick();
    }

    fn end(&mut self, stop: Stop, last: &[u8]) -> io::Result<()> {
        if stop == Stop::Dark && self.port.is_some() { self.send(last) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_form_of_their_protocol() {
        let mut bytes = Vec::new();
        Speech::Adalight.frame(&[1, 2, 3], &mut bytes);
        assert_eq!(bytes, b"Ada\x00\x00\x55\x01\x02\x03");
        Speech::Tpm2.frame(&[1, 2, 3], &mut bytes);
        assert_eq!(bytes, b"\xc9\xda\x00\x03\x01\x02\x03\x36");
        Speech::Tpm2.frame(&[0; 65_536], &mut bytes);
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_port_that_is_not_there_is_unreachable_with_a_remedy() {
        let light = Arc::new(Light::new("adalight:/dev/no-such-port".into()));
        let mut sink = SerialSink::new("/dev/no-such-port", 115_200, Speech::Adalight, light.clone());
        let began = Instant::now();
        for _ in 0..100 {
            assert!(sink.show(&Frame { light: &[], channels: &[1, 2, 3] }).is_err());
        }
        assert!(began.elapsed() < AGAIN, "it does not wait");
        let status = light.status();
        assert_eq!(status.state, LightState::Unreachable);
        assert!(status.reason.unwrap().contains("is the cable in"), "a remedy");
        assert!(sink.end(Stop::Dark, &[0; 3]).is_ok(), "an absent light does not delay the end");
    }
}
