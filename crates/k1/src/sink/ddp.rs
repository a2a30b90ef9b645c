//! Light over the network to lights that people already own.

use std::io;
use std::net::{ToSocketAddrs, UdpSocket};

use k1_wire::ddp::{MAX_PACKET, Sender};

use super::Sink;

/// A DDP receiver somewhere.
pub struct DdpSink {
    socket: UdpSocket,
    sender: Sender,
    buffer: Box<[u8; MAX_PACKET]>,
}

impl DdpSink {
    /// Finds the host and prepares the socket; a host that is off is not an error, UDP does not know.
    pub fn open(host: &str, port: u16) -> Result<Self, String> {
        let address = (host, port)
            .to_socket_addrs()
            .ok()
            .and_then(|mut a| a.next())
            .ok_or_else(|| format!("the light {host} is not found; check its name or use its address"))?;
        let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local)
            .and_then(|s| s.connect(address).map(|()| s))
            .map_err(|e| format!("the light {host} cannot be reached: {e}"))?;
        Ok(Self { socket, sender: Sender::default(), buffer: Box::new([0; MAX_PACKET]) })
    }
}

impl Sink for DdpSink {
    fn show(&mut self, wire: &[[u8; 3]], _: &[[u8; 3]]) -> io::Result<()> {
        let socket = &self.socket;
        self.sender.frame(wire, &mut self.buffer, |packet| socket.send(packet).map(|_| ()))
    }

    fn dark(&mut self, leds: usize) -> io::Result<()> {
        // UDP may lose one; three dark frames are not all lost.
        let black = vec![[0; 3]; leds];
        for _ in 0..3 {
            self.show(&black, &[])?;
            std::thread::sleep(std::time::Duration::from_millis(4));
        }
        Ok(())
    }
}
