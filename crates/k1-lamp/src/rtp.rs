//! Sound from the network: RTP, L16, 16 kHz, mono. For boards without a microphone it feeds the ear as a microphone
//! does.

use core::sync::atomic::Ordering::Relaxed;

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, with_deadline};
use k1_device::meter::Count;
use k1_engine::{HOP, SAMPLE_RATE};
use k1_wire::rtp::{self, Meaning, Order, Packet};

use crate::board::{Microphone, MicrophoneFault};
use crate::{Lamp, now_us};

/// UDP port of the sound.
pub const PORT: u16 = 5004;
/// Size of the queue of samples, which holds 128 ms.
pub const QUEUE: usize = 2_049;

/// The queue of samples, with the signal that wakes the ear.
pub struct Line {
    arrived: Signal<CriticalSectionRawMutex, ()>,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// A line on which nothing has arrived.
    pub const fn new() -> Self {
        Self { arrived: Signal::new() }
    }
}

/// The ear's end of a line.
pub struct RtpMicrophone {
    line: &'static Line,
    samples: heapless::spsc::Consumer<'static, i16>,
}

impl RtpMicrophone {
    /// The ear's end of `line`.
    pub fn new(line: &'static Line, samples: heapless::spsc::Consumer<'static, i16>) -> Self {
        Self { line, samples }
    }
}

impl Microphone for RtpMicrophone {
    async fn read(&mut self, hop: &mut [f32; HOP], bound: Duration) -> Result<u64, MicrophoneFault> {
        let until = Instant::now() + bound;
        while self.samples.len() < HOP {
            with_deadline(until, self.line.arrived.wait()).await.map_err(|_| MicrophoneFault::Timeout)?;
        }
        let waiting = (self.samples.len() - HOP) as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
        for sample in hop.iter_mut() {
            *sample = rtp::to_float(self.samples.dequeue().unwrap_or_default());
        }
        Ok(now_us().saturating_sub(waiting))
    }

    fn take_overruns(&mut self) -> u32 {
        // The receiver counts samples for which there was no room.
        0
    }
}

/// Receives sound. Never returns.
pub async fn receive(
    lamp: &'static Lamp,
    stack: Stack<'static>,
    line: &'static Line,
    mut samples: heapless::spsc::Producer<'static, i16>,
) -> ! {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 16], [PacketMetadata::EMPTY; 1]);
    let (mut rx, mut tx) = ([0; 4_096], [0; 16]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    while socket.bind(PORT).is_err() {
        embassy_time::Timer::after_secs(1).await;
    }
    let mut order = Order::default();
    loop {
        socket
            .recv_from_with(|bytes, _| {
                let Ok(packet) = Packet::parse(bytes) else {
                    lamp.malformed.fetch_add(1, Relaxed);
                    return;
                };
                let Meaning::Take { lost } = order.judge(&packet, now_us()) else { return };
                let silence = core::iter::repeat_n(0, lost as usize);
                let refused =
                    silence.chain(packet.samples()).filter(|s| samples.enqueue(*s).is_err()).count();
                if refused > 0 {
                    lamp.meters.count(Count::Overruns, refused.div_ceil(HOP) as u32);
                }
                line.arrived.signal(());
            })
            .await;
    }
}
