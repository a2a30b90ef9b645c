//! ESP32-C6: one core without floating-point hardware, with Wi-Fi and a microphone. It is too slow for every hop and
//! every frame; [`real_time`](crate::real_time) describes how it shares its time.

use esp_hal::gpio::Pin;
use esp_hal::peripherals::Peripherals;

use crate::{Parts, microphone, strip};

/// Name of the board.
pub const BOARD: &str = "esp32c6";

/// Number of bytes of the heap in ordinary memory.
pub const ORDINARY_HEAP: usize = 76 * 1024;

/// Creates the heap, which includes the memory that the bootloader leaves. Wi-Fi takes about 55 KiB of it, the stacks
/// of renderer and ear 28 KiB.
pub fn heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 65_536);
    esp_alloc::heap_allocator!(size: ORDINARY_HEAP);
}

/// Assigns the hardware. The pins are those that an ESP32-C6-DevKitC-1 leaves free.
pub fn parts(p: Peripherals) -> Parts {
    Parts {
        timers: p.TIMG0,
        scheduler: p.FROM_CPU_INTR0,
        strip: strip::Parts { spi: p.SPI2, dma: p.DMA_CH0, pin: p.GPIO10.degrade() },
        microphone: microphone::Parts {
            i2s: p.I2S0,
            dma: p.DMA_CH1,
            bit_clock: p.GPIO18.degrade(),
            word_select: p.GPIO19.degrade(),
            data: p.GPIO20.degrade(),
        },
        thermometer: p.TSENS,
        noise: (p.RNG, p.ADC1),
        flash: p.FLASH,
        network: p.WIFI,
        usb: p.USB_DEVICE,
    }
}
