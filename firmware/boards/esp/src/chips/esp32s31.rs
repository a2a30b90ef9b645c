//! ESP32-S31: two cores and Wi-Fi. Its I²S has no driver yet, so the ear hears sound from the network.

use esp_hal::gpio::Pin;
use esp_hal::peripherals::Peripherals;

use crate::{Parts, real_time, strip};

/// Name of the board.
pub const BOARD: &str = "esp32s31";

/// Bytes of ordinary memory that the heap has.
pub const ORDINARY_HEAP: usize = 68 * 1024;

/// Makes the heap, what the bootloader leaves included; Wi-Fi takes about 55 KiB of it.
pub fn heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 8_176);
    esp_alloc::heap_allocator!(size: ORDINARY_HEAP);
}

/// Who gets what.
pub fn parts(p: Peripherals) -> Parts {
    Parts {
        timers: p.TIMG0,
        scheduler: p.FROM_CPU_INTR0,
        second_core: (p.CPU_CTRL, p.FROM_CPU_INTR1),
        levels: real_time::Levels { renderer: p.FROM_CPU_INTR2, ear: p.FROM_CPU_INTR3 },
        strip: strip::Parts { spi: p.SPI2, dma: p.DMA_AXI_CH0, pin: p.GPIO5.degrade() },
        flash: p.FLASH,
        network: p.WIFI,
        usb: p.USB_DEVICE,
    }
}
