//! The SPH0645 over I²S: DMA fills a ring of hops, one descriptor for each hop.
//!
//! Master, receive only, no master clock. Of two slots with 32 bits, K1 hears the right one and watches the left one.
//! Word select is inverted and there is no shift by one bit, as in the lamps in the field.

use embassy_time::{Duration, Instant, with_timeout};
use esp_hal::dma::DmaRxStreamBuf;
use esp_hal::gpio::AnyPin;
use esp_hal::i2s::master::{
    Channels, ConfigError, DataFormat, I2s, I2sRx, I2sRxDmaTransfer, Polarity, TdmConfig,
};
use esp_hal::peripherals::I2S0;
use esp_hal::time::Rate;
use esp_hal::{Async, dma_rx_stream_buffer};
use k1_device::microphone::{Alignment, Slots};
use k1_engine::{HOP, HOP_US, SAMPLE_RATE};
use k1_lamp::board::{Microphone, MicrophoneFault};
use k1_lamp::now_us;

use crate::dma::MicrophoneDma;

/// Name of the source of sound.
pub const SOURCE: &str = "I²S microphone";

/// Bytes of a sample on the bus.
const WORD: usize = 4;
/// Bytes of a frame: the left slot and the right one.
const FRAME: usize = 2 * WORD;
/// Bytes of a hop.
const CHUNK: usize = HOP * FRAME;
const _: () = assert!(CHUNK < 1 << 12, "the register for the end of a descriptor has 12 bits");
/// Number of hops in the ring: 64 ms.
const HOPS: usize = 8;
/// Number of unused lower bits of a word; 18 bits are significant.
const IDLE_BITS: u32 = 14;
/// Full scale of the significant bits.
const FULL: f32 = 131_072.0;

/// The hardware that a microphone uses.
pub struct Parts {
    /// I²S bus.
    pub i2s: I2S0<'static>,
    /// DMA channel that reads the bus.
    pub dma: MicrophoneDma,
    /// Bit clock.
    pub bit_clock: AnyPin<'static>,
    /// Word select, which tells the slot.
    pub word_select: AnyPin<'static>,
    /// Data of the microphone.
    pub data: AnyPin<'static>,
}

