//! Core 0: snapshots → light → strip. It waits only for the wire.

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Instant, Timer};
use k1_device::dimmer::Dimmer;
use k1_device::exchange::Settings;
use k1_device::frame::{Showing, Zone};
use k1_device::pace::{Spacing, WireClock, wire_us};
use k1_device::settings::{Hardware, MOST_CHANNELS, MOST_LEDS, StripSettings};
use k1_engine::light::White;
use k1_handoff::RingWriter;

use crate::board::Strip;
use crate::{FRAME_WORDS, FrameRing, Lamp, Show, now_us};

/// Minimum interval between two frames for pages, in µs; a strip may get more frames.
const SCREEN_INTERVAL_US: u64 = 8_000;

/// Shows frame after frame. `core` is the core's number from the hardware. Never returns.
pub async fn show(
    lamp: &'static Lamp,
    core: u32,
    show: &'static mut Show,
    mut strip: impl Strip,
    hardware: Hardware,
    settings: StripSettings,
    look: Settings,
) -> ! {
    let (Some(owner), Some(mut screen), Some(mut wire_out)) =
        (lamp.crossing.take_owner(look), lamp.screen.take_writer(), lamp.wire.take_writer())
    else {
        panic!("the renderer was started twice");
    };
    let leds = usize::from(hardware.leds);
    let bytes = leds * settings.channels();
    let period = wire_us(bytes, hardware.reset_us);
    show.output.set_white(settings.white.unwrap_or(White::None));
    lamp.wire_us.store(period as u32, Relaxed);
    lamp.leds.store(leds as u32, Relaxed);
    lamp.due_millihertz.store((1_000_000_000 / period) as u32, Relaxed);
    lamp.shows_on.store(core + 1, Relaxed);
    let mut showing = Showing::new(Zone::new(show, owner).on(settings.shape), lamp.crossing.sound(), period);
    let mut dimmer = Dimmer::new(&lamp.dim);
    let mut for_screens = Spacing::new(SCREEN_INTERVAL_US);
    let mut buffer = [0; MOST_LEDS * MOST_CHANNELS];
    loop {
        let began = now_us();
        let dim = dimmer.factor(&lamp.dim, began);
        let has_changed = showing.frame(began, false, lamp.meters, now_us, |zone| {
            zone.dim(dim);
            let picture = zone.picture();
            let (pixels, _) = buffer[..leds * 3].as_chunks_mut();
            if for_screens.is_due(began) {
                picture.screen(pixels);
                publish(&mut screen, began, pixels);
            }
            picture.wire(pixels);
            publish(&mut wire_out, began, pixels);
            if settings.white.is_some() {
                let (pixels, _) = buffer[..bytes].as_chunks_mut();
                picture.wire_with_white(pixels);
                for [r, g, b, _] in pixels {
                    [*r, *g, *b] = hardware.order.place([*r, *g, *b]);
                }
            } else {
                pixels.iter_mut().for_each(|pixel| *pixel = hardware.order.place(*pixel));
            }
            // The strip takes every frame.
            0
        });
        if has_changed {
            lamp.changed.signal(());
        }
        // The frame goes onto the wire as soon as the previous one has left it; the next is rendered during that time.
        if strip.send(&buffer[..bytes]).await.is_err() {
            lamp.strip_underruns.fetch_add(1, Relaxed);
            // A strip that refuses immediately must not occupy the core.
            Timer::after(Duration::from_micros(period)).await;
        }
    }
}

/// Publishes a frame: time in two words, number of LEDs, pixels.
fn publish(ring: &mut RingWriter<&'static FrameRing>, at_us: u64, pixels: &[[u8; 3]]) {
    let mut words = [0; FRAME_WORDS];
    words[0] = at_us as u32;
    words[1] = (at_us >> 32) as u32;
    words[2] = pixels.len() as u32;
    for (word, bytes) in words[3..].iter_mut().zip(pixels.as_flattened().chunks(4)) {
        let mut four = [0; 4];
        four[..bytes.len()].copy_from_slice(bytes);
        *word = u32::from_le_bytes(four);
    }
    ring.publish(&words);
}

/// Unpacks the colours of a frame into `bytes`, which may be fewer.
pub fn unpack(words: &[u32; FRAME_WORDS], bytes: &mut [u8]) {
    for (bytes, word) in bytes.chunks_mut(4).zip(&words[3..]) {
        bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
    }
}

/// Time of a frame in µs.
pub fn at_us(words: &[u32; FRAME_WORDS]) -> u64 {
    u64::from(words[0]) | u64::from(words[1]) << 32
}

/// Number of LEDs of a frame.
pub fn leds(words: &[u32; FRAME_WORDS]) -> usize {
    (words[2] as usize).min(MOST_LEDS)
}

/// The timing of a strip's wire, for boards that send their light only over the network, and for drivers that must keep
/// the pause between frames.
#[derive(Clone, Copy, Debug)]
pub struct Wire(WireClock);

impl Wire {
    /// A wire for frames of `bytes` with a pause of `reset_us` between them.
    pub const fn new(bytes: usize, reset_us: u16) -> Self {
        Self(WireClock::new(bytes, reset_us))
    }

    /// Waits until the wire is free and takes it for one frame.
    pub async fn take(&mut self) {
        Timer::at(Instant::from_micros(self.0.free_at_us())).await;
        self.0.take(now_us());
    }
}
