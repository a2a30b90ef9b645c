//! WS2812 or SK6812 over SPI: DMA feeds the wire, so that load on a core cannot tear a frame. [`k1_device::ws2812`] has the bits.

use embassy_time::{Duration, with_timeout};
use esp_hal::dma::DmaTxBuf;
use esp_hal::gpio::AnyPin;
use esp_hal::peripherals::SPI2;
use esp_hal::spi::Mode;
use esp_hal::spi::master::{Config, ConfigError, Spi, SpiDma, SpiDmaTransfer};
use esp_hal::time::Rate;
use esp_hal::{Async, dma_tx_buffer};
use k1_device::pace::wire_us;
use k1_device::settings::{Hardware, StripSettings};
use k1_device::ws2812::{BUS_HZ, LONGEST, encode};
use k1_lamp::board::{Strip, StripFault};
use k1_lamp::show::Wire;

use crate::dma::StripDma;

/// The hardware that a strip uses.
pub struct Parts {
    /// SPI bus.
    pub spi: SPI2<'static>,
    /// DMA channel that feeds the bus.
    pub dma: StripDma,
    /// Pin of the strip's data line.
    pub pin: AnyPin<'static>,
}

enum State {
    Idle(SpiDma<'static, Async>, DmaTxBuf),
    Sending(SpiDmaTransfer<'static, Async, DmaTxBuf>),
}

/// A strip of WS2812 or SK6812.
pub struct Ws2812 {
    /// Always `Some` between calls.
    state: Option<State>,
    wire: Wire,
    bound: Duration,
}

impl Ws2812 {
    /// Creates the strip. Call this on the core that sends, because it binds interrupts of that core.
    ///
    /// # Errors
    ///
    /// If the bus does not support this clock.
    pub fn new(parts: Parts, hardware: &Hardware, settings: &StripSettings) -> Result<Self, ConfigError> {
        let config = Config::default().with_frequency(Rate::from_hz(BUS_HZ)).with_mode(Mode::_0);
        let spi = Spi::new(parts.spi, config)?.with_mosi(parts.pin).with_dma(parts.dma).into_async();
        let Ok(buffer) = dma_tx_buffer!(LONGEST) else { panic!("the strip's buffer does not suit its DMA") };
        let bytes = usize::from(hardware.leds) * settings.channels();
        Ok(Self {
            state: Some(State::Idle(spi, buffer)),
            wire: Wire::new(bytes, hardware.reset_us),
            bound: Duration::from_micros(2 * wire_us(bytes, hardware.reset_us) + 10_000),
        })
    }
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
