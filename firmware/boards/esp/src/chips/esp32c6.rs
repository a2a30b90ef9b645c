//! ESP32-C6: one core without floating-point hardware, with Wi-Fi and a microphone. It has the time for neither every
//! hop nor every frame; see [`real_time`](crate::real_time) for how it shares what it has.

use esp_hal::gpio::Pin;
use esp_hal::peripherals::Peripherals;

use crate::{Parts, microphone, strip};

/// Name of the board.
pub const BOARD: &str = "esp32c6";

/// Bytes of ordinary memory that the heap has.
pub const ORDINARY_HEAP: usize = 76 * 1024;

/// Makes the heap, what the bootloader leaves included; Wi-Fi takes about 55 KiB of it, the stacks of renderer and ear 28.
pub fn heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 65_536);
    esp_alloc::heap_allocator!(size: ORDINARY_HEAP);
}

/// Who gets what. Pins that an ESP32-C6-DevKitC-1 leaves free.
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
        flash: p.FLASH,
        network: p.WIFI,
        usb: p.USB_DEVICE,
    }
}
