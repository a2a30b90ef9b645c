//! Core 0: snapshots → light → strip. It waits for nothing but the wire.

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Instant, Timer};
use k1_device::exchange::{Outcome, Settings};
use k1_device::meter::Count;
use k1_device::settings::{Hardware, MOST_LEDS};
use k1_engine::params::Param;
use k1_handoff::RingWriter;

use crate::board::{Strip, wire_us};
use crate::{FRAME_WORDS, FrameRing, Lamp, Show, now_us};

/// Pages get at most so many frames a second; a strip may get more.
const SCREEN_INTERVAL_US: u64 = 8_000;

/// Shows for ever. `core` is what the hardware says.
pub async fn show(
    lamp: &'static Lamp,
    core: u32,
    show: &'static mut Show,
    mut strip: impl Strip,
    hardware: Hardware,
    look: Settings,
) -> ! {
    let (Some(mut owner), Some(mut screen), Some(mut wire_out)) =
        (lamp.crossing.take_owner(look), lamp.screen.take_writer(), lamp.wire.take_writer())
    else {
        panic!("the renderer was started twice");
    };
    let mut sound = lamp.crossing.sound();
    let leds = usize::from(hardware.leds);
    let period = wire_us(leds, hardware.reset_us);
    lamp.leds.store(leds as u32, Relaxed);
    lamp.due_millihertz.store((1_000_000_000 / period) as u32, Relaxed);
    lamp.shows_on.store(core + 1, Relaxed);
    show.set_params(look.params);
    show.cut_to(look.pattern);

    let mut pixels = [[0; 3]; MOST_LEDS];
    let mut bytes = [0; MOST_LEDS * 3];
    let mut before: Option<u64> = None;
    let mut next_screen = 0;
    loop {
        let began = now_us();
        if owner.update() {
            let settings = *owner.settings();
            show.set_params(settings.params);
            show.select(settings.pattern);
            lamp.changed.signal(());
        }
        let m = &lamp.meters;
        match sound.read() {
            Outcome::Read(retries) => m.count(Count::Retries, retries.into()),
            Outcome::Contended => m.count(Count::Contended, 1),
            Outcome::Torn => m.count(Count::Torn, 1),
            Outcome::Empty => {}
        }
        let heard = sound.snapshot();
        if heard.sequence > 0 {
            m.age.add(began.saturating_sub(heard.captured_us));
        }
        show.render(began, heard);
        let pixels = &mut pixels[..leds];
        show.output.wire(show.params().get(Param::Dithering) >= 0.5, pixels);
        publish(&mut wire_out, began, pixels);
        for (place, pixel) in bytes.chunks_exact_mut(3).zip(&*pixels) {
            place.copy_from_slice(&hardware.order.place(*pixel));
        }
        if began >= next_screen {
            next_screen = began + SCREEN_INTERVAL_US;
            show.output.screen(pixels);
            publish(&mut screen, began, pixels);
        }
        m.count(Count::RenderTenths, ((now_us() - began) * 10) as u32);

        // The frame goes onto the wire as soon as the one before has left it; the next is rendered meanwhile.
        if strip.send(&bytes[..leds * 3]).await.is_err() {
            lamp.strip_underruns.fetch_add(1, Relaxed);
            // A strip that refuses at once must not take the core for itself.
            Timer::after(Duration::from_micros(period)).await;
        }
        let now = now_us();
        if let Some(before) = before {
            m.frame_began(now - before, period);
        }
        before = Some(now);
        m.count(Count::Frames, 1);
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

/// A frame from its words: time, and pixels into `pixels`; the number of LEDs.
pub fn unpack(words: &[u32; FRAME_WORDS], pixels: &mut [[u8; 3]; MOST_LEDS]) -> (u64, usize) {
    let flat = pixels.as_flattened_mut();
    for (bytes, word) in flat.chunks_mut(4).zip(&words[3..]) {
        bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
    }
    (u64::from(words[0]) | u64::from(words[1]) << 32, (words[2] as usize).min(MOST_LEDS))
}

/// The wire of a strip as time: for boards whose light leaves by network only, and for any driver that must keep the
/// pause between frames.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    free_at: Instant,
    period: Duration,
}

impl Wire {
    /// A wire for a number of LEDs.
    pub fn new(leds: usize, reset_us: u16) -> Self {
        Self { free_at: Instant::MIN, period: Duration::from_micros(wire_us(leds, reset_us)) }
    }

    /// Waits until the wire is free and takes it for one frame.
    pub async fn take(&mut self) {
        Timer::at(self.free_at).await;
        // Frames follow each other on the wire's own clock; after a pause it starts anew.
        let now = Instant::now();
        let start =
            if now.saturating_duration_since(self.free_at) < self.period { self.free_at } else { now };
        self.free_at = start + self.period;
    }
}
