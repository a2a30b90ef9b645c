//! ESP32-S3: the K1. Core 0 shows, core 1 hears; microphone and strip are where they are in the lamps in the field.

use esp_hal::gpio::Pin;
use esp_hal::peripherals::Peripherals;

use crate::{Parts, microphone, strip};

/// Name of the board.
pub const BOARD: &str = "esp32s3";

/// Number of bytes of the heap in ordinary memory.
pub const ORDINARY_HEAP: usize = 0;

/// Creates the heap from the memory that the bootloader and half of the data cache leave. Wi-Fi takes about 55 KiB of
/// it, the renderer's stack 16 KiB. Static data needs the ordinary memory.
pub fn heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 73_744);
    esp_alloc::heap_allocator!(#[esp_hal::ram(unstable(dcache_reclaimed))] size: 32_768);
}

/// Assigns the hardware.
pub fn parts(p: Peripherals) -> Parts {
    Parts {
        timers: p.TIMG0,
        scheduler: p.FROM_CPU_INTR0,
        second_core: (p.CPU_CTRL, p.FROM_CPU_INTR1),
        strip: strip::Parts { spi: p.SPI2, dma: p.DMA_CH0, pin: p.GPIO5.degrade() },
        microphone: microphone::Parts {
            i2s: p.I2S0,
            dma: p.DMA_CH1,
            bit_clock: p.GPIO14.degrade(),
            word_select: p.GPIO12.degrade(),
            data: p.GPIO13.degrade(),
        },
        noise: (p.RNG, p.ADC1),
        flash: p.FLASH,
        network: p.WIFI,
        usb: p.USB_DEVICE,
    }
}
