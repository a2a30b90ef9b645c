//! Plays sound to a lamp: by RTP if it hears the network, by the computer's loudspeaker if it has a microphone.

use std::io::Write;
use std::net::{Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};

use k1_engine::{HOP, SAMPLE_RATE};
use k1_wire::rtp;

use super::address::Address;

/// UDP port for sound to lamps without a microphone.
const PORT: u16 = 5004;
/// Program that plays raw samples; part of PulseAudio and of PipeWire.
const PLAYER: &str = "pacat";

/// A way to play sound to a lamp.
pub enum Playback {
    /// Over the network.
    Rtp(Rtp),
    /// By loudspeaker.
    Loudspeaker(Loudspeaker),
}

/// RTP packets to one lamp.
pub struct Rtp {
    socket: UdpSocket,
    /// Differs between programs, because a lamp follows one source.
    source: u32,
    sent: u32,
}

/// A player program that receives samples.
pub struct Loudspeaker {
    player: Child,
    samples: Option<ChildStdin>,
}

impl Rtp {
    /// Sends to an address.
    ///
    /// # Errors
    ///
    /// Those of the network, or of the system if it provides no random numbers.
    pub fn new(to: impl ToSocketAddrs) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(to)?;
        Ok(Self { socket, source: getrandom::u32().map_err(std::io::Error::other)?, sent: 0 })
    }

    /// Sends a hop.
    pub fn play(&mut self, hop: &[f32; HOP]) {
        let timestamp = self.sent.wrapping_mul(HOP as u32);
        let mut packet = rtp::write_header(self.sent as u16, timestamp, self.source).to_vec();
        packet.extend(hop.iter().flat_map(|s| ((s.clamp(-1.0, 1.0) * 32_767.0) as i16).to_be_bytes()));
        // The lamp may not listen yet, which is not an error.
        let _ = self.socket.send(&packet);
        self.sent += 1;
    }
}

impl Playback {
    /// The way to a lamp whose source of sound is named `source`; `None` if the lamp plays a recording to itself
    /// ([`super::test_signal`]).
    ///
    /// # Errors
    ///
    /// A sentence that says what is missing.
    pub fn to(address: &Address, source: &str) -> Result<Option<Self>, String> {
        let host = address.authority.rsplit_once(':').map_or(&*address.authority, |(host, _)| host);
        let rtp = match address.sound {
            _ if source.contains("tape") => return Ok(None),
            Some(port) => Some(Rtp::new((Ipv4Addr::LOCALHOST, port))),
            None if source.contains("RTP") => Some(Rtp::new((host.trim_matches(['[', ']']), PORT))),
            None => None,
        };
        let playback = match rtp {
            Some(rtp) => {
                rtp.map(Self::Rtp).map_err(|e| format!("{} cannot be sent sound: {e}", address.label))
            }
            None => Loudspeaker::new().map(Self::Loudspeaker),
        };
        playback.map(Some)
    }

    /// Plays a hop.
    ///
    /// # Errors
    ///
    /// A sentence if the loudspeaker has stopped.
    pub fn play(&mut self, hop: &[f32; HOP]) -> Result<(), String> {
        match self {
            Self::Rtp(rtp) => {
                rtp.play(hop);
                Ok(())
            }
            Self::Loudspeaker(speaker) => speaker.play(hop),
        }
    }
}

impl Loudspeaker {
    fn new() -> Result<Self, String> {
        let mut player = Command::new(PLAYER)
            .args(["--playback", "--raw", "--format=s16le", "--channels=1", "--latency-msec=50"])
            .arg(format!("--rate={SAMPLE_RATE}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| {
                format!(
                    "the lamp has a microphone, and this computer cannot play to it: {PLAYER} does not start ({e}); \
                     on Debian: apt install pulseaudio-utils"
                )
            })?;
        let samples = player.stdin.take();
        Ok(Self { player, samples })
    }

    fn play(&mut self, hop: &[f32; HOP]) -> Result<(), String> {
        let bytes: Vec<u8> =
            hop.iter().flat_map(|s| ((s.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes()).collect();
        let samples = self.samples.as_mut().ok_or("the loudspeaker has no input")?;
        samples.write_all(&bytes).map_err(|e| {
            format!(
                "the loudspeaker has stopped ({e}); is there a sound server with an output? See `pactl info`"
            )
        })
    }
}

impl Drop for Loudspeaker {
    fn drop(&mut self) {
        self.samples = None;
        let _ = self.player.kill();
        let _ = self.player.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_player_is_a_source_of_its_own() {
        let lamp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        lamp.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let sources = [(); 2].map(|()| {
            let mut player = Rtp::new(lamp.local_addr().unwrap()).unwrap();
            [(); 2].map(|()| {
                player.play(&[0.0; HOP]);
                let mut packet = [0; 1_000];
                let n = lamp.recv(&mut packet).unwrap();
                rtp::Packet::parse(&packet[..n]).unwrap().source
            })
        });
        assert!(sources[0][0] == sources[0][1] && sources[1][0] == sources[1][1], "{sources:x?}");
        assert_ne!(sources[0][0], sources[1][0]);
    }
}
