//! ESP32-S31: two cores and Wi-Fi. There is no driver for its I²S yet, so the ear hears sound from the network.

use esp_hal::gpio::Pin;
use esp_hal::peripherals::Peripherals;

use crate::{Parts, real_time, strip};

/// Name of the board.
pub const BOARD: &str = "esp32s31";

/// Number of bytes of the heap in ordinary memory.
pub const ORDINARY_HEAP: usize = 68 * 1024;

/// Creates the heap, which includes the memory that the bootloader leaves. Wi-Fi takes about 55 KiB of it.
pub fn heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 8_176);
    esp_alloc::heap_allocator!(size: ORDINARY_HEAP);
}

/// Assigns the hardware.
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
