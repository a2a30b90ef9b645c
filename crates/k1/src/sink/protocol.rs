//! What lights on the network speak: a frame's channels as packets.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use k1_wire::pixel::Pixel;
use k1_wire::{artnet, ddp, sacn, wled};

use super::Stop;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To the light.
    Light,
    /// To a multicast group, at the light's port.
    Group(Ipv4Addr),
}

/// Sends one packet.
pub type Send<'a> = &'a mut dyn FnMut(To, &[u8]) -> io::Result<()>;

/// A protocol with its state, such as sequence numbers.
pub trait Protocol: std::marker::Send {
    /// Sends the packets of a frame.
    fn frame(&mut self, channels: &[u8], send: Send) -> io::Result<()>;

    /// Sends what is due between frames.
    fn tend(&mut self, _now: Instant, _send: Send) {}

    /// Tells the light that no frame follows `last`.
    fn end(&mut self, _stop: Stop, _last: &[u8], _send: Send) -> io::Result<()> {
        Ok(())
    }
}

/// DDP with its sequence number.
pub struct Ddp {
    sender: ddp::Sender,
    buffer: Box<[u8; ddp::MAX_PACKET]>,
}

impl Ddp {
    /// DDP for pixels of this size.
    pub fn new(pixel: Pixel) -> Self {
        Self { sender: ddp::Sender::new(pixel), buffer: Box::new([0; ddp::MAX_PACKET]) }
    }
}

impl Protocol for Ddp {
    fn frame(&mut self, channels: &[u8], send: Send) -> io::Result<()> {
        self.sender.frame(channels, &mut self.buffer, |packet| send(To::Light, packet))
    }
}

/// Art-Net with its sequence number.
pub struct ArtNet {
    sender: artnet::Sender,
    buffer: Box<[u8; artnet::MAX_PACKET]>,
}

impl ArtNet {
    /// Art-Net that this sender numbers.
    pub fn new(sender: artnet::Sender) -> Self {
        Self { sender, buffer: Box::new([0; artnet::MAX_PACKET]) }
    }
}

impl Protocol for ArtNet {
    fn frame(&mut self, channels: &[u8], send: Send) -> io::Result<()> {
        self.sender.frame(channels, &mut self.buffer, |packet| send(To::Light, packet))
    }
}

/// sACN, to the groups of its universes or to one host.
pub struct Sacn {
    sender: sacn::Sender,
    is_multicast: bool,
    buffer: Box<[u8; sacn::MAX_PACKET]>,
    /// Number of channels of the last frame; `None` before the first one.
    channels: Option<usize>,
    list_at: Option<Instant>,
}

impl Sacn {
    /// sACN that this sender numbers.
    pub fn new(sender: sacn::Sender, is_multicast: bool) -> Self {
        let buffer = Box::new([0; sacn::MAX_PACKET]);
        Self { sender, is_multicast, buffer, channels: None, list_at: None }
    }

    fn to(is_multicast: bool, universe: u16) -> To {
        if is_multicast { To::Group(sacn::group(universe).into()) } else { To::Light }
    }
}

impl Protocol for Sacn {
    fn frame(&mut self, channels: &[u8], send: Send) -> io::Result<()> {
        self.channels = Some(channels.len());
        let is_multicast = self.is_multicast;
        self.sender.frame(channels, &mut self.buffer, |universe, packet| {
            send(Self::to(is_multicast, universe), packet)
        })
    }

    fn tend(&mut self, now: Instant, send: Send) {
        let Some(channels) = self.channels.filter(|_| self.list_at.is_none_or(|at| now >= at)) else {
            return;
        };
        self.list_at = Some(now + Duration::from_secs(sacn::DISCOVERY_S));
        // Lists go to their group, even if the light is a single host. A lost list is followed by the next one.
        let _ = self
            .sender
            .discovery(channels, &mut self.buffer, |universe, packet| send(Self::to(true, universe), packet));
    }

    fn end(&mut self, stop: Stop, last: &[u8], send: Send) -> io::Result<()> {
        if stop == Stop::Hold {
            // Receivers would drop the frame of a terminated stream.
            return Ok(());
        }
        let is_multicast = self.is_multicast;
        self.sender.terminate(last, &mut self.buffer, |universe, packet| {
            send(Self::to(is_multicast, universe), packet)
        })
    }
}

/// WLED's own realtime protocol.
pub struct Wled {
    pixel: Pixel,
    timeout: u8,
    buffer: Box<[u8; wled::MAX_PACKET]>,
}

impl Wled {
    /// WLED that returns to its own effects `timeout` seconds after the last frame.
    pub fn new(pixel: Pixel, timeout: u8) -> Self {
        Self { pixel, timeout, buffer: Box::new([0; wled::MAX_PACKET]) }
    }
}

impl Protocol for Wled {
    fn frame(&mut self, channels: &[u8], send: Send) -> io::Result<()> {
        wled::frame(self.pixel, self.timeout, channels, &mut self.buffer, |packet| send(To::Light, packet))
    }

    fn end(&mut self, stop: Stop, last: &[u8], send: Send) -> io::Result<()> {
        let timeout = if stop == Stop::Release { wled::HAND_BACK } else { wled::FOR_EVER };
        // As often as other last frames.
        (0..3).try_for_each(|_| {
            wled::frame(self.pixel, timeout, last, &mut self.buffer, |packet| send(To::Light, packet))
        })
    }
}
