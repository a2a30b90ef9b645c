//! ESP32-P4: two cores and Ethernet, no radio. The Ethernet pins are those of the ESP32-P4-Function-EV-Board, whose
//! PHY gives the clock.

use esp_hal::gpio::Pin;
use esp_hal::peripherals::Peripherals;

use crate::{Parts, microphone, network, real_time, strip};

/// Name of the board.
pub const BOARD: &str = "esp32p4";

/// Bytes of ordinary memory that the heap has.
pub const ORDINARY_HEAP: usize = 32 * 1024;

/// Makes the heap, what the bootloader leaves included.
pub fn heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 69_632);
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
        microphone: microphone::Parts {
            i2s: p.I2S0,
            dma: p.DMA_CH0,
            bit_clock: p.GPIO20.degrade(),
            word_select: p.GPIO21.degrade(),
            data: p.GPIO22.degrade(),
        },
        flash: p.FLASH,
        network: network::Parts {
            controller: p.ETH,
            reset: p.GPIO51.degrade(),
            clock: p.GPIO50,
            receive: (p.GPIO29, p.GPIO30, p.GPIO28),
            transmit: (p.GPIO34, p.GPIO35, p.GPIO49),
            management: (p.GPIO31, p.GPIO52),
        },
    }
}
