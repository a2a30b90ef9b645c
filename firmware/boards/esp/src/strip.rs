//! WS2812 through SPI: DMA feeds the wire, so that no load on a core can tear a frame.
//!
//! Each bit of the wire is four bits of 312.5 ns: 1000 is a zero, 1110 a one, 30 µs for an LED.

use embassy_time::{Duration, with_timeout};
use esp_hal::dma::DmaTxBuf;
use esp_hal::gpio::AnyPin;
use esp_hal::peripherals::SPI2;
use esp_hal::spi::Mode;
use esp_hal::spi::master::{Config, ConfigError, Spi, SpiDma, SpiDmaTransfer};
use esp_hal::time::Rate;
use esp_hal::{Async, dma_tx_buffer};
use k1_device::pace::wire_us;
use k1_device::settings::{Hardware, MOST_LEDS};
use k1_lamp::board::{Strip, StripFault};
use k1_lamp::show::Wire;

use crate::dma::StripDma;

/// Bits of the bus: four to one of the wire.
const CLOCK: Rate = Rate::from_khz(3_200);
/// Bytes of the bus for one of the wire.
const BYTES: usize = 4;
/// Zeros after a frame: whatever the bus holds between transfers, the line is low before the pause begins.
const TAIL: usize = 4;
/// Longest transfer.
const MOST: usize = MOST_LEDS * 3 * BYTES + TAIL;

/// What a strip is made of.
pub struct Parts {
    /// The bus.
    pub spi: SPI2<'static>,
    /// What feeds it.
    pub dma: StripDma,
    /// The line to the strip.
    pub pin: AnyPin<'static>,
}

enum State {
    Idle(SpiDma<'static, Async>, DmaTxBuf),
    Sending(SpiDmaTransfer<'static, Async, DmaTxBuf>),
}

/// A strip of WS2812.
pub struct Ws2812 {
    /// Always there between calls.
    state: Option<State>,
    wire: Wire,
    bound: Duration,
}

impl Ws2812 {
    /// Makes the strip; on the core that will send, whose interrupts it binds.
    ///
    /// # Errors
    ///
    /// If the bus cannot have this clock.
    pub fn new(parts: Parts, hardware: &Hardware) -> Result<Self, ConfigError> {
        let config = Config::default().with_frequency(CLOCK).with_mode(Mode::_0);
        let spi = Spi::new(parts.spi, config)?.with_mosi(parts.pin).with_dma(parts.dma).into_async();
        let Ok(buffer) = dma_tx_buffer!(MOST) else { panic!("the strip's buffer does not suit its DMA") };
        let leds = usize::from(hardware.leds);
        Ok(Self {
            state: Some(State::Idle(spi, buffer)),
            wire: Wire::new(leds, hardware.reset_us),
            bound: Duration::from_micros(2 * wire_us(leds, hardware.reset_us) + 10_000),
        })
    }
}

/// Four bits of the wire as they stand on the bus.
const fn stretch(nibble: u8) -> [u8; 2] {
    let mut word = 0_u16;
    let mut bit = 0;
    while bit < 4 {
        let four = if nibble >> bit & 1 == 1 { 0b1110 } else { 0b1000 };
        word |= four << (4 * bit);
        bit += 1;
    }
    word.to_be_bytes()
}

static NIBBLES: [[u8; 2]; 16] = {
    let mut all = [[0; 2]; 16];
    let mut i = 0;
    while i < 16 {
        all[i] = stretch(i as u8);
        i += 1;
    }
    all
};

/// Stretches a frame into the bus's buffer; its length there.
fn encode(bytes: &[u8], place: &mut [u8]) -> usize {
    let length = bytes.len() * BYTES;
    for (four, byte) in place.chunks_exact_mut(BYTES).zip(bytes) {
        four[..2].copy_from_slice(&NIBBLES[usize::from(byte >> 4)]);
        four[2..].copy_from_slice(&NIBBLES[usize::from(byte & 15)]);
    }
    place[length..length + TAIL].fill(0);
    length + TAIL
}

impl Strip for Ws2812 {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), StripFault> {
        let (spi, mut buffer, torn) = match self.state.take() {
            Some(State::Idle(spi, buffer)) => (spi, buffer, false),
            Some(State::Sending(mut transfer)) => {
                let torn = with_timeout(self.bound, transfer.wait_for_done()).await.is_err();
                if torn {
                    transfer.cancel();
                }
                let (spi, buffer) = transfer.wait();
                (spi, buffer, torn)
            }
            None => return Err(StripFault),
        };
        let bytes = &bytes[..bytes.len().min(MOST_LEDS * 3)];
        let length = encode(bytes, buffer.as_mut_slice());
        buffer.set_length(length);
        self.wire.take().await;
        let (state, refused) = match spi.write_buffer(length, buffer) {
            Ok(transfer) => (State::Sending(transfer), false),
            Err((_, spi, buffer)) => (State::Idle(spi, buffer), true),
        };
        self.state = Some(state);
        if torn || refused { Err(StripFault) } else { Ok(()) }
    }
}