enum State {
    Idle(I2sRx<'static, Async>, DmaRxStreamBuf),
    Running(I2sRxDmaTransfer<'static, Async, DmaRxStreamBuf>),
}

/// The SPH0645 microphone.
pub struct Sph0645 {
    /// Always `Some` between calls.
    state: Option<State>,
    /// Time at which the last hop was read, in µs; `None` if no hop was read since the bus was started.
    heard_us: Option<u64>,
    overruns: u32,
    slots: Slots,
    alignment: Alignment,
}

impl Sph0645 {
    /// Creates the microphone. Call this on the core that hears, because it binds interrupts of that core.
    ///
    /// # Errors
    ///
    /// If the bus does not support this configuration.
    pub fn new(parts: Parts) -> Result<Self, ConfigError> {
        let config = TdmConfig::new_tdm_philips()
            .with_sample_rate(Rate::from_hz(SAMPLE_RATE))
            .with_data_format(DataFormat::Data32Channel32)
            .with_channels(Channels::STEREO)
            .with_ws_polarity(Polarity::ActiveHigh)
            .with_msb_shift(false);
        let i2s = I2s::new(parts.i2s, parts.dma, config)?.into_async();
        let rx =
            i2s.i2s_rx.with_bclk(parts.bit_clock).with_ws(parts.word_select).with_din(parts.data).build();
        let buffer = dma_rx_stream_buffer!(HOPS * CHUNK, CHUNK);
        Ok(Self {
            state: Some(State::Idle(rx, buffer)),
            heard_us: None,
            overruns: 0,
            slots: Slots::default(),
            alignment: Alignment::default(),
        })
    }

    /// Stops the bus; the next read starts it again.
    fn stop(&mut self) {
        self.state = match self.state.take() {
            Some(State::Running(transfer)) => {
                let (rx, buffer) = transfer.stop();
                Some(State::Idle(rx, buffer))
            }
            other => other,
        };
        self.heard_us = None;
    }

    /// Makes each hop end where its descriptor ends. The HAL sets the number of bytes after which the bus closes a
    /// descriptor to the largest that fits the register, which is not a multiple of a hop; afterwards each hop would end in
    /// the next descriptor and be up to 8 ms late. ESP-IDF sets it to the length of a descriptor, as here.
    fn close_descriptors_with_hops() {
        // SAFETY: the field takes any number of 12 bits, and this microphone alone uses the bus.
        I2S0::regs().rxeof_num().write(|w| unsafe { w.rx_eof_num().bits(CHUNK as u16) });
    }

    /// Starts the bus unless it runs.
    fn start(&mut self) -> Result<&mut I2sRxDmaTransfer<'static, Async, DmaRxStreamBuf>, MicrophoneFault> {
        let running = match self.state.take() {
            Some(State::Idle(rx, buffer)) => match rx.read(buffer) {
                Ok(transfer) => {
                    Self::close_descriptors_with_hops();
                    transfer
                }
                Err((_, rx, buffer)) => {
                    self.state = Some(State::Idle(rx, buffer));
                    return Err(MicrophoneFault::Bus);
                }
            },
            Some(State::Running(transfer)) => transfer,
            None => return Err(MicrophoneFault::Bus),
        };
        match self.state.insert(State::Running(running)) {
            State::Running(transfer) => Ok(transfer),
            State::Idle(..) => Err(MicrophoneFault::Bus),
        }
    }

    /// Counts the hops that were lost because they were not read in time.
    fn count_lost(&mut self) {
        if let Some(heard_us) = self.heard_us {
            self.overruns += (now_us().saturating_sub(heard_us) / HOP_US) as u32;
        }
    }
}

/// The value of a word in steps of the microphone.
fn steps(word: [u8; WORD]) -> i32 {
    i32::from_le_bytes(word) >> IDLE_BITS
}

impl Microphone for Sph0645 {
    async fn read(&mut self, hop: &mut [f32; HOP], bound: Duration) -> Result<u64, MicrophoneFault> {
        let deadline = Instant::now() + bound;
        let mut restarted = false;
        loop {
            let transfer = self.start()?;
            let waiting = transfer.available_bytes();
            if waiting >= CHUNK {
                let mut bytes = [0; CHUNK];
                transfer.pop(&mut bytes);
                for (sample, [left, right]) in hop.iter_mut().zip(bytes.as_chunks().0.as_chunks().0) {
                    self.alignment.word(i32::from_le_bytes(*right));
                    let (left, right) = (steps(*left), steps(*right));
                    self.slots.frame(right, left);
                    *sample = right as f32 / FULL;
                }
                let now = now_us();
                self.heard_us = Some(now);
                // The samples that still wait were captured after this hop.
                let behind = (waiting - CHUNK) / FRAME;
                return Ok(now.saturating_sub(behind as u64 * 1_000_000 / u64::from(SAMPLE_RATE)));
            }
            let patience = deadline.saturating_duration_since(Instant::now());
            match with_timeout(patience, transfer.wait_for_available_async()).await {
                Ok(Ok(())) => {}
                // The ring was full and the bus has stopped. The waiting samples are too old, so the bus starts again.
                Ok(Err(_)) if !restarted => {
                    self.count_lost();
                    self.stop();
                    restarted = true;
                }
                Ok(Err(_)) => {
                    self.stop();
                    return Err(MicrophoneFault::Bus);
                }
                Err(_) => {
                    self.stop();
                    return Err(MicrophoneFault::Timeout);
                }
            }
        }
    }

    fn take_overruns(&mut self) -> u32 {
        core::mem::take(&mut self.overruns)
    }

    fn speaks_elsewhere(&self) -> bool {
        self.slots.is_other()
    }

    fn lowest_bit(&self) -> Option<u8> {
        self.alignment.lowest_bit()
    }
}
