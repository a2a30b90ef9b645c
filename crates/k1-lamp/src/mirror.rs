//! Sends frames to a network light, by DDP. Only the newest frame is sent; a slow network does not slow down the strip.

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, Stack};
use embassy_time::{Duration, Ticker, with_timeout};
use k1_device::settings::MOST_LEDS;
use k1_handoff::Read;
use k1_wire::ddp;

use crate::show::{leds, unpack};
use crate::{FRAME_WORDS, Lamp};

/// Length of the longest packet: a lamp's frame fits into one.
const MOST: usize = ddp::HEADER + MOST_LEDS * 3;
const _: () = assert!(MOST <= ddp::MAX_PACKET);

/// Interval between two looks for a new frame, shorter than a frame on any wire.
const GLANCE: Duration = Duration::from_millis(2);

/// Sends each new frame, and reads the settings every second. Never returns.
pub async fn mirror(lamp: &'static Lamp, stack: Stack<'static>) -> ! {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 1], [PacketMetadata::EMPTY; 4]);
    let (mut rx, mut tx) = ([0; 16], [0; MOST]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    while socket.bind(ddp::PORT).is_err() {
        embassy_time::Timer::after_secs(1).await;
    }
    let frames = lamp.wire.reader();
    let mut words = [0; FRAME_WORDS];
    let mut sender = ddp::Sender::default();
    let mut ticker = Ticker::every(GLANCE);
    let (mut last, mut glances, mut to) = (0, 0_u32, None);
    loop {
        if glances.is_multiple_of(256) {
            to = lamp.look(|s| s.memory.hardware.mirror());
        }
        glances = glances.wrapping_add(1);
        ticker.next().await;
        let Some(to) = to else { continue };
        let Read::Fresh { sequence: number, .. } = frames.read(&mut words) else { continue };
        if number == last {
            continue;
        }
        last = number;
        let endpoint = IpEndpoint::new(IpAddress::Ipv4(*to.ip()), to.port());
        let length = ddp::HEADER + leds(&words) * 3;
        // Written where the network takes it from, because a second copy would need memory for ever.
        let write = |packet: &mut [u8]| {
            let (head, pixels) = packet.split_at_mut(ddp::HEADER);
            head.copy_from_slice(&sender.header(0, pixels.len(), true));
            unpack(&words, pixels);
            (length, ())
        };
        // It is not an error if the light is off, so nothing waits for it.
        let _ = with_timeout(GLANCE, socket.send_to_with(length, endpoint, write)).await;
    }
}
